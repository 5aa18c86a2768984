/**
 * Proofs in Ethereum's Merkle Patricia trie (Yellow Paper, appendix D), as `eth_getProof` (EIP-1186) gives them.
 * Present, absent and invalid are three answers: a proof that breaks off is never an absence.
 */
import { keccak_256 } from '@noble/hashes/sha3.js';
import { DecodeError, equal, u64 } from './bytes.ts';
import * as Rlp from './rlp.ts';

export type ProofResult =
  | { readonly kind: 'present'; readonly value: Uint8Array }
  | { readonly kind: 'absent' }
  | { readonly kind: 'invalid'; readonly why: string };

/** A path has 64 nibbles, so a proof has at most 65 nodes. */
const MAX_NODES = 65;
/** A branch of 17 items is under 600 bytes; a leaf holds an account or a storage word. */
const MAX_NODE_LENGTH = 4096;

const EMPTY_STRING = Uint8Array.of(0x80);
export const EMPTY_ROOT = keccak_256(EMPTY_STRING);

const invalid = (why: string): ProofResult => ({ kind: 'invalid', why });
const ABSENT: ProofResult = { kind: 'absent' };

/** `key` is hashed already, 32 bytes. Every node has to be used, in its order. */
export function checkProof(root: Uint8Array, key: Uint8Array, nodes: readonly Uint8Array[]): ProofResult {
  if (key.length !== 32) return invalid(`a path of ${key.length} bytes where 32 are expected`);
  if (equal(root, EMPTY_ROOT)) return isEmptyTrie(nodes) ? ABSENT : invalid('nodes of a trie that is empty');
  if (nodes.length === 0) return invalid('the proof has no nodes');
  if (nodes.length > MAX_NODES) return invalid(`more than ${MAX_NODES} nodes`);
  if (nodes.some(({ length }) => length > MAX_NODE_LENGTH)) return invalid(`a node above ${MAX_NODE_LENGTH} bytes`);
  try {
    return new Walk(nibbles(key), nodes).from(root);
  } catch (error) {
    if (error instanceof DecodeError) return invalid(error.message);
    throw error;
  }
}

/** Of a trie without a node some clients give nothing, some the empty string that its root is the hash of. */
const isEmptyTrie = (nodes: readonly Uint8Array[]): boolean =>
  nodes.length === 0 || (nodes.length === 1 && equal(nodes[0]!, EMPTY_STRING));

class Walk {
  readonly #path: readonly number[];
  readonly #nodes: readonly Uint8Array[];
  #used = 0;
  #at = 0;

  constructor(path: readonly number[], nodes: readonly Uint8Array[]) {
    this.#path = path;
    this.#nodes = nodes;
  }

  from(root: Uint8Array): ProofResult {
    let node = this.#resolve(root);
    for (let isBelowExtension = false; ;) {
      if ('kind' in node) return node;
      const isBranch = node.length === 17;
      if (isBelowExtension && !isBranch) return invalid('an extension that does not lead to a branch');
      const next: ProofResult | { readonly child: Rlp.Rlp } = isBranch ? this.#branch(node) : this.#short(node);
      if ('kind' in next) return next;
      node = this.#resolve(next.child);
      isBelowExtension = !isBranch;
    }
  }

  /** A child is named by its hash, or stands in its parent where it is shorter than one. */
  #resolve(child: Rlp.Rlp): readonly Rlp.Rlp[] | ProofResult {
    if (!(child instanceof Uint8Array))
      return Rlp.encode(child).length < 32 ? child : invalid('a long node is embedded');
    if (child.length !== 32) return invalid('a child is neither a hash nor a node');
    const raw = this.#nodes[this.#used];
    if (raw === undefined) return invalid('the proof breaks off');
    if (!equal(keccak_256(raw), child)) return invalid(`node ${this.#used} does not hash to its name`);
    if (this.#used > 0 && raw.length < 32) return invalid(`node ${this.#used} belongs into its parent`);
    this.#used += 1;
    return Rlp.list(Rlp.decode(raw, `node ${this.#used - 1}`), `node ${this.#used - 1}`);
  }

  #branch(node: readonly Rlp.Rlp[]): ProofResult | { readonly child: Rlp.Rlp } {
    // All keys are 64 nibbles long: no key ends in a branch.
    if (Rlp.string(node[16], 'branch value').length !== 0) return invalid('a branch holds a value');
    const nibble = this.#path[this.#at];
    if (nibble === undefined) return invalid('the path ends in a branch');
    this.#at += 1;
    const child = node[nibble]!;
    return child instanceof Uint8Array && child.length === 0 ? this.#end(ABSENT) : { child };
  }

  #short(node: readonly Rlp.Rlp[]): ProofResult | { readonly child: Rlp.Rlp } {
    if (node.length !== 2) return invalid(`a node of ${node.length} items`);
    const { isLeaf, part } = hexPrefix(Rlp.string(node[0], 'path'));
    if (!isLeaf && part.length === 0) return invalid('an extension without a path');
    const rest = this.#path.length - this.#at;
    if (isLeaf ? part.length !== rest : part.length >= rest) return invalid('a path that is not 64 nibbles long');
    const matches = part.every((nibble, i) => this.#path[this.#at + i] === nibble);
    this.#at += part.length;
    if (!matches) return this.#end(ABSENT);
    if (!isLeaf) return { child: node[1]! };
    const value = Rlp.string(node[1], 'value');
    return value.length === 0 ? invalid('a leaf without a value') : this.#end({ kind: 'present', value });
  }

  #end(result: ProofResult): ProofResult {
    return this.#used === this.#nodes.length
      ? result
      : invalid(`${this.#nodes.length - this.#used} nodes are not used`);
  }
}

/** Appendix C: the flag nibble tells leaf from extension and odd from even. */
function hexPrefix(encoded: Uint8Array): { isLeaf: boolean; part: readonly number[] } {
  const all = nibbles(encoded);
  const flag = all[0];
  if (flag === undefined || flag > 3) throw new DecodeError('malformed', 'path', 0, 'unknown flag');
  const isOdd = (flag & 1) === 1;
  if (!isOdd && all[1] !== 0) throw new DecodeError('malformed', 'path', 0, 'padding is not zero');
  return { isLeaf: flag >= 2, part: all.slice(isOdd ? 1 : 2) };
}

const nibbles = (bytes: Uint8Array): readonly number[] => [...bytes].flatMap((byte) => [byte >> 4, byte & 15]);

export type Account = {
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly storageRoot: Uint8Array;
  readonly codeHash: Uint8Array;
};

export function decodeAccount(value: Uint8Array): Account {
  const items = Rlp.list(Rlp.decode(value, 'account'), 'account');
  if (items.length !== 4)
    throw new DecodeError('malformed', 'account', 0, `${items.length} fields where 4 are expected`);
  return {
    nonce: Rlp.uint(items[0], 'nonce', 8),
    balance: Rlp.uint(items[1], 'balance', 32),
    storageRoot: Rlp.string(items[2], 'storageRoot', 32),
    codeHash: Rlp.string(items[3], 'codeHash', 32),
  };
}

/** A word as the contract sees it: 32 bytes, left-padded. */
export function decodeStorageValue(value: Uint8Array): Uint8Array {
  const stored = Rlp.string(Rlp.decode(value, 'storage value'), 'storage value');
  if (stored.length === 0 || stored.length > 32 || stored[0] === 0) {
    throw new DecodeError('malformed', 'storage value', 0, 'not a word without its leading zeros');
  }
  const word = new Uint8Array(32);
  word.set(stored, 32 - stored.length);
  return word;
}

/** The path of an account: Keccak-256 of its 20-byte address. */
export const accountKey = (address: Uint8Array): Uint8Array => keccak_256(address);

/** 32 bytes, as `eth_getProof` takes a storage key. */
export function slotBytes(slot: bigint): Uint8Array {
  const out = new Uint8Array(32);
  for (let part = 0; part < 4; part++) out.set(u64((slot >> BigInt(64 * (3 - part))) & ((1n << 64n) - 1n)), 8 * part);
  return out;
}

/** The path of a storage slot. */
export const storageKey = (slot: bigint): Uint8Array => keccak_256(slotBytes(slot));
