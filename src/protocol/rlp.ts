/** RLP (Ethereum Yellow Paper, appendix B), in its one canonical form. */
import { concat, DecodeError, fromHex } from './bytes.ts';

export type Rlp = Uint8Array | readonly Rlp[];

/** A header is one list; a trie's node may hold a short extension, that a branch, and that its leaves. */
const MAX_DEPTH = 4;
/** A header is under 6 KB, a trie's node under 1 KB. */
const MAX_LENGTH = 16_384;

export function decode(bytes: Uint8Array, field: string): Rlp {
  if (bytes.length > MAX_LENGTH) throw new DecodeError('too-large', field, 0, `more than ${MAX_LENGTH} bytes`);
  const { item, end } = decodeItem(bytes, 0, field, 0);
  if (end !== bytes.length) throw new DecodeError('trailing', field, end, `${bytes.length - end} bytes after the item`);
  return item;
}

/** The item as a list. */
export function list(item: Rlp, field: string): readonly Rlp[] {
  if (item instanceof Uint8Array) throw new DecodeError('malformed', field, 0, 'expected a list');
  return item;
}

export function string(item: Rlp | undefined, field: string, length?: number): Uint8Array {
  if (!(item instanceof Uint8Array)) throw new DecodeError('malformed', field, 0, 'expected a string');
  if (length !== undefined && item.length !== length) {
    throw new DecodeError('out-of-range', field, 0, `${item.length} bytes where ${length} are expected`);
  }
  return item;
}

/** An integer without leading zeros, of at most `maxBytes`. */
export function uint(item: Rlp | undefined, field: string, maxBytes: number): bigint {
  const bytes = string(item, field);
  if (bytes.length > maxBytes) throw new DecodeError('out-of-range', field, 0, `more than ${maxBytes} bytes`);
  if (bytes[0] === 0) throw new DecodeError('malformed', field, 0, 'leading zero');
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function decodeItem(bytes: Uint8Array, at: number, field: string, depth: number): { item: Rlp; end: number } {
  const first = bytes[at];
  if (first === undefined) throw new DecodeError('truncated', field, at, 'an item is missing');
  if (first < 0x80) return { item: bytes.slice(at, at + 1), end: at + 1 };
  const isList = first >= 0xc0;
  const short = first - (isList ? 0xc0 : 0x80);
  const { start, length } = short <= 55 ? { start: at + 1, length: short } : longLength(bytes, at, short - 55, field);
  const end = start + length;
  if (end > bytes.length) throw new DecodeError('truncated', field, at, `needs ${length} bytes`);
  if (!isList) {
    if (length === 1 && bytes[start]! < 0x80) throw new DecodeError('malformed', field, at, 'one byte in long form');
    return { item: bytes.slice(start, end), end };
  }
  if (depth === MAX_DEPTH) throw new DecodeError('too-deep', field, at, `nested more than ${MAX_DEPTH} lists`);
  const items: Rlp[] = [];
  for (let next = start; next < end;) {
    const inner = decodeItem(bytes.subarray(0, end), next, field, depth + 1);
    items.push(inner.item);
    next = inner.end;
  }
  return { item: items, end };
}

function longLength(bytes: Uint8Array, at: number, size: number, field: string): { start: number; length: number } {
  const start = at + 1 + size;
  if (size > 4) throw new DecodeError('too-large', field, at, 'an item of 4 GiB or more');
  if (start > bytes.length) throw new DecodeError('truncated', field, at, 'a length is missing');
  const length = bytes.subarray(at + 1, start).reduce((value, byte) => value * 256 + byte, 0);
  if (bytes[at + 1] === 0 || length <= 55) throw new DecodeError('malformed', field, at, 'length not in shortest form');
  return { start, length };
}

export function encode(item: Rlp): Uint8Array {
  if (item instanceof Uint8Array) {
    return item.length === 1 && item[0]! < 0x80 ? item : concat(prefix(item.length, 0x80), item);
  }
  const body = concat(...item.map(encode));
  return concat(prefix(body.length, 0xc0), body);
}

export function encodeUint(value: bigint): Uint8Array {
  const hex = value.toString(16);
  return value === 0n ? new Uint8Array() : fromHex(hex.length % 2 === 0 ? hex : `0${hex}`, 'integer');
}

function prefix(length: number, base: number): Uint8Array {
  if (length <= 55) return Uint8Array.of(base + length);
  const size = encodeUint(BigInt(length));
  return concat(Uint8Array.of(base + 55 + size.length), size);
}
