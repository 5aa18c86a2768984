/**
 * `TRCP`: the sealer's promise, given once a submission is durable.
 *
 *     tag 4 | version 1 | suite 1 | chain_id 32 | height 8 | first_event 8 | event_count 4
 *           | events_root w | received_at 8 | signature 64
 */
import { ascii, concat, DecodeError, Reader, u32, u64, u8, type ChainId, type Root, type Signature } from './bytes.ts';
import { readSuite, VERSION } from './record.ts';
import type { Suite } from './suite.ts';

export const TAG = 'TRCP';

export type Receipt = {
  readonly suite: Suite;
  readonly chainId: ChainId;
  /** Of the chain's next record; the receipt is signed by the key active for it. */
  readonly height: bigint;
  readonly firstEvent: bigint;
  /** At least 1. */
  readonly eventCount: number;
  /** Over the events of this one submission. */
  readonly eventsRoot: Root;
  /** Milliseconds since the Unix epoch, as the sealer claims. */
  readonly receivedAtMs: bigint;
  readonly signature: Signature;
};

export const signedBytes = (receipt: Omit<Receipt, 'signature'>): Uint8Array =>
  concat(
    ascii(TAG),
    u8(VERSION),
    u8(receipt.suite.id),
    receipt.chainId,
    u64(receipt.height),
    u64(receipt.firstEvent),
    u32(receipt.eventCount),
    receipt.eventsRoot,
    u64(receipt.receivedAtMs),
  );

export const encode = (receipt: Receipt): Uint8Array => concat(signedBytes(receipt), receipt.signature);

export function decode(bytes: Uint8Array): Receipt {
  const reader = new Reader(bytes);
  reader.expect(ascii(TAG), 'tag', 'bad-tag');
  reader.expect(u8(VERSION), 'version', 'bad-version');
  const suite = readSuite(reader);
  const chainId = reader.take(32, 'chain_id') as ChainId;
  const height = reader.u64('height');
  const firstEvent = reader.u64('first_event');
  const countAt = reader.offset;
  const eventCount = reader.u32('event_count');
  if (eventCount === 0)
    throw new DecodeError('out-of-range', 'event_count', countAt, 'a receipt is for at least one event');
  const receipt: Receipt = {
    suite,
    chainId,
    height,
    firstEvent,
    eventCount,
    eventsRoot: reader.take(suite.width, 'events_root') as Root,
    receivedAtMs: reader.u64('received_at'),
    signature: reader.take(64, 'signature') as Signature,
  };
  reader.end();
  return receipt;
}
