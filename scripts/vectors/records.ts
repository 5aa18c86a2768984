/** Two chains, record by record, and what lies about records. */
import { EVENTS } from './events.ts';
import { idOf } from './identities.ts';
import {
  hex,
  sha256,
  H,
  type SuiteId,
  WIDTH,
  u8,
  u32,
  u64,
  root,
  seedOf,
  publicKey,
  sign,
  keyDigest,
  type Identity,
  ACME,
  GLOBEX,
  CLOCK,
  L2,
  good,
  hostile,
  replaced,
  commonLies,
} from './naive.ts';

type Beacon = { kind: number; network: bigint; number: bigint; hash: Buffer };
type Header = { of: Identity; height: bigint; prev: Buffer; historyRoot: Buffer };
type SealFields = {
  sealedAtMs: bigint;
  firstEvent: bigint;
  eventCount: number;
  eventsRoot: Buffer;
  beacons: readonly Beacon[];
};

const header = (tag: string, { of, height, prev, historyRoot }: Header): Buffer =>
  Buffer.concat([Buffer.from(tag), u8(1), u8(of.suite), idOf(of), u64(height), prev, historyRoot]);
const headerInput = ({ of, height, prev, historyRoot }: Header) => ({
  suite: String(of.suite),
  chainId: hex(idOf(of)),
  height: String(height),
  prev: hex(prev),
  historyRoot: hex(historyRoot),
});

function sealBody(head: Header, seal: SealFields): Buffer {
  const beacons = seal.beacons.flatMap((each) => [u8(each.kind), u64(each.network), u64(each.number), each.hash]);
  return Buffer.concat([
    header('TSEL', head),
    u64(seal.sealedAtMs),
    u64(seal.firstEvent),
    u32(seal.eventCount),
    seal.eventsRoot,
    u8(seal.beacons.length),
    ...beacons,
  ]);
}
export const signed = (body: Buffer, n: number): Buffer => Buffer.concat([body, sign(body, n)]);

function goodSeal(name: string, desc: string, head: Header, seal: SealFields, key: number): Buffer {
  const body = sealBody(head, seal);
  const bytes = signed(body, key);
  const input = {
    ...headerInput(head),
    sealedAtMs: String(seal.sealedAtMs),
    firstEvent: String(seal.firstEvent),
    eventCount: String(seal.eventCount),
    eventsRoot: hex(seal.eventsRoot),
    beacons: seal.beacons.map((each) => ({
      kind: String(each.kind),
      network: String(each.network),
      number: String(each.number),
      hash: hex(each.hash),
    })),
    seed: hex(seedOf(key)),
  };
  good(`seal/${name}`, desc, input, bytes, {
    signature: hex(bytes.subarray(body.length)),
    contentHash: hex(H[head.of.suite](bytes)),
  });
  return bytes;
}

type RotationFields = { rotatedAtMs: bigint; reason: number; oldKey: number; newKey: number; nextKeyDigest: Buffer };
function rotationBytes(head: Header, rotation: RotationFields): Buffer {
  const body = Buffer.concat([
    header('TROT', head),
    u64(rotation.rotatedAtMs),
    u8(rotation.reason),
    publicKey(rotation.oldKey),
    publicKey(rotation.newKey),
    rotation.nextKeyDigest,
  ]);
  return signed(signed(body, rotation.newKey), rotation.oldKey);
}
function goodRotation(name: string, desc: string, head: Header, rotation: RotationFields): Buffer {
  const bytes = rotationBytes(head, rotation);
  const input = {
    ...headerInput(head),
    rotatedAtMs: String(rotation.rotatedAtMs),
    reason: String(rotation.reason),
    oldKey: hex(publicKey(rotation.oldKey)),
    newKey: hex(publicKey(rotation.newKey)),
    nextKeyDigest: hex(rotation.nextKeyDigest),
    oldSeed: hex(seedOf(rotation.oldKey)),
    newSeed: hex(seedOf(rotation.newKey)),
  };
  good(`rotation/${name}`, desc, input, bytes, {
    newSignature: hex(bytes.subarray(-128, -64)),
    oldSignature: hex(bytes.subarray(-64)),
    contentHash: hex(H[head.of.suite](bytes)),
  });
  return bytes;
}

/** The header of the record that follows `records`. */
function following(of: Identity, records: readonly Buffer[]): Header {
  const hashes = records.map((record) => H[of.suite](record));
  const prev = hashes.at(-1) ?? Buffer.alloc(WIDTH[of.suite]);
  return { of, height: BigInt(records.length), prev, historyRoot: root(H[of.suite], hashes) };
}
function history(name: string, of: Identity, records: readonly Buffer[]): void {
  good(
    `chain/${name}`,
    `${records.length} records of ${of.tenant}, the header that follows them`,
    { suite: String(of.suite), records: records.map(hex) },
    records.at(-1)!,
    {
      contentHashes: records.map((record) => hex(H[of.suite](record))),
      prev: hex(following(of, records).prev),
      historyRoot: hex(following(of, records).historyRoot),
    },
  );
}
export const eventHashes = (suite: SuiteId, from: number, to: number): Buffer[] =>
  EVENTS.slice(from, to).map((text) => H[suite](Buffer.from(text)));

const EVM_BEACON: Beacon = {
  kind: 1,
  network: L2.evmChainId,
  number: 31_000_000n,
  hash: sha256(Buffer.from('an L2 block')),
};
const BITCOIN_BEACON: Beacon = {
  kind: 2,
  network: 0xf9beb4d9n,
  number: 900_000n,
  hash: sha256(Buffer.from('a Bitcoin block')),
};
const heartbeat = (suite: SuiteId, at: bigint, events: bigint, beacons: readonly Beacon[] = []): SealFields => ({
  sealedAtMs: at,
  firstEvent: events,
  eventCount: 0,
  eventsRoot: H[suite](Buffer.alloc(0)),
  beacons,
});

export const acme: Buffer[] = [];
acme.push(
  goodSeal(
    'first',
    'the first record of a chain: three events, no beacon',
    following(ACME, acme),
    {
      sealedAtMs: CLOCK,
      firstEvent: 0n,
      eventCount: 3,
      eventsRoot: root(sha256, eventHashes(1, 0, 3)),
      beacons: [],
    },
    1,
  ),
);
acme.push(
  goodRotation('scheduled', 'to the promised key, and the one after it promised', following(ACME, acme), {
    rotatedAtMs: CLOCK + 60_000n,
    reason: 0,
    oldKey: 1,
    newKey: 2,
    nextKeyDigest: keyDigest(publicKey(3)),
  }),
);
acme.push(
  goodSeal(
    'with-beacons',
    'one event, an L2 block and a Bitcoin block',
    following(ACME, acme),
    {
      sealedAtMs: CLOCK + 120_000n,
      firstEvent: 3n,
      eventCount: 1,
      eventsRoot: root(sha256, eventHashes(1, 0, 1)),
      beacons: [EVM_BEACON, BITCOIN_BEACON],
    },
    2,
  ),
);
acme.push(
  goodSeal('heartbeat', 'no events: signed silence', following(ACME, acme), heartbeat(1, CLOCK + 180_000n, 4n), 2),
);
acme.push(
  goodRotation('compromise-suspected', 'reason 1, no further key promised', following(ACME, acme), {
    rotatedAtMs: CLOCK + 240_000n,
    reason: 1,
    oldKey: 2,
    newKey: 3,
    nextKeyDigest: Buffer.alloc(32),
  }),
);
history('history-sha2-256', ACME, acme);

export const globex: Buffer[] = [];
globex.push(
  goodSeal(
    'blake3-128',
    'suite 2: hashes of 16 bytes',
    following(GLOBEX, globex),
    {
      sealedAtMs: CLOCK,
      firstEvent: 0n,
      eventCount: 2,
      eventsRoot: root(H[2], eventHashes(2, 0, 2)),
      beacons: [],
    },
    4,
  ),
);
const FOUR_BEACONS: readonly Beacon[] = [
  { ...EVM_BEACON, network: 10n },
  { ...EVM_BEACON, network: 11n },
  BITCOIN_BEACON,
  { ...BITCOIN_BEACON, network: 0xffffffffn, number: 0xffffffffffffffffn },
];
globex.push(
  goodSeal(
    'four-beacons',
    'as many beacons as fit',
    following(GLOBEX, globex),
    heartbeat(2, CLOCK, 2n, FOUR_BEACONS),
    4,
  ),
);
globex.push(
  goodRotation('blake3-128', 'suite 2, reason 2', following(GLOBEX, globex), {
    rotatedAtMs: CLOCK,
    reason: 2,
    oldKey: 4,
    newKey: 5,
    nextKeyDigest: Buffer.alloc(32),
  }),
);
history('history-blake3-128', GLOBEX, globex);

const unsignedLimit = { ...heartbeat(1, CLOCK, 0n), firstEvent: 0xffffffffffffffffn, eventCount: 65_536 };
goodSeal('full', 'as many events as fit, the largest first_event', following(ACME, []), unsignedLimit, 1);

export const first = acme[0]!;
commonLies('seal', first, 'signature', 64);
hostile('seal/unknown-suite', 'suite 3', replaced(first, 5, u8(3)), 'out-of-range', 'suite', 5);
hostile(
  'seal/other-suite',
  'suite 2 over hashes of 32 bytes',
  replaced(first, 5, u8(2)),
  'out-of-range',
  'event_count',
  94,
);
const COUNT_AT = 46 + 64 + 16;
const BEACONS_AT = COUNT_AT + 4 + 32;
hostile(
  'seal/event-count-above-limit',
  '65,537 events',
  replaced(first, COUNT_AT, u32(65_537)),
  'out-of-range',
  'event_count',
  COUNT_AT,
);
const lyingBeacons = (beacons: readonly Beacon[]): Buffer =>
  signed(sealBody(following(ACME, []), heartbeat(1, CLOCK, 0n, beacons)), 1);
const FIVE = [...FOUR_BEACONS, { ...BITCOIN_BEACON, network: 0x100000000n }];
for (const [name, desc, beacons] of [
  ['too-many-beacons', 'five beacons', FIVE],
  ['beacons-out-of-order', 'Bitcoin before the L2', [BITCOIN_BEACON, EVM_BEACON]],
  ['beacon-twice', 'two blocks of one network', [EVM_BEACON, { ...EVM_BEACON, number: 31_000_001n }]],
  ['bitcoin-magic-of-five-bytes', 'a magic has four bytes', [{ ...BITCOIN_BEACON, network: 0x100000000n }]],
] as const) {
  hostile(`seal/${name}`, desc, lyingBeacons(beacons), 'out-of-range', 'beacons', BEACONS_AT);
}
for (const [name, kind] of [
  ['beacon-of-kind-0', 0],
  ['beacon-of-kind-3', 3],
] as const) {
  hostile(
    `seal/${name}`,
    `kind ${kind}`,
    lyingBeacons([{ ...EVM_BEACON, kind }]),
    'out-of-range',
    'beacon.kind',
    BEACONS_AT + 1,
  );
}
hostile(
  'seal/beacon-count-without-beacon',
  'one beacon is counted, none is there',
  replaced(first, BEACONS_AT, u8(1)).subarray(0, BEACONS_AT + 1),
  'truncated',
  'beacon.kind',
  BEACONS_AT + 1,
);

const scheduled = acme[1]!;
const REASON_AT = 46 + 64 + 8;
commonLies('rotation', scheduled, 'old_signature', 64);
hostile('rotation/unknown-suite', 'suite 0', replaced(scheduled, 5, u8(0)), 'out-of-range', 'suite', 5);
hostile(
  'rotation/unknown-reason',
  'reason 3',
  replaced(scheduled, REASON_AT, u8(3)),
  'out-of-range',
  'reason',
  REASON_AT,
);
hostile(
  'rotation/one-signature',
  'the old key did not sign',
  scheduled.subarray(0, -64),
  'truncated',
  'old_signature',
  scheduled.length - 64,
);

hostile('chain/unknown-tag', 'neither a seal nor a rotation', replaced(first, 3, u8(0x4d)), 'bad-tag', 'tag', 0);
hostile('chain/half-a-tag', 'two bytes', first.subarray(0, 2), 'truncated', 'tag', 0);
