/** Bitcoin as far as a proof needs it: headers and their work, transaction ids, a block's Merkle tree. Hashes in wire order. */
import { concat, DecodeError, equal, Reader } from './bytes.ts';
import { sha256 } from './suite.ts';

export const sha256d = (bytes: Uint8Array): Uint8Array => sha256(sha256(bytes));

export const NETWORK_NAMES = ['mainnet', 'testnet4', 'signet', 'regtest'] as const;
export type NetworkName = (typeof NETWORK_NAMES)[number];

export type Network = {
  /** 4 bytes, as they go over the wire. */
  readonly magic: Uint8Array;
  /** The easiest target that the rules allow, compact. */
  readonly limitBits: number;
};

/** Bitcoin Core, src/kernel/chainparams.cpp. */
export const networks: { readonly [name in NetworkName]: Network } = {
  mainnet: { magic: Uint8Array.of(0xf9, 0xbe, 0xb4, 0xd9), limitBits: 0x1d00ffff },
  testnet4: { magic: Uint8Array.of(0x1c, 0x16, 0x3f, 0x28), limitBits: 0x1d00ffff },
  signet: { magic: Uint8Array.of(0x0a, 0x03, 0xcf, 0x40), limitBits: 0x1e0377ae },
  regtest: { magic: Uint8Array.of(0xfa, 0xbf, 0xb5, 0xda), limitBits: 0x207fffff },
};

/** The magic as a beacon names a network: four zero bytes before it. */
export const magicNumber = (name: NetworkName): bigint =>
  networks[name].magic.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);

export const HEADER_LENGTH = 80;

export type BitcoinHeader = {
  readonly hash: Uint8Array;
  readonly prev: Uint8Array;
  readonly merkleRoot: Uint8Array;
  /** Seconds; may lie two hours off. */
  readonly time: number;
  readonly bits: number;
};

/** version 4 | prev 32 | merkle root 32 | time 4 | bits 4 | nonce 4, integers little-endian. */
export function decodeHeader(bytes: Uint8Array): BitcoinHeader {
  const reader = new Reader(bytes);
  reader.take(4, 'version');
  const prev = reader.take(32, 'prev');
  const merkleRoot = reader.take(32, 'merkle root');
  const time = littleEndian(reader.take(4, 'time'));
  const bits = littleEndian(reader.take(4, 'bits'));
  reader.take(4, 'nonce');
  reader.end();
  return { hash: sha256d(bytes), prev, merkleRoot, time, bits };
}

const littleEndian = (bytes: Uint8Array): number => bytes.reduceRight((value, byte) => value * 256 + byte, 0);

/** The target that compact bits stand for; `undefined` for zero, negative, overflowing or not shortest ones. */
export function target(bits: number): bigint | undefined {
  const exponent = bits >>> 24;
  const mantissa = bits & 0x7fffff;
  const isShortest = mantissa >= 0x8000 && exponent >= 3 && exponent <= 32;
  if ((bits & 0x800000) !== 0 || !isShortest) return undefined;
  return BigInt(mantissa) << BigInt(8 * (exponent - 3));
}

/** Expected number of hashes to find a block with these bits: 2^256 / (target + 1). */
export function work(bits: number): bigint {
  const wanted = target(bits);
  return wanted === undefined ? 0n : (1n << 256n) / (wanted + 1n);
}

/** That the header's hash is at or below its target, and the target no easier than the network allows. */
export function checkWork(header: BitcoinHeader, network: Network): boolean {
  const wanted = target(header.bits);
  const limit = target(network.limitBits);
  if (wanted === undefined || limit === undefined || wanted > limit) return false;
  return header.hash.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n) <= wanted;
}

/** A transaction without its witness (BIP 144): what its id is the hash of. */
export function stripWitness(raw: Uint8Array): Uint8Array {
  const reader = new Reader(raw);
  const stripped = readTransaction(reader);
  reader.end();
  return stripped;
}

export const txid = (raw: Uint8Array): Uint8Array => sha256d(stripWitness(raw));

export type Block = {
  readonly header: BitcoinHeader;
  /** As they stand in the block, stripped of their witnesses. */
  readonly transactions: readonly Uint8Array[];
};

/** A raw block whose transactions hash to its header's Merkle root. */
export function decodeBlock(raw: Uint8Array): Block {
  const reader = new Reader(raw);
  const header = decodeHeader(reader.take(HEADER_LENGTH, 'header'));
  const count = readVarint(reader, 'transactions');
  const transactions: Uint8Array[] = [];
  for (let i = 0; i < count; i++) transactions.push(readTransaction(reader));
  reader.end();
  if (count === 0) throw new DecodeError('out-of-range', 'transactions', HEADER_LENGTH, 'a block has a coinbase');
  // A transaction of 64 bytes could be an inner node of the tree (CVE-2017-12842).
  if (transactions.some(({ length }) => length === 64)) {
    throw new DecodeError('out-of-range', 'transactions', HEADER_LENGTH, 'a transaction of 64 bytes');
  }
  const ids = transactions.map(sha256d);
  if (!equal(merkleRoot(ids), header.merkleRoot)) {
    throw new DecodeError('malformed', 'merkle root', 36, 'the transactions do not hash to it');
  }
  return { header, transactions };
}

/** version | (marker, flag) | inputs | outputs | (witnesses) | lock time; the parts in brackets are left out. */
function readTransaction(reader: Reader): Uint8Array {
  const parts = [reader.take(4, 'version')];
  const keep = (bytes: Uint8Array): void => void parts.push(bytes);
  let inputs = readVarint(reader, 'inputs');
  const isSegwit = inputs === 0;
  if (isSegwit) {
    const at = reader.offset;
    if (reader.u8('flag') !== 1) throw new DecodeError('malformed', 'flag', at, 'unknown');
    inputs = readVarint(reader, 'inputs');
    if (inputs === 0) throw new DecodeError('out-of-range', 'inputs', at + 1, 'a transaction has inputs');
  }
  keep(varint(inputs));
  for (let i = 0; i < inputs; i++) {
    keep(reader.take(36, 'outpoint'));
    keepScript(reader, keep);
    keep(reader.take(4, 'sequence'));
  }
  const outputs = readVarint(reader, 'outputs');
  keep(varint(outputs));
  for (let i = 0; i < outputs; i++) {
    keep(reader.take(8, 'value'));
    keepScript(reader, keep);
  }
  const witnessAt = reader.offset;
  let hasWitness = false;
  for (let i = 0; isSegwit && i < inputs; i++) {
    const items = readVarint(reader, 'witness');
    hasWitness ||= items > 0;
    for (let item = 0; item < items; item++) reader.take(readVarint(reader, 'witness'), 'witness');
  }
  if (isSegwit && !hasWitness) {
    throw new DecodeError('malformed', 'witness', witnessAt, 'empty, though the flag announces one');
  }
  keep(reader.take(4, 'lock time'));
  return concat(...parts);
}

function keepScript(reader: Reader, keep: (bytes: Uint8Array) => void): void {
  const length = readVarint(reader, 'script');
  keep(varint(length));
  keep(reader.take(length, 'script'));
}

function readVarint(reader: Reader, field: string): number {
  const at = reader.offset;
  const first = reader.u8(field);
  if (first < 0xfd) return first;
  const value = littleEndian(reader.take(first === 0xfd ? 2 : first === 0xfe ? 4 : 8, field));
  const least = first === 0xfd ? 0xfd : first === 0xfe ? 0x10000 : 0x100000000;
  if (value < least) throw new DecodeError('malformed', field, at, 'a length not in its shortest form');
  if (value > 0xffffffff) throw new DecodeError('too-large', field, at, `${value}`);
  return value;
}

function varint(value: number): Uint8Array {
  if (value < 0xfd) return Uint8Array.of(value);
  const bytes = (width: number) => Array.from({ length: width }, (_, i) => Math.floor(value / 256 ** i) % 256);
  return value <= 0xffff ? Uint8Array.of(0xfd, ...bytes(2)) : Uint8Array.of(0xfe, ...bytes(4));
}

/**
 * Bitcoin's own tree, which hashes a lonely node with itself. Throws `DecodeError` where two equal nodes stand side
 * by side otherwise: such a list has a twin with the same root (CVE-2012-2459).
 */
export const merkleRoot = (ids: readonly Uint8Array[]): Uint8Array => levels(ids).at(-1)![0]!;

export type Sibling = { readonly hash: Uint8Array; readonly isLeft: boolean };

/** From the transaction's id up to the root. */
export function merklePath(ids: readonly Uint8Array[], index: number): readonly Sibling[] {
  if (!(index in ids)) throw new RangeError(`no transaction ${index} among ${ids.length}`);
  return levels(ids)
    .slice(0, -1)
    .map((level, height) => {
      const position = index >> height;
      return { hash: level[position ^ 1] ?? level[position]!, isLeft: (position & 1) === 1 };
    });
}

function levels(ids: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  if (ids.length === 0) throw new RangeError('no transactions, no tree');
  const all = [ids];
  for (let level = ids; level.length > 1; all.push(level)) {
    const next: Uint8Array[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i]!;
      const right = level[i + 1];
      if (right !== undefined && equal(left, right)) {
        throw new DecodeError('malformed', 'transactions', HEADER_LENGTH, 'two equal nodes side by side');
      }
      next.push(sha256d(concat(left, right ?? left)));
    }
    level = next;
  }
  return all;
}
