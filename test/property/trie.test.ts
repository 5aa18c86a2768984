import { createMerkleProof, MerklePatriciaTrie, verifyMPTWithMerkleProof } from '@ethereumjs/mpt';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { expect } from 'chai';
import fc from 'fast-check';
import { equal } from '../../src/protocol/bytes.ts';
import * as Trie from '../../src/protocol/trie.ts';
import { mutate } from './mutation.ts';

const RUNS = Number(process.env['KEDGE_PROPERTY_RUNS'] ?? 100);

/** Hashed keys, as on chains, and keys that agree in all but their end: only those lead to embedded nodes. */
const hashedKey = fc.integer({ max: 1_000_000 }).map((n) => keccak_256(Uint8Array.of(n, n >> 8, n >> 16)));
const closeKey = fc.tuple(fc.nat(1), fc.nat(1), fc.nat(31)).map(([first, middle, last]) => {
  const key = new Uint8Array(32);
  key.set([first << 4], 0);
  key.set([middle], 29);
  key.set([last << 3, last], 30);
  return key;
});
const anyKey = fc.oneof(hashedKey, closeKey);
/** RLP, as the leaves of both of Ethereum's tries are; short ones embed. */
const value = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 1 }),
  fc.uint8Array({ minLength: 1, maxLength: 5 }),
  fc.uint8Array({ minLength: 33, maxLength: 110 }),
);
const entries = fc.array(fc.tuple(anyKey, value), { minLength: 1, maxLength: 40 });

async function build(pairs: readonly (readonly [Uint8Array, Uint8Array])[]) {
  const trie = new MerklePatriciaTrie();
  const truth = new Map<string, Uint8Array>();
  for (const [key, each] of pairs) {
    await trie.put(key, each);
    truth.set(key.toString(), each);
  }
  return { trie, truth };
}

/** As nodes give it: @ethereumjs/mpt lists a node that stands in its parent once more by itself. */
const prove = async (trie: MerklePatriciaTrie, key: Uint8Array): Promise<Uint8Array[]> =>
  (await createMerkleProof(trie, key)).filter((node, i) => i === 0 || node.length >= 32);

describe('trie proofs', function () {
  this.timeout(0);

  it('of @ethereumjs/mpt: present, absent and value as it and the map have them', async () => {
    let present = 0;
    let embedded = 0;
    await fc.assert(
      fc.asyncProperty(entries, fc.array(anyKey, { minLength: 1, maxLength: 10 }), async (pairs, others) => {
        const { trie, truth } = await build(pairs);
        for (const key of [...pairs.map(([each]) => each).slice(0, 10), ...others]) {
          const proof = await prove(trie, key);
          const wanted = truth.get(key.toString());
          const found = Trie.checkProof(trie.root(), key, proof);
          expect(found).to.deep.equal(wanted === undefined ? { kind: 'absent' } : { kind: 'present', value: wanted });
          const theirs = await createMerkleProof(trie, key);
          expect(await verifyMPTWithMerkleProof(trie, trie.root(), key, theirs)).to.deep.equal(wanted ?? null);
          if (theirs.length > proof.length) {
            embedded += 1;
            expect(Trie.checkProof(trie.root(), key, theirs).kind).to.equal('invalid');
          }
          if (wanted !== undefined) present += 1;
        }
      }),
      { numRuns: RUNS },
    );
    expect(present).to.be.above(0);
    // A few runs may have no such trie.
    if (RUNS >= 100) expect(embedded).to.be.above(0);
  });

  it('damaged in any way are invalid, never a false presence or absence', async () => {
    await fc.assert(
      fc.asyncProperty(
        entries,
        anyKey,
        fc.boolean(),
        fc.infiniteStream(fc.nat()),
        async (pairs, other, own, chosen) => {
          const { trie } = await build(pairs);
          const key = own ? pairs[0]![0] : other;
          const proof = await prove(trie, key);
          for (let i = 0; i < 50; i++) {
            const damaged = mutate(proof, (limit) => chosen.next().value % limit);
            if (damaged !== undefined) expect(Trie.checkProof(trie.root(), key, damaged).kind).to.equal('invalid');
          }
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('of one key say nothing false of another', async () => {
    await fc.assert(
      fc.asyncProperty(entries, anyKey, async (pairs, other) => {
        const { trie, truth } = await build(pairs);
        const proof = await prove(trie, pairs[0]![0]);
        const found = Trie.checkProof(trie.root(), other, proof);
        const wanted = truth.get(other.toString());
        if (found.kind === 'present') expect(wanted !== undefined && equal(found.value, wanted)).to.equal(true);
        if (found.kind === 'absent') expect(wanted).to.equal(undefined);
      }),
      { numRuns: RUNS },
    );
  });
});
