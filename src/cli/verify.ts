/** `kedge verify` and `kedge info`: need nothing but files. */
import { stat } from 'node:fs/promises';
import { toHex } from '../protocol/bytes.ts';
import * as Chain from '../protocol/chain.ts';
import * as Checkpoint from '../protocol/checkpoint.ts';
import * as Document from '../protocol/document.ts';
import * as Evidence from '../protocol/evidence.ts';
import * as Json from '../protocol/json.ts';
import * as Ots from '../protocol/ots.ts';
import * as Receipt from '../protocol/receipt.ts';
import * as Trust from '../protocol/trust.ts';
import { isGood, type ChainVerdict, type EventVerdict } from '../protocol/verdict.ts';
import * as Export from '../prove/export.ts';
import { verifyChain } from '../verify/history.ts';
import { verifyEvidence } from '../verify/verify.ts';
import { describe, EXIT, print, printable, readInput, reasonOf, UsageError, type Exit } from './output.ts';

export type VerifyOptions = {
  readonly trust: string;
  readonly event?: string;
  readonly heads?: string;
  readonly json?: boolean;
};

export async function verify(path: string, options: VerifyOptions): Promise<Exit> {
  const trust = await decoded(options.trust, Trust.decode);
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  if (isFolder && options.event !== undefined)
    throw new UsageError('--event goes with an evidence file, not with a folder');
  if (!isFolder && options.heads !== undefined)
    throw new UsageError('--heads goes with a folder, not with an evidence file');
  const verdict = isFolder ? await verifyFolder(path, trust, options) : await verifyFile(path, trust, options);
  print(options.json, verdict, describe(verdict));
  return isGood(verdict) ? EXIT.done : EXIT.badVerdict;
}

async function verifyFile(path: string, trust: Trust.Trust, options: VerifyOptions): Promise<EventVerdict> {
  const evidence = await decoded(path, Evidence.decode);
  const event = options.event === undefined ? {} : { event: await readInput(options.event) };
  return verifyEvidence(evidence, trust, event);
}

async function verifyFolder(path: string, trust: Trust.Trust, options: VerifyOptions): Promise<ChainVerdict> {
  const more = options.heads === undefined ? [] : await decoded(options.heads, Export.decodeHeads);
  try {
    const { records, heads } = await Export.read(path, trust.identity.suite);
    return verifyChain(records, trust, [...heads, ...more]);
  } catch (error) {
    throw new UsageError(`${path} cannot be read as an exported chain: ${reasonOf(error)}`);
  }
}

async function decoded<T>(path: string, decode: (bytes: Uint8Array) => T): Promise<T> {
  const bytes = await readInput(path);
  try {
    return decode(bytes);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${reasonOf(error)}`);
  }
}

/** What is in a file of ours, told apart by its first bytes. Says nothing of whether it is true. */
export async function info(path: string, options: { readonly json?: boolean }): Promise<Exit> {
  const content = await decoded(path, inspect);
  const lines = Object.entries(content).map(([name, value]) => `${name.padEnd(16)} ${printable(shown(value))}`);
  print(options.json, content, lines);
  return EXIT.done;
}

const shown = (value: unknown): string => {
  if (value instanceof Uint8Array) return toHex(value);
  return typeof value === 'object'
    ? JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each))
    : String(value);
};

function inspect(bytes: Uint8Array): object {
  switch (String.fromCharCode(...bytes.subarray(0, 4))) {
    case 'TSEL':
    case 'TROT': {
      const { suite, ...record } = Chain.decodeRecord(bytes);
      return { ...record, suite: suite.name, contentHash: Chain.contentHash(suite, bytes) };
    }
    case 'TRCP': {
      const { suite, ...receipt } = Receipt.decode(bytes);
      return { tag: Receipt.TAG, ...receipt, suite: suite.name };
    }
    case 'TCHK':
      return { tag: Checkpoint.TAG, ...Checkpoint.decode(bytes), digest: Checkpoint.digest(bytes) };
    case '\0Ope':
      return inspectOts(Ots.decodeFile(bytes));
    default:
      return inspectDocument(bytes);
  }
}

const inspectOts = ({ hash, stamp }: Ots.File): object => ({
  kind: 'OpenTimestamps proof',
  digest: `${hash}:${toHex(stamp.message)}`,
  operations: Ots.depth(stamp),
  attestations: Ots.walk(stamp).map(({ attestation }) =>
    attestation.kind === 'bitcoin'
      ? `Bitcoin block ${attestation.height}`
      : attestation.kind === 'pending'
        ? `pending at ${attestation.uri}`
        : `unknown ${toHex(attestation.tag)}`,
  ),
});

function inspectDocument(bytes: Uint8Array): object {
  const kind = new Document.Members(Json.parse(bytes), '').string('kind');
  if (kind === 'kedge-trust') {
    const { identity, l2, bitcoin, policy } = Trust.decode(bytes);
    return {
      kind,
      tenant: identity.tenant,
      suite: identity.suite.name,
      slot: identity.slot,
      chainId: Chain.chainId(identity),
      l2: `chain ${l2.chainId}, contract 0x${toHex(l2.contract)}`,
      bitcoin: `${bitcoin.network}, at least ${bitcoin.minimumWork} hashes, ${bitcoin.blocks.length} known blocks`,
      policy: `tier ${policy.tier}, ${policy.confirmations} confirmations`,
    };
  }
  return inspectEvidence(Evidence.decode(bytes));
}

function inspectEvidence(evidence: Evidence.Evidence): object {
  const { event, seal, head, anchor, log, checkpoint, bitcoin } = evidence;
  const sealed = Chain.decodeRecord(seal.record);
  const record = checkpoint && Checkpoint.decode(checkpoint.record);
  return {
    kind: 'kedge-evidence',
    event: 'bytes' in event.content ? `${event.content.bytes.length} bytes` : `hash ${toHex(event.content.hash)}`,
    seal: `height ${sealed.height} of chain ${toHex(sealed.chainId)}`,
    head: `height ${Chain.decodeRecord(head).height}, ${evidence.rotations.length} rotations below it`,
    anchor: anchor && log ? `index ${log.index}, ${anchor.count} slots, block time ${log.timestamp}` : 'none',
    checkpoint: record
      ? `L2 block ${record.blockNumber} (0x${toHex(record.blockHash)}), log of ${record.logSize}`
      : 'none',
    contract: record ? `0x${toHex(record.contract)} on chain ${record.evmChainId}` : 'none',
    logRoot: record ? `0x${toHex(record.logRoot)}` : 'none',
    bitcoin: bitcoin ? `${bitcoin.network} block ${bitcoin.height}, ${bitcoin.headers.length} headers` : 'none',
  };
}
