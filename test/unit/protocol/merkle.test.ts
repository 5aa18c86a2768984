import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { concat, equal, toHex, type LeafHash, type Root } from '../../../src/protocol/bytes.ts';
import * as Merkle from '../../../src/protocol/merkle.ts';
import { BLAKE3_128, SHA2_256, type Suite } from '../../../src/protocol/suite.ts';

type Inclusion = { source: string; leafIdx: number; treeSize: number; root: string; leafHash: string; proof: string[] };
type Consistency = { source: string; size1: number; size2: number; root1: string; root2: string; proof: string[] };
const published = JSON.parse(readFileSync('test/vectors/merkle/transparency-dev.json', 'utf8')) as {
  inclusion: Inclusion[];
  consistency: Consistency[];
};
const fromBase64 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));

/** RFC 9162, 2.1.1, as it stands there. */
function naiveRoot(suite: Suite, leaves: readonly LeafHash[]): Uint8Array {
  if (leaves.length === 0) return suite.hash(new Uint8Array());
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  const [left, right] = [naiveRoot(suite, leaves.slice(0, k)), naiveRoot(suite, leaves.slice(k))];
  return suite.hash(concat(Uint8Array.of(1), left, right));
}

const leavesOf = (suite: Suite, count: number): LeafHash[] =>
  Array.from({ length: count }, (_, i) => Merkle.leafHash(suite, Uint8Array.of(i)));
const SIZES = Array.from({ length: 65 }, (_, i) => i);

describe('merkle', () => {
  it('proofs of transparency-dev/merkle verify', () => {
    for (const { leafIdx, treeSize, root, leafHash, proof, source } of published.inclusion) {
      const path = proof.map(fromBase64);
      const check = (index: number, size: number) =>
        Merkle.checkInclusion(
          SHA2_256,
          fromBase64(leafHash) as LeafHash,
          BigInt(index),
          BigInt(size),
          path,
          fromBase64(root) as Root,
        );
      expect(check(leafIdx, treeSize), source).to.equal(true);
      expect(check(leafIdx + 1, treeSize), source).to.equal(false);
      expect(check(leafIdx, treeSize * 2), source).to.equal(false);
    }
    for (const { size1, size2, root1, root2, proof, source } of published.consistency) {
      const [older, newer] = [fromBase64(root1) as Root, fromBase64(root2) as Root];
      const path = proof.map(fromBase64);
      expect(Merkle.checkConsistency(SHA2_256, BigInt(size1), BigInt(size2), path, older, newer), source).to.equal(
        true,
      );
      expect(Merkle.checkConsistency(SHA2_256, BigInt(size1), BigInt(size2), path, newer, older), source).to.equal(
        false,
      );
      expect(Merkle.checkConsistency(SHA2_256, BigInt(size1) + 1n, BigInt(size2), path, older, newer), source).to.equal(
        false,
      );
    }
  });

  it('roots of the Certificate Transparency test leaves', () => {
    const leaves = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ].map((hex) => Merkle.leafHash(SHA2_256, Buffer.from(hex, 'hex')));
    const roots = leaves.map((_, i) => toHex(Merkle.root(SHA2_256, leaves.slice(0, i + 1))).slice(0, 8));
    expect(roots).to.deep.equal([
      '6e340b9c',
      'fac54203',
      'aeb6bcfe',
      'd37ee418',
      '4e3bbb1f',
      '76e67dad',
      'ddb89be4',
      '5dc9da79',
    ]);
    expect(toHex(Merkle.emptyRoot(SHA2_256)).slice(0, 8)).to.equal('e3b0c442');
  });

  for (const suite of [SHA2_256, BLAKE3_128]) {
    it(`${suite.name}: the RFC's own definition, the compact range and every proof agree`, () => {
      let range = Merkle.emptyRange;
      for (const size of SIZES) {
        const leaves = leavesOf(suite, size);
        const root = Merkle.root(suite, leaves);
        expect(toHex(root)).to.equal(toHex(naiveRoot(suite, leaves)));
        expect(toHex(Merkle.rangeRoot(suite, range))).to.equal(toHex(root));
        leaves.forEach((leaf, i) => {
          const path = Merkle.inclusionProof(suite, leaves, i);
          const check = (index: number, other = path) =>
            Merkle.checkInclusion(suite, leaf, BigInt(index), BigInt(size), other, root);
          expect(check(i)).to.equal(true);
          expect(check(i + 1)).to.equal(false);
          expect(check(i, path.slice(1))).to.equal(path.length === 0);
          expect(check(i, [...path, leaf])).to.equal(false);
          if (path.length > 0) expect(check(i, [path[0]!.map((byte) => byte ^ 1), ...path.slice(1)])).to.equal(false);
        });
        for (let old = 1; old <= size; old++) {
          const proof = Merkle.consistencyProof(suite, leaves, old);
          const older = Merkle.root(suite, leaves.slice(0, old));
          expect(Merkle.checkConsistency(suite, BigInt(old), BigInt(size), proof, older, root)).to.equal(true);
          expect(Merkle.checkConsistency(suite, BigInt(old), BigInt(size), [...proof, root], older, root)).to.equal(
            false,
          );
        }
        range = Merkle.append(suite, range, Merkle.leafHash(suite, Uint8Array.of(size)));
      }
    });
  }

  it('a tree whose last leaf is given twice has another root (CVE-2012-2459)', () => {
    for (const size of SIZES.slice(1)) {
      const leaves = leavesOf(SHA2_256, size);
      const root = Merkle.root(SHA2_256, leaves);
      for (const twin of [
        [...leaves, leaves.at(-1)!],
        [...leaves, ...leaves.slice(-2)],
      ]) {
        expect(equal(Merkle.root(SHA2_256, twin), root)).to.equal(false);
      }
    }
  });

  it('a node presented as a leaf is refused, whatever it is called', () => {
    for (const size of SIZES.slice(2)) {
      const leaves = leavesOf(SHA2_256, size);
      const root = Merkle.root(SHA2_256, leaves);
      const [first, second] = leaves as [LeafHash, LeafHash];
      const node = concat(first, second);
      const path = Merkle.inclusionProof(SHA2_256, leaves, 0).slice(1);
      for (const claimed of SIZES.slice(1)) {
        const leaf = Merkle.leafHash(SHA2_256, node);
        expect(Merkle.checkInclusion(SHA2_256, leaf, 0n, BigInt(claimed), path, root)).to.equal(false);
      }
    }
  });

  it('a root with an empty path is the one leaf of a tree of one', () => {
    for (const size of SIZES.slice(1)) {
      const root = Merkle.root(SHA2_256, leavesOf(SHA2_256, size));
      expect(Merkle.checkInclusion(SHA2_256, root as unknown as LeafHash, 0n, BigInt(size), [], root)).to.equal(
        size === 1,
      );
    }
  });
});
