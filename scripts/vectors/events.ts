/** Event hashes and leaves in both suites; texts that are no events. */
import { hex, H, u8, good, hostile } from './naive.ts';

export const EVENTS = ['{"amount":1,"id":"event-0"}', '{"amount":2,"id":"event-1"}', '{"amount":3,"id":"event-2"}'];
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
