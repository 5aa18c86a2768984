/**
 * A notary that writes checkpoints into Bitcoin with transactions of its own: one OP_RETURN output with the digest,
 * the change back to the same P2WPKH key. Its proof is an OpenTimestamps proof like any calendar's.
 */
import * as ecc from '@bitcoinerlab/secp256k1';
import { networks, opcodes, payments, Psbt, script as scripts, type Transaction } from 'bitcoinjs-lib';
import { ECPairFactory } from 'ecpair';
import * as Bitcoin from '../protocol/bitcoin.ts';
import { equal, toHex } from '../protocol/bytes.ts';
import * as Ots from '../protocol/ots.ts';
import { BitcoinError, type BitcoinBackend, type Unspent } from './bitcoin.ts';
import type { Notarized, Notary, Waiting } from './notary.ts';

const ECPair = ECPairFactory(ecc);
/** Below this a P2WPKH output is not relayed (Bitcoin Core, policy.cpp, at 3 sat/vB). */
const DUST = 294n;

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
  const network = networkOf(name);
  const pair = ECPair.fromPrivateKey(key, { network });
  return { pair, network, payment: payments.p2wpkh({ pubkey: pair.publicKey, network }) };
}

/** `key`: 32 bytes, for this notary alone. */
export function opReturnNotary(backend: BitcoinBackend, key: Uint8Array, limits: Limits): Notary {
  return {
    name: 'op-return',
    prepare: (digest) => prepare(digest, backend, key, limits),
    submit: (transaction) => backend.broadcast(transaction),
    poll: (digest, transaction, confirmations) => poll(digest, transaction, backend, confirmations),
  };
}

async function prepare(
  digest: Uint8Array,
  backend: BitcoinBackend,
  key: Uint8Array,
  limits: Limits,
): Promise<Uint8Array> {
  const rate = await backend.feeRate();
  if (rate > limits.maxFeeRate) {
    throw new BitcoinError(
      `fees are at ${rate} sat/vB, above KEDGE_BITCOIN_MAX_FEE_RATE (${limits.maxFeeRate}): waiting`,
      true,
    );
  }
  const script = scriptOf(key, backend.network);
  const coins = [...(await backend.unspent(script))].sort(
    (a, b) => b.confirmations - a.confirmations || Number(b.value - a.value),
  );
  const chosen: Unspent[] = [];
  for (const coin of coins) {
    chosen.push(coin);
    const size = sign(digest, chosen, DUST, key, backend.network).virtualSize();
    const fee = BigInt(Math.ceil(size * rate));
    const change = chosen.reduce((sum, { value }) => sum + value, 0n) - fee;
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
  const address = addressOf(key, backend.network);
  const held = coins.reduce((sum, { value }) => sum + value, 0n);
  throw new BitcoinError(
    `${address} holds ${held} sat in ${coins.length} coins, too little for a checkpoint: send it some`,
    true,
  );
}

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
  const block = Bitcoin.decodeBlock(await backend.block(height));
  const position = block.transactions.findIndex((each) => equal(each, stripped));
  if (position === -1) throw new BitcoinError(`the node's block ${height} does not hold transaction ${shown}`, true);
  const last = Math.min(await backend.tip(), height + confirmations - 1);
  const headers = await checkedHeaders(backend, height, last);
  if (!equal(Bitcoin.decodeHeader(headers[0]!).hash, block.header.hash)) {
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

async function checkedHeaders(backend: BitcoinBackend, first: number, last: number): Promise<readonly Uint8Array[]> {
  const raw: Uint8Array[] = [];
  let before: Uint8Array | undefined;
  for (let height = first; height <= last; height++) {
    const bytes = await backend.header(height);
    const header = Bitcoin.decodeHeader(bytes);
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
