/**
 * Events to records. A record is written, read back from disk and checked by the verifier before its chain's head
 * moves onto it: one flipped bit that is published ends a log.
 */
import { equal, type ContentHash, type EventHash, type KeyDigest, type Signature } from '../protocol/bytes.ts';
import * as Chain from '../protocol/chain.ts';
import * as Event from '../protocol/event.ts';
import * as Merkle from '../protocol/merkle.ts';
import type { RecordHeader } from '../protocol/record.ts';
import * as Rotation from '../protocol/rotation.ts';
import * as Seal from '../protocol/seal.ts';
import type { Head, Store, Tenant } from '../store/port.ts';
import { advance, checkRecord, start, type ChainState } from '../verify/chain.ts';
import type { Keyring, Signer } from './signer.ts';

/** `retryable`: try again later, nothing is wrong with the chain. Otherwise somebody has to look. */
export class SealError extends Error {
  override readonly name = 'SealError';
  readonly retryable: boolean;

  constructor(message: string, retryable: boolean) {
    super(message);
    this.retryable = retryable;
  }
}

export type Sealed = { readonly head: Head; readonly record: Chain.ChainRecord };

export class Sealer {
  readonly #store: Store;
  readonly #tenant: Tenant;
  readonly #keyring: Keyring;
  readonly #now: () => bigint;
  #state: ChainState;
  #head: Head | undefined;

  private constructor(store: Store, tenant: Tenant, keyring: Keyring, now: () => bigint) {
    this.#store = store;
    this.#tenant = tenant;
    this.#keyring = keyring;
    this.#now = now;
    this.#state = start(tenant);
  }

  /** Rebuilds the chain's state from its records; the same at every start. `now` in ms since the Unix epoch. */
  static async open(store: Store, tenant: Tenant, keyring: Keyring, now: () => bigint): Promise<Sealer> {
    const sealer = new Sealer(store, tenant, keyring, now);
    await sealer.#catchUp();
    return sealer;
  }

  get state(): ChainState {
    return this.#state;
  }

  async #catchUp(): Promise<void> {
    let state = start(this.#tenant);
    for await (const { height, hash, bytes } of this.#store.records(this.#tenant.chainId)) {
      const record = Chain.decodeRecord(bytes);
      const isNext = height === state.height && equal(Chain.contentHash(this.#tenant.suite, bytes), hash);
      if (!isNext || !equal(record.historyRoot, Merkle.rangeRoot(this.#tenant.suite, state.history))) {
        throw new SealError(
          `the store's record at height ${height} of ${this.#tenant.tenant} is damaged: restore a backup`,
          false,
        );
      }
      state = advance(state, record, hash);
    }
    const head = await this.#store.head(this.#tenant.chainId);
    const reached = head === undefined ? 0n : head.height + 1n;
    if (state.height !== reached || (head !== undefined && !equal(head.hash, state.prev))) {
      throw new SealError(
        `the store's chain of ${this.#tenant.tenant} does not reach its head: restore a backup`,
        false,
      );
    }
    this.#state = state;
    this.#head = head;
  }

  /**
   * One seal over whole submissions, oldest first. With no events it is a heartbeat, if `heartbeat` asks for one.
   * `undefined` where there was nothing to seal.
   */
  async seal(options: {
    readonly maxEvents: number;
    readonly heartbeat: boolean;
    readonly beacons: readonly Seal.Beacon[];
  }): Promise<Sealed | undefined> {
    const submissions = await this.#store.unsealed(this.#tenant.chainId, options.maxEvents);
    const events = submissions.flatMap((each) => each.events.map(({ hash }) => hash));
    if (events.length === 0 && !options.heartbeat) return undefined;
    const { suite } = this.#tenant;
    const leaves = events.map((hash) => Event.leaf(suite, hash));
    const unsigned: Omit<Seal.Seal, 'signature'> = {
      ...this.#header(),
      tag: Seal.TAG,
      sealedAtMs: this.#time(),
      firstEvent: this.#state.events,
      eventCount: events.length,
      eventsRoot: Merkle.root(suite, leaves),
      beacons: options.beacons,
    };
    const signature = this.#signer().sign(Seal.signedBytes(unsigned));
    return this.#publish(Seal.encode({ ...unsigned, signature }), events);
  }

  /** Hands over to `next`, whose own successor may be committed to. */
  async rotate(next: Signer, nextKeyDigest: KeyDigest, reason: Rotation.Reason): Promise<Sealed> {
    if (this.#state.height === 0n) throw new SealError('the first record is a seal: seal before you rotate', false);
    const unsigned = {
      ...this.#header(),
      tag: Rotation.TAG,
      rotatedAtMs: this.#time(),
      reason,
      oldKey: this.#state.activeKey,
      newKey: next.publicKey,
      nextKeyDigest,
    } as const;
    const newSignature = next.sign(Rotation.possessionBytes(unsigned));
    const possessed = { ...unsigned, newSignature };
    const oldSignature: Signature = this.#signer().sign(Rotation.authorityBytes(possessed));
    return this.#publish(Rotation.encode({ ...possessed, oldSignature }));
  }

  #header(): RecordHeader {
    const { suite } = this.#tenant;
    const { chainId, height, prev, history } = this.#state;
    return { suite, chainId, height, prev, historyRoot: Merkle.rangeRoot(suite, history) };
  }

  /** A clock that went back would make a chain that no verifier accepts. */
  #time(): bigint {
    const now = this.#now();
    if (now >= this.#state.timeMs) return now;
    throw new SealError(
      `the clock is ${this.#state.timeMs - now} ms behind the newest record of ${this.#tenant.tenant}: sealing pauses until it catches up`,
      true,
    );
  }

  #signer(): Signer {
    return this.#keyring(this.#state.activeKey);
  }

  async #publish(bytes: Uint8Array, events?: readonly EventHash[]): Promise<Sealed> {
    const { chainId, suite, tenant } = this.#tenant;
    const { height } = this.#state;
    const hash = Chain.contentHash(suite, bytes);
    // If we crash here, nothing was written; after it, the staged record is overwritten by the next one at its height.
    await this.#store.putRecord(chainId, height, hash, bytes);
    const stored = await this.#store.getRecord(chainId, height, hash);
    if (stored === undefined || !equal(Chain.contentHash(suite, stored), hash)) {
      throw new SealError(
        `the record of ${tenant} at height ${height} did not come back from disk as it was written`,
        false,
      );
    }
    const findings = checkRecord(this.#state, stored, events);
    if (findings.length > 0) {
      const found = findings.map(({ reason, detail }) => `${reason} (${detail})`).join(', ');
      throw new SealError(`our own verifier refuses the record of ${tenant} at height ${height}: ${found}`, false);
    }
    const record = Chain.decodeRecord(stored);
    const next = advance(this.#state, record, hash);
    const to: Head = { height, hash: hash as ContentHash };
    // If we crash here, the head is the old one and the record is made again; after it, the record is published.
    if (!(await this.#store.moveHead(chainId, this.#head, to, next.events))) {
      await this.#catchUp();
      throw new SealError(`the head of ${tenant} moved meanwhile: another process seals the same chain`, true);
    }
    this.#state = next;
    this.#head = to;
    return { head: to, record };
  }
}
