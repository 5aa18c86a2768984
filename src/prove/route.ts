/** The way of one event through seal, head, anchor, log and checkpoint to Bitcoin, as far as it has come. */
import * as Anchor from '../protocol/anchor.ts';
import type { ContentHash, LeafHash } from '../protocol/bytes.ts';
import * as Chain from '../protocol/chain.ts';
import * as Checkpoint from '../protocol/checkpoint.ts';
import * as Event from '../protocol/event.ts';
import * as Log from '../protocol/log.ts';
import * as Merkle from '../protocol/merkle.ts';
import * as Ots from '../protocol/ots.ts';
import * as Seal from '../protocol/seal.ts';
import { SHA2_256 } from '../protocol/suite.ts';
import type { Inclusion, Notarization, StoredCheckpoint, StoredEvent, Tenant } from '../store/port.ts';
import { ProveError, type Deployment } from './source.ts';

export type Placed = { readonly bytes: Uint8Array; readonly record: Chain.ChainRecord; readonly hash: ContentHash };

export type Route = {
  readonly event: StoredEvent;
  readonly eventIndex: number;
  readonly eventPath: readonly Uint8Array[];
  /** Heights 0 to the head's. */
  readonly records: readonly Placed[];
  readonly seal: Placed & { readonly record: Seal.Seal };
  readonly head: Placed;
  readonly anchor: AnchorRoute | undefined;
  readonly checkpoint: CheckpointRoute | undefined;
  readonly bitcoin: BitcoinRoute | undefined;
};

export type AnchorRoute = {
  readonly salt: Uint8Array;
  readonly count: number;
  readonly path: readonly Uint8Array[];
  /** The anchored value. */
  readonly root: Uint8Array;
  readonly included: Inclusion;
};

export type CheckpointRoute = { readonly checkpoint: StoredCheckpoint; readonly logPath: readonly Uint8Array[] };

export type BitcoinRoute = {
  /** Prefixes of the checkpoints after the first covering one, up to the notarized one. */
  readonly links: readonly Uint8Array[];
  /** From the notarized checkpoint's digest on. */
  readonly stamp: Ots.Timestamp;
  readonly height: number;
  readonly headers: readonly Uint8Array[];
};

export async function find(deployment: Deployment, tenant: Tenant, event: StoredEvent): Promise<Route> {
  const all: Placed[] = [];
  for await (const { bytes, hash } of deployment.store.records(tenant.chainId)) {
    all.push({ bytes, hash, record: Chain.decodeRecord(bytes) });
  }
  const seal = all.find((placed): placed is Placed & { record: Seal.Seal } => holds(placed.record, event.sequence));
  if (seal === undefined) throw new ProveError('the event is not sealed yet: run kedge seal, or wait for the daemon');
  const events = await deployment.store.events(tenant.chainId, seal.record.firstEvent, seal.record.eventCount);
  const leaves = events.map(({ hash }) => Event.leaf(tenant.suite, hash));
  const eventIndex = Number(event.sequence - seal.record.firstEvent);

  const anchored = await firstAnchor(deployment, tenant, seal.record.height);
  const height = Number(anchored?.height ?? all.length - 1);
  const records = all.slice(0, height + 1);
  const checkpoint = anchored && (await coveringCheckpoint(deployment, anchored.route.included));
  return {
    event,
    eventIndex,
    eventPath: Merkle.inclusionProof(tenant.suite, leaves, eventIndex),
    records,
    seal,
    head: records.at(-1)!,
    anchor: anchored?.route,
    checkpoint,
    bitcoin: checkpoint && (await notarization(deployment, checkpoint.checkpoint)),
  };
}

const holds = (record: Chain.ChainRecord, sequence: bigint): boolean =>
  record.tag === Seal.TAG && record.firstEvent <= sequence && sequence < record.firstEvent + BigInt(record.eventCount);

/** Heads never move back, so the first anchor at or above the seal is found by halving. */
async function firstAnchor(
  deployment: Deployment,
  tenant: Tenant,
  height: bigint,
): Promise<{ readonly height: bigint; readonly route: AnchorRoute } | undefined> {
  const { store, secret, evmChainId, contract } = deployment;
  const anchors = (await store.anchors()).filter(({ included }) => included !== undefined);
  const headIn = async (i: number) =>
    (await store.anchoredHeads(anchors[i]!.number)).find(({ slot }) => slot === tenant.slot);
  let low = 0;
  let high = anchors.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const head = await headIn(middle);
    if (head !== undefined && head.height >= height) high = middle;
    else low = middle + 1;
  }
  const anchor = anchors[low];
  const head = anchor && (await headIn(low));
  if (anchor?.included === undefined || head === undefined) return undefined;

  const name = { evmChainId, contract, number: anchor.number };
  const leaves = Anchor.leaves(secret, name, anchor.count, await headsOf(deployment, anchor.number));
  const route = {
    salt: Anchor.salt(secret, name, tenant.slot),
    count: anchor.count,
    path: Merkle.inclusionProof(SHA2_256, leaves as LeafHash[], tenant.slot),
    root: anchor.root,
    included: anchor.included,
  };
  return { height: head.height, route };
}

async function headsOf({ store }: Deployment, number: bigint): Promise<ReadonlyMap<number, Anchor.AnchoredHead>> {
  const tenants = new Map((await store.tenants()).map((tenant) => [tenant.slot, tenant]));
  const heads = new Map<number, Anchor.AnchoredHead>();
  for (const { slot, height, hash } of await store.anchoredHeads(number)) {
    const { chainId } = tenants.get(slot)!;
    const record = await store.getRecord(chainId, height, hash);
    if (record === undefined)
      throw new ProveError(`the record at height ${height} of slot ${slot} is not in the store`);
    heads.set(slot, { chainId, height, record });
  }
  return heads;
}

async function coveringCheckpoint(
  { store, evmChainId, contract }: Deployment,
  { index }: Inclusion,
): Promise<CheckpointRoute | undefined> {
  const checkpoint = (await store.checkpoints()).find(({ block }) => block.logSize > index);
  if (checkpoint === undefined) return undefined;
  const entries = (await store.anchors())
    .flatMap(({ root, included }) => (included ? [{ root, included }] : []))
    .sort((a, b) => (a.included.index < b.included.index ? -1 : 1))
    .slice(0, Number(checkpoint.block.logSize))
    .map(({ root, included }) => Log.entry({ evmChainId, contract, root, timestamp: included.timestamp }));
  const leaves = entries.map((entry) => Merkle.leafHash(SHA2_256, entry));
  return { checkpoint, logPath: Merkle.inclusionProof(SHA2_256, leaves, Number(index)) };
}

/** Of this checkpoint or the first later one: checkpoints are linked. Of several notaries the shortest proof. */
async function notarization({ store }: Deployment, from: StoredCheckpoint): Promise<BitcoinRoute | undefined> {
  const checkpoints = (await store.checkpoints()).filter(({ number }) => number >= from.number);
  const all = await store.notarizations();
  for (const [i, checkpoint] of checkpoints.entries()) {
    const routes = all
      .filter((each) => each.checkpoint === checkpoint.number)
      .flatMap((each) => bitcoinRoute(checkpoint, checkpoints.slice(1, i + 1), each));
    routes.sort((a, b) => Ots.depth(a.stamp) - Ots.depth(b.stamp));
    if (routes[0] !== undefined) return routes[0];
  }
  return undefined;
}

function bitcoinRoute(
  { bytes }: StoredCheckpoint,
  later: readonly StoredCheckpoint[],
  { proof, bitcoinHeight, headers }: Notarization,
): readonly BitcoinRoute[] {
  if (proof === undefined || bitcoinHeight === undefined || headers.length === 0) return [];
  const links = later.map((each) => each.bytes.subarray(0, Checkpoint.PREV_OFFSET));
  return [{ links, stamp: Ots.decode(proof, Checkpoint.digest(bytes)), height: Number(bitcoinHeight), headers }];
}

/** From the first covering checkpoint's digest through its links to Bitcoin. */
export function stampFrom(digest: Uint8Array, { links, stamp }: BitcoinRoute): Ots.Timestamp {
  const ops = links.flatMap((prefix) => [Ots.prepend(prefix), Ots.SHA256]);
  return Ots.fromPath(digest, ops, () => stamp);
}
