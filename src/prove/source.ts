/** What the prover reads of a deployment. */
import type { Identity } from '../protocol/chain.ts';
import type { NetworkName } from '../protocol/bitcoin.ts';
import type { Store, Tenant } from '../store/port.ts';

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

export async function tenantNamed(store: Store, name: Identity['tenant']): Promise<Tenant> {
  const tenant = (await store.tenants()).find((each) => each.tenant === name);
  if (tenant === undefined) throw new ProveError(`no tenant is called ${name}: kedge status lists them`);
  return tenant;
}
