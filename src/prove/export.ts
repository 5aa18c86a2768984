/**
 * A tenant's whole chain as a folder that anybody can keep:
 *
 *     records/<height>-<content hash>.bin    the records as encoded
 *     events/<height>.ndjson                 what a seal holds, one {"bytes": hex} or {"hash": hex} a line
 *     heads.json                             heads that were anchored: a chain that ends before one was cut
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DecodeError, fromHex, toHex, type EventHash } from '../protocol/bytes.ts';
import * as Chain from '../protocol/chain.ts';
import * as Document from '../protocol/document.ts';
import * as Event from '../protocol/event.ts';
import * as Json from '../protocol/json.ts';
import * as Seal from '../protocol/seal.ts';
import type { Suite } from '../protocol/suite.ts';
import type { Store, Tenant } from '../store/port.ts';
import type { ExportedRecord, KnownHead } from '../verify/history.ts';

const HEADS = 'kedge-known-heads';
const RECORD_NAME = /^([0-9]{12,20})-([0-9a-f]{32}|[0-9a-f]{64})\.bin$/;

export type Exported = { readonly records: number; readonly events: number };

/** Writes into an empty or new folder; refuses another one. */
export async function write(store: Store, tenant: Tenant, folder: string): Promise<Exported> {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw new DecodeError('malformed', folder, 0, 'the folder is not empty');
  await mkdir(join(folder, 'records'));
  await mkdir(join(folder, 'events'));
  let records = 0;
  let events = 0;
  for await (const { height, hash, bytes } of store.records(tenant.chainId)) {
    await writeFile(join(folder, 'records', `${padded(height)}-${toHex(hash)}.bin`), bytes);
    records += 1;
    const record = Chain.decodeRecord(bytes);
    if (record.tag !== Seal.TAG || record.eventCount === 0) continue;
    const sealed = await store.events(tenant.chainId, record.firstEvent, record.eventCount);
    const lines = sealed.map((event) =>
      JSON.stringify(event.bytes ? { bytes: toHex(event.bytes) } : { hash: toHex(event.hash) }),
    );
    await writeFile(join(folder, 'events', `${padded(height)}.ndjson`), `${lines.join('\n')}\n`);
    events += sealed.length;
  }
  await writeFile(join(folder, 'heads.json'), encodeHeads(await anchoredHeads(store, tenant)));
  return { records, events };
}

const padded = (height: bigint): string => String(height).padStart(12, '0');

/** The newest anchored head leads to all others. */
async function anchoredHeads(store: Store, tenant: Tenant): Promise<readonly KnownHead[]> {
  const newest = (await store.anchors()).findLast(({ included }) => included !== undefined);
  if (newest === undefined) return [];
  return (await store.anchoredHeads(newest.number)).filter(({ slot }) => slot === tenant.slot);
}

export const encodeHeads = (heads: readonly KnownHead[]): Uint8Array =>
  Document.write({
    kind: HEADS,
    version: '1',
    heads: heads.map(({ height, hash }) => ({ height: String(height), hash: toHex(hash) })),
  });

export function decodeHeads(bytes: Uint8Array): readonly KnownHead[] {
  const document = Document.open(bytes, HEADS);
  const heads = document.list('heads', (value, path) => {
    const members = new Document.Members(value, path);
    const head = { height: members.uint('height', 1n << 64n), hash: members.bytes('hash') };
    members.end();
    return head;
  });
  document.end();
  return heads;
}

/** What a folder holds, for the verifier. Throws `DecodeError` where it is no export at all. */
export async function read(
  folder: string,
  suite: Suite,
): Promise<{ readonly records: readonly ExportedRecord[]; readonly heads: readonly KnownHead[] }> {
  const names = (await list(join(folder, 'records'))) ?? [];
  const records: ExportedRecord[] = [];
  for (const name of names.toSorted()) {
    const [, height, hash] = RECORD_NAME.exec(name) ?? [];
    if (height === undefined || hash === undefined) {
      throw new DecodeError('malformed', `records/${name}`, 0, 'is not named <height>-<content hash>.bin');
    }
    records.push({
      height: BigInt(height),
      hash: fromHex(hash, name),
      bytes: await readFile(join(folder, 'records', name)),
      events: await readEvents(join(folder, 'events', `${height}.ndjson`), suite),
    });
  }
  const heads = await readIfThere(join(folder, 'heads.json'));
  return { records, heads: heads === undefined ? [] : decodeHeads(heads) };
}

async function readEvents(path: string, suite: Suite): Promise<readonly EventHash[] | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  const hashes: EventHash[] = [];
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf(10, start);
    const end = newline === -1 ? text.length : newline;
    const members = new Document.Members(Json.parse(text.subarray(start, end)), `${path}:${hashes.length + 1}`);
    hashes.push(
      members.has('bytes')
        ? Event.hash(suite, members.bytes('bytes'))
        : (members.bytes('hash', suite.width) as EventHash),
    );
    members.end();
    start = end + 1;
  }
  return hashes;
}

async function list(folder: string): Promise<readonly string[] | undefined> {
  return readdir(folder).catch(absent);
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  return readFile(path).catch(absent);
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
