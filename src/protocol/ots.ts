/**
 * OpenTimestamps proofs, byte for byte as the reference implementation (python-opentimestamps, core/timestamp.py,
 * op.py, notary.py, serialize.py) writes them, within its limits.
 *
 * `decode` takes branches in any order, as other tools write them; `encode` writes the reference's order. A branch
 * given twice and an integer that is not in its shortest form are refused.
 */
import { ripemd160, sha1 } from '@noble/hashes/legacy.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { ascii, compare, concat, DecodeError, equal, fromHex, Reader, toHex, u8 } from './bytes.ts';
import { sha256 } from './suite.ts';

/** The reference's recursion limit: so many operations may follow one another. */
export const MAX_OPERATIONS = 255;
/** Of a message, a result and an argument. */
export const MAX_BYTES = 4096;
const MAX_PAYLOAD = 8192;
const MAX_URI = 1000;
const URI = /^[A-Za-z0-9\-._/:]*$/;
/** Ours: a proof that is flat but huge costs as much as a deep one. */
export const MAX_NODES = 20_000;
/** Block heights; the reference knows no limit. */
const MAX_HEIGHT = 2 ** 32;

const FILE_HEADER = concat(
  ascii('\0OpenTimestamps\0\0Proof\0'),
  Uint8Array.of(0xbf, 0x89, 0xe2, 0xe8, 0x84, 0xe8, 0x92, 0x94),
);
const FILE_VERSION = 1;

const PENDING = '83dfe30d2ef90c8e';
const BITCOIN = '0588960d73d71901';

const UNARY = { reverse: 0xf2, hexlify: 0xf3, sha1: 0x02, ripemd160: 0x03, sha256: 0x08, keccak256: 0x67 } as const;
const BINARY = { append: 0xf0, prepend: 0xf1 } as const;
/** Operations that may stand at the head of a file, with the lengths of their digests. */
const FILE_HASHES = { sha1: 20, ripemd160: 20, sha256: 32, keccak256: 32 } as const;

export type HashName = keyof typeof FILE_HASHES;
export type Op =
  { readonly name: keyof typeof UNARY } | { readonly name: keyof typeof BINARY; readonly argument: Uint8Array };

export type Attestation =
  | { readonly kind: 'pending'; readonly uri: string }
  | { readonly kind: 'bitcoin'; readonly height: number }
  /** Kept and shown, never counted. */
  | { readonly kind: 'unknown'; readonly tag: Uint8Array; readonly payload: Uint8Array };

/** What is known of a message: who attests it, and what it was made into. */
export type Timestamp = {
  readonly message: Uint8Array;
  readonly attestations: readonly Attestation[];
  readonly branches: readonly { readonly op: Op; readonly stamp: Timestamp }[];
};

export type File = { readonly hash: HashName; readonly stamp: Timestamp };

export const append = (argument: Uint8Array): Op => ({ name: 'append', argument });
export const prepend = (argument: Uint8Array): Op => ({ name: 'prepend', argument });
export const SHA256: Op = { name: 'sha256' };

/** Throws `RangeError` where the reference would refuse the message or the result. */
export function apply(op: Op, message: Uint8Array): Uint8Array {
  const result = compute(op, message);
  if (result.length === 0 || result.length > MAX_BYTES || message.length > MAX_BYTES) {
    throw new RangeError(`${op.name} of ${message.length} bytes is not within 1 to ${MAX_BYTES} bytes`);
  }
  return result;
}

function compute(op: Op, message: Uint8Array): Uint8Array {
  switch (op.name) {
    case 'append':
      return concat(message, op.argument);
    case 'prepend':
      return concat(op.argument, message);
    case 'reverse':
      return message.toReversed();
    case 'hexlify':
      return ascii(toHex(message));
    case 'sha1':
      return sha1(message);
    case 'ripemd160':
      return ripemd160(message);
    case 'sha256':
      return sha256(message);
    case 'keccak256':
      return keccak_256(message);
  }
}

/** The way of `ops` from `message` to what is known of its end. */
export function fromPath(message: Uint8Array, ops: readonly Op[], end: (result: Uint8Array) => Timestamp): Timestamp {
  const messages = [message];
  for (const op of ops) messages.push(apply(op, messages.at(-1)!));
  return ops.reduceRight<Timestamp>(
    (stamp, op, i) => ({ message: messages[i]!, attestations: [], branches: [{ op, stamp }] }),
    end(messages.at(-1)!),
  );
}

export const attested = (message: Uint8Array, attestation: Attestation): Timestamp => ({
  message,
  attestations: [attestation],
  branches: [],
});

/** All that either knows of the same message. */
export function merge(a: Timestamp, b: Timestamp): Timestamp {
  if (!equal(a.message, b.message)) throw new RangeError('proofs of different messages cannot be merged');
  const attestations = [...a.attestations];
  for (const each of b.attestations) {
    if (!attestations.some((known) => compareAttestations(known, each) === 0)) attestations.push(each);
  }
  const branches = [...a.branches];
  for (const { op, stamp } of b.branches) {
    const i = branches.findIndex((known) => compareOps(known.op, op) === 0);
    if (i === -1) branches.push({ op, stamp });
    else branches[i] = { op, stamp: merge(branches[i]!.stamp, stamp) };
  }
  return { message: a.message, attestations, branches };
}

export type Attested = { readonly attestation: Attestation; readonly message: Uint8Array; readonly ops: readonly Op[] };

/** Every attestation, with the message that it is about and the operations that lead there. */
export function walk(stamp: Timestamp, ops: readonly Op[] = []): readonly Attested[] {
  return [
    ...stamp.attestations.map((attestation) => ({ attestation, message: stamp.message, ops })),
    ...stamp.branches.flatMap((branch) => walk(branch.stamp, [...ops, branch.op])),
  ];
}

/** Number of operations that follow one another on the longest way. */
export const depth = (stamp: Timestamp): number =>
  stamp.branches.reduce((most, branch) => Math.max(most, 1 + depth(branch.stamp)), 0);

export function decode(bytes: Uint8Array, message: Uint8Array): Timestamp {
  const reader = new Reader(bytes);
  const stamp = new Decoder(reader).timestamp(message, 0);
  reader.end();
  return stamp;
}

/** A detached `.ots` file. */
export function decodeFile(bytes: Uint8Array): File {
  const reader = new Reader(bytes);
  reader.expect(FILE_HEADER, 'header', 'bad-tag');
  const version = readVarint(reader, 'version', 256);
  if (version !== FILE_VERSION) throw new DecodeError('bad-version', 'version', FILE_HEADER.length, `${version}`);
  const at = reader.offset;
  const tag = reader.u8('file hash');
  const hash = (Object.keys(FILE_HASHES) as HashName[]).find((name) => UNARY[name] === tag);
  if (hash === undefined) throw new DecodeError('out-of-range', 'file hash', at, `unknown operation ${tag}`);
  const stamp = new Decoder(reader).timestamp(reader.take(FILE_HASHES[hash], 'digest'), 0);
  reader.end();
  return { hash, stamp };
}

class Decoder {
  readonly #reader: Reader;
  #nodes = 0;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  timestamp(message: Uint8Array, nested: number): Timestamp {
    const reader = this.#reader;
    if (nested > MAX_OPERATIONS) {
      throw new DecodeError('too-deep', 'timestamp', reader.offset, `more than ${MAX_OPERATIONS} nested operations`);
    }
    const attestations: Attestation[] = [];
    const branches: Timestamp['branches'][number][] = [];
    const seen = new Set<string>();
    for (let more = true; more;) {
      if (++this.#nodes > MAX_NODES) {
        throw new DecodeError(
          'too-large',
          'timestamp',
          reader.offset,
          `more than ${MAX_NODES} operations and attestations`,
        );
      }
      const at = reader.offset;
      let tag = reader.u8('tag');
      more = tag === 0xff;
      if (more) tag = reader.u8('tag');
      const start = reader.offset;
      const op = tag === 0 ? undefined : readOp(reader, tag, start - 1);
      const attestation = op === undefined ? readAttestation(reader) : undefined;
      const name = op === undefined ? attestationKey(attestation!) : opKey(op);
      if (seen.has(name)) throw new DecodeError('malformed', 'timestamp', at, 'the same branch twice');
      seen.add(name);
      if (attestation !== undefined) attestations.push(attestation);
      else if (op !== undefined) branches.push({ op, stamp: this.timestamp(result(op, message, at), nested + 1) });
    }
    return { message, attestations, branches };
  }
}

function result(op: Op, message: Uint8Array, at: number): Uint8Array {
  try {
    return apply(op, message);
  } catch (error) {
    if (error instanceof RangeError) throw new DecodeError('too-large', 'operation', at, error.message);
    throw error;
  }
}

function readOp(reader: Reader, tag: number, at: number): Op {
  for (const name of Object.keys(UNARY) as (keyof typeof UNARY)[]) if (UNARY[name] === tag) return { name };
  for (const name of Object.keys(BINARY) as (keyof typeof BINARY)[]) {
    if (BINARY[name] === tag) return { name, argument: readBytes(reader, 'argument', 1, MAX_BYTES) };
  }
  throw new DecodeError('bad-tag', 'operation', at, `unknown operation ${tag}`);
}

function readAttestation(reader: Reader): Attestation {
  const tag = reader.take(8, 'attestation');
  const at = reader.offset;
  const payload = readBytes(reader, 'attestation payload', 0, MAX_PAYLOAD);
  const inner = new Reader(payload);
  switch (toHex(tag)) {
    case PENDING: {
      const uri = String.fromCharCode(...readBytes(inner, 'calendar', 0, MAX_URI));
      inner.end();
      if (!URI.test(uri))
        throw new DecodeError('malformed', 'calendar', at, 'a character that no calendar URI may have');
      return { kind: 'pending', uri };
    }
    case BITCOIN: {
      const height = readVarint(inner, 'height', MAX_HEIGHT);
      inner.end();
      return { kind: 'bitcoin', height };
    }
    default:
      return { kind: 'unknown', tag, payload };
  }
}

/** LEB128, as the reference's `varuint`. */
function readVarint(reader: Reader, field: string, limit: number): number {
  const at = reader.offset;
  for (let value = 0, scale = 1; ; scale *= 128) {
    const byte = reader.u8(field);
    value += (byte & 0x7f) * scale;
    if (value >= limit || scale >= limit) throw new DecodeError('out-of-range', field, at, `not below ${limit}`);
    if (byte >= 0x80) continue;
    if (byte === 0 && scale > 1) throw new DecodeError('malformed', field, at, 'an integer not in its shortest form');
    return value;
  }
}

function readBytes(reader: Reader, field: string, least: number, most: number): Uint8Array {
  const at = reader.offset;
  const length = readVarint(reader, field, MAX_PAYLOAD + 1);
  if (length < least || length > most) {
    throw new DecodeError('out-of-range', field, at, `${length} bytes are not within ${least} to ${most}`);
  }
  return reader.take(length, field);
}

/** Throws `RangeError` for a proof that the reference implementation would not read. */
export function encode(stamp: Timestamp): Uint8Array {
  const operations = depth(stamp);
  if (operations > MAX_OPERATIONS) {
    throw new RangeError(`${operations} nested operations, the stock client reads at most ${MAX_OPERATIONS}`);
  }
  return concat(...encodeNode(stamp));
}

export const encodeFile = ({ hash, stamp }: File): Uint8Array =>
  concat(FILE_HEADER, u8(FILE_VERSION), u8(UNARY[hash]), stamp.message, encode(stamp));

function encodeNode(stamp: Timestamp): Uint8Array[] {
  const attestations = stamp.attestations.toSorted(compareAttestations).map((each) => [u8(0), attestationBytes(each)]);
  const branches = stamp.branches
    .toSorted((a, b) => compareOps(a.op, b.op))
    .map((each) => [opBytes(each.op), ...encodeNode(each.stamp)]);
  const parts = [...attestations, ...branches];
  if (parts.length === 0) throw new RangeError('a proof ends in an attestation');
  return parts.flatMap((part, i) => (i < parts.length - 1 ? [u8(0xff), ...part] : part));
}

function opBytes(op: Op): Uint8Array {
  if (!('argument' in op)) return u8(UNARY[op.name]);
  return concat(u8(BINARY[op.name]), varint(op.argument.length), op.argument);
}

const opTag = (op: Op): number => ('argument' in op ? BINARY[op.name] : UNARY[op.name]);
const opKey = (op: Op): string => `${opTag(op)}:${'argument' in op ? toHex(op.argument) : ''}`;

function compareOps(a: Op, b: Op): number {
  const tags = opTag(a) - opTag(b);
  return tags !== 0 || !('argument' in a && 'argument' in b) ? tags : compare(a.argument, b.argument);
}

const tagOf = (attestation: Attestation): string =>
  attestation.kind === 'pending' ? PENDING : attestation.kind === 'bitcoin' ? BITCOIN : toHex(attestation.tag);

function payloadOf(attestation: Attestation): Uint8Array {
  switch (attestation.kind) {
    case 'pending':
      return concat(varint(attestation.uri.length), ascii(attestation.uri));
    case 'bitcoin':
      return varint(attestation.height);
    case 'unknown':
      return attestation.payload;
  }
}

function attestationBytes(attestation: Attestation): Uint8Array {
  const payload = payloadOf(attestation);
  return concat(fromHex(tagOf(attestation), 'tag'), varint(payload.length), payload);
}

const attestationKey = (attestation: Attestation): string => `${tagOf(attestation)}/${toHex(payloadOf(attestation))}`;

/** By tag; then calendars by URI, Bitcoin blocks by height, unknown ones by payload. */
function compareAttestations(a: Attestation, b: Attestation): number {
  if (tagOf(a) !== tagOf(b)) return tagOf(a) < tagOf(b) ? -1 : 1;
  if (a.kind === 'bitcoin' && b.kind === 'bitcoin') return a.height - b.height;
  if (a.kind === 'pending' && b.kind === 'pending') return a.uri < b.uri ? -1 : a.uri > b.uri ? 1 : 0;
  return compare(payloadOf(a), payloadOf(b));
}

function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 0x80);
  return Uint8Array.of(...out, rest);
}
