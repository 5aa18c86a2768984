/**
 * Known-answer vectors for the binary formats: `node scripts/vectors.ts [--check]`.
 *
 * Written from docs/format.md with Node's own hashes and signatures and plain concatenation. Nothing of src/ is
 * imported, so the vectors are not our encoders asking themselves. Node has neither BLAKE3 nor Keccak: those two are
 * noble's.
 */
import { createHash, createHmac, createPrivateKey, createPublicKey, sign as ed25519Sign } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { blake3 } from '@noble/hashes/blake3.js';
import { keccak_256 } from '@noble/hashes/sha3.js';

type Value = string | readonly Value[] | { readonly [name: string]: Value };
type Failure = { readonly code: string; readonly field: string; readonly offset: number };
type Vector =
  | { readonly desc: string; readonly input: Value; readonly bytes: string; readonly want: Value }
  | { readonly desc: string; readonly bytes: string; readonly want: Failure };

const FOLDER = new URL('../test/vectors/', import.meta.url);
const vectors = new Map<string, Vector>();

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const H = {
  1: sha256,
  2: (bytes: Uint8Array): Buffer => Buffer.from(blake3(bytes, { dkLen: 16 })),
} as const;
type SuiteId = keyof typeof H;
const WIDTH = { 1: 32, 2: 16 } as const;

const u8 = (value: number): Buffer => Buffer.from([value]);
function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}
function u64(value: bigint): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(value);
  return out;
}

function root(hash: (bytes: Uint8Array) => Buffer, entries: readonly Uint8Array[]): Buffer {
  if (entries.length === 0) return hash(Buffer.alloc(0));
  if (entries.length === 1) return hash(Buffer.concat([u8(0), entries[0]!]));
  let k = 1;
  while (k * 2 < entries.length) k *= 2;
  return hash(Buffer.concat([u8(1), root(hash, entries.slice(0, k)), root(hash, entries.slice(k))]));
}

/** A key is 32 equal bytes: whoever reads a vector can make it again. */
const seedOf = (n: number): Buffer => Buffer.alloc(32, n);
const privateKey = (n: number) =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seedOf(n)]),
    format: 'der',
    type: 'pkcs8',
  });
const publicKey = (n: number): Buffer =>
  createPublicKey(privateKey(n)).export({ format: 'der', type: 'spki' }).subarray(12);
const sign = (bytes: Uint8Array, n: number): Buffer => ed25519Sign(null, bytes, privateKey(n));

const keyDigest = (key: Uint8Array): Buffer => sha256(Buffer.concat([Buffer.from('kedge/key/v1\0'), u8(1), key]));

type Identity = { tenant: string; suite: SuiteId; slot: number; genesisKey: Buffer; nextKeyDigest: Buffer };
const chainPreimage = (of: Identity): Buffer =>
  Buffer.concat([
    Buffer.from('kedge/chain/v1\0'),
    u8(of.suite),
    of.genesisKey,
    of.nextKeyDigest,
    u32(of.slot),
    Buffer.from(of.tenant),
  ]);
const ACME: Identity = {
  tenant: 'acme',
  suite: 1,
  slot: 0,
  genesisKey: publicKey(1),
  nextKeyDigest: keyDigest(publicKey(2)),
};
const GLOBEX: Identity = {
  tenant: 'globex-2',
  suite: 2,
  slot: 3,
  genesisKey: publicKey(4),
  nextKeyDigest: Buffer.alloc(32),
};
const CLOCK = 1_790_000_000_000n;
const L2 = { evmChainId: 84_532n, contract: Buffer.from('5fbdb2315678afecb367f032d93f642f64180aa3', 'hex') };

function good(name: string, desc: string, input: Value, bytes: Uint8Array, want: Value): void {
  vectors.set(name, { desc, input, bytes: hex(bytes), want });
}
function hostile(name: string, desc: string, bytes: Uint8Array, code: string, field: string, offset: number): void {
  vectors.set(name, { desc, bytes: hex(bytes), want: { code, field, offset } });
}
function replaced(bytes: Uint8Array, offset: number, by: Uint8Array): Buffer {
  const out = Buffer.from(bytes);
  out.set(by, offset);
  return out;
}
/** The lies that every record can tell. */
function commonLies(folder: string, bytes: Uint8Array, last: string, lastLength: number): void {
  const end = bytes.length;
  hostile(`${folder}/trailing-garbage`, 'one byte follows', Buffer.concat([bytes, u8(0)]), 'trailing', 'end', end);
  const cut = bytes.subarray(0, end - 1);
  hostile(`${folder}/truncated`, 'the last byte is absent', cut, 'truncated', last, end - lastLength);
  hostile(`${folder}/empty`, 'no bytes', Buffer.alloc(0), 'truncated', 'tag', 0);
  hostile(`${folder}/bad-tag`, 'the tag in lower case', replaced(bytes, 0, u8(0x74)), 'bad-tag', 'tag', 0);
  hostile(`${folder}/bad-version`, 'version 2', replaced(bytes, 4, u8(2)), 'bad-version', 'version', 4);
}

// Events

const EVENTS = ['{"amount":1,"id":"event-0"}', '{"amount":2,"id":"event-1"}', '{"amount":3,"id":"event-2"}'];
const JSON_TEXT = '{ "id": "event-0", "note": "\\u00fcn\\u00efcode", "amount": 1.50 }';
const JSON_CANONICAL = Buffer.from('{"amount":1.5,"id":"event-0","note":"ünïcode"}');
for (const suite of [1, 2] as const) {
  const name = suite === 1 ? 'sha2-256' : 'blake3-128';
  const want = (bytes: Uint8Array) => {
    const hash = H[suite](bytes);
    return { hash: hex(hash), leaf: hex(H[suite](Buffer.concat([u8(0), hash]))) };
  };
  const json = hex(Buffer.from(JSON_TEXT));
  good(
    `event/json-${name}`,
    `a JSON event in suite ${name}`,
    { suite: String(suite), json },
    JSON_CANONICAL,
    want(JSON_CANONICAL),
  );
  const raw = Buffer.from([0, 255, 0x7b, 10]);
  good(`event/raw-${name}`, `raw bytes in suite ${name}`, { suite: String(suite), raw: hex(raw) }, raw, want(raw));
  good(
    `event/empty-${name}`,
    `no bytes in suite ${name}`,
    { suite: String(suite), raw: '' },
    Buffer.alloc(0),
    want(Buffer.alloc(0)),
  );
}
/** The field is where in the document, the offset is where the reader stopped. */
const lie = (name: string, desc: string, text: string, code: string, field: string, offset: number): void =>
  hostile(`event/${name}`, desc, Buffer.from(text), code, field, offset);
lie('trailing-garbage', 'a second value follows', '{"a":1}2', 'trailing', 'document', 7);
lie('truncated', 'the object does not end', '{"a":1', 'truncated', 'document', 6);
lie('duplicate-member', 'which of the two is signed?', '{"a":1,"a":2}', 'malformed', 'document', 10);
lie('byte-order-mark', 'RFC 8259 forbids it', '\ufeff{}', 'malformed', 'document', 0);
lie('integer-beyond-2-53', 'other readers would see another number', '[9007199254740993]', 'out-of-range', '/0', 17);

// Chain identity

const identityInput = (of: Identity): Value => ({
  tenant: of.tenant,
  suite: String(of.suite),
  slot: String(of.slot),
  genesisKey: hex(of.genesisKey),
  nextKeyDigest: hex(of.nextKeyDigest),
});
const idOf = (of: Identity): Buffer => sha256(chainPreimage(of));
for (const [name, desc, of] of [
  ['id-with-next-key', 'a chain that promised its second key', ACME],
  ['id-blake3-128', 'suite 2, no next key', GLOBEX],
  [
    'id-of-last-slot',
    'the largest slot and the longest name',
    { ...ACME, slot: 0xffffffff, tenant: '0'.padEnd(63, '-') },
  ],
] as const) {
  good(`chain/${name}`, desc, identityInput(of), chainPreimage(of), { chainId: hex(idOf(of)) });
}
for (const n of [1, 2]) {
  const preimage = Buffer.concat([Buffer.from('kedge/key/v1\0'), u8(1), publicKey(n)]);
  good(
    `chain/key-digest-${n}`,
    `key digest of the key whose seed is 32 times ${n}`,
    { seed: hex(seedOf(n)), key: hex(publicKey(n)) },
    preimage,
    { keyDigest: hex(sha256(preimage)) },
  );
}

// Records

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
const signed = (body: Buffer, n: number): Buffer => Buffer.concat([body, sign(body, n)]);

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
const eventHashes = (suite: SuiteId, from: number, to: number): Buffer[] =>
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

const acme: Buffer[] = [];
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

const globex: Buffer[] = [];
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

const first = acme[0]!;
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

// Receipts

type ReceiptFields = {
  height: bigint;
  firstEvent: bigint;
  eventCount: number;
  eventsRoot: Buffer;
  receivedAtMs: bigint;
};
const receiptBody = (of: Identity, receipt: ReceiptFields): Buffer =>
  Buffer.concat([
    Buffer.from('TRCP'),
    u8(1),
    u8(of.suite),
    idOf(of),
    u64(receipt.height),
    u64(receipt.firstEvent),
    u32(receipt.eventCount),
    receipt.eventsRoot,
    u64(receipt.receivedAtMs),
  ]);
function goodReceipt(name: string, desc: string, of: Identity, receipt: ReceiptFields, key: number): Buffer {
  const bytes = signed(receiptBody(of, receipt), key);
  const input = {
    suite: String(of.suite),
    chainId: hex(idOf(of)),
    height: String(receipt.height),
    firstEvent: String(receipt.firstEvent),
    eventCount: String(receipt.eventCount),
    eventsRoot: hex(receipt.eventsRoot),
    receivedAtMs: String(receipt.receivedAtMs),
    seed: hex(seedOf(key)),
  };
  good(`receipt/${name}`, desc, input, bytes, { signature: hex(bytes.subarray(-64)) });
  return bytes;
}
const promised = { height: 0n, firstEvent: 1n, eventCount: 2, receivedAtMs: CLOCK - 30_000n };
const receipt = goodReceipt(
  'sha2-256',
  'two events, to be sealed as the second and third',
  ACME,
  { ...promised, eventsRoot: root(sha256, eventHashes(1, 1, 3)) },
  1,
);
goodReceipt('blake3-128', 'suite 2', GLOBEX, { ...promised, eventsRoot: root(H[2], eventHashes(2, 1, 3)) }, 4);
commonLies('receipt', receipt, 'signature', 64);
hostile('receipt/unknown-suite', 'suite 255', replaced(receipt, 5, u8(255)), 'out-of-range', 'suite', 5);
hostile(
  'receipt/empty-receipt',
  'a promise of nothing',
  replaced(receipt, 54, u32(0)),
  'out-of-range',
  'event_count',
  54,
);

// Anchors

const SECRET = sha256(Buffer.from('the secret of an operator'));
type Place = { number: bigint; slot: number };
const saltMessage = ({ number, slot }: Place): Buffer =>
  Buffer.concat([u64(L2.evmChainId), L2.contract, u64(number), u32(slot)]);
const prf = (place: Place): Buffer => createHmac('sha256', SECRET).update(saltMessage(place)).digest();
const saltOf = (place: Place): Buffer => prf(place).subarray(0, 16);
/** RFC 5869, 2.3, with the info `filler` and a length of 88. */
function fillerOf(place: Place): Buffer {
  const key = prf(place);
  const blocks: Buffer[] = [];
  for (let i = 1; i <= 3; i++) {
    const before = blocks.at(-1) ?? Buffer.alloc(0);
    blocks.push(
      createHmac('sha256', key)
        .update(Buffer.concat([before, Buffer.from('filler'), u8(i)]))
        .digest(),
    );
  }
  return Buffer.concat(blocks).subarray(0, 88);
}
const placeInput = ({ number, slot }: Place): Value => ({
  secret: hex(SECRET),
  evmChainId: String(L2.evmChainId),
  contract: hex(L2.contract),
  number: String(number),
  slot: String(slot),
});
type Head = { of: Identity; height: bigint; record: Buffer };
const headInput = ({ of, height, record }: Head) => ({
  chainId: hex(idOf(of)),
  height: String(height),
  record: hex(record),
});
const entryOf = (salt: Buffer, { of, height, record }: Head): Buffer =>
  Buffer.concat([salt, idOf(of), u64(height), sha256(record)]);
const valuePreimage = (count: number, treeRoot: Buffer): Buffer =>
  Buffer.concat([Buffer.from('kedge/anchor/v1\0'), u32(count), treeRoot]);

const ACME_HEAD: Head = { of: ACME, height: 4n, record: acme[4]! };
const GLOBEX_HEAD: Head = { of: GLOBEX, height: 2n, record: globex[2]! };
const place = { number: 7n, slot: 3 };
good('anchor/salt', 'the salt of slot 3 in anchor 7', placeInput(place), saltMessage(place), {
  salt: hex(saltOf(place)),
});
good('anchor/filler', 'what stands in slot 3 of anchor 7 while it has no head', placeInput(place), saltMessage(place), {
  filler: hex(fillerOf(place)),
});
for (const [name, head] of [
  ['entry', ACME_HEAD],
  ['entry-blake3-128', GLOBEX_HEAD],
] as const) {
  const salt = saltOf({ number: 7n, slot: head.of.slot });
  const bytes = entryOf(salt, head);
  good(
    `anchor/${name}`,
    `the head of ${head.of.tenant}; SHA-256 whatever the suite`,
    { salt: hex(salt), ...headInput(head) },
    bytes,
    {
      leaf: hex(sha256(Buffer.concat([u8(0), bytes]))),
    },
  );
}
function anchorTree(name: string, desc: string, number: bigint, count: number, heads: readonly Head[]): Buffer {
  const entries = Array.from({ length: count }, (_, slot) => {
    const head = heads.find(({ of }) => of.slot === slot);
    return head === undefined ? fillerOf({ number, slot }) : entryOf(saltOf({ number, slot }), head);
  });
  const treeRoot = root(sha256, entries);
  const value = sha256(valuePreimage(count, treeRoot));
  const input = {
    secret: hex(SECRET),
    evmChainId: String(L2.evmChainId),
    contract: hex(L2.contract),
    number: String(number),
    count: String(count),
    heads: heads.map((head) => ({ slot: String(head.of.slot), ...headInput(head) })),
  };
  good(`anchor/${name}`, desc, input, Buffer.concat(entries), { treeRoot: hex(treeRoot), value: hex(value) });
  good(
    `anchor/value-of-${name}`,
    `what goes on chain for ${name}`,
    { count: String(count), treeRoot: hex(treeRoot) },
    valuePreimage(count, treeRoot),
    { value: hex(value) },
  );
  return value;
}
const values = [
  anchorTree('tree-of-one', 'a log with one slot', 0n, 1, [{ of: ACME, height: 0n, record: first }]),
  anchorTree('tree-of-five', 'heads in slots 0 and 3, fillers elsewhere', 7n, 5, [ACME_HEAD, GLOBEX_HEAD]),
  anchorTree('tree-of-fillers', 'no chain has a record', 8n, 3, []),
];

// Anchor log

const logEntries = values.map((value, i) => ({ root: value, timestamp: CLOCK / 1000n + BigInt(60 * i) }));
const logBytes = ({ root: anchored, timestamp }: (typeof logEntries)[number]): Buffer =>
  Buffer.concat([u64(L2.evmChainId), L2.contract, anchored, u64(timestamp)]);
const l2Input = { evmChainId: String(L2.evmChainId), contract: hex(L2.contract) };
const logInput = ({ root: anchored, timestamp }: (typeof logEntries)[number]) => ({
  ...l2Input,
  root: hex(anchored),
  timestamp: String(timestamp),
});
good('log/entry', 'one anchored value', logInput(logEntries[0]!), logBytes(logEntries[0]!), {
  leaf: hex(sha256(Buffer.concat([u8(0), logBytes(logEntries[0]!)]))),
});
for (const size of [0, 1, 2, 3]) {
  const entries = logEntries.slice(0, size);
  // A peak for each set bit of the size, the largest first.
  const peaks = [...(size >= 2 ? [entries.slice(0, 2)] : []), ...(size % 2 === 1 ? [entries.slice(-1)] : [])];
  good(
    `log/root-of-${size}`,
    `a log of ${size} anchors`,
    { entries: entries.map(logInput) },
    Buffer.concat(entries.map(logBytes)),
    {
      root: hex(root(sha256, entries.map(logBytes))),
      peaks: peaks.map((each) => hex(root(sha256, each.map(logBytes)))),
    },
  );
}
const NAMESPACE = 'kedge.anchorlog.v1';
const namespaceHash = BigInt(`0x${hex(keccak_256(Buffer.from(NAMESPACE)))}`) - 1n;
const slotPreimage = Buffer.from(namespaceHash.toString(16).padStart(64, '0'), 'hex');
good('log/base-slot', 'ERC-7201: the last byte of the hash is cleared', { namespace: NAMESPACE }, slotPreimage, {
  slot: hex(replaced(keccak_256(slotPreimage), 31, u8(0))),
});

// Checkpoints

type CheckpointFields = { blockNumber: bigint; logSize: number; prev: Buffer };
function goodCheckpoint(name: string, desc: string, { blockNumber, logSize, prev }: CheckpointFields): Buffer {
  const blockHash = sha256(Buffer.from(`block ${blockNumber}`));
  const stateRoot = sha256(Buffer.from(`state of block ${blockNumber}`));
  const timestamp = CLOCK / 1000n + blockNumber;
  const logRoot = root(sha256, logEntries.slice(0, logSize).map(logBytes));
  const bytes = Buffer.concat([
    Buffer.from('TCHK'),
    u8(1),
    u64(L2.evmChainId),
    L2.contract,
    u64(blockNumber),
    blockHash,
    stateRoot,
    u64(timestamp),
    u64(BigInt(logSize)),
    logRoot,
    prev,
  ]);
  const input = {
    ...l2Input,
    blockNumber: String(blockNumber),
    blockHash: hex(blockHash),
    stateRoot: hex(stateRoot),
    blockTimestamp: String(timestamp),
    logSize: String(logSize),
    logRoot: hex(logRoot),
    prev: hex(prev),
  };
  good(`checkpoint/${name}`, desc, input, bytes, { digest: hex(sha256(bytes)) });
  return bytes;
}
const checkpoint = goodCheckpoint('first', 'of a contract', {
  blockNumber: 1_000n,
  logSize: 1,
  prev: Buffer.alloc(32),
});
goodCheckpoint('linked', 'the one after it, over three anchors', {
  blockNumber: 2_000n,
  logSize: 3,
  prev: sha256(checkpoint),
});
commonLies('checkpoint', checkpoint, 'prev', 32);
hostile(
  'checkpoint/zero-log-size',
  'a checkpoint of no anchor',
  replaced(checkpoint, 113, u64(0n)),
  'out-of-range',
  'log_size',
  113,
);

// Files

const NOUNS = [...new Set([...vectors.keys()].map((name) => name.split('/')[0]!))];
const textOf = (vector: Vector): string => `${JSON.stringify(vector, null, 2)}\n`;

function check(): readonly string[] {
  const differing = [...vectors].filter(([name, vector]) => {
    try {
      return readFileSync(new URL(`${name}.json`, FOLDER), 'utf8') !== textOf(vector);
    } catch {
      return true;
    }
  });
  const strangers = NOUNS.flatMap((noun) =>
    readdirSync(new URL(`${noun}/`, FOLDER))
      .map((file) => `${noun}/${file.replace(/\.json$/, '')}`)
      .filter((name) => !vectors.has(name)),
  );
  return [...differing.map(([name]) => name), ...strangers];
}

if (process.argv.includes('--check')) {
  const wrong = check();
  for (const name of wrong) {
    console.error(`test/vectors/${name}.json is not what scripts/vectors.ts writes: a frozen vector was changed`);
  }
  if (wrong.length > 0) process.exitCode = 1;
  else console.log(`${vectors.size} vectors are as frozen`);
} else {
  for (const noun of NOUNS) mkdirSync(new URL(`${noun}/`, FOLDER), { recursive: true });
  for (const [name, vector] of vectors) writeFileSync(new URL(`${name}.json`, FOLDER), textOf(vector));
  console.log(`${vectors.size} vectors written`);
}
