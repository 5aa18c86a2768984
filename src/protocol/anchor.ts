/**
 * An anchor: one root over the heads of all chains, each at its slot.
 *
 *     entry: salt 16 | chain_id 32 | height 8 | SHA-256(head) 32
 */
import { expand } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { ascii, concat, u32, u64, type ChainId, type LeafHash, type Root } from './bytes.ts';
import * as Merkle from './merkle.ts';
import { sha256, SHA2_256 } from './suite.ts';

export const MAX_SLOTS = 131_072;
export const SALT_LENGTH = 16;
const ENTRY_LENGTH = SALT_LENGTH + 32 + 8 + 32;

export type AnchoredHead = {
  readonly chainId: ChainId;
  readonly height: bigint;
  /** The head's bytes as encoded. */
  readonly record: Uint8Array;
};

/** Where an anchor goes and which one it is, as the operator counts; used for one set of heads only. */
export type AnchorName = {
  readonly evmChainId: bigint;
  /** 20 bytes. */
  readonly contract: Uint8Array;
  readonly number: bigint;
};

export const entry = (salt: Uint8Array, head: AnchoredHead): Uint8Array =>
  concat(salt, head.chainId, u64(head.height), sha256(head.record));

/** What goes on chain: `SHA-256("kedge/anchor/v1" | 0x00 | count 4 | tree root)`. */
export const value = (count: number, treeRoot: Root): Uint8Array =>
  sha256(concat(ascii('kedge/anchor/v1\0'), u32(count), treeRoot));

/** Fresh for each anchor and slot, so that one tenant's evidence tells nothing of another's. */
export const salt = (secret: Uint8Array, name: AnchorName, slot: number): Uint8Array =>
  pseudoRandom(secret, name, slot).slice(0, SALT_LENGTH);

/** Stands where a slot has no head; as long as an entry and not to be told from one. RFC 5869, HKDF-Expand. */
export const filler = (secret: Uint8Array, name: AnchorName, slot: number): Uint8Array =>
  expand(nobleSha256, pseudoRandom(secret, name, slot), ascii('filler'), ENTRY_LENGTH);

const pseudoRandom = (secret: Uint8Array, name: AnchorName, slot: number): Uint8Array =>
  hmac(nobleSha256, secret, concat(u64(name.evmChainId), name.contract, u64(name.number), u32(slot)));

/** The anchor's tree: an entry for every slot in order, moved or not. */
export const leaves = (
  secret: Uint8Array,
  name: AnchorName,
  count: number,
  heads: ReadonlyMap<number, AnchoredHead>,
): readonly LeafHash[] =>
  Array.from({ length: count }, (_, slot) => {
    const head = heads.get(slot);
    const bytes = head === undefined ? filler(secret, name, slot) : entry(salt(secret, name, slot), head);
    return Merkle.leafHash(SHA2_256, bytes);
  });
