/** Submissions to receipts: acknowledged only when they are on disk. */
import type { PublicKey } from '../protocol/bytes.ts';
import * as Event from '../protocol/event.ts';
import * as Merkle from '../protocol/merkle.ts';
import * as Receipt from '../protocol/receipt.ts';
import type { Intake, NewEvent, Store, Taken, Tenant } from '../store/port.ts';
import type { Keyring } from './signer.ts';

/** `activeKey` signs the record at a height; asked inside the store's transaction. */
export async function submit(
  store: Store,
  tenant: Tenant,
  events: readonly NewEvent[],
  keyring: Keyring,
  activeKey: PublicKey,
  nowMs: bigint,
): Promise<Taken> {
  return store.submit(tenant.chainId, events, (intake) => sign(tenant, intake, keyring, activeKey, nowMs));
}

function sign(tenant: Tenant, intake: Intake, keyring: Keyring, activeKey: PublicKey, nowMs: bigint): Uint8Array {
  const { suite, chainId } = tenant;
  const leaves = intake.events.map(({ hash }) => Event.leaf(suite, hash));
  const unsigned = {
    suite,
    chainId,
    height: intake.height,
    firstEvent: intake.firstEvent,
    eventCount: intake.events.length,
    eventsRoot: Merkle.root(suite, leaves),
    receivedAtMs: nowMs,
  };
  const signature = keyring(activeKey).sign(Receipt.signedBytes(unsigned));
  return Receipt.encode({ ...unsigned, signature });
}
