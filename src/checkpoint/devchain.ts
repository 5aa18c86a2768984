/**
 * The development chain: Bitcoin by regtest's rules in a folder, for machines without a node, as Hardhat's network is
 * for the L2. Transactions, Merkle trees and headers are real; there is no network and no value, and its work is free,
 * so it proves nothing to anybody who does not know its blocks from elsewhere.
 *
 *     blocks     one raw block a line, in hex, height 0 first
 *     mempool    one raw transaction a line, in hex; those that are in a block do not count any more
 *     lock       held by whoever writes
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as Bitcoin from '../protocol/bitcoin.ts';
import { DecodeError, equal, fromHex, toHex } from '../protocol/bytes.ts';
import { BitcoinError, type BitcoinBackend, type Unspent } from './bitcoin.ts';
import { decodeTransaction, GENESIS, Ledger } from './regtest.ts';

const LOCK_WAIT_MS = 10_000;

export class DevelopmentChain implements BitcoinBackend {
  readonly network = 'regtest';
  readonly #directory: string;
  #ledger = new Ledger();
  /** How much of each file is in the ledger. */
  #read = { blocks: 0, mempool: 0 };

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Mines on demand what waits. `nowSeconds` since the Unix epoch; `payTo` is an output script. */
  mine(count: number, payTo: Uint8Array, nowSeconds: number): void {
    this.#write((ledger) => {
      for (let i = 0; i < count; i++) {
        const raw = ledger.assemble(payTo, nowSeconds).toBuffer();
        // If we crash before this line, the block was never mined; after it, its transactions in `mempool` do not count.
        append(this.#directory, 'blocks', raw);
        this.#catchUp();
      }
    });
  }

  async tip(): Promise<number> {
    return this.#ledgerNow().next - 1;
  }

  async header(height: number): Promise<Uint8Array> {
    return (await this.block(height)).slice(0, Bitcoin.HEADER_LENGTH);
  }

  async block(height: number): Promise<Uint8Array> {
    const block = this.#ledgerNow().blocks[height];
    if (block === undefined) throw new BitcoinError(`the development chain has no block ${height} yet`, true);
    return block.raw;
  }

  async find(txid: Uint8Array): Promise<number | 'mempool' | 'unknown'> {
    const ledger = this.#ledgerNow();
    return ledger.heightOf(txid) ?? (ledger.waiting(txid) === undefined ? 'unknown' : 'mempool');
  }

  async broadcast(raw: Uint8Array): Promise<void> {
    const transaction = decodeTransaction(raw);
    const txid = transaction.getHash();
    this.#write((ledger) => {
      if (ledger.heightOf(txid) !== undefined || ledger.waiting(txid) !== undefined) return;
      const refusal = ledger.refusal(transaction);
      if (refusal !== undefined) {
        throw new BitcoinError(`the development chain refuses the transaction: ${refusal}`, false);
      }
      append(this.#directory, 'mempool', raw);
    });
  }

  async unspent(script: Uint8Array): Promise<readonly Unspent[]> {
    const ledger = this.#ledgerNow();
    return ledger
      .coins()
      .filter((coin) => equal(coin.script, script))
      .map(({ txid, output, value, height }) => ({
        txid,
        output,
        value,
        confirmations: ledger.next - height,
        transaction: ledger.waiting(txid)?.toBuffer(),
      }));
  }

  async feeRate(): Promise<number> {
    return 1;
  }

  /** Takes in what was written since, by whichever process. */
  #catchUp(): Ledger {
    if (sizeOf(this.#directory, 'blocks') < this.#read.blocks) {
      // Somebody deleted the folder: the chain begins again.
      this.#ledger = new Ledger();
      this.#read = { blocks: 0, mempool: 0 };
    }
    for (const line of linesFrom(this.#directory, 'blocks', this.#read.blocks)) {
      this.#addBlock(line);
      this.#read.blocks += line.length + 1;
    }
    for (const line of linesFrom(this.#directory, 'mempool', this.#read.mempool)) {
      this.#ledger.addToMempool(decodeTransaction(Buffer.from(line, 'hex')));
      this.#read.mempool += line.length + 1;
    }
    return this.#ledger;
  }

  #addBlock(line: string): void {
    try {
      this.#ledger.addBlock(fromHex(line, 'block'));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new BitcoinError(
        `block ${this.#ledger.next} of the development chain in ${this.#directory} is damaged (${error.message}): ` +
          'it has no value, delete the folder',
        false,
      );
    }
  }

  #ledgerNow(): Ledger {
    if (this.#catchUp().next === 0) this.#write(() => undefined);
    return this.#catchUp();
  }

  /** Begins the chain where there is none yet. */
  #write(work: (ledger: Ledger) => void): void {
    exclusively(this.#directory, () => {
      if (this.#catchUp().next === 0) append(this.#directory, 'blocks', fromHex(GENESIS, 'genesis'));
      work(this.#catchUp());
    });
  }
}

/** One writer at a time. The operating system lets go of the lock when the process ends, however it ends. */
function exclusively(directory: string, work: () => void): void {
  mkdirSync(directory, { recursive: true });
  const database = new DatabaseSync(join(directory, 'lock'), { timeout: LOCK_WAIT_MS });
  try {
    database.exec('BEGIN EXCLUSIVE');
    work();
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== 5) throw error;
    throw new BitcoinError(`another process writes to the development chain in ${directory}`, true);
  } finally {
    database.close();
  }
}

/** A line that a crash cut short has no newline: it was never acknowledged and is written over. */
function append(directory: string, name: string, bytes: Uint8Array): void {
  const path = join(directory, name);
  const file = openSync(path, existsSync(path) ? 'r+' : 'w+');
  try {
    const end = readFileSync(path).lastIndexOf('\n') + 1;
    ftruncateSync(file, end);
    writeSync(file, `${toHex(bytes)}\n`, end);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function sizeOf(directory: string, name: string): number {
  return statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
}

/** Whole lines from a byte offset on. */
function linesFrom(directory: string, name: string, offset: number): readonly string[] {
  const path = join(directory, name);
  if (!existsSync(path)) return [];
  const text = readFileSync(path, 'latin1').slice(offset);
  return text.split('\n').slice(0, -1);
}
