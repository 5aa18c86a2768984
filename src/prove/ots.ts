/**
 * Any event as a plain OpenTimestamps file over the event's own bytes. Every step up to the checkpoint's digest is a
 * SHA-256 of `prefix | x | suffix`, and goes through `log_root`: a storage value loses its leading zeros, and
 * OpenTimestamps has no operation for that.
 */
import { ascii, concat, u32, u64 } from '../protocol/bytes.ts';
import * as Chain from '../protocol/chain.ts';
import * as Checkpoint from '../protocol/checkpoint.ts';
import * as Merkle from '../protocol/merkle.ts';
import * as Ots from '../protocol/ots.ts';
import type { StoredEvent, Tenant } from '../store/port.ts';
import { find, stampFrom, type Placed, type Route } from './route.ts';
import { ProveError, type Deployment } from './source.ts';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
/** tag, version, suite, chain id, height: where `prev` starts; `history_root` follows it. */
const PREV_OFFSET = 46;
const HISTORY_OFFSET = PREV_OFFSET + 32;
/** sealed_at, first_event and event_count stand between the header and `events_root`. */
const EVENTS_OFFSET = HISTORY_OFFSET + 32 + 20;
const LOG_ROOT_OFFSET = Checkpoint.PREV_OFFSET - 32;

export async function stampEvent(deployment: Deployment, tenant: Tenant, event: StoredEvent): Promise<Uint8Array> {
  if (tenant.suite.id !== 1) {
    throw new ProveError(
      `suite ${tenant.suite.name} has no operation in OpenTimestamps: give the evidence file instead`,
    );
  }
  const route = await find(deployment, tenant, event);
  const { anchor, checkpoint, bitcoin } = route;
  if (anchor === undefined || checkpoint === undefined || bitcoin === undefined) {
    throw new ProveError('the event has not reached Bitcoin yet: kedge status says what it waits for');
  }
  const ops = [...sealOps(route), ...headOps(route), ...anchorOps(deployment, tenant, route)];
  const stamp = Ots.fromPath(event.hash, ops, (digest) => stampFrom(digest, bitcoin));
  const operations = Ots.depth(stamp);
  if (operations > Ots.MAX_OPERATIONS) {
    throw new ProveError(
      `the way takes ${operations} operations and the stock client reads ${Ots.MAX_OPERATIONS}: give the evidence file, ` +
        'which has no such limit, and seal less often per anchor',
    );
  }
  return Ots.encodeFile({ hash: 'sha256', stamp });
}

/** event hash -> content hash of the seal. */
function sealOps({ seal, eventIndex, eventPath }: Route): readonly Ots.Op[] {
  return [
    Ots.prepend(LEAF),
    Ots.SHA256,
    ...pathOps(BigInt(eventIndex), BigInt(seal.record.eventCount), eventPath),
    ...embedded(seal.bytes, EVENTS_OFFSET),
  ];
}

/** content hash of the seal -> content hash of the head, by `prev` links or by the history, whichever is shorter. */
function headOps({ seal, head, records }: Route): readonly Ots.Op[] {
  const { height } = seal.record;
  if (height === head.record.height) return [];
  const links = records.slice(Number(height) + 1).flatMap(({ bytes }) => embedded(bytes, PREV_OFFSET));
  const history = historyOps(height, head, records);
  return links.length <= history.length ? links : history;
}

function historyOps(height: bigint, head: Placed, records: readonly Placed[]): readonly Ots.Op[] {
  const { suite } = head.record;
  const leaves = records.slice(0, -1).map(({ hash }) => Merkle.leafHash(suite, hash));
  const path = Merkle.inclusionProof(suite, leaves, Number(height));
  return [
    Ots.prepend(LEAF),
    Ots.SHA256,
    ...pathOps(height, head.record.height, path),
    ...embedded(head.bytes, HISTORY_OFFSET),
  ];
}

/** content hash of the head -> digest of the checkpoint. */
function anchorOps(
  { evmChainId, contract }: Deployment,
  tenant: Tenant,
  { head, anchor, checkpoint }: Route,
): readonly Ots.Op[] {
  if (anchor === undefined || checkpoint === undefined) return [];
  const { included, count, salt, path } = anchor;
  const { bytes, block } = checkpoint.checkpoint;
  return [
    Ots.prepend(concat(LEAF, salt, Chain.chainId(tenant), u64(head.record.height))),
    Ots.SHA256,
    ...pathOps(BigInt(tenant.slot), BigInt(count), path),
    Ots.prepend(concat(ascii('kedge/anchor/v1\0'), u32(count))),
    Ots.SHA256,
    Ots.prepend(concat(LEAF, u64(evmChainId), contract)),
    Ots.append(u64(included.timestamp)),
    Ots.SHA256,
    ...pathOps(included.index, block.logSize, checkpoint.logPath),
    ...embedded(bytes, LOG_ROOT_OFFSET),
  ];
}

/** A left child costs three operations, a right child two. */
function pathOps(index: bigint, size: bigint, path: readonly Uint8Array[]): readonly Ots.Op[] {
  const onLeft = Merkle.siblingsOnLeft(index, size) ?? [];
  return path.flatMap((sibling, i) =>
    onLeft[i] ? [Ots.prepend(concat(NODE, sibling)), Ots.SHA256] : [Ots.prepend(NODE), Ots.append(sibling), Ots.SHA256],
  );
}

/** SHA-256 of the record in which the 32 bytes stand at `offset`. */
const embedded = (record: Uint8Array, offset: number): readonly Ots.Op[] => [
  Ots.prepend(record.subarray(0, offset)),
  Ots.append(record.subarray(offset + 32)),
  Ots.SHA256,
];
