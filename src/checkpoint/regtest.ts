/** Bitcoin's rules as far as the development chain goes: blocks by regtest's, and spends of P2WPKH outputs. */
import * as ecc from '@bitcoinerlab/secp256k1';
import { Block, crypto, opcodes, payments, script as scripts, Transaction } from 'bitcoinjs-lib';
import * as Bitcoin from '../protocol/bitcoin.ts';
import { concat, DecodeError, equal, toHex } from '../protocol/bytes.ts';
import { BitcoinError } from './bitcoin.ts';

/** Bitcoin Core, src/kernel/chainparams.cpp, CRegTestParams. */
export const GENESIS =
  '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a' +
  'dae5494dffff7f20020000000101000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054' +
  '696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff' +
  '0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d57' +
  '8a4c702b6bf11d5fac00000000';
const COINBASE_MATURITY = 100;
const HALVING_INTERVAL = 150;
const SUBSIDY = 5_000_000_000n;
/** Of 4,000,000; the rest is the coinbase's and the header's. */
const MAX_WEIGHT = 3_900_000;
const NO_TXID = new Uint8Array(32);
const WITNESS_COMMITMENT = Uint8Array.of(0xaa, 0x21, 0xa9, 0xed);

export type Coin = {
  readonly txid: Uint8Array;
  readonly output: number;
  readonly script: Uint8Array;
  readonly value: bigint;
  /** Of its block; one above the tip's while it waits. */
  readonly height: number;
  readonly isCoinbase: boolean;
};

/** What follows from blocks and waiting transactions: the coins that may be spent. */
export class Ledger {
  readonly blocks: { readonly raw: Uint8Array; readonly block: Block }[] = [];
  /** Those that wait for a block, parents first. */
  mempool: readonly Transaction[] = [];
  readonly #heights = new Map<string, number>();
  /** Every output there ever was. */
  readonly #outputs = new Map<string, bigint>();
  readonly #confirmed = new Map<string, Coin>();
  #coins = new Map<string, Coin>();

  get next(): number {
    return this.blocks.length;
  }

  /** The blocks' own unspent coins with those of the mempool, mature ones only. */
  coins(): readonly Coin[] {
    return [...this.#coins.values()].filter((coin) => this.#isMature(coin));
  }

  heightOf(txid: Uint8Array): number | undefined {
    return this.#heights.get(toHex(txid));
  }

  waiting(txid: Uint8Array): Transaction | undefined {
    return this.mempool.find((each) => equal(each.getHash(), txid));
  }

  /** Throws `DecodeError` for a block that does not follow the last one. */
  addBlock(raw: Uint8Array): void {
    const { header } = Bitcoin.decodeBlock(raw);
    const before = this.blocks.at(-1)?.block.getHash() ?? NO_TXID;
    if (!equal(header.prev, before) || !Bitcoin.checkWork(header, Bitcoin.networks.regtest)) {
      throw new DecodeError('malformed', 'prev', 4, 'does not follow the block before it');
    }
    const block = Block.fromBuffer(raw);
    for (const transaction of block.transactions!) {
      this.#apply(transaction, this.#confirmed);
      this.#heights.set(toHex(transaction.getHash()), this.next);
    }
    this.blocks.push({ raw, block });
    const waiting = this.mempool.filter((each) => this.heightOf(each.getHash()) === undefined);
    this.#coins = new Map(this.#confirmed);
    this.mempool = [];
    for (const each of waiting) this.addToMempool(each);
  }

  addToMempool(transaction: Transaction): void {
    if (this.heightOf(transaction.getHash()) !== undefined) return;
    this.mempool = [...this.mempool, transaction];
    this.#apply(transaction, this.#coins);
  }

  #apply(transaction: Transaction, coins: Map<string, Coin>): void {
    for (const { hash, index } of transaction.ins) coins.delete(nameOf(hash, index));
    const txid = transaction.getHash();
    const isCoinbase = transaction.isCoinbase();
    for (const [output, { script, value }] of transaction.outs.entries()) {
      this.#outputs.set(nameOf(txid, output), value);
      // The genesis block's coins cannot be spent, nor what carries data.
      if (this.next === 0 || script[0] === opcodes.OP_RETURN) continue;
      coins.set(nameOf(txid, output), { txid, output, script, value, height: this.next, isCoinbase });
    }
  }

  #isMature({ isCoinbase, height }: Coin): boolean {
    return !isCoinbase || this.next - height >= COINBASE_MATURITY;
  }

  /** Of one that was checked. */
  fee({ ins, outs }: Transaction): bigint {
    return sum(ins.map(({ hash, index }) => this.#outputs.get(nameOf(hash, index))!)) - sum(outs.map((o) => o.value));
  }

  /** Why a transaction cannot be in the next block. Only spends of P2WPKH outputs (BIP 143) are known here. */
  refusal(transaction: Transaction): string | undefined {
    const { ins, outs } = transaction;
    if (transaction.isCoinbase()) return 'a coinbase outside a block';
    if (ins.length === 0 || outs.length === 0) return 'it has no inputs or no outputs';
    // Such a one could be an inner node of the block's tree (CVE-2017-12842).
    if (transaction.byteLength(false) === 64) return 'it has 64 bytes without its witness';
    // The same coin twice in one transaction would be counted twice (CVE-2018-17144).
    if (new Set(ins.map(({ hash, index }) => nameOf(hash, index))).size < ins.length) return 'an input is there twice';
    const mayWait = transaction.version >= 2 && ins.some(({ sequence }) => sequence < 0x80000000);
    if (transaction.locktime !== 0 || mayWait) return 'lock times are not known here';
    let spent = 0n;
    for (const [i, { hash, index, script }] of ins.entries()) {
      const coin = this.#coins.get(nameOf(hash, index));
      if (coin === undefined) return 'an input is spent already or does not exist';
      if (!this.#isMature(coin)) return 'a coinbase that is not mature';
      if (script.length > 0 || !isSigned(transaction, i, coin)) return 'an input is not signed as P2WPKH wants it';
      spent += coin.value;
    }
    const paid = sum(outs.map(({ value }) => value));
    return outs.some(({ value }) => value < 0n) || paid > spent ? 'it pays more than it spends' : undefined;
  }

  /** The next block with all that waits; `nowSeconds` since the Unix epoch. */
  assemble(payTo: Uint8Array, nowSeconds: number): Block {
    let weight = 0;
    const firstLeftOut = this.mempool.findIndex((each) => (weight += each.weight()) > MAX_WEIGHT);
    const chosen = firstLeftOut === -1 ? this.mempool : this.mempool.slice(0, firstLeftOut);
    const block = new Block();
    block.version = 0x20000000;
    block.prevHash = this.blocks.at(-1)!.block.getHash();
    block.bits = Bitcoin.networks.regtest.limitBits;
    block.timestamp = Math.max(nowSeconds, this.#medianTimePast() + 1);
    const value = (SUBSIDY >> BigInt(Math.floor(this.next / HALVING_INTERVAL))) + sum(chosen.map((t) => this.fee(t)));
    block.transactions = [coinbase(this.next, payTo, value, chosen), ...chosen];
    block.merkleRoot = Block.calculateMerkleRoot(block.transactions);
    for (block.nonce = 0; !block.checkProofOfWork(); block.nonce++);
    return block;
  }

  #medianTimePast(): number {
    const times = this.blocks.slice(-11).map(({ block }) => block.timestamp);
    return times.sort((a, b) => a - b)[times.length >> 1]!;
  }
}

const nameOf = (txid: Uint8Array, output: number): string => `${toHex(txid)}:${output}`;
const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);

function isSigned(transaction: Transaction, input: number, { script, value }: Coin): boolean {
  const [signature, key, ...more] = transaction.ins[input]!.witness;
  if (signature === undefined || key?.length !== 33 || more.length > 0) return false;
  try {
    if (!equal(payments.p2wpkh({ pubkey: key }).output!, script)) return false;
    const { signature: compact, hashType } = scripts.signature.decode(signature);
    const digest = transaction.hashForWitnessV0(input, payments.p2pkh({ pubkey: key }).output!, value, hashType);
    return ecc.verify(digest, key, compact, true);
  } catch {
    // The library throws for keys and signatures that are none.
    return false;
  }
}

/** Throws `BitcoinError` for bytes that are no transaction. */
export function decodeTransaction(raw: Uint8Array): Transaction {
  try {
    Bitcoin.stripWitness(raw);
    return Transaction.fromBuffer(raw);
  } catch {
    throw new BitcoinError('the bytes are not a Bitcoin transaction', false);
  }
}

/** BIP 34: the height first. BIP 141: a commitment to the witnesses last. */
function coinbase(height: number, payTo: Uint8Array, value: bigint, others: readonly Transaction[]): Transaction {
  const transaction = new Transaction();
  transaction.version = 2;
  const script = scripts.compile([scripts.number.encode(height), opcodes.OP_0!]);
  transaction.addInput(NO_TXID, 0xffffffff, 0xffffffff, script);
  transaction.setWitness(0, [NO_TXID]);
  transaction.addOutput(payTo, value);
  // The coinbase's own witness id counts as zeros.
  const witnessIds = [NO_TXID, ...others.map((each) => each.getHash(true))];
  const commitment = crypto.hash256(concat(Bitcoin.merkleRoot(witnessIds), NO_TXID));
  transaction.addOutput(scripts.compile([opcodes.OP_RETURN!, concat(WITNESS_COMMITMENT, commitment)]), 0n);
  return transaction;
}
