/** The two hash suites. They decide the event hash, the event tree and a record's content hash. */
import { blake3 } from '@noble/hashes/blake3.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';

export type SuiteId = 1 | 2;

export type Suite = {
  readonly id: SuiteId;
  readonly name: string;
  /** Bytes of a hash. */
  readonly width: 32 | 16;
  readonly hash: (bytes: Uint8Array) => Uint8Array;
};

export const sha256 = (bytes: Uint8Array): Uint8Array => nobleSha256(bytes);

/** FIPS 180-4. Everything below a seal can be said in OpenTimestamps operations. */
export const SHA2_256: Suite = { id: 1, name: 'sha2-256', width: 32, hash: sha256 };

/**
 * BLAKE3 cut to 16 bytes: 64-bit collision resistance. Protects against outsiders,
 * not against whoever chooses the events or signs the records.
 */
export const BLAKE3_128: Suite = {
  id: 2,
  name: 'blake3-128',
  width: 16,
  hash: (bytes) => blake3(bytes, { dkLen: 16 }),
};

/** `undefined` for an id that this version does not know. */
export function byId(id: number): Suite | undefined {
  return id === 1 ? SHA2_256 : id === 2 ? BLAKE3_128 : undefined;
}
