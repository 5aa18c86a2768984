/** Anchors over those chains, the log over the anchors, checkpoints over the log. */
import { createHmac } from 'node:crypto';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { idOf } from './identities.ts';
import {
  type Value,
  hex,
  sha256,
  u8,
  u32,
  u64,
  root,
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
import { acme, globex, first } from './records.ts';

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
