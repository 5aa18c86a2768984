/** Receipts. */
import { idOf } from './identities.ts';
import {
  hex,
  sha256,
  H,
  u8,
  u32,
  u64,
  root,
  seedOf,
  type Identity,
  ACME,
  GLOBEX,
  CLOCK,
  good,
  hostile,
  replaced,
  commonLies,
} from './naive.ts';
import { signed, eventHashes } from './records.ts';

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
