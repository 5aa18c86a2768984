/** What the checkpointer needs of an L2 node. Nothing that it says is believed unchecked. */
import type { RpcBlock } from '../protocol/header.ts';

export type L2Reader = {
  /** The block that a tag or a number names now; `undefined` where the node has none. */
  block(at: 'latest' | 'finalized' | bigint): Promise<RpcBlock | undefined>;
  /** `eth_getProof`: the account's nodes, and those of each 32-byte storage key. */
  proof(
    address: Uint8Array,
    slots: readonly Uint8Array[],
    blockNumber: bigint,
  ): Promise<{
    readonly accountProof: readonly Uint8Array[];
    readonly storageProofs: readonly (readonly Uint8Array[])[];
  }>;
};
