/** The port to whoever puts a checkpoint's digest into Bitcoin. Whatever way it takes, what comes back is an OpenTimestamps proof. */
import type { Timestamp } from '../protocol/ots.ts';

/** A proof that has reached a block. */
export type Notarized = {
  /** From the checkpoint's digest to a Bitcoin attestation at `height`. */
  readonly stamp: Timestamp;
  readonly height: number;
  /** 80 bytes each: the attested block's own first, then those mined on it. */
  readonly headers: readonly Uint8Array[];
};

export type Waiting = { readonly waitingFor: string };

export type Notary = {
  readonly name: string;
  /** Makes what has to be stored before anything leaves the machine: with it, a restart goes on and pays nothing twice. */
  prepare(digest: Uint8Array): Promise<Uint8Array>;
  /** Hands over what was prepared; safe to repeat. */
  submit(state: Uint8Array): Promise<void>;
  /** Where it stands. A block that left the best chain takes its proof with it: ask until the depth is enough. */
  poll(digest: Uint8Array, state: Uint8Array, confirmations: number): Promise<Notarized | Waiting>;
};
