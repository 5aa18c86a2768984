/** Bytes and integers as the formats write them: unsigned, big-endian, nothing implied. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';

declare const brand: unique symbol;
/** A `Uint8Array` that the type checker keeps apart from others of the same length. */
export type Branded<Name extends string> = Uint8Array & { readonly [brand]: Name };

/** `H(canonical bytes)` of an event, as wide as its chain's suite. */
export type EventHash = Branded<'EventHash'>;
/** Content hash of a chain record, as wide as its chain's suite. */
export type ContentHash = Branded<'ContentHash'>;
/** 32 bytes. */
export type ChainId = Branded<'ChainId'>;
/** 32 bytes, Ed25519. */
export type PublicKey = Branded<'PublicKey'>;
/** 32 bytes: the commitment to a key not yet used; zeros for none. */
export type KeyDigest = Branded<'KeyDigest'>;
/** 64 bytes, Ed25519. */
export type Signature = Branded<'Signature'>;
/** A leaf's hash in an RFC 9162 tree. */
export type LeafHash = Branded<'LeafHash'>;
/** The root of an RFC 9162 tree. */
export type Root = Branded<'Root'>;

export type DecodeCode =
  'bad-tag' | 'bad-version' | 'truncated' | 'trailing' | 'too-deep' | 'too-large' | 'out-of-range' | 'malformed';

/** Input that is not the one encoding of what it claims to be: which field, at which byte offset. */
export class DecodeError extends Error {
  readonly code: DecodeCode;
  readonly field: string;
  readonly offset: number;

  constructor(code: DecodeCode, field: string, offset: number, why: string) {
    super(`${field} at byte ${offset}: ${why}`);
    this.name = 'DecodeError';
    this.code = code;
    this.field = field;
    this.offset = offset;
  }
}

export const u8 = (value: number): Uint8Array => uint(BigInt(value), 1);
export const u32 = (value: number): Uint8Array => uint(BigInt(value), 4);
export const u64 = (value: bigint): Uint8Array => uint(value, 8);

function uint(value: bigint, width: 1 | 4 | 8): Uint8Array {
  if (value < 0n || value >= 1n << BigInt(8 * width)) throw new RangeError(`${value} does not fit ${width} bytes`);
  const out = new Uint8Array(width);
  for (let i = width - 1, rest = value; i >= 0; i--, rest >>= 8n) out[i] = Number(rest & 255n);
  return out;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lexicographic order of unsigned bytes, as `Array.prototype.sort` wants it. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** ASCII only: tags, domain prefixes, tenant names. */
export function ascii(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 127) throw new RangeError(`not ASCII: ${JSON.stringify(text)}`);
    out[i] = unit;
  }
  return out;
}

/** Lower-case hex without a prefix. */
export const toHex = (bytes: Uint8Array): string => bytesToHex(bytes);

/** Accepts what `toHex` writes and nothing else. */
export function fromHex(text: string, field: string): Uint8Array {
  const wrong = text.search(/[^0-9a-f]/);
  if (wrong !== -1) throw new DecodeError('malformed', field, wrong, 'not lower-case hex');
  if (text.length % 2 !== 0) throw new DecodeError('truncated', field, text.length, 'hex has an odd number of digits');
  return hexToBytes(text);
}

/** Takes a fixed layout apart from front to back; `end` refuses what is left over. */
export class Reader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#offset;
  }

  /** A copy, so that nothing decoded changes when the caller reuses a buffer. */
  take(length: number, field: string): Uint8Array {
    const end = this.#offset + length;
    if (end > this.#bytes.length) {
      const left = this.#bytes.length - this.#offset;
      throw new DecodeError('truncated', field, this.#offset, `needs ${length} bytes, ${left} are left`);
    }
    const taken = this.#bytes.slice(this.#offset, end);
    this.#offset = end;
    return taken;
  }

  u8(field: string): number {
    return this.take(1, field)[0]!;
  }

  u32(field: string): number {
    return Number(this.#uint(4, field));
  }

  u64(field: string): bigint {
    return this.#uint(8, field);
  }

  #uint(width: number, field: string): bigint {
    let value = 0n;
    for (const byte of this.take(width, field)) value = (value << 8n) | BigInt(byte);
    return value;
  }

  expect(wanted: Uint8Array, field: string, code: DecodeCode): void {
    const at = this.#offset;
    if (!equal(this.take(wanted.length, field), wanted)) {
      throw new DecodeError(code, field, at, `expected ${toHex(wanted)}`);
    }
  }

  end(): void {
    const left = this.#bytes.length - this.#offset;
    if (left !== 0) throw new DecodeError('trailing', 'end', this.#offset, `${left} bytes after the last field`);
  }
}
