/** The port to a Bitcoin node. What it says is checked by whoever asks. Hashes in wire order, amounts in satoshis. */
import type { NetworkName } from '../protocol/bitcoin.ts';

/** `retryable`: the same may work later. */
export class BitcoinError extends Error {
  override readonly name = 'BitcoinError';
  readonly retryable: boolean;

  constructor(message: string, retryable: boolean) {
    super(message);
    this.retryable = retryable;
  }
}

export type Unspent = {
  readonly txid: Uint8Array;
  readonly output: number;
  readonly value: bigint;
  /** 0 while it waits in the mempool. */
  readonly confirmations: number;
  /** The transaction that made it, raw, while it waits: whoever spends it has to know that it is no stranger's. */
  readonly transaction: Uint8Array | undefined;
};

export type BitcoinBackend = {
  readonly network: NetworkName;
  /** Height of the best chain's newest block. */
  tip(): Promise<number>;
  /** 80 bytes. */
  header(height: number): Promise<Uint8Array>;
  block(height: number): Promise<Uint8Array>;
  /** The best chain's block that holds a transaction. */
  find(txid: Uint8Array): Promise<number | 'mempool' | 'unknown'>;
  /** Safe to repeat. Throws `BitcoinError` where the transaction is refused. */
  broadcast(transaction: Uint8Array): Promise<void>;
  unspent(script: Uint8Array): Promise<readonly Unspent[]>;
  /** Satoshis per virtual byte. */
  feeRate(): Promise<number>;
};
