/**
 * A notary that writes checkpoints into Bitcoin with transactions of its own: one OP_RETURN output with the digest,
 * the change back to the same P2WPKH key. Its proof is an OpenTimestamps proof like any calendar's.
 */
import * as ecc from '@bitcoinerlab/secp256k1';
import { networks, opcodes, payments, Psbt, script as scripts, Transaction } from 'bitcoinjs-lib';
import { ECPairFactory } from 'ecpair';
import * as Bitcoin from '../protocol/bitcoin.ts';
import { compare, DecodeError, equal, toHex } from '../protocol/bytes.ts';
import * as Ots from '../protocol/ots.ts';
import { BitcoinError, type BitcoinBackend, type Unspent } from './bitcoin.ts';
import type { Notarized, Notary, Waiting } from './notary.ts';

const ECPair = ECPairFactory(ecc);
/** Below this a P2WPKH output is not relayed (Bitcoin Core, policy.cpp, at 3 sat/vB). */
const DUST = 294n;
const DIGEST_LENGTH = 32;
/** version 4, counts 1 + 1, the digest's output 43, the change's 31, lock time 4. */
const BASE_SIZE = 84;
/** outpoint 36, empty script 1, sequence 4. */
const INPUT_SIZE = 41;
/** count 1, signature 1 + 72 at most, key 1 + 33. */
const INPUT_WITNESS = 108;

export type Limits = {
  /** Satoshis per virtual byte. */
  readonly maxFeeRate: number;
  /** Satoshis for one checkpoint. */
  readonly maxFee: number;
};

const networkOf = (name: Bitcoin.NetworkName) =>
  name === 'mainnet' ? networks.bitcoin : name === 'regtest' ? networks.regtest : networks.testnet;

/** The script that change goes to and coins are looked for at. */
export function scriptOf(key: Uint8Array, network: Bitcoin.NetworkName): Uint8Array {
  return wallet(key, network).payment.output!;
}

/** Where to send coins that pay for checkpoints. */
export function addressOf(key: Uint8Array, network: Bitcoin.NetworkName): string {
  return wallet(key, network).payment.address!;
}

function wallet(key: Uint8Array, name: Bitcoin.NetworkName) {
  // The library's own error holds what it was given.
  if (key.length !== 32 || !ecc.isPrivate(key)) throw new BitcoinError('the Bitcoin key is no private key', false);
  const network = networkOf(name);
  const pair = ECPair.fromPrivateKey(key, { network });
  return { pair, network, payment: payments.p2wpkh({ pubkey: pair.publicKey, network }) };
}

/** `key`: 32 bytes, for this notary alone. */
export function opReturnNotary(backend: BitcoinBackend, key: Uint8Array, limits: Limits): Notary {
  // Coins of transactions that were handed over: whether or not the node has taken one, no other may conflict with it.
  const reserved = new Set<string>();
  return {
    name: 'op-return',
    prepare: (digest) => prepare(digest, backend, key, limits, reserved),
    submit: (transaction) => {
      for (const { hash, index } of Transaction.fromBuffer(transaction).ins) reserved.add(coinName(hash, index));
      return submit(transaction, backend);
    },
    poll: (digest, transaction, confirmations) => poll(digest, transaction, backend, confirmations),
  };
}

const coinName = (txid: Uint8Array, output: number): string => `${toHex(txid)}:${output}`;

async function prepare(
  digest: Uint8Array,
  backend: BitcoinBackend,
  key: Uint8Array,
  limits: Limits,
  reserved: ReadonlySet<string>,
): Promise<Uint8Array> {
  if (digest.length !== DIGEST_LENGTH) throw new RangeError(`a digest of ${digest.length} bytes`);
  const rate = await affordableRate(backend, limits);
  const { payment, pair } = wallet(key, backend.network);
  const unspent = await backend.unspent(payment.output!);
  const coins = unspent
    .filter(({ txid, output }) => !reserved.has(coinName(txid, output)))
    .filter((coin) => coin.confirmations > 0 || isOwnChange(coin, pair.publicKey))
    .sort(order);
  const chosen: Unspent[] = [];
  for (const coin of coins) {
    chosen.push(coin);
    const fee = BigInt(Math.ceil(virtualSize(chosen.length) * rate));
    const change = sum(chosen) - fee;
    if (change < DUST) continue;
    if (fee > BigInt(limits.maxFee)) {
      throw new BitcoinError(
        `a checkpoint would cost ${fee} sat, above KEDGE_BITCOIN_MAX_FEE (${limits.maxFee}): waiting`,
        true,
      );
    }
    const transaction = sign(digest, chosen, change, key, backend.network).toBuffer();
    surroundings(digest, Bitcoin.stripWitness(transaction));
    return transaction;
  }
  const unusable = unspent.length - coins.length;
  throw new BitcoinError(
    `${payment.address} holds ${sum(coins)} sat in ${coins.length} coins, too little for a checkpoint: send it some` +
      (unusable > 0 ? ` (${unusable} more are unconfirmed or reserved for an earlier checkpoint)` : ''),
    true,
  );
}

async function affordableRate(backend: BitcoinBackend, { maxFeeRate }: Limits): Promise<number> {
  const rate = await backend.feeRate();
  if (!Number.isFinite(rate) || rate <= 0)
    throw new BitcoinError(`the node says that fees are at ${rate} sat/vB`, true);
  if (rate > maxFeeRate) {
    throw new BitcoinError(
      `fees are at ${rate} sat/vB, above KEDGE_BITCOIN_MAX_FEE_RATE (${maxFeeRate}): waiting`,
      true,
    );
  }
  return rate;
}

/** Confirmed ones first, then the largest: coins of a few satoshis that somebody sends us are never reached. */
const order = (a: Unspent, b: Unspent): number =>
  Number(b.confirmations > 0) - Number(a.confirmations > 0) ||
  (a.value === b.value ? compare(a.txid, b.txid) || a.output - b.output : a.value < b.value ? 1 : -1);

/** A stranger's payment could be replaced, and what was built on it would never confirm. */
function isOwnChange({ txid, transaction }: Unspent, publicKey: Uint8Array): boolean {
  if (transaction === undefined || !equal(Bitcoin.txid(transaction), txid)) return false;
  return Transaction.fromBuffer(transaction).ins.every(({ witness }) => {
    const signer = witness[1];
    return signer !== undefined && equal(signer, publicKey);
  });
}

const sum = (coins: readonly Unspent[]): bigint => coins.reduce((total, { value }) => total + value, 0n);

/** With signatures of full length, so that no luck in signing brings the fee below the rate that nodes ask for. */
const virtualSize = (inputs: number): number =>
  Math.ceil((4 * (BASE_SIZE + INPUT_SIZE * inputs) + 2 + INPUT_WITNESS * inputs) / 4);

function sign(
  digest: Uint8Array,
  coins: readonly Unspent[],
  change: bigint,
  key: Uint8Array,
  name: Bitcoin.NetworkName,
): Transaction {
  const { pair, network, payment } = wallet(key, name);
  const script = payment.output!;
  const psbt = new Psbt({ network });
  for (const { txid, output, value } of coins) {
    // Replaceable (BIP 125), so that a fee can be raised.
    psbt.addInput({ hash: txid, index: output, sequence: 0xfffffffd, witnessUtxo: { script, value } });
  }
  psbt.addOutput({ script: scripts.compile([opcodes.OP_RETURN!, digest]), value: 0n });
  psbt.addOutput({ script, value: change });
  psbt.signAllInputs(pair);
  psbt.finalizeAllInputs();
  // Our own limits stand in for the library's guess of an absurd fee.
  return psbt.extractTransaction(true);
}

/** What stands around the digest in a transaction without its witness. */
function surroundings(
  digest: Uint8Array,
  stripped: Uint8Array,
): { readonly before: Uint8Array; readonly after: Uint8Array } {
  const places: number[] = [];
  for (let i = 0; i + digest.length <= stripped.length; i++) {
    if (equal(stripped.subarray(i, i + digest.length), digest)) places.push(i);
  }
  const [at] = places;
  // A transaction of 64 bytes could be an inner node of the block's tree (CVE-2017-12842).
  if (at === undefined || places.length > 1 || stripped.length === 64 || stripped.length > Ots.MAX_BYTES) {
    throw new BitcoinError(
      'the transaction is not fit for a proof: it must hold the digest once and have another length than 64',
      false,
    );
  }
  return { before: stripped.subarray(0, at), after: stripped.subarray(at + digest.length) };
}

async function submit(transaction: Uint8Array, backend: BitcoinBackend): Promise<void> {
  // A node may call a transaction in a block a double spend of its own coins.
  if ((await backend.find(Bitcoin.txid(transaction))) === 'unknown') await backend.broadcast(transaction);
}

async function poll(
  digest: Uint8Array,
  transaction: Uint8Array,
  backend: BitcoinBackend,
  confirmations: number,
): Promise<Notarized | Waiting> {
  const stripped = Bitcoin.stripWitness(transaction);
  const txid = Bitcoin.sha256d(stripped);
  const shown = toHex(txid.toReversed());
  const height = await backend.find(txid);
  if (typeof height !== 'number') {
    return {
      waitingFor: height === 'mempool' ? `a block with transaction ${shown}` : `transaction ${shown} to be seen`,
    };
  }
  const block = await checkedBlock(backend, height);
  const position = block.transactions.findIndex((each) => equal(each, stripped));
  if (position === -1) throw new BitcoinError(`the node's block ${height} does not hold transaction ${shown}`, true);
  const last = Math.min(await backend.tip(), height + confirmations - 1);
  const headers = await checkedHeaders(backend, height, last);
  if (headers[0] === undefined || !equal(Bitcoin.decodeHeader(headers[0]).hash, block.header.hash)) {
    throw new BitcoinError(`the node's block ${height} changed while it was read`, true);
  }
  if (headers.length < confirmations)
    return { waitingFor: `confirmation ${headers.length + 1} of ${confirmations} on block ${height}` };

  const { before, after } = surroundings(digest, stripped);
  const path = Bitcoin.merklePath(block.transactions.map(Bitcoin.sha256d), position);
  const ops = [
    Ots.prepend(before),
    Ots.append(after),
    Ots.SHA256,
    Ots.SHA256,
    ...path.flatMap(({ hash, isLeft }) => [isLeft ? Ots.prepend(hash) : Ots.append(hash), Ots.SHA256, Ots.SHA256]),
  ];
  const stamp = Ots.fromPath(digest, ops, (root) => {
    if (!equal(root, block.header.merkleRoot))
      throw new BitcoinError('the proof does not lead to the Merkle root', false);
    return Ots.attested(root, { kind: 'bitcoin', height });
  });
  return { stamp, height, headers };
}

async function checkedBlock(backend: BitcoinBackend, height: number): Promise<Bitcoin.Block> {
  const block = decoded(height, await backend.block(height), Bitcoin.decodeBlock);
  // BIP 34: a block names its height, which a header does not.
  const { script } = Transaction.fromBuffer(block.transactions[0]!).ins[0]!;
  const named = scripts.compile([scripts.number.encode(height)]);
  if (!equal(script.subarray(0, named.length), named)) {
    throw new BitcoinError(`the node's block ${height} says that it has another height`, true);
  }
  return block;
}

function decoded<T>(height: number, bytes: Uint8Array, decode: (bytes: Uint8Array) => T): T {
  try {
    return decode(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new BitcoinError(`the node's block ${height} is none: ${error.message}`, true);
  }
}

async function checkedHeaders(backend: BitcoinBackend, first: number, last: number): Promise<readonly Uint8Array[]> {
  const raw: Uint8Array[] = [];
  let before: Uint8Array | undefined;
  for (let height = first; height <= last; height++) {
    const bytes = await backend.header(height);
    const header = decoded(height, bytes, Bitcoin.decodeHeader);
    if (
      !Bitcoin.checkWork(header, Bitcoin.networks[backend.network]) ||
      (before !== undefined && !equal(header.prev, before))
    ) {
      throw new BitcoinError(`the node's header ${height} has no work or does not follow the one before it`, true);
    }
    before = header.hash;
    raw.push(bytes);
  }
  return raw;
}
