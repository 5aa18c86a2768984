/** An EVM block's header: RLP whose Keccak-256 is the block's hash (Yellow Paper 4.4.1 and the EIPs named below). */
import { keccak_256 } from '@noble/hashes/sha3.js';
import { DecodeError, fromHex } from './bytes.ts';
import * as Rlp from './rlp.ts';

export type Header = {
  readonly hash: Uint8Array;
  readonly parentHash: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly number: bigint;
  /** Seconds. */
  readonly timestamp: bigint;
};

type Kind = { readonly bytes: number } | { readonly uint: number } | { readonly atMost: number };

/** In their order; JSON-RPC's name, and what may stand there. */
const FIELDS: readonly (readonly [name: string, kind: Kind])[] = [
  ['parentHash', { bytes: 32 }],
  ['sha3Uncles', { bytes: 32 }],
  ['miner', { bytes: 20 }],
  ['stateRoot', { bytes: 32 }],
  ['transactionsRoot', { bytes: 32 }],
  ['receiptsRoot', { bytes: 32 }],
  ['logsBloom', { bytes: 256 }],
  ['difficulty', { uint: 32 }],
  ['number', { uint: 8 }],
  ['gasLimit', { uint: 8 }],
  ['gasUsed', { uint: 8 }],
  ['timestamp', { uint: 8 }],
  ['extraData', { atMost: 4096 }],
  ['mixHash', { bytes: 32 }],
  ['nonce', { bytes: 8 }],
  ['baseFeePerGas', { uint: 32 }], // EIP-1559
  ['withdrawalsRoot', { bytes: 32 }], // EIP-4895
  ['blobGasUsed', { uint: 8 }], // EIP-4844
  ['excessBlobGas', { uint: 8 }],
  ['parentBeaconBlockRoot', { bytes: 32 }], // EIP-4788
  ['requestsHash', { bytes: 32 }], // EIP-7685
];
/** Fields since each fork: Frontier, London, Shanghai, Cancun, Prague. */
const FIELD_COUNTS = [15, 16, 17, 20, 21] as const;

export function decode(rlp: Uint8Array): Header {
  const items = Rlp.list(Rlp.decode(rlp, 'header'), 'header');
  if (!FIELD_COUNTS.some((count) => count === items.length)) {
    throw new DecodeError('bad-version', 'header', 0, `${items.length} fields: no fork that this version knows`);
  }
  items.forEach((item, i) => checkField(FIELDS[i]!, item));
  const at = (name: string) => items[FIELDS.findIndex(([each]) => each === name)];
  return {
    hash: keccak_256(rlp),
    parentHash: Rlp.string(at('parentHash'), 'parentHash'),
    stateRoot: Rlp.string(at('stateRoot'), 'stateRoot'),
    number: Rlp.uint(at('number'), 'number', 8),
    timestamp: Rlp.uint(at('timestamp'), 'timestamp', 8),
  };
}

function checkField([name, kind]: (typeof FIELDS)[number], item: Rlp.Rlp): void {
  if ('uint' in kind) Rlp.uint(item, name, kind.uint);
  else if ('bytes' in kind) Rlp.string(item, name, kind.bytes);
  else if (Rlp.string(item, name).length > kind.atMost) {
    throw new DecodeError('too-large', name, 0, `more than ${kind.atMost} bytes`);
  }
}

/** A block as `eth_getBlockByNumber` gives it. */
export type RpcBlock = { readonly [field: string]: unknown };

/**
 * The header of a block that a node told of. The caller compares `decode`'s hash with the one it was told:
 * a field that this version does not know shows there.
 */
export function fromRpc(block: RpcBlock): Uint8Array {
  const present = FIELDS.filter(([name], i) => i < FIELD_COUNTS[0] || isGiven(block[name]));
  const rlp = Rlp.encode(present.map(([name, kind]) => fieldFromRpc(block[name], name, 'uint' in kind)));
  decode(rlp);
  return rlp;
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

function fieldFromRpc(text: unknown, name: string, isInteger: boolean): Uint8Array {
  if (typeof text !== 'string' || !/^0x[0-9a-fA-F]*$/.test(text) || (isInteger && text === '0x')) {
    throw new DecodeError('malformed', name, 0, 'the node gave no hex string');
  }
  return isInteger ? Rlp.encodeUint(BigInt(text)) : fromHex(text.slice(2).toLowerCase(), name);
}
