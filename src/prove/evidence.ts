/** store -> evidence. Nothing leaves that our own verifier refuses. */
import type { LeafHash } from '../protocol/bytes.ts';
import * as Checkpoint from '../protocol/checkpoint.ts';
import type * as Evidence from '../protocol/evidence.ts';
import * as Merkle from '../protocol/merkle.ts';
import * as Ots from '../protocol/ots.ts';
import * as Rotation from '../protocol/rotation.ts';
import type { KnownRecord, Trust } from '../protocol/trust.ts';
import type { StoredEvent, Tenant } from '../store/port.ts';
import { verifyEvidence } from '../verify/verify.ts';
import { find, stampFrom, type Placed, type Route } from './route.ts';
import { ProveError, type Deployment } from './source.ts';

/** `known`: records that the verifier's trust file names; the evidence then leads to them. */
export async function prove(
  deployment: Deployment,
  tenant: Tenant,
  event: StoredEvent,
  known: readonly KnownRecord[] = [],
): Promise<Evidence.Evidence> {
  const route = await find(deployment, tenant, event);
  const beacons = await Promise.all(
    route.seal.record.beacons.map(async ({ hash }) => (await deployment.store.beaconHeader(hash)) ?? new Uint8Array()),
  );
  const evidence = { ...assemble(deployment, tenant, route, known), beacons };
  const { verdict, findings } = await verifyEvidence(evidence, ownTrust(deployment, tenant));
  if (verdict !== 'Included') {
    const found = findings.map(({ reason, at, detail }) => `${reason} at ${at}: ${detail}`).join('; ');
    throw new ProveError(
      `our own verifier refuses this evidence (${found}): the store is damaged, check it with kedge export`,
    );
  }
  return evidence;
}

/** What a verifier would write who trusts this deployment to be the one it is. */
export function ownTrust({ evmChainId, contract, bitcoinNetwork }: Deployment, identity: Tenant): Trust {
  return {
    identity,
    l2: { chainId: evmChainId, contract, codeHash: undefined },
    bitcoin: { network: bitcoinNetwork, minimumWork: 0n, blocks: [] },
    policy: { tier: 'sealed', confirmations: 0, l2Final: false },
    records: [],
  };
}

function assemble(
  { bitcoinNetwork }: Deployment,
  tenant: Tenant,
  route: Route,
  known: readonly KnownRecord[],
): Omit<Evidence.Evidence, 'beacons'> {
  const { event, seal, head, anchor, checkpoint, bitcoin } = route;
  const history = route.records.slice(0, -1).map(({ hash }) => Merkle.leafHash(tenant.suite, hash));
  const placed = ({ bytes, record }: Placed) => ({ record: bytes, path: historyPath(tenant, history, record.height) });
  return {
    event: {
      content: event.bytes === undefined ? { hash: event.hash } : { bytes: event.bytes },
      path: { index: BigInt(route.eventIndex), nodes: route.eventPath },
    },
    seal: placed(seal),
    rotations: route.records.filter(({ record }) => record.tag === Rotation.TAG).map(placed),
    known: known.flatMap(({ height }) => {
      const path = historyPath(tenant, history, height);
      return path === undefined ? [] : [{ height, path }];
    }),
    head: head.bytes,
    anchor: anchor && { salt: anchor.salt, count: anchor.count, path: anchor.path },
    log: anchor && {
      timestamp: anchor.included.timestamp,
      index: anchor.included.index,
      path: checkpoint?.logPath ?? [],
    },
    checkpoint: checkpoint && {
      record: checkpoint.checkpoint.bytes,
      header: checkpoint.checkpoint.block.header,
      accountProof: checkpoint.checkpoint.block.accountProof,
      storageProofs: checkpoint.checkpoint.block.storageProofs,
    },
    ots: checkpoint && bitcoin && Ots.encode(stampFrom(Checkpoint.digest(checkpoint.checkpoint.bytes), bitcoin)),
    bitcoin: bitcoin && { network: bitcoinNetwork, height: bitcoin.height, headers: bitcoin.headers },
  };
}

/** None for the head itself and for what is above it. */
const historyPath = (
  { suite }: Tenant,
  history: readonly LeafHash[],
  height: bigint,
): readonly Uint8Array[] | undefined =>
  height < BigInt(history.length) ? Merkle.inclusionProof(suite, history, Number(height)) : undefined;
