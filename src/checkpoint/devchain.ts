/**
 * The development chain: Bitcoin by regtest's rules in a folder, for machines without a node, as Hardhat's network is
 * for the L2. Transactions, Merkle trees and headers are real; there is no network and no value, and its work is free,
 * so it proves nothing to anybody who does not know its blocks from elsewhere.
 *
 *     blocks     one raw block a line, in hex, height 0 first
 *     mempool    one raw transaction a line, in hex; those that are in a block do not count any more
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as ecc from '@bitcoinerlab/secp256k1';
import { Block, crypto, opcodes, payments, script as scripts, Transaction } from 'bitcoinjs-lib';
import * as Bitcoin from '../protocol/bitcoin.ts';
import { concat, equal, toHex } from '../protocol/bytes.ts';
import { BitcoinError, type BitcoinBackend, type Unspent } from './bitcoin.ts';

/** Bitcoin Core, src/kernel/chainparams.cpp, CRegTestParams. */
const GENESIS =
  '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a' +
  'dae5494dffff7f20020000000101000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054' +
  '696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff' +
  '0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d57' +
  '8a4c702b6bf11d5fac00000000';
const COINBASE_MATURITY = 100;
const HALVING_INTERVAL = 150;
const SUBSIDY = 5_000_000_000n;
const NO_TXID = new Uint8Array(32);
const WITNESS_COMMITMENT = Uint8Array.of(0xaa, 0x21, 0xa9, 0xed);

type Coin = {
  readonly script: Uint8Array;
  readonly value: bigint;
  readonly height: number;
  readonly isCoinbase: boolean;
};

export class DevelopmentChain implements BitcoinBackend {
  readonly network = 'regtest';
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Mines on demand. `nowSeconds` since the Unix epoch; `payTo` is an output script. */
  mine(count: number, payTo: Uint8Array, nowSeconds: number): void {
    for (let i = 0; i < count; i++) {
      const ledger = this.#read();
      const block = assemble(ledger, payTo, nowSeconds);
      append(this.#directory, 'blocks', block.toBuffer());
    }
  }

  async tip(): Promise<number> {
    return this.#read().blocks.length - 1;
  }

  async header(height: number): Promise<Uint8Array> {
    return this.#blockAt(height).toBuffer(true);
  }

  async block(height: number): Promise<Uint8Array> {
    return this.#blockAt(height).toBuffer();
  }

  #blockAt(height: number): Block {
    const block = this.#read().blocks[height];
    if (block === undefined) throw new BitcoinError(`the development chain has no block ${height} yet`, true);
    return block;
  }

  async find(txid: Uint8Array): Promise<number | 'mempool' | 'unknown'> {
    const { blocks, mempool } = this.#read();
    const height = blocks.findIndex((block) => block.transactions!.some((each) => equal(each.getHash(), txid)));
    if (height !== -1) return height;
    return mempool.some((each) => equal(each.getHash(), txid)) ? 'mempool' : 'unknown';
  }

  async broadcast(raw: Uint8Array): Promise<void> {
    const transaction = Transaction.fromBuffer(raw);
    if ((await this.find(transaction.getHash())) !== 'unknown') return;
    const ledger = this.#read();
    check(ledger, transaction);
    append(this.#directory, 'mempool', raw);
  }

  async unspent(script: Uint8Array): Promise<readonly Unspent[]> {
    const { coins, blocks } = this.#read();
    const next = blocks.length;
    return [...coins].flatMap(([name, coin]) => {
      if (!equal(coin.script, script) || (coin.isCoinbase && next - coin.height < COINBASE_MATURITY)) return [];
      const [txid = '', output = ''] = name.split(':');
      const confirmations = next - coin.height;
      return [
        { txid: Uint8Array.from(Buffer.from(txid, 'hex')), output: Number(output), value: coin.value, confirmations },
      ];
    });
  }

  async feeRate(): Promise<number> {
    return 1;
  }

  #read(): Ledger {
    mkdirSync(this.#directory, { recursive: true });
    if (!existsSync(join(this.#directory, 'blocks'))) append(this.#directory, 'blocks', Buffer.from(GENESIS, 'hex'));
    const ledger = new Ledger();
    for (const raw of lines(this.#directory, 'blocks')) ledger.addBlock(Block.fromBuffer(raw));
    for (const raw of lines(this.#directory, 'mempool')) ledger.addToMempool(Transaction.fromBuffer(raw));
    return ledger;
  }
}

/** What follows from the blocks and the mempool: the coins that may be spent. */
class Ledger {
  readonly blocks: Block[] = [];
  readonly mempool: Transaction[] = [];
  readonly coins = new Map<string, Coin>();
  readonly #mined = new Set<string>();

  addBlock(block: Block): void {
    for (const transaction of block.transactions!) {
      this.#mined.add(toHex(transaction.getHash()));
      this.#apply(transaction, this.blocks.length);
    }
    this.blocks.push(block);
  }

  addToMempool(transaction: Transaction): void {
    if (this.#mined.has(toHex(transaction.getHash()))) return;
    this.mempool.push(transaction);
    this.#apply(transaction, this.blocks.length);
  }

  #apply(transaction: Transaction, height: number): void {
    for (const { hash, index } of transaction.ins) this.coins.delete(coinName(hash, index));
    transaction.outs.forEach(({ script, value }, i) => {
      // The genesis block's coins cannot be spent, nor what carries data.
      if (height === 0 || script[0] === opcodes.OP_RETURN) return;
      this.coins.set(coinName(transaction.getHash(), i), {
        script,
        value,
        height,
        isCoinbase: transaction.isCoinbase(),
      });
    });
  }

  fee(transaction: Transaction): bigint {
    const paid = transaction.outs.reduce((sum, { value }) => sum + value, 0n);
    return transaction.ins.reduce((sum, { hash, index }) => sum + this.#spent(hash, index).value, 0n) - paid;
  }

  /** Also of coins that the mempool has spent. */
  #spent(hash: Uint8Array, index: number): Coin {
    for (const transaction of [...this.blocks.flatMap((block) => block.transactions!), ...this.mempool]) {
      const output = transaction.outs[index];
      if (equal(transaction.getHash(), hash) && output !== undefined) {
        return { script: output.script, value: output.value, height: 0, isCoinbase: false };
      }
    }
    throw new BitcoinError('an input spends what does not exist', false);
  }
}

const coinName = (txid: Uint8Array, output: number): string => `${toHex(txid)}:${output}`;

/** Only spends of P2WPKH outputs (BIP 143) are known here. */
function check(ledger: Ledger, transaction: Transaction): void {
  const refuse = (why: string): never => {
    throw new BitcoinError(`the development chain refuses the transaction: ${why}`, false);
  };
  if (transaction.isCoinbase()) refuse('a coinbase outside a block');
  let spent = 0n;
  transaction.ins.forEach(({ hash, index, witness }, i) => {
    const coin = ledger.coins.get(coinName(hash, index)) ?? refuse('an input is spent already or does not exist');
    if (coin.isCoinbase && ledger.blocks.length - coin.height < COINBASE_MATURITY)
      refuse('a coinbase that is not mature');
    spent += coin.value;
    const [signature, key] = witness;
    if (signature === undefined || key === undefined || !equal(payments.p2wpkh({ pubkey: key }).output!, coin.script)) {
      return refuse('an input is not a P2WPKH spend by its key');
    }
    const { signature: compact, hashType } = scripts.signature.decode(signature);
    const code = payments.p2pkh({ pubkey: key }).output!;
    const digest = transaction.hashForWitnessV0(i, code, coin.value, hashType);
    if (!ecc.verify(digest, key, compact)) refuse('a signature is wrong');
  });
  if (transaction.outs.reduce((sum, { value }) => sum + value, 0n) > spent) refuse('it pays more than it spends');
}

function assemble(ledger: Ledger, payTo: Uint8Array, nowSeconds: number): Block {
  const height = ledger.blocks.length;
  const block = new Block();
  block.version = 0x20000000;
  block.prevHash = ledger.blocks.at(-1)!.getHash();
  block.bits = Bitcoin.networks.regtest.limitBits;
  block.timestamp = Math.max(nowSeconds, medianTimePast(ledger.blocks) + 1);
  const fees = ledger.mempool.reduce((sum, each) => sum + ledger.fee(each), 0n);
  block.transactions = [coinbase(height, payTo, fees, ledger.mempool), ...ledger.mempool];
  block.merkleRoot = Block.calculateMerkleRoot(block.transactions);
  for (block.nonce = 0; !block.checkProofOfWork(); block.nonce++);
  return block;
}

/** BIP 34: the height first. BIP 141: a commitment to the witnesses last. */
function coinbase(height: number, payTo: Uint8Array, fees: bigint, others: readonly Transaction[]): Transaction {
  const transaction = new Transaction();
  transaction.version = 2;
  transaction.addInput(
    NO_TXID,
    0xffffffff,
    0xffffffff,
    scripts.compile([scripts.number.encode(height), opcodes.OP_0!]),
  );
  transaction.setWitness(0, [NO_TXID]);
  transaction.addOutput(payTo, (SUBSIDY >> BigInt(Math.floor(height / HALVING_INTERVAL))) + fees);
  // The coinbase's own witness id counts as zeros.
  const witnessIds = [NO_TXID, ...others.map((each) => each.getHash(true))];
  const commitment = crypto.hash256(concat(Bitcoin.merkleRoot(witnessIds), NO_TXID));
  transaction.addOutput(scripts.compile([opcodes.OP_RETURN!, concat(WITNESS_COMMITMENT, commitment)]), 0n);
  return transaction;
}

const medianTimePast = (blocks: readonly Block[]): number => {
  const times = blocks.slice(-11).map(({ timestamp }) => timestamp);
  return times.sort((a, b) => a - b)[times.length >> 1]!;
};

/** A line that a crash cut short has no newline: it was never acknowledged and is written over. */
function append(directory: string, name: string, bytes: Uint8Array): void {
  const path = join(directory, name);
  const file = openSync(path, existsSync(path) ? 'r+' : 'w+');
  try {
    const end = readFileSync(path, 'latin1').lastIndexOf('\n') + 1;
    ftruncateSync(file, end);
    writeSync(file, `${toHex(bytes)}\n`, end);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function lines(directory: string, name: string): readonly Uint8Array[] {
  const path = join(directory, name);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'latin1')
    .split('\n')
    .slice(0, -1)
    .map((line) => Uint8Array.from(Buffer.from(line, 'hex')));
}
