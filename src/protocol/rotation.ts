/**
 * `TROT`: the chain's key hands over to the next one, signed by both.
 *
 *     header | rotated_at 8 | reason 1 | old_key 32 | new_key 32 | next_key_digest 32
 *            | new_signature 64 (over all before) | old_signature 64 (over all before)
 */
import { concat, DecodeError, Reader, u64, u8, type KeyDigest, type PublicKey, type Signature } from './bytes.ts';
import { encodeHeader, readHeader, type RecordHeader } from './record.ts';

export const TAG = 'TROT';

export const REASONS = ['scheduled', 'compromise suspected', 'other'] as const;
export type Reason = 0 | 1 | 2;

export type Rotation = RecordHeader & {
  readonly tag: typeof TAG;
  /** Milliseconds since the Unix epoch, as the operator claims. */
  readonly rotatedAtMs: bigint;
  readonly reason: Reason;
  readonly oldKey: PublicKey;
  readonly newKey: PublicKey;
  /** Commitment to the key after `newKey`; zeros for none. */
  readonly nextKeyDigest: KeyDigest;
  /** By the new key: possession. */
  readonly newSignature: Signature;
  /** By the old key: authority. */
  readonly oldSignature: Signature;
};

/** The bytes under the new key's signature. */
export const possessionBytes = (rotation: Omit<Rotation, 'newSignature' | 'oldSignature'>): Uint8Array =>
  concat(
    encodeHeader(TAG, rotation),
    u64(rotation.rotatedAtMs),
    u8(rotation.reason),
    rotation.oldKey,
    rotation.newKey,
    rotation.nextKeyDigest,
  );

/** The bytes under the old key's signature. */
export const authorityBytes = (rotation: Omit<Rotation, 'oldSignature'>): Uint8Array =>
  concat(possessionBytes(rotation), rotation.newSignature);

export const encode = (rotation: Rotation): Uint8Array => concat(authorityBytes(rotation), rotation.oldSignature);

export function decode(bytes: Uint8Array): Rotation {
  const reader = new Reader(bytes);
  const header = readHeader(reader, TAG);
  const rotatedAtMs = reader.u64('rotated_at');
  const reasonAt = reader.offset;
  const reason = reader.u8('reason');
  if (reason !== 0 && reason !== 1 && reason !== 2) {
    throw new DecodeError('out-of-range', 'reason', reasonAt, `unknown reason ${reason}`);
  }
  const rotation: Rotation = {
    ...header,
    tag: TAG,
    rotatedAtMs,
    reason,
    oldKey: reader.take(32, 'old_key') as PublicKey,
    newKey: reader.take(32, 'new_key') as PublicKey,
    nextKeyDigest: reader.take(32, 'next_key_digest') as KeyDigest,
    newSignature: reader.take(64, 'new_signature') as Signature,
    oldSignature: reader.take(64, 'old_signature') as Signature,
  };
  reader.end();
  return rotation;
}
