/** The formats once more, written as plainly as docs/format.md says them. Nothing of src/ is imported. */
import { createHash, createPrivateKey, createPublicKey, sign as ed25519Sign } from 'node:crypto';
import { blake3 } from '@noble/hashes/blake3.js';

export type Value = string | readonly Value[] | { readonly [name: string]: Value };
type Failure = { readonly code: string; readonly field: string; readonly offset: number };
export type Vector =
  | { readonly desc: string; readonly input: Value; readonly bytes: string; readonly want: Value }
  | { readonly desc: string; readonly bytes: string; readonly want: Failure };

export const vectors = new Map<string, Vector>();

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
export const H = {
  1: sha256,
  2: (bytes: Uint8Array): Buffer => Buffer.from(blake3(bytes, { dkLen: 16 })),
} as const;
export type SuiteId = keyof typeof H;
export const WIDTH = { 1: 32, 2: 16 } as const;

export const u8 = (value: number): Buffer => Buffer.from([value]);
export function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}
export function u64(value: bigint): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(value);
  return out;
}

export function root(hash: (bytes: Uint8Array) => Buffer, entries: readonly Uint8Array[]): Buffer {
  if (entries.length === 0) return hash(Buffer.alloc(0));
  if (entries.length === 1) return hash(Buffer.concat([u8(0), entries[0]!]));
  let k = 1;
  while (k * 2 < entries.length) k *= 2;
  return hash(Buffer.concat([u8(1), root(hash, entries.slice(0, k)), root(hash, entries.slice(k))]));
}

/** A key is 32 equal bytes: whoever reads a vector can make it again. */
export const seedOf = (n: number): Buffer => Buffer.alloc(32, n);
const privateKey = (n: number) =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seedOf(n)]),
    format: 'der',
    type: 'pkcs8',
  });
export const publicKey = (n: number): Buffer =>
  createPublicKey(privateKey(n)).export({ format: 'der', type: 'spki' }).subarray(12);
export const sign = (bytes: Uint8Array, n: number): Buffer => ed25519Sign(null, bytes, privateKey(n));

export const keyDigest = (key: Uint8Array): Buffer =>
  sha256(Buffer.concat([Buffer.from('kedge/key/v1\0'), u8(1), key]));

export type Identity = { tenant: string; suite: SuiteId; slot: number; genesisKey: Buffer; nextKeyDigest: Buffer };
export const chainPreimage = (of: Identity): Buffer =>
  Buffer.concat([
    Buffer.from('kedge/chain/v1\0'),
    u8(of.suite),
    of.genesisKey,
    of.nextKeyDigest,
    u32(of.slot),
    Buffer.from(of.tenant),
  ]);
export const ACME: Identity = {
  tenant: 'acme',
  suite: 1,
  slot: 0,
  genesisKey: publicKey(1),
  nextKeyDigest: keyDigest(publicKey(2)),
};
export const GLOBEX: Identity = {
  tenant: 'globex-2',
  suite: 2,
  slot: 3,
  genesisKey: publicKey(4),
  nextKeyDigest: Buffer.alloc(32),
};
export const CLOCK = 1_790_000_000_000n;
export const L2 = { evmChainId: 84_532n, contract: Buffer.from('5fbdb2315678afecb367f032d93f642f64180aa3', 'hex') };

export function good(name: string, desc: string, input: Value, bytes: Uint8Array, want: Value): void {
  vectors.set(name, { desc, input, bytes: hex(bytes), want });
}
export function hostile(
  name: string,
  desc: string,
  bytes: Uint8Array,
  code: string,
  field: string,
  offset: number,
): void {
  vectors.set(name, { desc, bytes: hex(bytes), want: { code, field, offset } });
}
export function replaced(bytes: Uint8Array, offset: number, by: Uint8Array): Buffer {
  const out = Buffer.from(bytes);
  out.set(by, offset);
  return out;
}
/** The lies that every record can tell. */
export function commonLies(folder: string, bytes: Uint8Array, last: string, lastLength: number): void {
  const end = bytes.length;
  hostile(`${folder}/trailing-garbage`, 'one byte follows', Buffer.concat([bytes, u8(0)]), 'trailing', 'end', end);
  const cut = bytes.subarray(0, end - 1);
  hostile(`${folder}/truncated`, 'the last byte is absent', cut, 'truncated', last, end - lastLength);
  hostile(`${folder}/empty`, 'no bytes', Buffer.alloc(0), 'truncated', 'tag', 0);
  hostile(`${folder}/bad-tag`, 'the tag in lower case', replaced(bytes, 0, u8(0x74)), 'bad-tag', 'tag', 0);
  hostile(`${folder}/bad-version`, 'version 2', replaced(bytes, 4, u8(2)), 'bad-version', 'version', 4);
}
