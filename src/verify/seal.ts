/** event -> seal -> head: the event is under the seal, the seal is the head's history, the right keys signed. */
import { equal, isZero, toHex, type ContentHash, type EventHash, type PublicKey } from '../protocol/bytes.ts';
import * as Chain from '../protocol/chain.ts';
import * as Event from '../protocol/event.ts';
import type { Evidence, Path } from '../protocol/evidence.ts';
import * as Merkle from '../protocol/merkle.ts';
import * as Rotation from '../protocol/rotation.ts';
import * as Seal from '../protocol/seal.ts';
import * as Signature from '../protocol/signature.ts';
import type { Trust } from '../protocol/trust.ts';
import { checkRotationSignatures, checkSuccession } from './chain.ts';
import type { Ledger } from './ledger.ts';

type Placed = { readonly record: Chain.ChainRecord; readonly hash: ContentHash; readonly at: string };

export type Sealed = { readonly seal: Seal.Seal; readonly head: Chain.ChainRecord };

/** The event's hash in the chain's suite, or `undefined` where the evidence names one of another width. */
export function eventHash(evidence: Evidence, trust: Trust, ledger: Ledger): EventHash | undefined {
  const { suite } = trust.identity;
  const { content } = evidence.event;
  if ('bytes' in content) return Event.hash(suite, content.bytes);
  if (content.hash.length === suite.width) return content.hash as EventHash;
  return ledger.fail('event', 'DecodeFailed', 'event.hash', `not a hash of suite ${suite.name}`);
}

export function checkSealed(evidence: Evidence, hash: EventHash, trust: Trust, ledger: Ledger): Sealed | undefined {
  const head = place('head', 'head', { record: evidence.head, path: undefined }, undefined, trust, ledger);
  if (head === undefined) return undefined;
  const seal = place('seal', 'seal', evidence.seal, head, trust, ledger);
  if (seal === undefined) return undefined;
  if (seal.record.tag !== Seal.TAG) return ledger.fail('seal', 'DecodeFailed', 'seal', 'a rotation holds no events');
  if (!checkEvent(evidence, hash, seal.record, ledger)) return undefined;
  const rotations = placeRotations(evidence, head, trust, ledger);
  if (rotations === undefined || !checkKnown(evidence, [seal, ...rotations, head], head, trust, ledger))
    return undefined;
  if (!checkKeys(seal, head, rotations, trust, ledger)) return undefined;
  return { seal: seal.record, head: head.record };
}

/** Decodes a record and proves it to be the head or a part of the head's history. */
function place(
  step: string,
  at: string,
  placed: Evidence['seal'],
  head: Placed | undefined,
  trust: Trust,
  ledger: Ledger,
): Placed | undefined {
  const record = ledger.decode(step, at, () => Chain.decodeRecord(placed.record));
  if (record === undefined) return undefined;
  const { suite } = trust.identity;
  if (!equal(record.chainId, Chain.chainId(trust.identity))) {
    return ledger.fail(step, 'WrongChain', at, "the record's chain id is not the one that the trust file gives");
  }
  if (record.suite.id !== suite.id) return ledger.fail(step, 'ChainLinkBroken', at, `suite ${record.suite.name}`);
  const hash = Chain.contentHash(suite, placed.record);
  if (head === undefined || (placed.path === undefined && equal(hash, head.hash))) return { record, hash, at };
  if (placed.path === undefined) {
    return ledger.fail(step, 'ChainLinkBroken', at, 'neither the head nor on a path to it');
  }
  if (!leadsToHead(hash, record.height, placed.path, head, trust)) {
    return ledger.fail(step, 'MerkleRootMismatch', `${at}.path`, "does not lead to the head's history_root");
  }
  return { record, hash, at };
}

const leadsToHead = (hash: ContentHash, height: bigint, path: Path, head: Placed, trust: Trust): boolean => {
  const { suite } = trust.identity;
  const leaf = Merkle.leafHash(suite, hash);
  return Merkle.checkInclusion(suite, leaf, height, head.record.height, path, head.record.historyRoot);
};

function checkEvent(evidence: Evidence, hash: EventHash, seal: Seal.Seal, ledger: Ledger): boolean | undefined {
  const { path } = evidence.event;
  if (path === undefined) return undefined;
  // The tree's size comes from the signed seal: an RFC 9162 path does not authenticate it.
  const leaf = Event.leaf(seal.suite, hash);
  if (!Merkle.checkInclusion(seal.suite, leaf, path.index, BigInt(seal.eventCount), path.nodes, seal.eventsRoot)) {
    return ledger.fail('event', 'MerkleRootMismatch', 'event.path', "does not lead to the seal's events_root");
  }
  const number = seal.firstEvent + path.index;
  return ledger.pass(
    'event',
    `is number ${number} of the chain, one of ${seal.eventCount} in the seal at ${seal.height}`,
  );
}

function placeRotations(
  evidence: Evidence,
  head: Placed,
  trust: Trust,
  ledger: Ledger,
): readonly (Placed & { readonly record: Rotation.Rotation })[] | undefined {
  const rotations: (Placed & { readonly record: Rotation.Rotation })[] = [];
  for (const [i, each] of evidence.rotations.entries()) {
    const at = `rotations.${i}`;
    const rotation = place('keys', at, each, head, trust, ledger);
    if (rotation === undefined) return undefined;
    const { record } = rotation;
    if (record.tag !== Rotation.TAG) return ledger.fail('keys', 'DecodeFailed', at, 'not a rotation');
    const before = rotations.at(-1)?.record.height ?? 0n;
    if (record.height <= before)
      return ledger.fail('keys', 'ChainLinkBroken', at, 'rotations are not in ascending order');
    rotations.push({ ...rotation, record });
  }
  return rotations;
}

/** Every known record at or below the head has to be in the head's history. */
function checkKnown(
  evidence: Evidence,
  shown: readonly Placed[],
  head: Placed,
  trust: Trust,
  ledger: Ledger,
): boolean | undefined {
  for (const { height, hash } of trust.records) {
    if (height > head.record.height) {
      ledger.note(`the record known at height ${height} is above the head of this evidence: not compared`);
      continue;
    }
    const same = shown.find((each) => each.record.height === height);
    const path = evidence.known.find((each) => each.height === height)?.path;
    if (same === undefined && path === undefined) {
      ledger.note(`no path to the record known at height ${height}: make the evidence with this trust file`);
      return false;
    }
    const agrees = same === undefined ? leadsToHead(hash, height, path ?? [], head, trust) : equal(same.hash, hash);
    if (!agrees) {
      return ledger.fail(
        'known',
        'Forked',
        String(height),
        'the head does not lead to the record that the trust file knows',
      );
    }
    ledger.pass('known', `the record known at height ${height} is in the head's history`);
  }
  return true;
}

/** Follows the keys from the genesis key, or from a known record, to the head; each record by the key then in force. */
function checkKeys(
  seal: Placed & { readonly record: Chain.ChainRecord },
  head: Placed,
  rotations: readonly (Placed & { readonly record: Rotation.Rotation })[],
  trust: Trust,
  ledger: Ledger,
): boolean | undefined {
  const fail = (at: string, reason: 'SignatureInvalid' | 'ChainLinkBroken') => (detail: string) =>
    void ledger.fail('keys', reason, at, detail);
  const lowest = rotations[0]?.record.height ?? head.record.height;
  const from = trust.records
    .filter(({ height }) => height < lowest && height < seal.record.height)
    .reduce<Trust['records'][number] | undefined>(
      (best, each) => (best && best.height > each.height ? best : each),
      undefined,
    );
  let key: PublicKey = from?.key ?? trust.identity.genesisKey;
  let nextKeyDigest = from?.nextKeyDigest ?? trust.identity.nextKeyDigest;
  const usedKeys = new Set([toHex(trust.identity.genesisKey), toHex(key)]);
  let time = 0n;
  const failures = ledger.findings.length;

  const all: readonly Placed[] = [...rotations, seal, head]
    .filter((each, i, list) => list.findIndex((other) => other.record.height === each.record.height) === i)
    .sort((a, b) => (a.record.height < b.record.height ? -1 : 1));
  for (const { record, at } of all) {
    const link = fail(at, 'ChainLinkBroken');
    if (Chain.timeMs(record) < time) link('dated before a record below it');
    time = Chain.timeMs(record);
    if (record.height === 0n) checkFirst(record, link);
    if (record.tag === Seal.TAG) {
      if (!Signature.check(record.signature, Seal.signedBytes(record), key)) {
        fail(at, 'SignatureInvalid')('not signed by the key in force');
      }
      continue;
    }
    if (record.height === 0n) link('the first record is a seal');
    checkSuccession({ activeKey: key, nextKeyDigest, usedKeys }, record, link);
    checkRotationSignatures(record, fail(at, 'SignatureInvalid'));
    key = record.newKey;
    nextKeyDigest = record.nextKeyDigest;
    usedKeys.add(toHex(key));
  }
  if (ledger.findings.length > failures) return undefined;
  ledger.pass(
    'seal',
    `height ${seal.record.height}, signed by the tenant's key, claims ${date(Chain.timeMs(seal.record))}`,
  );
  ledger.pass('keys', `${rotations.length} rotations followed to the head at height ${head.record.height}`);
  return true;
}

function checkFirst(record: Chain.ChainRecord, report: (detail: string) => void): void {
  if (!isZero(record.prev)) report('the first record has no record before it');
  if (!equal(record.historyRoot, Merkle.emptyRoot(record.suite))) report('the first record has no history');
}

/** A claimed time; one that no calendar holds is shown as its number. */
const date = (ms: bigint): string =>
  ms <= 8_640_000_000_000_000n ? new Date(Number(ms)).toISOString() : `${ms} ms after 1970`;
