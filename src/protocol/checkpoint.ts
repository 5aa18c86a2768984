/**
 * `TCHK`: an L2 block, and so its state root, and the anchor log's root at it. Its SHA-256 goes to Bitcoin.
 *
 *     tag 4 | version 1 | evm_chain_id 8 | contract 20 | block_number 8 | block_hash 32 | state_root 32
 *           | block_timestamp 8 | log_size 8 | log_root 32 | prev 32
 */
import { ascii, concat, DecodeError, Reader, u64, u8, type Root } from './bytes.ts';
import { sha256 } from './suite.ts';

export const TAG = 'TCHK';
const VERSION = 1;
/** Where `prev` starts: what stands before it is prepended on the way from one checkpoint to the next. */
export const PREV_OFFSET = 153;

export type Checkpoint = {
  readonly evmChainId: bigint;
  /** 20 bytes. */
  readonly contract: Uint8Array;
  readonly blockNumber: bigint;
  readonly blockHash: Uint8Array;
  readonly stateRoot: Uint8Array;
  /** Seconds. */
  readonly blockTimestamp: bigint;
  /** At least 1. */
  readonly logSize: bigint;
  readonly logRoot: Root;
  /** Digest of the checkpoint before it for the same chain id and contract; zeros for the first. */
  readonly prev: Uint8Array;
};

export const encode = (checkpoint: Checkpoint): Uint8Array =>
  concat(
    ascii(TAG),
    u8(VERSION),
    u64(checkpoint.evmChainId),
    checkpoint.contract,
    u64(checkpoint.blockNumber),
    checkpoint.blockHash,
    checkpoint.stateRoot,
    u64(checkpoint.blockTimestamp),
    u64(checkpoint.logSize),
    checkpoint.logRoot,
    checkpoint.prev,
  );

export function decode(bytes: Uint8Array): Checkpoint {
  const reader = new Reader(bytes);
  reader.expect(ascii(TAG), 'tag', 'bad-tag');
  reader.expect(u8(VERSION), 'version', 'bad-version');
  const evmChainId = reader.u64('evm_chain_id');
  const contract = reader.take(20, 'contract');
  const blockNumber = reader.u64('block_number');
  const blockHash = reader.take(32, 'block_hash');
  const stateRoot = reader.take(32, 'state_root');
  const blockTimestamp = reader.u64('block_timestamp');
  const sizeAt = reader.offset;
  const logSize = reader.u64('log_size');
  if (logSize === 0n)
    throw new DecodeError('out-of-range', 'log_size', sizeAt, 'a checkpoint covers at least one anchor');
  const logRoot = reader.take(32, 'log_root') as Root;
  const prev = reader.take(32, 'prev');
  reader.end();
  return { evmChainId, contract, blockNumber, blockHash, stateRoot, blockTimestamp, logSize, logRoot, prev };
}

/** Of the encoded bytes. */
export const digest = (bytes: Uint8Array): Uint8Array => sha256(bytes);
