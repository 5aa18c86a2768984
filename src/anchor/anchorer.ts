/**
 * Heads to L2. Roots are planned and stored first, then signed, stored again, and only then sent. What is on chain is
 * read back, at one block, before it is believed: no receipt is ever asked for.
 */
import { privateKeyToAddress } from 'viem/accounts';
import type { Hex } from 'viem';
import * as Anchor from '../protocol/anchor.ts';
import { equal, toHex } from '../protocol/bytes.ts';
import * as Log from '../protocol/log.ts';
import * as Merkle from '../protocol/merkle.ts';
import { SHA2_256 } from '../protocol/suite.ts';
import type { Anchor as StoredAnchor, SlotHead, Store } from '../store/port.ts';
import { L2Error, type L2 } from './l2.ts';

/** One `anchorMany` stays far below any block's gas limit. */
const MAX_ROOTS = 64;

export type Anchorer = {
  readonly store: Store;
  readonly l2: L2;
  readonly evmChainId: bigint;
  /** The operator's, for salts and fillers. */
  readonly secret: Uint8Array;
};

/** Once bound to its log a deployment plans anchors without its node: they queue while the L2 is away. */
export async function connect(store: Store, l2: L2, secret: Uint8Array): Promise<Anchorer> {
  const evmChainId = (await store.log())?.evmChainId ?? (await l2.chainId());
  await store.bindLog(evmChainId, l2.contract);
  return { store, l2, evmChainId, secret };
}

/** Refuses to go on with another chain than the deployment began with. */
async function checkChain({ l2, evmChainId }: Anchorer): Promise<void> {
  const actual = await l2.chainId();
  if (actual !== evmChainId) {
    throw new L2Error(
      `the node is on chain ${actual} and this deployment anchors on ${evmChainId}: check KEDGE_L2_RPC_URL`,
      false,
    );
  }
  await l2.checkContract();
}

/** A new anchor over all heads, if any moved since the last one. */
export async function plan({ store, l2, evmChainId, secret }: Anchorer): Promise<StoredAnchor | undefined> {
  const tenants = await store.tenants();
  const anchors = await store.anchors();
  const number = BigInt(anchors.length);
  const before = new Map<number, SlotHead>();
  if (number > 0n) for (const each of await store.anchoredHeads(number - 1n)) before.set(each.slot, each);
  const moved: SlotHead[] = [];
  const heads = new Map<number, Anchor.AnchoredHead>();
  for (const { slot, chainId, tenant } of tenants) {
    const head = await store.head(chainId);
    if (head === undefined) continue;
    if (before.get(slot)?.height !== head.height) moved.push({ slot, ...head });
    const record = await store.getRecord(chainId, head.height, head.hash);
    if (record === undefined) throw new L2Error(`the head of ${tenant} is not in the store: restore a backup`, false);
    heads.set(slot, { chainId, height: head.height, record });
  }
  if (moved.length === 0) return undefined;
  const count = tenants.length;
  const leaves = Anchor.leaves(secret, { evmChainId, contract: l2.contract, number }, count, heads);
  const root = Anchor.value(count, Merkle.root(SHA2_256, leaves));
  // If we crash here, the next round plans the same heads under the same number; after it, the root waits to be sent.
  await store.addAnchor(number, root, count, moved);
  return { number, root, count, included: undefined };
}

/** Reads at one block what the contract holds of ours, and believes it only where our own log root agrees. */
export async function reconcile({ store, l2, evmChainId }: Anchorer): Promise<number> {
  const anchors = await store.anchors();
  const included = anchors.flatMap(({ root, included: at }) => (at === undefined ? [] : [{ root, ...at }]));
  const pending = anchors.filter((each) => each.included === undefined);
  const block = await l2.block('latest');
  const blockNumber = BigInt(String(block?.number ?? 0));
  const { size, root } = await l2.logState(blockNumber);
  const known = BigInt(included.length);
  if (size < known) {
    throw new L2Error(
      `the contract's log holds ${size} anchors and ${known} of ours were read from it before: the L2 was reorganized, ` +
        'or KEDGE_L2_RPC_URL names another chain',
      true,
    );
  }
  const found: { readonly anchor: StoredAnchor; readonly at: NonNullable<StoredAnchor['included']> }[] = [];
  const from = included.at(-1)?.blockNumber ?? 0n;
  for (let index = known; index < size; index++) {
    const event = await l2.anchored(index, from, blockNumber);
    const anchor = pending[Number(index - known)];
    if (event === undefined)
      throw new L2Error(`the node shows no event for anchor ${index}, which the contract holds`, true);
    if (anchor === undefined || !equal(anchor.root, event.root)) {
      throw new L2Error(
        `anchor ${index} of the log is 0x${toHex(event.root)} and not ours: somebody else holds the anchorer's key, or ` +
          'this store is an old copy. Nothing more is sent',
        false,
      );
    }
    const { timestamp, blockNumber: at, blockHash } = event;
    found.push({ anchor, at: { index, timestamp, blockNumber: at, blockHash } });
  }
  const entries = [...included, ...found.map(({ anchor, at }) => ({ root: anchor.root, ...at }))].map((each) =>
    Merkle.leafHash(
      SHA2_256,
      Log.entry({ evmChainId, contract: l2.contract, root: each.root, timestamp: each.timestamp }),
    ),
  );
  if (!equal(Merkle.root(SHA2_256, entries), root)) {
    throw new L2Error(`the contract's log root at block ${blockNumber} is not the one over our anchors`, true);
  }
  for (const { anchor, at } of found) await store.markIncluded(anchor.number, at);
  return found.length;
}

export type Outcome = { readonly included: number; readonly pending: number; readonly sent: boolean };

/** One round: take in what is on chain, send what is not. The same at start and in running. */
export async function step(anchorer: Anchorer, key: Hex): Promise<Outcome> {
  await checkChain(anchorer);
  const included = await reconcile(anchorer);
  const anchors = await anchorer.store.anchors();
  const pending = anchors.filter((each) => each.included === undefined);
  if (pending.length === 0) return { included, pending: 0, sent: false };
  await send(anchorer, key, pending, BigInt(anchors.length - pending.length));
  return { included, pending: pending.length, sent: true };
}

/** All earlier attempts are tried before another is made; `expectedIndex` makes even a mistake harmless. */
async function send(
  { store, l2 }: Anchorer,
  key: Hex,
  pending: readonly StoredAnchor[],
  expectedIndex: bigint,
): Promise<void> {
  const address = privateKeyToAddress(key);
  const nonce = await l2.nonce(address);
  for (const attempt of await store.openTransactions()) {
    // A nonce below the account's is used: by this attempt, and then the contract shows it, or by another transaction.
    if (attempt.nonce < nonce) continue;
    if ((await l2.send(attempt.raw)) === 'known') return;
  }
  if ((await l2.anchorer()).toLowerCase() !== address.toLowerCase()) {
    throw new L2Error(`${address} is not the contract's anchorer: its owner sets it with setAnchorer`, false);
  }
  const batch = pending.slice(0, MAX_ROOTS);
  const roots = batch.map(({ root }) => root);
  const signed = await l2.sign(key, roots, expectedIndex, nonce);
  // If we crash here, nothing was sent; after it, the same bytes are sent again.
  await store.addTransaction({ ...signed, first: batch[0]!.number, count: batch.length });
  const sent = await l2.send(signed.raw);
  if (sent !== 'known') throw new L2Error(`the transaction 0x${toHex(signed.hash)} was not taken: ${sent}`, true);
}

/** Rounds until nothing is pending, or `rounds` are over. */
export async function settle(
  anchorer: Anchorer,
  key: Hex,
  rounds: number,
  pause: () => Promise<void>,
): Promise<Outcome> {
  let included = 0;
  for (let round = 1; ; round++) {
    const outcome = await step(anchorer, key);
    included += outcome.included;
    if (outcome.pending === 0 || round >= rounds) return { ...outcome, included };
    await pause();
  }
}
