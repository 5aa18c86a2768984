/** A tenant's chain, record by record. Used by the verifier on a whole chain and by the sealer on its next record. */
import {
  equal,
  isZero,
  toHex,
  type ChainId,
  type ContentHash,
  type EventHash,
  type KeyDigest,
  type PublicKey,
} from '../protocol/bytes.ts';
import { DecodeError } from '../protocol/bytes.ts';
import * as Chain from '../protocol/chain.ts';
import * as Event from '../protocol/event.ts';
import * as Merkle from '../protocol/merkle.ts';
import * as Rotation from '../protocol/rotation.ts';
import * as Seal from '../protocol/seal.ts';
import * as Signature from '../protocol/signature.ts';
import type { Finding, Reason } from '../protocol/verdict.ts';

/** What the next record of a chain has to agree with. */
export type ChainState = {
  readonly identity: Chain.Identity;
  readonly chainId: ChainId;
  /** Of the next record. */
  readonly height: bigint;
  readonly prev: ContentHash;
  readonly history: Merkle.Range;
  readonly activeKey: PublicKey;
  readonly nextKeyDigest: KeyDigest;
  /** In hex: a key never returns. */
  readonly usedKeys: ReadonlySet<string>;
  /** Sealed so far. */
  readonly events: bigint;
  readonly timeMs: bigint;
};

/** The same above a gap, where some of it cannot be known. */
export type StateAfterGap = Omit<ChainState, 'history' | 'activeKey' | 'nextKeyDigest' | 'events'> & {
  readonly [K in 'history' | 'activeKey' | 'nextKeyDigest' | 'events']: ChainState[K] | undefined;
};

export function start(identity: Chain.Identity): ChainState {
  return {
    identity,
    chainId: Chain.chainId(identity),
    height: 0n,
    prev: new Uint8Array(identity.suite.width) as ContentHash,
    history: Merkle.emptyRange,
    activeKey: identity.genesisKey,
    nextKeyDigest: identity.nextKeyDigest,
    usedKeys: new Set([toHex(identity.genesisKey)]),
    events: 0n,
    timeMs: 0n,
  };
}

/** Everything that is wrong with `bytes` as the next record; empty when it may follow. */
export function checkRecord(
  state: ChainState | StateAfterGap,
  bytes: Uint8Array,
  eventHashes?: readonly EventHash[],
): readonly Finding[] {
  const at = String(state.height);
  let record: Chain.ChainRecord;
  try {
    record = Chain.decodeRecord(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return [{ reason: 'DecodeFailed', at, detail: error.message }];
  }
  const findings: Finding[] = [];
  const report = (reason: Reason, detail: string) => void findings.push({ reason, at, detail });
  checkLinks(state, record, report);
  if (record.tag === Seal.TAG) checkSeal(state, record, eventHashes, report);
  else checkRotation(state, record, report);
  return findings;
}

type Report = (reason: Reason, detail: string) => void;

function checkLinks(state: ChainState | StateAfterGap, record: Chain.ChainRecord, report: Report): void {
  const { suite } = state.identity;
  if (!equal(record.chainId, state.chainId))
    report('WrongChain', 'the chain id is not the one that the trust file gives');
  if (record.suite.id !== suite.id) report('ChainLinkBroken', `suite ${record.suite.name} in a chain of ${suite.name}`);
  if (record.height !== state.height)
    report('ChainLinkBroken', `height ${record.height} where ${state.height} follows`);
  if (!equal(record.prev, state.prev)) report('ChainLinkBroken', 'prev is not the content hash of the record before');
  const time = Chain.timeMs(record);
  if (time < state.timeMs) report('ChainLinkBroken', `dated ${state.timeMs - time} ms before the record before it`);
  if (state.history !== undefined && !equal(record.historyRoot, Merkle.rangeRoot(suite, state.history))) {
    report('MerkleRootMismatch', 'history_root is not the root over the records before');
  }
}

function checkSeal(
  state: ChainState | StateAfterGap,
  seal: Seal.Seal,
  eventHashes: readonly EventHash[] | undefined,
  report: Report,
): void {
  const { suite } = state.identity;
  if (state.events !== undefined && seal.firstEvent !== state.events) {
    report('ChainLinkBroken', `first_event ${seal.firstEvent} after ${state.events} sealed events`);
  }
  if (state.activeKey !== undefined && !Signature.check(seal.signature, Seal.signedBytes(seal), state.activeKey)) {
    report('SignatureInvalid', 'not signed by the key in force');
  }
  if (seal.eventCount === 0 && !equal(seal.eventsRoot, Merkle.emptyRoot(suite))) {
    report('MerkleRootMismatch', "a heartbeat's events_root is the empty tree's");
  }
  if (eventHashes === undefined) return;
  const root = Merkle.root(
    suite,
    eventHashes.map((hash) => Event.leaf(suite, hash)),
  );
  if (eventHashes.length !== seal.eventCount) {
    report('MerkleRootMismatch', `${eventHashes.length} events where the seal holds ${seal.eventCount}`);
  } else if (!equal(seal.eventsRoot, root)) {
    report('MerkleRootMismatch', 'the events do not hash to events_root');
  }
}

function checkRotation(state: ChainState | StateAfterGap, rotation: Rotation.Rotation, report: Report): void {
  if (rotation.height === 0n) report('ChainLinkBroken', 'the first record is a seal');
  checkSuccession(state, rotation, (detail) => report('ChainLinkBroken', detail));
  checkRotationSignatures(rotation, (detail) => report('SignatureInvalid', detail));
}

/** That the rotation takes the key in force to one that was promised and was never in force before. */
export function checkSuccession(
  state: Pick<StateAfterGap, 'activeKey' | 'nextKeyDigest' | 'usedKeys'>,
  rotation: Rotation.Rotation,
  report: (detail: string) => void,
): void {
  if (state.activeKey !== undefined && !equal(rotation.oldKey, state.activeKey))
    report('old_key is not the key in force');
  if (state.usedKeys.has(toHex(rotation.newKey))) report('new_key was in force before');
  const promised = state.nextKeyDigest;
  if (promised !== undefined && !isZero(promised) && !equal(Chain.keyDigest(rotation.newKey), promised)) {
    report('new_key is not the one that next_key_digest promised');
  }
}

export function checkRotationSignatures(rotation: Rotation.Rotation, report: (detail: string) => void): void {
  if (!Signature.check(rotation.newSignature, Rotation.possessionBytes(rotation), rotation.newKey)) {
    report('the new key did not sign');
  }
  if (!Signature.check(rotation.oldSignature, Rotation.authorityBytes(rotation), rotation.oldKey)) {
    report('the old key did not sign');
  }
}

/** The state above a record. Checks nothing. */
export function advance(state: ChainState, record: Chain.ChainRecord, hash: ContentHash): ChainState;
export function advance(state: StateAfterGap, record: Chain.ChainRecord, hash: ContentHash): StateAfterGap;
export function advance(state: StateAfterGap, record: Chain.ChainRecord, hash: ContentHash): StateAfterGap {
  const { suite } = state.identity;
  const next = {
    ...state,
    height: state.height + 1n,
    prev: hash,
    history: state.history && Merkle.append(suite, state.history, Merkle.leafHash(suite, hash)),
    timeMs: Chain.timeMs(record),
  };
  if (record.tag === Seal.TAG) return { ...next, events: record.firstEvent + BigInt(record.eventCount) };
  return {
    ...next,
    activeKey: record.newKey,
    nextKeyDigest: record.nextKeyDigest,
    usedKeys: new Set([...state.usedKeys, toHex(record.newKey)]),
  };
}
