/** A tenant's chain: its identity, its records, and the names they are stored under. */
import {
  ascii,
  concat,
  DecodeError,
  equal,
  u32,
  u8,
  type ChainId,
  type ContentHash,
  type KeyDigest,
  type PublicKey,
} from './bytes.ts';
import * as Rotation from './rotation.ts';
import * as Seal from './seal.ts';
import { sha256, type Suite } from './suite.ts';

export const TENANT_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

const ED25519 = 1;
export const NO_KEY_DIGEST = new Uint8Array(32) as KeyDigest;

/** What a chain id commits to. Whoever verifies brings these; evidence is never asked for them. */
export type Identity = {
  readonly tenant: string;
  readonly suite: Suite;
  /** Place in every anchor; given at registration, never reused. */
  readonly slot: number;
  readonly genesisKey: PublicKey;
  /** Commitment to the first key after the genesis key; zeros for none. */
  readonly nextKeyDigest: KeyDigest;
};

export type ChainRecord = Seal.Seal | Rotation.Rotation;

/** `SHA-256("kedge/chain/v1" | 0x00 | suite 1 | genesis key 32 | next_key_digest 32 | slot 4 | name)`. */
export function chainId(identity: Identity): ChainId {
  if (!TENANT_NAME.test(identity.tenant)) throw new RangeError(`not a tenant name: ${JSON.stringify(identity.tenant)}`);
  return sha256(
    concat(
      ascii('kedge/chain/v1\0'),
      u8(identity.suite.id),
      identity.genesisKey,
      identity.nextKeyDigest,
      u32(identity.slot),
      ascii(identity.tenant),
    ),
  ) as ChainId;
}

/** `SHA-256("kedge/key/v1" | 0x00 | algorithm 1 | public key)`: names a key without showing it. */
export const keyDigest = (key: PublicKey): KeyDigest =>
  sha256(concat(ascii('kedge/key/v1\0'), u8(ED25519), key)) as KeyDigest;

export function decodeRecord(bytes: Uint8Array): ChainRecord {
  const tag = bytes.subarray(0, 4);
  if (equal(tag, ascii(Seal.TAG))) return Seal.decode(bytes);
  if (equal(tag, ascii(Rotation.TAG))) return Rotation.decode(bytes);
  if (tag.length < 4) throw new DecodeError('truncated', 'tag', 0, `needs 4 bytes, ${tag.length} are left`);
  throw new DecodeError('bad-tag', 'tag', 0, `neither ${Seal.TAG} nor ${Rotation.TAG}`);
}

export const encodeRecord = (record: ChainRecord): Uint8Array =>
  record.tag === Seal.TAG ? Seal.encode(record) : Rotation.encode(record);

/** Over all bytes, signatures included: nothing of a record can change under its name. */
export const contentHash = (suite: Suite, record: Uint8Array): ContentHash => suite.hash(record) as ContentHash;

/** Milliseconds since the Unix epoch, as the record claims. */
export const timeMs = (record: ChainRecord): bigint =>
  record.tag === Seal.TAG ? record.sealedAtMs : record.rotatedAtMs;
