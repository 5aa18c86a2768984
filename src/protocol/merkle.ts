/**
 * The one Merkle tree of the system: RFC 9162, section 2.1. Leaves and nodes are hashed under different prefixes,
 * so a node never passes for a leaf; an odd leaf is never duplicated (CVE-2012-2459).
 * Paths run from leaf to root.
 */
import { concat, equal, type LeafHash, type Root } from './bytes.ts';
import type { Suite } from './suite.ts';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const leafHash = (suite: Suite, entry: Uint8Array): LeafHash => suite.hash(concat(LEAF, entry)) as LeafHash;

export const nodeHash = (suite: Suite, left: Uint8Array, right: Uint8Array): Uint8Array =>
  suite.hash(concat(NODE, left, right));

/** The hash of nothing. */
export const emptyRoot = (suite: Suite): Root => suite.hash(new Uint8Array()) as Root;

export function root(suite: Suite, leaves: readonly LeafHash[]): Root {
  return leaves.length === 0 ? emptyRoot(suite) : (subtree(suite, leaves, 0, leaves.length) as Root);
}

/** Largest power of two below `size`; `size` is at least 2. */
function split(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

function subtree(suite: Suite, leaves: readonly Uint8Array[], start: number, end: number): Uint8Array {
  if (end - start === 1) return leaves[start]!;
  const middle = start + split(end - start);
  return nodeHash(suite, subtree(suite, leaves, start, middle), subtree(suite, leaves, middle, end));
}

/** RFC 9162, 2.1.3.1. */
export function inclusionProof(suite: Suite, leaves: readonly LeafHash[], index: number): Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) {
    throw new RangeError(`no leaf ${index} in a tree of ${leaves.length}`);
  }
  const path: Uint8Array[] = [];
  let start = 0;
  let end = leaves.length;
  while (end - start > 1) {
    const middle = start + split(end - start);
    if (index < middle) {
      path.push(subtree(suite, leaves, middle, end));
      end = middle;
    } else {
      path.push(subtree(suite, leaves, start, middle));
      start = middle;
    }
  }
  return path.reverse();
}

/**
 * For each sibling on the path of a leaf whether it stands on the left (RFC 9162, 2.1.3.2); `undefined` for an index
 * that is not in a tree of this size.
 */
export function siblingsOnLeft(index: bigint, size: bigint): readonly boolean[] | undefined {
  if (index < 0n || index >= size) return undefined;
  const sides: boolean[] = [];
  let node = index;
  for (let last = size - 1n; last > 0n; node >>= 1n, last >>= 1n) {
    const isLeft = (node & 1n) === 1n || node === last;
    sides.push(isLeft);
    // The lonely last node of a level moves up unhashed.
    while (isLeft && (node & 1n) === 0n && node !== 0n) {
      node >>= 1n;
      last >>= 1n;
    }
  }
  return sides;
}

/**
 * `undefined` where the path cannot be one of this leaf in a tree of this size.
 * A path does not authenticate `size`: it has to come from something signed.
 */
export function rootFromInclusionProof(
  suite: Suite,
  leaf: LeafHash,
  index: bigint,
  size: bigint,
  path: readonly Uint8Array[],
): Root | undefined {
  const sides = siblingsOnLeft(index, size);
  if (sides?.length !== path.length || path.some(({ length }) => length !== suite.width)) return undefined;
  return path.reduce<Uint8Array>(
    (hash, sibling, i) => (sides[i] ? nodeHash(suite, sibling, hash) : nodeHash(suite, hash, sibling)),
    leaf,
  ) as Root;
}

export function checkInclusion(
  suite: Suite,
  leaf: LeafHash,
  index: bigint,
  size: bigint,
  path: readonly Uint8Array[],
  expected: Root,
): boolean {
  const computed = rootFromInclusionProof(suite, leaf, index, size, path);
  return computed !== undefined && equal(computed, expected);
}

/** RFC 9162, 2.1.4.1: from the tree of the first `oldSize` leaves to the tree of all. */
export function consistencyProof(suite: Suite, leaves: readonly LeafHash[], oldSize: number): Uint8Array[] {
  if (!Number.isInteger(oldSize) || oldSize < 1 || oldSize > leaves.length) {
    throw new RangeError(`no consistency proof from size ${oldSize} to ${leaves.length}`);
  }
  const proof: Uint8Array[] = [];
  let start = 0;
  let end = leaves.length;
  while (oldSize !== end) {
    const middle = start + split(end - start);
    if (oldSize <= middle) {
      proof.push(subtree(suite, leaves, middle, end));
      end = middle;
    } else {
      proof.push(subtree(suite, leaves, start, middle));
      start = middle;
    }
  }
  if (start !== 0) proof.push(subtree(suite, leaves, start, end));
  return proof.reverse();
}

/** RFC 9162, 2.1.4.2. Sizes come from something signed, as with inclusion. */
export function checkConsistency(
  suite: Suite,
  oldSize: bigint,
  newSize: bigint,
  proof: readonly Uint8Array[],
  oldRoot: Root,
  newRoot: Root,
): boolean {
  if (oldSize < 1n || oldSize > newSize) return false;
  if (oldSize === newSize) return proof.length === 0 && equal(oldRoot, newRoot);
  const path = (oldSize & (oldSize - 1n)) === 0n ? [oldRoot, ...proof] : proof;
  const [first, ...rest] = path;
  if (first === undefined || path.some(({ length }) => length !== suite.width)) return false;
  let node = oldSize - 1n;
  let last = newSize - 1n;
  while ((node & 1n) === 1n) {
    node >>= 1n;
    last >>= 1n;
  }
  let older: Uint8Array = first;
  let newer: Uint8Array = first;
  for (const sibling of rest) {
    if (last === 0n) return false;
    if ((node & 1n) === 1n || node === last) {
      older = nodeHash(suite, sibling, older);
      newer = nodeHash(suite, sibling, newer);
      while ((node & 1n) === 0n && node !== 0n) {
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      newer = nodeHash(suite, newer, sibling);
    }
    node >>= 1n;
    last >>= 1n;
  }
  return last === 0n && equal(older, oldRoot) && equal(newer, newRoot);
}

/** A tree that grows: one peak per set bit of `size`, largest first. */
export type Range = { readonly size: bigint; readonly peaks: readonly Uint8Array[] };

export const emptyRange: Range = { size: 0n, peaks: [] };

export function append(suite: Suite, range: Range, leaf: LeafHash): Range {
  const peaks = [...range.peaks];
  let carried: Uint8Array = leaf;
  for (let bits = range.size; (bits & 1n) === 1n; bits >>= 1n) carried = nodeHash(suite, peaks.pop()!, carried);
  return { size: range.size + 1n, peaks: [...peaks, carried] };
}

export function rangeRoot(suite: Suite, range: Range): Root {
  const smallest = range.peaks.at(-1);
  if (smallest === undefined) return emptyRoot(suite);
  return range.peaks.slice(0, -1).reduceRight((root, peak) => nodeHash(suite, peak, root), smallest) as Root;
}
