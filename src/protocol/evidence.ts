/** Evidence: everything between one event and a Bitcoin block, in one file. What can be computed is not in it. */
import { DecodeError, toHex } from './bytes.ts';
import * as Bitcoin from './bitcoin.ts';
import * as Document from './document.ts';
import type { Json } from './json.ts';

const KIND = 'kedge-evidence';
const U64 = 1n << 64n;

/** A path in an RFC 9162 tree, leaf to root. */
export type Path = readonly Uint8Array[];

export type Evidence = {
  /** Never both; without a path the verdict is `NotIncluded`. */
  readonly event: {
    readonly content: { readonly bytes: Uint8Array } | { readonly hash: Uint8Array };
    readonly path: { readonly index: bigint; readonly nodes: Path } | undefined;
  };
  /** `TSEL`, and its path into the head's history; none where the seal is the head. */
  readonly seal: { readonly record: Uint8Array; readonly path: Path | undefined };
  /** Every `TROT` at or below the head, ascending; none has a path where it is the head. */
  readonly rotations: readonly { readonly record: Uint8Array; readonly path: Path | undefined }[];
  /** Paths of records that the verifier knows, into the head's history. */
  readonly known: readonly { readonly height: bigint; readonly path: Path }[];
  readonly head: Uint8Array;
  readonly anchor: { readonly salt: Uint8Array; readonly count: number; readonly path: Path } | undefined;
  readonly log: { readonly timestamp: bigint; readonly index: bigint; readonly path: Path } | undefined;
  readonly checkpoint:
    | {
        /** `TCHK`. */
        readonly record: Uint8Array;
        /** The L2 block's, RLP. */
        readonly header: Uint8Array;
        readonly accountProof: Path;
        /** Of the size slot, then of the live peaks, largest first. */
        readonly storageProofs: readonly Path[];
      }
    | undefined;
  /** Serialized OpenTimestamps proof from the checkpoint's digest on. */
  readonly ots: Uint8Array | undefined;
  readonly bitcoin:
    | {
        readonly network: Bitcoin.NetworkName;
        readonly height: number;
        /** 80 bytes each: the attested block's own first, then those mined on it. */
        readonly headers: readonly Uint8Array[];
      }
    | undefined;
  /** Headers of the seal's beacons, in their order; empty bytes where one is not at hand. */
  readonly beacons: readonly Uint8Array[];
};

export function decode(bytes: Uint8Array): Evidence {
  const document = Document.open(bytes, KIND);
  const optional = <T>(name: string, read: (members: Document.Members) => T): T | undefined => {
    if (!document.has(name)) return undefined;
    const members = document.members(name);
    const value = read(members);
    members.end();
    return value;
  };
  const event = document.members('event');
  const evidence: Evidence = {
    event: readEvent(event),
    seal: readPlaced(document.json('seal'), '/seal'),
    rotations: document.list('rotations', readPlaced),
    known: document.list('known', (value, path) => {
      const members = new Document.Members(value, path);
      const known = { height: members.uint('height', U64), path: members.hexList('path') };
      members.end();
      return known;
    }),
    head: document.bytes('head'),
    anchor: optional('anchor', (members) => ({
      salt: members.bytes('salt', 16),
      count: Number(members.uint('count', 1n << 32n)),
      path: members.hexList('path', 32),
    })),
    log: optional('log', (members) => ({
      timestamp: members.uint('timestamp', U64),
      index: members.uint('index', U64),
      path: members.hexList('path', 32),
    })),
    checkpoint: optional('checkpoint', (members) => ({
      record: members.bytes('record'),
      header: members.bytes('header'),
      accountProof: members.hexList('accountProof'),
      storageProofs: members.list('storageProofs', (value, path) =>
        Document.list(value, path, (node, at) => Document.hexValue(node, at)),
      ),
    })),
    ots: document.has('ots') ? document.bytes('ots') : undefined,
    bitcoin: optional('bitcoin', (members) => ({
      network: members.oneOf('network', Bitcoin.NETWORK_NAMES),
      height: Number(members.uint('height', 1n << 32n)),
      headers: members.hexList('headers', 80),
    })),
    beacons: document.hexList('beacons'),
  };
  event.end();
  document.end();
  return evidence;
}

function readEvent(event: Document.Members): Evidence['event'] {
  if (event.has('bytes') === event.has('hash')) {
    throw new DecodeError('malformed', '/event', 0, 'expected either bytes or hash');
  }
  const content = event.has('bytes') ? { bytes: event.bytes('bytes') } : { hash: event.bytes('hash') };
  if (!event.has('path')) return { content, path: undefined };
  return { content, path: { index: event.uint('index', U64), nodes: event.hexList('path') } };
}

function readPlaced(value: Json, path: string): Evidence['seal'] {
  const members = new Document.Members(value, path);
  const placed = {
    record: members.bytes('record'),
    path: members.has('path') ? members.hexList('path') : undefined,
  };
  members.end();
  return placed;
}

export function encode(evidence: Evidence): Uint8Array {
  const { event, anchor, log, checkpoint, ots, bitcoin } = evidence;
  return Document.write({
    kind: KIND,
    version: '1',
    event: {
      ...('bytes' in event.content ? { bytes: toHex(event.content.bytes) } : { hash: toHex(event.content.hash) }),
      ...(event.path === undefined ? {} : { index: String(event.path.index), path: hexes(event.path.nodes) }),
    },
    seal: placed(evidence.seal),
    rotations: evidence.rotations.map(placed),
    known: evidence.known.map(({ height, path }) => ({ height: String(height), path: hexes(path) })),
    head: toHex(evidence.head),
    ...(anchor && { anchor: { salt: toHex(anchor.salt), count: String(anchor.count), path: hexes(anchor.path) } }),
    ...(log && { log: { timestamp: String(log.timestamp), index: String(log.index), path: hexes(log.path) } }),
    ...(checkpoint && {
      checkpoint: {
        record: toHex(checkpoint.record),
        header: toHex(checkpoint.header),
        accountProof: hexes(checkpoint.accountProof),
        storageProofs: checkpoint.storageProofs.map(hexes),
      },
    }),
    ...(ots && { ots: toHex(ots) }),
    ...(bitcoin && {
      bitcoin: { network: bitcoin.network, height: String(bitcoin.height), headers: hexes(bitcoin.headers) },
    }),
    beacons: hexes(evidence.beacons),
  });
}

const hexes = (list: readonly Uint8Array[]): readonly string[] => list.map(toHex);

const placed = ({ record, path }: Evidence['seal']): Json => ({
  record: toHex(record),
  ...(path === undefined ? {} : { path: hexes(path) }),
});
