/** Submissions to receipts: acknowledged only when they are on disk. */
import type { PublicKey } from '../protocol/bytes.ts';
import * as Event from '../protocol/event.ts';
import * as Merkle from '../protocol/merkle.ts';
import * as Receipt from '../protocol/receipt.ts';
import type { Intake, NewEvent, Store, Taken, Tenant } from '../store/port.ts';
import type { Keyring, Signer } from './signer.ts';

/** What a receipt is signed with: the key in force for the record at `height`. */
export type KeyInForce = { readonly height: bigint; readonly key: PublicKey };

class Moved extends Error {}

/** `keyInForce` reads the chain; it is asked again where the head moved before the submission was on disk. */
export async function submit(
  store: Store,
  tenant: Tenant,
  events: readonly NewEvent[],
  keyring: Keyring,
  keyInForce: () => Promise<KeyInForce>,
  nowMs: bigint,
): Promise<Taken> {
  for (;;) {
    const { height, key } = await keyInForce();
    try {
      return await store.submit(tenant.chainId, events, (intake) => {
        if (intake.height !== height) throw new Moved();
        return sign(tenant, intake, keyring(key), nowMs);
      });
    } catch (error) {
      if (!(error instanceof Moved)) throw error;
    }
  }
}

function sign(tenant: Tenant, intake: Intake, signer: Signer, nowMs: bigint): Uint8Array {
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
  return Receipt.encode({ ...unsigned, signature: signer.sign(Receipt.signedBytes(unsigned)) });
}
