import { readdirSync, readFileSync } from 'node:fs';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { expect } from 'chai';
import { concat, DecodeError, fromHex, toHex } from '../../../src/protocol/bytes.ts';
import * as Rlp from '../../../src/protocol/rlp.ts';
import * as Trie from '../../../src/protocol/trie.ts';

type Vector = {
  readonly desc: string;
  readonly input: { readonly root: string; readonly key: string; readonly nodes: readonly string[] };
  readonly want: { readonly kind: string; readonly value?: string };
};

const FOLDER = new URL('../../vectors/trie/', import.meta.url);
const read = (name: string) => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as Vector;
const bytes = (hex: string) => fromHex(hex, 'test');

function check({ input }: Vector): Vector['want'] {
  const found = Trie.checkProof(bytes(input.root), bytes(input.key), input.nodes.map(bytes));
  return found.kind === 'present' ? { kind: found.kind, value: toHex(found.value) } : { kind: found.kind };
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof DecodeError) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('trie', () => {
  for (const name of readdirSync(FOLDER)) {
    const vector = read(name);
    it(`says ${vector.want.kind} of ${name.replace('.json', '')}: ${vector.desc}`, () => {
      expect(check(vector)).to.deep.equal(vector.want);
    });
  }

  it('finds the lie of each hostile vector in what it is named after', () => {
    const why = (name: string) => {
      const { input } = read(`${name}.json`);
      const found = Trie.checkProof(bytes(input.root), bytes(input.key), input.nodes.map(bytes));
      return found.kind === 'invalid' ? found.why : found.kind;
    };
    expect(why('length-with-leading-zero')).to.include('shortest form');
    expect(why('one-byte-in-long-form')).to.include('long form');
    expect(why('value-in-branch')).to.include('value');
    expect(why('extension-without-path')).to.include('without a path');
    expect(why('short-node-named-by-hash')).to.include('belongs into its parent');
    expect(why('long-node-embedded')).to.include('embedded');
    expect(why('proof-breaks-off')).to.include('breaks off');
    expect(why('path-beyond-64-nibbles')).to.include('64 nibbles');
    expect(why('other-path-beyond-64-nibbles')).to.include('64 nibbles');
  });

  it('refuses more nodes than a path has and nodes longer than any real one', () => {
    const { input } = read('two-nodes.json');
    const [root, key, nodes] = [bytes(input.root), bytes(input.key), input.nodes.map(bytes)];
    const many = Array<Uint8Array>(66).fill(nodes[0]!);
    expect(Trie.checkProof(root, key, many)).to.deep.equal({ kind: 'invalid', why: 'more than 65 nodes' });
    const long = Rlp.encode([concat(Uint8Array.of(0x20), key), new Uint8Array(4096)]);
    expect(Trie.checkProof(keccak_256(long), key, [long]).kind).to.equal('invalid');
  });

  it('refuses a root or a path of another length', () => {
    const { input } = read('two-nodes.json');
    const [root, key, nodes] = [bytes(input.root), bytes(input.key), input.nodes.map(bytes)];
    expect(Trie.checkProof(root.slice(1), key, nodes).kind).to.equal('invalid');
    expect(Trie.checkProof(new Uint8Array(), key, []).kind).to.equal('invalid');
    expect(Trie.checkProof(root, new Uint8Array(), nodes).kind).to.equal('invalid');
    expect(Trie.checkProof(root, concat(key, key), nodes).kind).to.equal('invalid');
  });

  it('finds the paths of slots and accounts', () => {
    // Known from every Solidity contract: the paths of slots 0 and 1.
    expect(toHex(Trie.storageKey(0n))).to.equal('290decd9548b62a8d60345a988386fc84ba6bc95484008f6362f93160ef3e563');
    expect(toHex(Trie.storageKey(1n))).to.equal('b10e2d527612073b26eecdfd717e6a320cf44b4afac2b0732d9fcbe2b7fa0cf6');
    expect(toHex(Trie.slotBytes(2n ** 256n - 1n))).to.equal('ff'.repeat(32));
    expect(toHex(Trie.slotBytes(0x0102n << 128n))).to.equal(`${'00'.repeat(14)}0102${'00'.repeat(16)}`);
    expect(Trie.accountKey(new Uint8Array(20))).to.deep.equal(keccak_256(new Uint8Array(20)));
  });

  describe('account', () => {
    const hash = new Uint8Array(32).fill(7);
    const account = (...fields: readonly Rlp.Rlp[]) => Rlp.encode(fields);
    it('is read from a proof', () => {
      const { want } = read('accounts.json');
      const { nonce, balance, storageRoot, codeHash } = Trie.decodeAccount(bytes(want.value!));
      expect([nonce, balance]).to.deep.equal([0n, 0x019a59n]);
      expect(storageRoot).to.deep.equal(Trie.EMPTY_ROOT);
      expect(codeHash).to.deep.equal(keccak_256(new Uint8Array()));
    });
    const HOSTILE: readonly (readonly [string, Uint8Array, string])[] = [
      ['three fields', account(new Uint8Array(), new Uint8Array(), hash), 'malformed'],
      ['five fields', account(new Uint8Array(), new Uint8Array(), hash, hash, new Uint8Array()), 'malformed'],
      ['a nonce with a leading zero', account(Uint8Array.of(0), new Uint8Array(), hash, hash), 'malformed'],
      ['a nonce of nine bytes', account(new Uint8Array(9).fill(1), new Uint8Array(), hash, hash), 'out-of-range'],
      ['a balance of 33 bytes', account(new Uint8Array(), new Uint8Array(33).fill(1), hash, hash), 'out-of-range'],
      ['a short storage root', account(new Uint8Array(), new Uint8Array(), hash.slice(1), hash), 'out-of-range'],
      ['a list as code hash', account(new Uint8Array(), new Uint8Array(), hash, []), 'malformed'],
      ['a string', Rlp.encode(hash), 'malformed'],
      ['a byte too many', concat(account(new Uint8Array(), new Uint8Array(), hash, hash), hash), 'trailing'],
    ];
    for (const [name, value, code] of HOSTILE) {
      it(`is not ${name}`, () => expect(codeOf(() => Trie.decodeAccount(value))).to.equal(code));
    }
  });

  describe('storage value', () => {
    it('is padded to a word', () => {
      expect(toHex(Trie.decodeStorageValue(bytes('05')))).to.equal(`${'00'.repeat(31)}05`);
      expect(toHex(Trie.decodeStorageValue(bytes('820400')))).to.equal(`${'00'.repeat(30)}0400`);
      expect(toHex(Trie.decodeStorageValue(bytes(`a0${'ff'.repeat(32)}`)))).to.equal('ff'.repeat(32));
    });
    for (const [name, hex, code] of [
      ['empty', '80', 'malformed'],
      ['zero', '00', 'malformed'],
      ['written with a leading zero', '820005', 'malformed'],
      ['33 bytes long', `a1${'ff'.repeat(33)}`, 'malformed'],
      ['a list', 'c105', 'malformed'],
      ['one byte in long form', '8105', 'malformed'],
      ['followed by another', '0506', 'trailing'],
      ['nothing', '', 'truncated'],
    ] as const) {
      it(`is never ${name}`, () => expect(codeOf(() => Trie.decodeStorageValue(bytes(hex)))).to.equal(code));
    }
  });
});
