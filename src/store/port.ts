/**
 * What the sealer, the anchorer, the checkpointer and the prover need of a disk. Every method that writes
 * returns only when its change is durable, all of it or nothing.
 */
import type { ChainId, ContentHash, EventHash } from '../protocol/bytes.ts';
import type { Identity } from '../protocol/chain.ts';

export type Tenant = Identity & { readonly chainId: ChainId };

/** The newest record of a chain whose record was read back and verified. */
export type Head = { readonly height: bigint; readonly hash: ContentHash };

export type NewEvent = {
  /** The submitter's own name for the event, unique within the tenant; makes a retry safe. */
  readonly id: string | undefined;
  readonly hash: EventHash;
  /** Absent where only the digest was submitted. */
  readonly bytes: Uint8Array | undefined;
};

export type StoredEvent = NewEvent & { readonly sequence: bigint };

/** Where the chain stands when a submission is taken in. */
export type Intake = {
  readonly height: bigint;
  readonly firstEvent: bigint;
  readonly events: readonly NewEvent[];
};

/** Events that came in together; a seal takes all of them or none. */
export type Submission = { readonly firstEvent: bigint; readonly events: readonly StoredEvent[] };

export type Taken = {
  /** `TRCP`s, in order: one for what was new, and those given before for events that were retried. */
  readonly receipts: readonly Uint8Array[];
  readonly added: number;
  readonly known: number;
};

export type Anchor = {
  /** The operator's own count, from 0, never used for two sets of heads. */
  readonly number: bigint;
  /** The anchored value, 32 bytes. */
  readonly root: Uint8Array;
  /** Slots in its tree. */
  readonly count: number;
  /** Absent until read back from the chain. */
  readonly included: Inclusion | undefined;
};

export type Inclusion = {
  /** In the contract's log. */
  readonly index: bigint;
  /** Seconds, the L2 block's. */
  readonly timestamp: bigint;
  readonly blockNumber: bigint;
  readonly blockHash: Uint8Array;
};

export type SlotHead = Head & { readonly slot: number };

/** An L2 transaction, written down before it is sent. */
export type Transaction = {
  /** 32 bytes. */
  readonly hash: Uint8Array;
  readonly raw: Uint8Array;
  readonly nonce: bigint;
  /** The anchors that it carries: `count` of them from `first` on. */
  readonly first: bigint;
  readonly count: number;
};

/** What was proven of an L2 block while its state was still served. */
export type ProvenBlock = {
  readonly number: bigint;
  readonly hash: Uint8Array;
  /** RLP. */
  readonly header: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly timestamp: bigint;
  readonly logSize: bigint;
  readonly logRoot: Uint8Array;
  readonly accountProof: readonly Uint8Array[];
  /** Of the size slot, then of the live peaks, largest first. */
  readonly storageProofs: readonly (readonly Uint8Array[])[];
};

export type StoredCheckpoint = {
  /** From 0, in the order of their links. */
  readonly number: bigint;
  /** `TCHK`. */
  readonly bytes: Uint8Array;
  readonly block: ProvenBlock;
};

/** What one Bitcoin notary was given for a checkpoint, and what came of it. */
export type Notarization = {
  readonly checkpoint: bigint;
  readonly notary: string;
  /** What a restart needs to go on without paying twice: a raw transaction, a pending proof. */
  readonly state: Uint8Array;
  /** Serialized OpenTimestamps proof from the checkpoint's digest to a Bitcoin block. */
  readonly proof: Uint8Array | undefined;
  readonly bitcoinHeight: bigint | undefined;
  /** 80 bytes each, the attested block's own first, then those mined on it. */
  readonly headers: readonly Uint8Array[];
};

export type Store = {
  /** The deployment's anchor log; set once, refused ever after for another one. */
  bindLog(evmChainId: bigint, contract: Uint8Array): Promise<void>;
  log(): Promise<{ readonly evmChainId: bigint; readonly contract: Uint8Array } | undefined>;

  addTenant(identity: Identity): Promise<Tenant>;
  /** By slot. */
  tenants(): Promise<readonly Tenant[]>;

  /**
   * Appends what is new in one transaction. `sign` makes the receipt inside it, so that no record can come between.
   * An event whose id is known with another hash fails the whole submission with `ConflictError`.
   */
  submit(chain: ChainId, events: readonly NewEvent[], sign: (intake: Intake) => Uint8Array): Promise<Taken>;
  /** Submissions not under the head yet, oldest first, until they hold `maxEvents`; never a part of one. */
  unsealed(chain: ChainId, maxEvents: number): Promise<readonly Submission[]>;
  countEvents(chain: ChainId): Promise<{ readonly total: bigint; readonly sealed: bigint }>;
  events(chain: ChainId, first: bigint, count: number): Promise<readonly StoredEvent[]>;
  /** By id, else by hash: the earliest. */
  findEvent(
    chain: ChainId,
    by: { readonly id: string } | { readonly hash: Uint8Array },
  ): Promise<StoredEvent | undefined>;

  head(chain: ChainId): Promise<Head | undefined>;
  /** Stages a record; it is no part of the chain before the head moves onto it. */
  putRecord(chain: ChainId, height: bigint, hash: ContentHash, bytes: Uint8Array): Promise<void>;
  /** Fresh from disk. */
  getRecord(chain: ChainId, height: bigint, hash: ContentHash): Promise<Uint8Array | undefined>;
  /** From height 0 to the head, in order. */
  records(
    chain: ChainId,
  ): AsyncIterable<{ readonly height: bigint; readonly hash: ContentHash; readonly bytes: Uint8Array }>;
  /**
   * Compare-and-swap: false where the head is not `from` any more. `sealedEvents` is the number of events under `to`.
   */
  moveHead(chain: ChainId, from: Head | undefined, to: Head, sealedEvents: bigint): Promise<boolean>;

  /** Adds an anchor over the heads that moved since the last one; `number` must be the next. */
  addAnchor(number: bigint, root: Uint8Array, count: number, moved: readonly SlotHead[]): Promise<void>;
  anchors(): Promise<readonly Anchor[]>;
  /** All heads that an anchor holds, by slot. */
  anchoredHeads(number: bigint): Promise<readonly SlotHead[]>;
  addTransaction(transaction: Transaction): Promise<void>;
  /** Every attempt ever made for anchors that are not included, oldest first. */
  openTransactions(): Promise<readonly Transaction[]>;
  markIncluded(number: bigint, inclusion: Inclusion): Promise<void>;

  /** The header of a beacon's block, by its hash, so that evidence can show it. */
  putBeaconHeader(hash: Uint8Array, header: Uint8Array): Promise<void>;
  beaconHeader(hash: Uint8Array): Promise<Uint8Array | undefined>;

  /** Proven and waiting for the block to be final; at most one. */
  candidate(): Promise<ProvenBlock | undefined>;
  setCandidate(block: ProvenBlock | undefined): Promise<void>;
  /** Makes the candidate a checkpoint; false where another one already has that number. */
  addCheckpoint(checkpoint: StoredCheckpoint): Promise<boolean>;
  checkpoints(): Promise<readonly StoredCheckpoint[]>;
  putNotarization(notarization: Notarization): Promise<void>;
  notarizations(): Promise<readonly Notarization[]>;

  close(): Promise<void>;
};
