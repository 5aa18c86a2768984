import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import {
  toHex,
  type ChainId,
  type ContentHash,
  type KeyDigest,
  type PublicKey,
  type Root,
} from '../../../src/protocol/bytes.ts';
import * as Chain from '../../../src/protocol/chain.ts';
import * as Checkpoint from '../../../src/protocol/checkpoint.ts';
import * as Event from '../../../src/protocol/event.ts';
import * as Evidence from '../../../src/protocol/evidence.ts';
import * as Merkle from '../../../src/protocol/merkle.ts';
import * as Ots from '../../../src/protocol/ots.ts';
import * as Receipt from '../../../src/protocol/receipt.ts';
import type { RecordHeader } from '../../../src/protocol/record.ts';
import * as Rotation from '../../../src/protocol/rotation.ts';
import * as Seal from '../../../src/protocol/seal.ts';
import * as Signature from '../../../src/protocol/signature.ts';
import * as Suite from '../../../src/protocol/suite.ts';
import * as Trust from '../../../src/protocol/trust.ts';
import { EVIDENCE, TRUST } from './documents.ts';
import { failureOf, hex, isExact, known, refusesLies, type Fields } from './vectors.ts';

const suiteOf = (id: string | undefined): Suite.Suite => Suite.byId(Number(id))!;
const big = (text: string | undefined): bigint => BigInt(text ?? 'absent');

function headerOf(input: Fields): RecordHeader {
  return {
    suite: suiteOf(input['suite']),
    chainId: hex(input['chainId']) as ChainId,
    height: big(input['height']),
    prev: hex(input['prev']) as ContentHash,
    historyRoot: hex(input['historyRoot']) as Root,
  };
}

describe('event', () => {
  for (const { name, desc, input, bytes, want } of known('event')) {
    it(`${name}: ${desc}`, () => {
      const suite = suiteOf(input['suite']);
      if (input['json'] !== undefined) expect(toHex(Event.canonicalJson(hex(input['json'])))).to.equal(toHex(bytes));
      else expect(input['raw']).to.equal(toHex(bytes));
      const hash = Event.hash(suite, bytes);
      expect({ hash: toHex(hash), leaf: toHex(Event.leaf(suite, hash)) }).to.deep.equal(want);
    });
  }
  refusesLies('event', Event.canonicalJson);

  it('canonical JSON is canonical', () => {
    for (const { bytes } of known('event', 'json-')) expect(Event.canonicalJson(bytes)).to.deep.equal(bytes);
  });
});

describe('chain', () => {
  for (const { name, desc, input, want } of known('chain', 'id-')) {
    const identity: Chain.Identity = {
      tenant: input['tenant']!,
      suite: suiteOf(input['suite']),
      slot: Number(input['slot']),
      genesisKey: hex(input['genesisKey']) as PublicKey,
      nextKeyDigest: hex(input['nextKeyDigest']) as KeyDigest,
    };
    it(`${name}: ${desc}`, () => {
      expect(toHex(Chain.chainId(identity))).to.equal(want['chainId']);
    });
    it(`${name} changes with every part of the identity`, () => {
      const { suite, slot, tenant } = identity;
      const other = (bytes: Uint8Array) => bytes.map((byte, i) => (i === 31 ? byte ^ 1 : byte));
      const others: readonly Chain.Identity[] = [
        { ...identity, tenant: tenant.replace(/.$/, '0') },
        { ...identity, suite: suite.id === 1 ? Suite.BLAKE3_128 : Suite.SHA2_256 },
        { ...identity, slot: slot === 0 ? 1 : slot - 1 },
        { ...identity, genesisKey: other(identity.genesisKey) as PublicKey },
        { ...identity, nextKeyDigest: other(identity.nextKeyDigest) as KeyDigest },
      ];
      expect(new Set([identity, ...others].map((each) => toHex(Chain.chainId(each)))).size).to.equal(6);
    });
    it(`${name} is of no tenant whose name has another form`, () => {
      for (const tenant of ['', '-a', 'A', 'ä', 'a b', 'a\n', 'a\0', 'a_b', 'a'.repeat(64)]) {
        expect(() => Chain.chainId({ ...identity, tenant }), JSON.stringify(tenant)).to.throw(RangeError);
      }
    });
  }

  for (const { name, desc, input, want } of known('chain', 'key-digest')) {
    it(`${name}: ${desc}`, () => {
      const key = Signature.publicKey(hex(input['seed']));
      expect(toHex(key)).to.equal(input['key']);
      expect(toHex(Chain.keyDigest(key))).to.equal(want['keyDigest']);
    });
  }

  type History = { readonly suite: string; readonly records: readonly string[] };
  for (const { name, desc, input, want } of known<History>('chain', 'history')) {
    it(`${name}: ${desc}`, () => {
      const suite = suiteOf(input.suite);
      const records = input.records.map(hex);
      const hashes = records.map((record) => Chain.contentHash(suite, record));
      expect(hashes.map(toHex)).to.deep.equal(want['contentHashes']);
      for (const [i, bytes] of records.entries()) {
        const record = Chain.decodeRecord(bytes);
        const leaves = hashes.slice(0, i).map((hash) => Merkle.leafHash(suite, hash));
        expect(record.height).to.equal(BigInt(i));
        expect(record.prev).to.deep.equal(hashes[i - 1] ?? new Uint8Array(suite.width));
        expect(record.historyRoot).to.deep.equal(Merkle.root(suite, leaves));
        expect(toHex(Chain.encodeRecord(record))).to.equal(toHex(bytes));
      }
      const leaves = hashes.map((hash) => Merkle.leafHash(suite, hash));
      expect(toHex(Merkle.root(suite, leaves))).to.equal(want['historyRoot']);
      expect(toHex(hashes.at(-1)!)).to.equal(want['prev']);
    });
  }
  refusesLies('chain', Chain.decodeRecord);
});

type SealInput = Fields & { readonly beacons: readonly Fields[] };

describe('seal', () => {
  const vectors = known<SealInput>('seal');
  for (const { name, desc, input, bytes, want } of vectors) {
    it(`${name}: ${desc}`, () => {
      const fields: Omit<Seal.Seal, 'signature'> = {
        ...headerOf(input),
        tag: 'TSEL',
        sealedAtMs: big(input['sealedAtMs']),
        firstEvent: big(input['firstEvent']),
        eventCount: Number(input['eventCount']),
        eventsRoot: hex(input['eventsRoot']) as Root,
        beacons: (input.beacons as readonly Fields[]).map((beacon) => ({
          kind: Number(beacon['kind']) as 1 | 2,
          network: big(beacon['network']),
          number: big(beacon['number']),
          hash: hex(beacon['hash']),
        })),
      };
      const seed = hex(input['seed']);
      const signature = Signature.sign(Seal.signedBytes(fields), seed);
      expect(toHex(signature)).to.equal(want['signature']);
      expect(toHex(Seal.encode({ ...fields, signature }))).to.equal(toHex(bytes));
      expect(Seal.decode(bytes)).to.deep.equal({ ...fields, signature });
      expect(Signature.check(signature, Seal.signedBytes(Seal.decode(bytes)), Signature.publicKey(seed))).to.equal(
        true,
      );
      expect(toHex(Chain.contentHash(fields.suite, bytes))).to.equal(want['contentHash']);
    });
  }
  refusesLies('seal', Seal.decode);
  isExact(vectors, Seal.decode, Seal.encode);

  it('is not written with more than a reader takes', () => {
    const seal = Seal.decode(vectors.find(({ name }) => name === 'four-beacons')!.bytes);
    const [first, ...rest] = seal.beacons;
    expect(() => Seal.encode({ ...seal, eventCount: Seal.MAX_EVENTS + 1 })).to.throw();
    expect(() => Seal.encode({ ...seal, beacons: [...seal.beacons, first!] })).to.throw();
    expect(() => Seal.encode({ ...seal, beacons: [...rest, first!] })).to.throw();
    expect(() => Seal.encode({ ...seal, beacons: [first!, first!] })).to.throw();
  });
});

describe('rotation', () => {
  const vectors = known('rotation');
  for (const { name, desc, input, bytes, want } of vectors) {
    it(`${name}: ${desc}`, () => {
      const fields: Omit<Rotation.Rotation, 'newSignature' | 'oldSignature'> = {
        ...headerOf(input),
        tag: 'TROT',
        rotatedAtMs: big(input['rotatedAtMs']),
        reason: Number(input['reason']) as Rotation.Reason,
        oldKey: hex(input['oldKey']) as PublicKey,
        newKey: hex(input['newKey']) as PublicKey,
        nextKeyDigest: hex(input['nextKeyDigest']) as KeyDigest,
      };
      const newSignature = Signature.sign(Rotation.possessionBytes(fields), hex(input['newSeed']));
      const oldSignature = Signature.sign(Rotation.authorityBytes({ ...fields, newSignature }), hex(input['oldSeed']));
      const rotation = { ...fields, newSignature, oldSignature };
      expect(toHex(Rotation.encode(rotation))).to.equal(toHex(bytes));
      expect(Rotation.decode(bytes)).to.deep.equal(rotation);
      expect({
        newSignature: toHex(newSignature),
        oldSignature: toHex(oldSignature),
        contentHash: toHex(Chain.contentHash(fields.suite, bytes)),
      }).to.deep.equal(want);
    });
  }
  refusesLies('rotation', Rotation.decode);
  isExact(vectors, Rotation.decode, Rotation.encode);
});

describe('receipt', () => {
  const vectors = known('receipt');
  for (const { name, desc, input, bytes, want } of vectors) {
    it(`${name}: ${desc}`, () => {
      const fields: Omit<Receipt.Receipt, 'signature'> = {
        suite: suiteOf(input['suite']),
        chainId: hex(input['chainId']) as ChainId,
        height: big(input['height']),
        firstEvent: big(input['firstEvent']),
        eventCount: Number(input['eventCount']),
        eventsRoot: hex(input['eventsRoot']) as Root,
        receivedAtMs: big(input['receivedAtMs']),
      };
      const signature = Signature.sign(Receipt.signedBytes(fields), hex(input['seed']));
      expect(toHex(signature)).to.equal(want['signature']);
      expect(toHex(Receipt.encode({ ...fields, signature }))).to.equal(toHex(bytes));
      expect(Receipt.decode(bytes)).to.deep.equal({ ...fields, signature });
    });
  }
  refusesLies('receipt', Receipt.decode);
  isExact(vectors, Receipt.decode, Receipt.encode);
});

describe('records of one kind for another', () => {
  const message = new Uint8Array(32);
  const KINDS: { readonly [kind: string]: readonly Uint8Array[] } = {
    seal: known('seal').map(({ bytes }) => bytes),
    rotation: known('rotation').map(({ bytes }) => bytes),
    receipt: known('receipt').map(({ bytes }) => bytes),
    checkpoint: known('checkpoint').map(({ bytes }) => bytes),
    evidence: [Evidence.encode(EVIDENCE)],
    trust: [Trust.encode(TRUST)],
    ots: [Ots.encodeFile({ hash: 'sha256', stamp: Ots.attested(message, { kind: 'bitcoin', height: 1 }) })],
    anchor: known('anchor').map(({ bytes }) => bytes),
    log: known('log').map(({ bytes }) => bytes),
    preimage: known('chain', 'id-').map(({ bytes }) => bytes),
    headers: [readFileSync(new URL('../../vectors/bitcoin-core-regtest/headers.hex', import.meta.url)).subarray(0, 80)],
  };
  const DECODERS: { readonly [kind: string]: (bytes: Uint8Array) => unknown } = {
    seal: Seal.decode,
    rotation: Rotation.decode,
    receipt: Receipt.decode,
    checkpoint: Checkpoint.decode,
    evidence: Evidence.decode,
    trust: Trust.decode,
    ots: Ots.decodeFile,
  };
  for (const [reader, decode] of Object.entries(DECODERS)) {
    for (const [kind, all] of Object.entries(KINDS)) {
      if (kind === reader) {
        it(`${reader} reads its own`, () => {
          for (const bytes of all) decode(bytes);
        });
        continue;
      }
      it(`${reader} refuses ${kind}`, () => {
        for (const bytes of all) expect(failureOf(() => decode(bytes))).not.to.equal('accepted');
      });
    }
  }

  it('with the tag of another kind, too', () => {
    for (const [kind, tag] of [
      ['seal', Seal.TAG],
      ['rotation', Rotation.TAG],
      ['receipt', Receipt.TAG],
      ['checkpoint', Checkpoint.TAG],
    ] as const) {
      for (const [other, all] of Object.entries(KINDS)) {
        if (other === kind || !(other in DECODERS)) continue;
        for (const bytes of all) {
          const forged = bytes.slice();
          forged.set(Buffer.from(tag));
          expect(
            failureOf(() => DECODERS[kind]!(forged)),
            `${other} as ${kind}`,
          ).not.to.equal('accepted');
        }
      }
    }
  });

  it('a chain holds seals and rotations only', () => {
    for (const [kind, all] of Object.entries(KINDS)) {
      for (const bytes of all) {
        const failure = failureOf(() => Chain.decodeRecord(bytes));
        if (kind === 'seal' || kind === 'rotation') expect(failure).to.equal('accepted');
        else expect(failure, kind).not.to.equal('accepted');
      }
    }
  });

  it('no signature of one record is one of another', () => {
    const key = Signature.publicKey(new Uint8Array(32).fill(1));
    const seal = Seal.decode(known('seal', 'first')[0]!.bytes);
    const receipt = Receipt.decode(known('receipt', 'sha2-256')[0]!.bytes);
    expect(Signature.check(seal.signature, Seal.signedBytes(seal), key)).to.equal(true);
    expect(Signature.check(receipt.signature, Receipt.signedBytes(receipt), key)).to.equal(true);
    expect(Signature.check(receipt.signature, Seal.signedBytes(seal), key)).to.equal(false);
    expect(Signature.check(seal.signature, Receipt.signedBytes(receipt), key)).to.equal(false);
  });
});

describe('docs/format.md', () => {
  const page = readFileSync(new URL('../../../docs/format.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/[Vv]ector `([a-z]+)\/([a-z0-9-]+)`[^\n]*\n\n```\n([\s\S]*?)```/g)];

  for (const [, noun, name, block] of examples) {
    it(`shows ${noun}/${name} as it is`, () => {
      const vector = known<unknown>(noun!).find((each) => each.name === name)!;
      const dump = [...block!.matchAll(/^ *[0-9]* {2,}([0-9a-f]+)(?: {2,}.*)?$/gm)]
        .map(([, digits]) => digits)
        .join('');
      const isDumped = /^ +0 {2}/.test(block!);
      if (isDumped) expect(dump).to.equal(toHex(vector.bytes));
      if (noun === 'event') expect(block).to.include(Buffer.from(vector.bytes).toString());
      for (const value of Object.values(vector.want).flat()) expect(block! + dump).to.include(value);
    });
  }

  it('has an example of every noun', () => {
    expect(new Set(examples.map(([, noun]) => noun))).to.deep.equal(
      new Set(['event', 'chain', 'seal', 'rotation', 'receipt', 'anchor', 'log', 'checkpoint']),
    );
  });
});
