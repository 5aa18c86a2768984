/** What the prover reads of a deployment. */
import type { NetworkName } from '../protocol/bitcoin.ts';
import type { Store } from '../store/port.ts';

export type Deployment = {
  readonly store: Store;
  readonly evmChainId: bigint;
  /** 20 bytes. */
  readonly contract: Uint8Array;
  readonly bitcoinNetwork: NetworkName;
  /** The operator's, from which the anchors' salts come. */
  readonly secret: Uint8Array;
};

/** There is nothing to prove yet, or nothing of that name. */
export class ProveError extends Error {
  override readonly name = 'ProveError';
}
