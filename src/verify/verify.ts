/**
 * Evidence and trust to a verdict. Reads the way of the data: event, seal, head, anchor, log, checkpoint, Bitcoin.
 * Nothing in the evidence is believed because the evidence says so. Reaches no network and throws on no input.
 */
import * as Bitcoin from '../protocol/bitcoin.ts';
import { DecodeError, equal, toHex } from '../protocol/bytes.ts';
import * as Checkpoint from '../protocol/checkpoint.ts';
import * as Event from '../protocol/event.ts';
import * as Evidence from '../protocol/evidence.ts';
import * as EvmHeader from '../protocol/header.ts';
import * as Seal from '../protocol/seal.ts';
import * as Trust from '../protocol/trust.ts';
import { TIERS, type Bound, type EventVerdict, type L2Status, type Tier } from '../protocol/verdict.ts';
import { anchoredValue, checkLogged, logEntry } from './anchor.ts';
import { checkBitcoin } from './bitcoin.ts';
import { checkCheckpoint } from './checkpoint.ts';
import { Ledger } from './ledger.ts';
import { checkSealed, eventHash } from './seal.ts';

/** What the caller can look up. Without any of it the verdict rests on the files alone. */
export type Sources = {
  /** Hash in wire order of the best chain's block at a height. */
  readonly bitcoinBlock?: (height: number) => Promise<Uint8Array | undefined>;
  /** How far the caller's L2 node has confirmed a block. */
  readonly l2Block?: (number: bigint, hash: Uint8Array) => Promise<Exclude<L2Status, 'NotChecked'> | undefined>;
  /** Whether the trusted contract's log holds this entry at this index. */
  readonly isAnchored?: (entry: Uint8Array, index: bigint) => Promise<boolean>;
};

export type Options = {
  /** The caller's own event, canonical bytes: has to be the one in the evidence. */
  readonly event?: Uint8Array;
  readonly sources?: Sources;
};

/** Checks the bytes of an evidence file against the bytes of a trust file. */
export async function verify(evidence: Uint8Array, trust: Uint8Array, options: Options = {}): Promise<EventVerdict> {
  const ledger = new Ledger();
  const files = ledger.decode('files', 'file', () => ({
    evidence: Evidence.decode(evidence),
    trust: Trust.decode(trust),
  }));
  if (files === undefined) return conclude(ledger, 'none', 'NotChecked', {});
  return verifyEvidence(files.evidence, files.trust, options);
}

export async function verifyEvidence(
  evidence: Evidence.Evidence,
  trust: Trust.Trust,
  { event, sources = {} }: Options = {},
): Promise<EventVerdict> {
  const ledger = new Ledger();
  const hash = eventHash(evidence, trust, ledger);
  if (hash === undefined) return conclude(ledger, 'none', 'NotChecked', {});
  if (event !== undefined && !equal(Event.hash(trust.identity.suite, event), hash)) {
    ledger.steps.push({ name: 'event', ok: false, detail: 'your event does not hash to the one in the evidence' });
    return conclude(ledger, 'none', 'NotChecked', { notIncluded: true });
  }
  if (evidence.event.path === undefined) {
    ledger.steps.push({ name: 'event', ok: false, detail: 'the evidence gives no path for the event' });
    return conclude(ledger, 'none', 'NotChecked', { notIncluded: true });
  }
  if (trust.identity.suite.id === 2) {
    ledger.note(
      'suite blake3-128 protects against outsiders, not against whoever chose the event or signs the records',
    );
  }

  const sealed = checkSealed(evidence, hash, trust, ledger);
  if (sealed === undefined) return conclude(ledger, 'none', 'NotChecked', {}, trust);
  const notBefore = await lowerBound(evidence, sealed.seal, trust, sources, ledger);
  const anchored = anchoredValue(evidence, sealed.head, trust, ledger);
  if (anchored === undefined || evidence.log === undefined) {
    return conclude(ledger, 'sealed', 'NotChecked', { notBefore }, trust);
  }

  if (evidence.checkpoint === undefined) {
    // L2 headers carry no work: without a checkpoint only a read of the trusted contract shows an anchor.
    const read = await sources.isAnchored?.(logEntry(evidence.log, anchored, trust), evidence.log.index);
    if (read === true) ledger.pass('log', `anchor ${evidence.log.index} read from the trusted contract`);
    else if (read === false)
      ledger.fail('log', 'AnchorMismatch', 'log', 'the trusted contract does not hold this anchor');
    else ledger.note('the anchor was not checked: no checkpoint yet, and the contract was not asked');
    return conclude(ledger, read === true ? 'anchored' : 'sealed', 'NotChecked', { notBefore }, trust);
  }
  const checkpoint = checkCheckpoint(evidence.checkpoint, trust, ledger);
  if (checkpoint === undefined) return conclude(ledger, 'sealed', 'NotChecked', { notBefore }, trust);
  if (checkLogged(evidence.log, anchored, checkpoint.logSize, checkpoint.logRoot, trust, ledger) === undefined) {
    return conclude(ledger, 'sealed', 'NotChecked', { notBefore }, trust);
  }
  const l2 = (await sources.l2Block?.(checkpoint.blockNumber, checkpoint.blockHash)) ?? 'NotChecked';
  if (l2 === 'NotChecked') ledger.note("whether the L2 block is canonical was not checked: the L2's time is a claim");

  const block = checkBitcoin(evidence, Checkpoint.digest(evidence.checkpoint.record), trust, ledger);
  if (block === undefined) return conclude(ledger, 'checkpointed', l2, { notBefore }, trust);
  if (!(await isOnBestChain(block.height, block.bound, sources, ledger))) {
    return conclude(ledger, 'checkpointed', l2, { notBefore }, trust);
  }
  const { confirmations } = block;
  return conclude(ledger, 'notarized', l2, { notBefore, notAfter: block.bound, confirmations }, trust);
}

async function isOnBestChain(height: number, bound: Bound, sources: Sources, ledger: Ledger): Promise<boolean> {
  const best = await sources.bitcoinBlock?.(height);
  if (best === undefined) return true;
  if (toHex(best.toReversed()) === bound.hash) {
    ledger.pass('best chain', `your source has the same block at height ${height}`);
    return true;
  }
  ledger.fail('best chain', 'HeaderMismatch', 'bitcoin.headers.0', `your source has another block at height ${height}`);
  return false;
}

/** A beacon bounds only where its header has the trusted work or the caller's source has confirmed its block. */
async function lowerBound(
  evidence: Evidence.Evidence,
  seal: Seal.Seal,
  trust: Trust.Trust,
  sources: Sources,
  ledger: Ledger,
): Promise<Bound | null> {
  let bound: Bound | null = null;
  for (const [i, raw] of evidence.beacons.entries()) {
    const at = `beacons.${i}`;
    const beacon = seal.beacons[i];
    if (beacon === undefined) {
      ledger.fail('beacon', 'HeaderMismatch', at, 'the seal has no such beacon');
      continue;
    }
    if (raw.length === 0) continue;
    const header = ledger.decode('beacon', at, () =>
      beacon.kind === Seal.BITCOIN_BLOCK ? readBitcoinHeader(raw) : readEvmHeader(raw),
    );
    if (header === undefined) continue;
    if (!equal(header.hash, beacon.hash) || (header.number !== undefined && header.number !== beacon.number)) {
      ledger.fail('beacon', 'HeaderMismatch', at, 'does not hash to the beacon in the seal');
      continue;
    }
    if (!(await isConfirmed(beacon, header.bits, trust, sources))) {
      ledger.note(`beacon ${i} (block ${beacon.number}) is NotChecked: no lower bound from it`);
      continue;
    }
    const chain = beacon.kind === Seal.BITCOIN_BLOCK ? `bitcoin ${trust.bitcoin.network}` : `evm ${beacon.network}`;
    ledger.pass('beacon', `sealed after block ${beacon.number} of ${chain}`);
    const shown = beacon.kind === Seal.BITCOIN_BLOCK ? beacon.hash.toReversed() : beacon.hash;
    const time = new Date(Number(header.time) * 1000).toISOString();
    if (bound === null || bound.time < time) bound = { chain, block: String(beacon.number), hash: toHex(shown), time };
  }
  return bound;
}

async function isConfirmed(
  beacon: Seal.Beacon,
  bits: number | undefined,
  trust: Trust.Trust,
  sources: Sources,
): Promise<boolean> {
  if (beacon.kind === Seal.EVM_BLOCK) {
    if (beacon.network !== trust.l2.chainId) return false;
    const status = await sources.l2Block?.(beacon.number, beacon.hash);
    return status === 'Safe' || status === 'Final';
  }
  if (beacon.network !== Bitcoin.magicNumber(trust.bitcoin.network)) return false;
  const best = await sources.bitcoinBlock?.(Number(beacon.number));
  if (best !== undefined) return equal(best, beacon.hash);
  // The header's own work stands in for a source, but not where work is free.
  return bits !== undefined && trust.bitcoin.minimumWork > 0n && Bitcoin.work(bits) >= trust.bitcoin.minimumWork;
}

type BeaconHeader = { hash: Uint8Array; number: bigint | undefined; time: bigint; bits: number | undefined };

function readBitcoinHeader(raw: Uint8Array): BeaconHeader {
  const header = Bitcoin.decodeHeader(raw);
  return { hash: header.hash, number: undefined, time: BigInt(header.time), bits: header.bits };
}

function readEvmHeader(raw: Uint8Array): BeaconHeader {
  const header = EvmHeader.decode(raw);
  if (header.timestamp > 253_402_300_799n) throw new DecodeError('out-of-range', 'timestamp', 0, 'after the year 9999');
  return { hash: header.hash, number: header.number, time: header.timestamp, bits: undefined };
}

function conclude(
  ledger: Ledger,
  tier: Tier,
  l2: L2Status,
  reached: {
    readonly notIncluded?: boolean;
    readonly notBefore?: Bound | null;
    readonly notAfter?: Bound;
    readonly confirmations?: number;
  },
  trust?: Trust.Trust,
): EventVerdict {
  const { findings, steps, notes } = ledger;
  const verdict = (): EventVerdict['verdict'] => {
    if (findings.length > 0) return 'Tampered';
    if (reached.notIncluded === true) return 'NotIncluded';
    return trust !== undefined && meetsPolicy(tier, l2, reached.confirmations ?? 0, trust, ledger)
      ? 'Included'
      : 'PolicyUnmet';
  };
  const { notBefore = null, notAfter = null } = reached;
  return { verdict: verdict(), tier, l2, findings, notBefore, notAfter, steps, notes };
}

function meetsPolicy(tier: Tier, l2: L2Status, confirmations: number, trust: Trust.Trust, ledger: Ledger): boolean {
  const { policy } = trust;
  const unmet: string[] = [];
  if (tier === 'none') unmet.push('no tier was reached');
  if (TIERS.indexOf(tier) < TIERS.indexOf(policy.tier)) unmet.push(`tier ${tier} where ${policy.tier} is asked for`);
  if (tier === 'notarized' && confirmations < policy.confirmations) {
    unmet.push(`${confirmations} Bitcoin confirmations where ${policy.confirmations} are asked for`);
  }
  if (l2 === 'Orphaned') unmet.push('the L2 block is not canonical any more: the bytes existed, the L2 forgot them');
  if (policy.l2Final && l2 !== 'Final') unmet.push(`the L2 block is ${l2} where Final is asked for`);
  for (const detail of unmet) ledger.steps.push({ name: 'policy', ok: false, detail });
  return unmet.length === 0;
}
