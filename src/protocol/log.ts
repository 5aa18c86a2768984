/**
 * The anchor log: the append-only RFC 9162 tree that the contract keeps in its storage.
 *
 *     entry: evm_chain_id 8 | contract 20 | root 32 | timestamp 8
 */
import { concat, u64 } from './bytes.ts';

export type LogEntry = {
  readonly evmChainId: bigint;
  /** 20 bytes. */
  readonly contract: Uint8Array;
  /** The anchored value, 32 bytes. */
  readonly root: Uint8Array;
  /** The L2 block's, in seconds. */
  readonly timestamp: bigint;
};

export const entry = (log: LogEntry): Uint8Array =>
  concat(u64(log.evmChainId), log.contract, log.root, u64(log.timestamp));

/**
 * ERC-7201 base slot of `kedge.anchorlog.v1`: packs `size` (low 8 bytes) and the anchorer;
 * the peak of height k is in the slot 1 + k above it.
 */
export const BASE_SLOT = 0xe8794331682ca0fd915136e084c2f506650e5550ad2f4f4618948b3894acf500n;
