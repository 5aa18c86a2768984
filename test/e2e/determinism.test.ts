import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { plan } from '../../src/anchor/anchorer.ts';
import type { L2 } from '../../src/anchor/l2.ts';
import { toHex, type PublicKey, type Root } from '../../src/protocol/bytes.ts';
import * as Chain from '../../src/protocol/chain.ts';
import * as Checkpoint from '../../src/protocol/checkpoint.ts';
import * as Event from '../../src/protocol/event.ts';
import * as Log from '../../src/protocol/log.ts';
import * as Merkle from '../../src/protocol/merkle.ts';
import * as Signature from '../../src/protocol/signature.ts';
import { SHA2_256 } from '../../src/protocol/suite.ts';
import { submit } from '../../src/seal/intake.ts';
import { Sealer } from '../../src/seal/sealer.ts';
import { create } from '../../src/store/sqlite.ts';

/** Events, a clock, keys and salts to everything that follows from them, in hex. */
async function run(): Promise<readonly string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'kedge-'));
  const store = create(join(directory, 'store.sqlite'));
  try {
    const seeds = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    const keyring = (publicKey: PublicKey) => {
      const seed = seeds.find((each) => toHex(Signature.publicKey(each)) === toHex(publicKey))!;
      return { publicKey, sign: (message: Uint8Array) => Signature.sign(message, seed) };
    };
    const [first, second] = seeds.map(Signature.publicKey) as [PublicKey, PublicKey];
    let clock = 1_790_000_000_000n;
    const now = (): bigint => (clock += 250n);
    const tenant = await store.addTenant({
      tenant: 'acme',
      suite: SHA2_256,
      slot: 0,
      genesisKey: first,
      nextKeyDigest: Chain.keyDigest(second),
    });
    const made: string[] = [];
    const ingest = async (from: number, key: PublicKey, height: bigint): Promise<void> => {
      const events = Array.from({ length: 50 }, (_, i) => {
        const bytes = Event.canonicalJson(new TextEncoder().encode(`{"n": ${from + i}, "id": "${from + i}"}`));
        return { id: String(from + i), hash: Event.hash(SHA2_256, bytes), bytes };
      });
      const { receipts } = await submit(store, tenant, events, keyring, async () => ({ key, height }), now());
      made.push(...receipts.map(toHex));
    };
    const sealer = await Sealer.open(store, tenant, keyring, now);
    const beacons = [{ kind: 1, network: 10n, number: 7n, hash: new Uint8Array(32).fill(3) }] as const;
    await ingest(0, first, 0n);
    await sealer.seal({ maxEvents: 65_536, heartbeat: false, beacons });
    await sealer.rotate(keyring(second), Chain.NO_KEY_DIGEST, 0);
    await ingest(50, second, 2n);
    await sealer.seal({ maxEvents: 65_536, heartbeat: false, beacons: [] });
    for await (const { bytes } of store.records(tenant.chainId)) made.push(toHex(bytes));

    const contract = new Uint8Array(20).fill(4);
    // Planning asks nothing of the chain.
    const l2 = { contract } as unknown as L2;
    const anchor = await plan({ store, l2, evmChainId: 10n, secret: new Uint8Array(32).fill(5) });
    const entry = Log.entry({ evmChainId: 10n, contract, root: anchor!.root, timestamp: 1_790_000_060n });
    const logRoot: Root = Merkle.root(SHA2_256, [Merkle.leafHash(SHA2_256, entry)]);
    const checkpoint = Checkpoint.encode({
      evmChainId: 10n,
      contract,
      blockNumber: 9n,
      blockHash: new Uint8Array(32).fill(6),
      stateRoot: new Uint8Array(32).fill(7),
      blockTimestamp: 1_790_000_070n,
      logSize: 1n,
      logRoot,
      prev: new Uint8Array(32),
    });
    return [...made, toHex(anchor!.root), toHex(checkpoint), toHex(Checkpoint.digest(checkpoint))];
  } finally {
    await store.close();
    rmSync(directory, { recursive: true });
  }
}

describe('the same events, clock, keys and salts', () => {
  it('give the same bytes twice, from receipt to checkpoint digest', async () => {
    const [once, twice] = [await run(), await run()];
    expect(once).to.have.length(2 + 3 + 3);
    expect(twice).to.deep.equal(once);
  });

  it('gave the same bytes when this was written', async () => {
    expect((await run()).at(-1)).to.equal('565d301b879ba8a80d9241bdd7a99d7e1816a05fa6b76c4ee841f2f8c04f06a8');
  });
});
