/** A whole chain, from whatever records somebody kept of it: the verdicts of an audit. */
import { DecodeError, equal, toHex, type ContentHash, type EventHash } from '../protocol/bytes.ts';
import * as Chain from '../protocol/chain.ts';
import * as Merkle from '../protocol/merkle.ts';
import * as Seal from '../protocol/seal.ts';
import type { Trust } from '../protocol/trust.ts';
import { REASONS, type ChainVerdict, type Finding, type Reason, type Step } from '../protocol/verdict.ts';
import { advance, checkRecord, start, type StateAfterGap } from './chain.ts';

/** A record as it was found, under the height and the content hash that name it. */
export type ExportedRecord = {
  readonly height: bigint;
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
  /** Hashes of a seal's events in their order; absent where they are not at hand. */
  readonly events: readonly EventHash[] | undefined;
};

/** A head that somebody saw: an anchored one, or one from the trust file. */
export type KnownHead = { readonly height: bigint; readonly hash: Uint8Array };

/** A record whose bytes decode and hash to their name. */
type Intact = { readonly record: Chain.ChainRecord; readonly hash: ContentHash; readonly exported: ExportedRecord };
type Place = { readonly intact: Intact[]; readonly broken: ExportedRecord[] };

export function verifyChain(
  exported: Iterable<ExportedRecord>,
  trust: Trust,
  heads: readonly KnownHead[] = [],
): ChainVerdict {
  const audit = new Audit(trust);
  for (const each of exported) audit.take(each);
  audit.walk();
  audit.compare([...heads, ...trust.records]);
  return audit.verdict();
}

class Audit {
  readonly #trust: Trust;
  readonly #places = new Map<bigint, Place>();
  readonly #found: { readonly height: bigint; readonly finding: Finding }[] = [];
  readonly #notes: string[] = [];
  /** Content hashes of intact records that are rightly signed. */
  readonly #signed = new Map<bigint, readonly ContentHash[]>();
  #records = 0;
  #events = 0n;
  #known = 0;
  #unchecked: bigint[] = [];

  constructor(trust: Trust) {
    this.#trust = trust;
  }

  #report(height: bigint, reason: Reason, detail: string): void {
    this.#found.push({ height, finding: { reason, at: String(height), detail } });
  }

  take(exported: ExportedRecord): void {
    this.#records += 1;
    const { suite } = this.#trust.identity;
    const hash = Chain.contentHash(suite, exported.bytes);
    if (!equal(hash, exported.hash)) {
      this.#report(exported.height, 'ContentHashMismatch', 'the bytes do not hash to their name');
      this.#place(exported.height).broken.push(exported);
      this.#tryDecode(exported);
      return;
    }
    const record = this.#tryDecode(exported);
    if (record === undefined) this.#place(exported.height).broken.push(exported);
    else this.#place(record.height).intact.push({ record, hash, exported });
  }

  #tryDecode(exported: ExportedRecord): Chain.ChainRecord | undefined {
    try {
      return Chain.decodeRecord(exported.bytes);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#report(exported.height, 'DecodeFailed', error.message);
      return undefined;
    }
  }

  #place(height: bigint): Place {
    const place = this.#places.get(height) ?? { intact: [], broken: [] };
    this.#places.set(height, place);
    return place;
  }

  walk(): void {
    let state: StateAfterGap = start(this.#trust.identity);
    let intactBelow = false;
    const places = [...this.#places].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [height, place] of places) {
      const following = this.#places.get(height + 1n)?.intact.map(({ record }) => record.prev) ?? [];
      const chosen = place.intact.find(({ hash }) => following.some((prev) => equal(prev, hash))) ?? place.intact[0];
      if (height > state.height) {
        const last = height - 1n;
        const missing =
          last === state.height ? `record ${last} is absent` : `records ${state.height} to ${last} are absent`;
        this.#report(height, intactBelow ? 'PrevSealNotFound' : 'ChainTruncated', missing);
        state = this.#skip(state, height, chosen?.record.prev);
      }
      if (chosen === undefined) {
        state = this.#skip(state, height + 1n, place.broken[0]?.hash);
        continue;
      }
      intactBelow = true;
      for (const other of place.intact) this.#check(state, other, other === chosen);
      this.#checkFork(height);
      state = advance(state, chosen.record, chosen.hash);
    }
  }

  #check(state: StateAfterGap, { record, hash, exported }: Intact, chosen: boolean): void {
    const findings = checkRecord(state, exported.bytes, exported.events);
    // Above a gap the key in force is unknown: a record there convicts nobody.
    const signed =
      state.activeKey !== undefined &&
      !findings.some(({ reason }) => reason === 'SignatureInvalid' || reason === 'WrongChain');
    if (signed) this.#signed.set(record.height, [...(this.#signed.get(record.height) ?? []), hash]);
    if (!chosen) return;
    for (const finding of findings) this.#found.push({ height: state.height, finding });
    if (record.tag !== Seal.TAG || record.eventCount === 0) return;
    if (exported.events === undefined) this.#unchecked.push(record.height);
    else this.#events += BigInt(record.eventCount);
  }

  #checkFork(height: bigint): void {
    const distinct = new Set(this.#signed.get(height)?.map(toHex));
    if (distinct.size > 1) this.#report(height, 'Forked', `${distinct.size} rightly signed records at one height`);
  }

  /** Above a gap the key, the count of events and, if more than one record is absent, the history are unknown. */
  #skip(state: StateAfterGap, height: bigint, prev: Uint8Array | undefined): StateAfterGap {
    const { suite } = this.#trust.identity;
    const known = this.#trust.records.find((record) => record.height === height - 1n);
    const one = prev !== undefined && height === state.height + 1n ? (prev as ContentHash) : undefined;
    return {
      ...state,
      height,
      prev: (prev ?? new Uint8Array(suite.width)) as ContentHash,
      history: one && state.history && Merkle.append(suite, state.history, Merkle.leafHash(suite, one)),
      activeKey: known?.key,
      nextKeyDigest: known?.nextKeyDigest,
      events: undefined,
    };
  }

  /** A chain that ends before a head that is known was cut; one that holds another record there was forked. */
  compare(heads: readonly KnownHead[]): void {
    this.#known = heads.length;
    const intact = [...this.#places].filter(([, place]) => place.intact.length > 0).map(([height]) => height);
    const last = intact.reduce((a, b) => (a > b ? a : b), -1n);
    const seen = new Set<string>();
    for (const { height, hash } of heads) {
      const name = `${height}:${toHex(hash)}`;
      if (seen.has(name)) continue;
      seen.add(name);
      if (height > last) {
        const end = last < 0n ? 'there is no record' : `the chain ends at height ${last}`;
        this.#report(height, 'ChainTruncated', `${end}, a head is known at height ${height}`);
        continue;
      }
      const here = this.#places.get(height)?.intact ?? [];
      if (here.length === 0 || here.some((each) => equal(each.hash, hash))) continue;
      if (this.#signed.has(height))
        this.#report(height, 'Forked', `the head known at height ${height} is not in this history`);
    }
    if (heads.length === 0) this.#notes.push('no head is known: whether the tail is missing was not checked');
  }

  verdict(): ChainVerdict {
    const order = (reason: Reason) => REASONS.indexOf(reason);
    const findings = this.#found
      .sort((a, b) =>
        a.height === b.height ? order(a.finding.reason) - order(b.finding.reason) : a.height < b.height ? -1 : 1,
      )
      .map(({ finding }) => finding);
    if (this.#unchecked.length > 0) {
      this.#notes.push(
        `events not checked at ${this.#unchecked.length} heights, the first of them ${this.#unchecked[0]}`,
      );
    }
    const cut = findings.filter(({ reason }) => reason === 'ChainTruncated').length;
    const verdict = (): ChainVerdict['verdict'] => {
      if (findings.length > cut) return 'Tampered';
      if (cut > 0) return 'ChainTruncated';
      return this.#records === 0 ? 'Empty' : 'Verified';
    };
    const steps: Step[] = [
      { name: 'records', ok: findings.length === 0 && this.#records > 0, detail: `${this.#records} records` },
      { name: 'events', ok: this.#unchecked.length === 0, detail: `${this.#events} events hashed into their seals` },
      { name: 'tail', ok: this.#known > 0 && cut === 0, detail: `${this.#known} known heads compared` },
    ];
    const tier = verdict() === 'Verified' ? 'sealed' : 'none';
    return {
      verdict: verdict(),
      tier,
      l2: 'NotChecked',
      findings,
      notBefore: null,
      notAfter: null,
      steps,
      notes: this.#notes,
    };
  }
}
