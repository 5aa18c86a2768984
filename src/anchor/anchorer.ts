/**
 * Heads to L2. Roots are planned and stored first, then signed, stored again, and only then sent. What is on chain is
 * read back, at one block, before it is believed: no receipt is ever asked for.
 */
import type { Hex } from 'viem';
import * as Anchor from '../protocol/anchor.ts';
import { equal, toHex } from '../protocol/bytes.ts';
import * as Log from '../protocol/log.ts';
import * as Merkle from '../protocol/merkle.ts';
import { SHA2_256 } from '../protocol/suite.ts';
import type { Anchor as StoredAnchor, Inclusion, SlotHead, Store } from '../store/port.ts';
import { L2Error } from './fault.ts';
import type { BlockName, L2 } from './l2.ts';
import { addressOf } from './transaction.ts';

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
  const bound = await store.log();
  const evmChainId = bound?.evmChainId ?? (await l2.chainId());
  // It is bound for ever: not to an address that somebody mistyped.
  if (bound === undefined) await l2.checkContract();
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
  const count = Math.max(tenants.length, anchors.at(-1)?.count ?? 0);
  const leaves = Anchor.leaves(secret, { evmChainId, contract: l2.contract, number }, count, heads);
  const root = Anchor.value(count, Merkle.root(SHA2_256, leaves));
  // If we crash here, the next round plans the same heads under the same number; after it, the root waits to be sent.
  await store.addAnchor(number, root, count, moved);
  return { number, root, count, included: undefined };
}

/** What the contract holds of ours at one block. */
export type Standing = {
  readonly block: BlockName;
  readonly size: bigint;
  /** Newly read back. */
  readonly included: number;
  /** Not in the log at that block. */
  readonly pending: readonly StoredAnchor[];
};

type Included = StoredAnchor & { readonly included: Inclusion };
const isIncluded = (anchor: StoredAnchor): anchor is Included => anchor.included !== undefined;

/** Reads at one block what the contract holds of ours, and believes it only where our own log root agrees. */
export async function reconcile(anchorer: Anchorer): Promise<Standing> {
  const { store, l2 } = anchorer;
  const anchors = await store.anchors();
  const block = await l2.blockName('latest');
  if (block === undefined) throw new L2Error('the node has no newest block', true);
  const kept = await canonical(l2, anchors.filter(isIncluded), block);
  const { size, root } = await l2.logState(block.hash);
  const known = anchors.filter(isIncluded).length;
  if (size < BigInt(known)) {
    throw new L2Error(
      `the contract's log holds ${size} anchors at block ${block.number}, and ${known} of ours were read from it before: the ` +
        'L2 was reorganized, or its node shows another chain. Nothing more is sent until they are back; if they stay ' +
        'away, check KEDGE_L2_RPC_URL against a second node',
      true,
    );
  }
  const read = await newEvents(anchorer, kept, size, block);
  const entries = [...kept.map((each) => ({ root: each.root, timestamp: each.included.timestamp })), ...read];
  if (!equal(logRoot(anchorer, entries), root)) {
    throw new L2Error(
      `the contract's log root at block ${block.number} is not the one over our anchors and events`,
      true,
    );
  }
  // Only now: the log itself says that these are its entries.
  const found = read.map(({ root: actual, ...at }) => {
    const anchor = anchors[Number(at.index)];
    if (anchor !== undefined && equal(anchor.root, actual)) return { anchor, at };
    throw new L2Error(
      `anchor ${at.index} of the log is 0x${toHex(actual)} and not ours: somebody else holds the anchorer's key, or ` +
        'this store is an old copy. Nothing more is sent',
      false,
    );
  });
  // If we crash here, or after some of them, the next round reads the rest again.
  for (const { anchor, at } of found) await store.markIncluded(anchor.number, at);
  return { block, size, included: anchors.slice(known, Number(size)).length, pending: anchors.slice(Number(size)) };
}

/** Those of our anchors whose block still stands; what comes after them is read again. */
async function canonical(l2: L2, included: readonly Included[], block: BlockName): Promise<readonly Included[]> {
  for (let count = included.length; count > 0; count--) {
    const { blockNumber, blockHash } = included[count - 1]!.included;
    if (count === included.length && block.number < blockNumber) {
      throw new L2Error(`the node is at block ${block.number}, behind block ${blockNumber} of our newest anchor`, true);
    }
    // A node that has dropped old blocks says nothing about them; the log root does.
    const now = await l2.blockName(blockNumber);
    if (now === undefined || equal(now.hash, blockHash)) return included.slice(0, count);
  }
  return [];
}

async function newEvents({ l2 }: Anchorer, kept: readonly Included[], size: bigint, block: BlockName) {
  const first = BigInt(kept.length);
  const events = await l2.anchoredSince(first, size, kept.at(-1)?.included.blockNumber ?? 0n, block.number);
  const read = [];
  let stands: BlockName | undefined;
  for (let index = first; index < size; index++) {
    const event = events.get(index);
    if (event === undefined) {
      throw new L2Error(`the node shows no event for anchor ${index}, which the contract holds`, true);
    }
    if (stands?.number !== event.blockNumber) stands = await l2.blockName(event.blockNumber);
    if (stands === undefined || !equal(stands.hash, event.blockHash)) {
      throw new L2Error(`block ${event.blockNumber} with anchor ${index} is not the one that stands there now`, true);
    }
    read.push(event);
  }
  return read;
}

function logRoot({ evmChainId, l2 }: Anchorer, entries: readonly Pick<Log.LogEntry, 'root' | 'timestamp'>[]) {
  const leaves = entries.map(({ root, timestamp }) =>
    Merkle.leafHash(SHA2_256, Log.entry({ evmChainId, contract: l2.contract, root, timestamp })),
  );
  return Merkle.root(SHA2_256, leaves);
}

export type Outcome = { readonly included: number; readonly pending: number; readonly sent: boolean };

/** One round: take in what is on chain, send what is not. The same at start and in running. */
export async function step(anchorer: Anchorer, key: Hex): Promise<Outcome> {
  await checkChain(anchorer);
  const standing = await reconcile(anchorer);
  const { included, pending } = standing;
  if (pending.length > 0) await send(anchorer, key, standing);
  return { included, pending: pending.length, sent: pending.length > 0 };
}

/** All earlier attempts are tried before another is made; `expectedIndex` makes even a mistake harmless. */
async function send({ store, l2, evmChainId }: Anchorer, key: Hex, { block, size, pending }: Standing): Promise<void> {
  const address = addressOf(key);
  // Of the block at which the log was read: a nonce used there was used by this attempt only if its anchors are there.
  const nonce = await l2.nonce(address, block.hash);
  const refused: Uint8Array[] = [];
  for (const attempt of await store.openTransactions()) {
    if (attempt.nonce < nonce) continue;
    const sent = await l2.send(attempt.raw);
    // Mined since that block, or its nonce taken: the next round reads which.
    if (sent === 'nonce-used') return;
    // One that waits behind a gap waits for ever. What fills the gap carries the same anchors, and one of the two reverts.
    if (attempt.nonce > nonce) continue;
    if (sent === 'known') return;
    refused.push(attempt.raw);
  }
  if ((await l2.anchorer()).toLowerCase() !== address.toLowerCase()) {
    throw new L2Error(`${address} is not the contract's anchorer: its owner sets it with setAnchorer`, false);
  }
  const batch = pending.slice(0, MAX_ROOTS);
  const roots = batch.map(({ root }) => root);
  const signed = await l2.sign(key, evmChainId, roots, size, nonce, refused);
  // If we crash here, nothing was sent; after it, the same bytes are sent again.
  await store.addTransaction({ ...signed, first: batch[0]!.number, count: batch.length });
  const sent = await l2.send(signed.raw);
  if (sent === 'underpriced' || sent === 'nonce-gap') {
    throw new L2Error(`the transaction 0x${toHex(signed.hash)} was not taken: ${sent}`, true);
  }
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
