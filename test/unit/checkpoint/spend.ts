/** Transactions and backends for tests: any spend of P2WPKH coins, and a node that lies in one point. */
import * as ecc from '@bitcoinerlab/secp256k1';
import { payments, script as scripts, Transaction } from 'bitcoinjs-lib';
import { ECPairFactory } from 'ecpair';
import type { BitcoinBackend, Unspent } from '../../../src/checkpoint/bitcoin.ts';

const pairOf = (key: Uint8Array) => ECPairFactory(ecc).fromPrivateKey(key);

export type Output = readonly [script: Uint8Array, value: bigint];

/** Signed with `key`, whatever sense it makes; `change` is made to it before it is signed. */
export function spend(
  key: Uint8Array,
  coins: readonly Unspent[],
  outputs: readonly Output[],
  change: (transaction: Transaction) => void = () => undefined,
): Transaction {
  const pair = pairOf(key);
  const transaction = new Transaction();
  transaction.version = 2;
  for (const { txid, output } of coins) transaction.ins.push(input(txid, output));
  for (const [script, value] of outputs) transaction.addOutput(script, value);
  change(transaction);
  const code = payments.p2pkh({ pubkey: pair.publicKey }).output!;
  coins.forEach(({ value }, i) => {
    const digest = transaction.hashForWitnessV0(i, code, value, Transaction.SIGHASH_ALL);
    const signature = scripts.signature.encode(pair.sign(digest), Transaction.SIGHASH_ALL);
    transaction.setWitness(i, [signature, pair.publicKey]);
  });
  return transaction;
}

/** `addInput` would refuse the same coin twice. */
const input = (hash: Uint8Array, index: number) => ({
  hash,
  index,
  script: new Uint8Array(),
  sequence: 0xffffffff,
  witness: [],
});

/** A node with some of its answers changed. */
export const through = (backend: BitcoinBackend, changes: Partial<BitcoinBackend>): BitcoinBackend => ({
  network: backend.network,
  tip: () => backend.tip(),
  header: (height) => backend.header(height),
  block: (height) => backend.block(height),
  find: (txid) => backend.find(txid),
  broadcast: (transaction) => backend.broadcast(transaction),
  unspent: (script) => backend.unspent(script),
  feeRate: () => backend.feeRate(),
  ...changes,
});
