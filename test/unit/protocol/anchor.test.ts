import { expect } from 'chai';
import * as Anchor from '../../../src/protocol/anchor.ts';
import { concat, toHex, type ChainId, type LeafHash, type Root } from '../../../src/protocol/bytes.ts';
import * as Log from '../../../src/protocol/log.ts';
import * as Merkle from '../../../src/protocol/merkle.ts';
import { SHA2_256 } from '../../../src/protocol/suite.ts';
import { hex, known, type Fields } from './vectors.ts';

const nameOf = (input: Fields): Anchor.AnchorName => ({
  evmChainId: BigInt(input['evmChainId']!),
  contract: hex(input['contract']),
  number: BigInt(input['number']!),
});
const headOf = (input: Fields): Anchor.AnchoredHead => ({
  chainId: hex(input['chainId']) as ChainId,
  height: BigInt(input['height']!),
  record: hex(input['record']),
});
const leafOf = (bytes: Uint8Array): LeafHash => Merkle.leafHash(SHA2_256, bytes);

describe('anchor', () => {
  for (const { name, desc, input, want } of [...known('anchor', 'salt'), ...known('anchor', 'filler')]) {
    it(`${name}: ${desc}`, () => {
      const secret = hex(input['secret']);
      const slot = Number(input['slot']);
      const made = (want['salt'] === undefined ? Anchor.filler : Anchor.salt)(secret, nameOf(input), slot);
      expect(toHex(made)).to.equal(want['salt'] ?? want['filler']);
    });
  }

  for (const { name, desc, input, bytes, want } of known('anchor', 'entry')) {
    it(`${name}: ${desc}`, () => {
      const entry = Anchor.entry(hex(input['salt']), headOf(input));
      expect(toHex(entry)).to.equal(toHex(bytes));
      expect(toHex(leafOf(entry))).to.equal(want['leaf']);
    });
  }

  for (const { name, desc, input, want } of known('anchor', 'value')) {
    it(`${name}: ${desc}`, () => {
      const value = Anchor.value(Number(input['count']), hex(input['treeRoot']) as Root);
      expect(toHex(value)).to.equal(want['value']);
    });
  }

  type Tree = Fields & { readonly heads: readonly Fields[] };
  for (const { name, desc, input, bytes, want } of known<Tree>('anchor', 'tree')) {
    const count = Number(input['count']);
    const heads = new Map((input.heads as readonly Fields[]).map((head) => [Number(head['slot']), headOf(head)]));
    const leaves = Anchor.leaves(hex(input['secret']), nameOf(input), count, heads);
    it(`${name}: ${desc}`, () => {
      const entries = Array.from({ length: count }, (_, slot) => bytes.subarray(88 * slot, 88 * (slot + 1)));
      expect(leaves).to.deep.equal(entries.map(leafOf));
      const root = Merkle.root(SHA2_256, leaves);
      expect({ treeRoot: toHex(root), value: toHex(Anchor.value(count, root)) }).to.deep.equal(want);
    });
    it(`${name} has every entry at its slot and nowhere else`, () => {
      const root = Merkle.root(SHA2_256, leaves);
      for (let slot = 0; slot < count; slot++) {
        const path = Merkle.inclusionProof(SHA2_256, leaves, slot);
        for (let other = 0; other <= count; other++) {
          const holds = Merkle.checkInclusion(SHA2_256, leaves[slot]!, BigInt(other), BigInt(count), path, root);
          expect(holds, `entry of slot ${slot} at ${other}`).to.equal(other === slot);
        }
      }
    });
  }

  it('the count is in the value: a tree of another size is another value', () => {
    const root = new Uint8Array(32).fill(1) as Root;
    expect(toHex(Anchor.value(1, root))).not.to.equal(toHex(Anchor.value(2, root)));
  });

  it('a filler is as long as an entry, and nothing is used twice', () => {
    const secret = new Uint8Array(32).fill(9);
    const contract = new Uint8Array(20).fill(1);
    const name = { evmChainId: 1n, contract, number: 0n };
    const names = [
      name,
      { ...name, number: 1n },
      { ...name, evmChainId: 2n },
      { ...name, contract: contract.toReversed().fill(2) },
    ];
    const salts = names.flatMap((each) => [0, 1].map((slot) => toHex(Anchor.salt(secret, each, slot))));
    const fillers = names.flatMap((each) => [0, 1].map((slot) => toHex(Anchor.filler(secret, each, slot))));
    expect(new Set(salts).size).to.equal(8);
    expect(new Set(fillers).size).to.equal(8);
    // A salt that is shown must not give away the start of the filler that stood at its slot.
    for (const [i, filler] of fillers.entries()) expect(filler.startsWith(salts[i]!)).to.equal(false);
    const head = { chainId: new Uint8Array(32) as ChainId, height: 0n, record: new Uint8Array(1) };
    expect(Anchor.filler(secret, name, 0).length).to.equal(Anchor.entry(Anchor.salt(secret, name, 0), head).length);
  });
});

describe('log', () => {
  const logOf = (input: Fields): Log.LogEntry => ({
    evmChainId: BigInt(input['evmChainId']!),
    contract: hex(input['contract']),
    root: hex(input['root']),
    timestamp: BigInt(input['timestamp']!),
  });
  for (const { name, desc, input, bytes, want } of known('log', 'entry')) {
    it(`${name}: ${desc}`, () => {
      expect(toHex(Log.entry(logOf(input)))).to.equal(toHex(bytes));
      expect(toHex(leafOf(Log.entry(logOf(input))))).to.equal(want['leaf']);
    });
  }

  type Entries = { readonly entries: readonly Fields[] };
  for (const { name, desc, input, bytes, want } of known<Entries>('log', 'root-of')) {
    it(`${name}: ${desc}`, () => {
      const entries = input.entries.map((each) => Log.entry(logOf(each)));
      expect(toHex(concat(...entries))).to.equal(toHex(bytes));
      const range = entries
        .map(leafOf)
        .reduce((grown, leaf) => Merkle.append(SHA2_256, grown, leaf), Merkle.emptyRange);
      expect(toHex(Merkle.root(SHA2_256, entries.map(leafOf)))).to.equal(want['root']);
      expect(toHex(Merkle.rangeRoot(SHA2_256, range))).to.equal(want['root']);
      expect(range.peaks.map(toHex)).to.deep.equal(want['peaks']);
    });
  }

  for (const { name, desc, want } of known('log', 'base-slot')) {
    it(`${name}: ${desc}`, () => {
      expect(Log.BASE_SLOT.toString(16).padStart(64, '0')).to.equal(want['slot']);
    });
  }
});
