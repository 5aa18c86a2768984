/**
 * `TSEL`: one signature over the events of one period of one tenant.
 *
 *     header | sealed_at 8 | first_event 8 | event_count 4 | events_root w
 *            | beacon_count 1 | beacons: kind 1, network 8, number 8, hash 32 each | signature 64
 */
import { concat, DecodeError, Reader, u32, u64, u8, type Root, type Signature } from './bytes.ts';
import { encodeHeader, readHeader, type RecordHeader } from './record.ts';

export const TAG = 'TSEL';
/** A full seal closes early. */
export const MAX_EVENTS = 65_536;
export const MAX_BEACONS = 4;

export const EVM_BLOCK = 1;
export const BITCOIN_BLOCK = 2;

/** A block that was known when the seal was signed: the seal is younger than it. */
export type Beacon = {
  readonly kind: typeof EVM_BLOCK | typeof BITCOIN_BLOCK;
  /** EVM chain id, or the Bitcoin network's magic as it goes over the wire, read as a number. */
  readonly network: bigint;
  readonly number: bigint;
  /** 32 bytes; Bitcoin's in wire order. */
  readonly hash: Uint8Array;
};

export type Seal = RecordHeader & {
  readonly tag: typeof TAG;
  /** Milliseconds since the Unix epoch, as the sealer claims. */
  readonly sealedAtMs: bigint;
  /** Number of events sealed before in this chain. */
  readonly firstEvent: bigint;
  /** 0 is a heartbeat: signed silence. */
  readonly eventCount: number;
  readonly eventsRoot: Root;
  /** Strictly ascending by (kind, network). */
  readonly beacons: readonly Beacon[];
  readonly signature: Signature;
};

/** The bytes under the signature. */
export function signedBytes(seal: Omit<Seal, 'signature'>): Uint8Array {
  if (seal.eventCount > MAX_EVENTS) throw new RangeError(`a seal holds at most ${MAX_EVENTS} events`);
  checkBeacons(seal.beacons, 0);
  return concat(
    encodeHeader(TAG, seal),
    u64(seal.sealedAtMs),
    u64(seal.firstEvent),
    u32(seal.eventCount),
    seal.eventsRoot,
    u8(seal.beacons.length),
    ...seal.beacons.flatMap((beacon) => [u8(beacon.kind), u64(beacon.network), u64(beacon.number), beacon.hash]),
  );
}

export const encode = (seal: Seal): Uint8Array => concat(signedBytes(seal), seal.signature);

export function decode(bytes: Uint8Array): Seal {
  const reader = new Reader(bytes);
  const header = readHeader(reader, TAG);
  const sealedAtMs = reader.u64('sealed_at');
  const firstEvent = reader.u64('first_event');
  const countAt = reader.offset;
  const eventCount = reader.u32('event_count');
  if (eventCount > MAX_EVENTS) {
    throw new DecodeError('out-of-range', 'event_count', countAt, `${eventCount} is above ${MAX_EVENTS}`);
  }
  const eventsRoot = reader.take(header.suite.width, 'events_root') as Root;
  const beaconsAt = reader.offset;
  const beaconCount = reader.u8('beacon_count');
  const beacons = Array.from({ length: Math.min(beaconCount, MAX_BEACONS + 1) }, () => readBeacon(reader));
  checkBeacons(beacons, beaconsAt);
  const signature = reader.take(64, 'signature') as Signature;
  reader.end();
  return { ...header, tag: TAG, sealedAtMs, firstEvent, eventCount, eventsRoot, beacons, signature };
}

function readBeacon(reader: Reader): Beacon {
  const at = reader.offset;
  const kind = reader.u8('beacon.kind');
  if (kind !== EVM_BLOCK && kind !== BITCOIN_BLOCK) {
    throw new DecodeError('out-of-range', 'beacon.kind', at, `unknown kind ${kind}`);
  }
  return {
    kind,
    network: reader.u64('beacon.network'),
    number: reader.u64('beacon.number'),
    hash: reader.take(32, 'beacon.hash'),
  };
}

function checkBeacons(beacons: readonly Beacon[], offset: number): void {
  const refuse = (why: string): never => {
    throw new DecodeError('out-of-range', 'beacons', offset, why);
  };
  if (beacons.length > MAX_BEACONS) refuse(`more than ${MAX_BEACONS}`);
  beacons.forEach((beacon, i) => {
    const before = beacons[i - 1];
    if (beacon.kind === BITCOIN_BLOCK && beacon.network >= 1n << 32n) refuse('a Bitcoin magic has four bytes');
    if (before === undefined) return;
    if (before.kind > beacon.kind || (before.kind === beacon.kind && before.network >= beacon.network)) {
      refuse('not strictly ascending by (kind, network)');
    }
  });
}
