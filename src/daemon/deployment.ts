/** Where the parts are joined: one operator's directory, keys, store, L2 and Bitcoin. */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as Anchorer from '../anchor/anchorer.ts';
import { L2, type L2Options } from '../anchor/l2.ts';
import type * as Checkpointer from '../checkpoint/checkpointer.ts';
import { DevelopmentChain } from '../checkpoint/devchain.ts';
import { opReturnNotary, scriptOf } from '../checkpoint/opreturn.ts';
import * as Header from '../protocol/header.ts';
import { toHex, type PublicKey } from '../protocol/bytes.ts';
import { MAX_SLOTS } from '../protocol/anchor.ts';
import * as Chain from '../protocol/chain.ts';
import * as Rotation from '../protocol/rotation.ts';
import * as Seal from '../protocol/seal.ts';
import * as Signature from '../protocol/signature.ts';
import { SHA2_256, BLAKE3_128 } from '../protocol/suite.ts';
import type * as Prove from '../prove/source.ts';
import { submit } from '../seal/intake.ts';
import { Sealer, type Sealed } from '../seal/sealer.ts';
import type { Signer } from '../seal/signer.ts';
import * as Lock from '../store/lock.ts';
import type { NewEvent, Taken, Tenant } from '../store/port.ts';
import * as Sqlite from '../store/sqlite.ts';
import { stateFailure, storageSlots } from '../verify/checkpoint.ts';
import { Keystore } from './keys.ts';
import { SettingError, type Settings } from './settings.ts';

const OPERATOR_SECRET = 'operator';

/** What stands outside the process and is put in for tests. */
export type Outside = {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => bigint;
  /** In place of `KEDGE_L2_RPC_URL`. */
  readonly l2Node?: L2Options['node'];
};

export const REAL: Outside = { now: () => BigInt(Date.now()) };

const storePath = (settings: Settings): string => join(settings.directory, 'kedge.sqlite');
const keystoreOf = (settings: Settings): Keystore =>
  new Keystore(join(settings.directory, 'keys'), settings.passphrase);

/** Makes the directory, the store and the operator's secret. Refuses to touch an existing store. */
export async function create(settings: Settings): Promise<void> {
  settings.passphrase();
  mkdirSync(settings.directory, { recursive: true, mode: 0o700 });
  const store = Sqlite.create(storePath(settings));
  // If we crash here, the store is empty and the next command says that the secret is missing.
  keystoreOf(settings).write(OPERATOR_SECRET, randomBytes(32));
  await store.close();
}

export class Deployment {
  readonly settings: Settings;
  readonly store: Sqlite.SqliteStore;
  readonly #keys: Keystore;
  readonly #outside: Outside;
  readonly #sealers = new Map<string, Sealer>();

  constructor(settings: Settings, outside: Outside = REAL) {
    this.settings = settings;
    this.store = Sqlite.open(storePath(settings));
    this.#keys = keystoreOf(settings);
    this.#outside = outside;
  }

  /** Sealing, anchoring and checkpointing are one process's at a time. */
  lock(): { readonly release: () => void } {
    return Lock.lock(join(this.settings.directory, 'writer.lock'));
  }

  async close(): Promise<void> {
    await this.store.close();
  }

  async tenant(name: string | undefined): Promise<Tenant> {
    const tenants = await this.store.tenants();
    if (name === undefined && tenants.length === 1) return tenants[0]!;
    const found = tenants.find(({ tenant }) => tenant === name);
    if (found !== undefined) return found;
    const names = tenants.map(({ tenant }) => tenant).join(', ') || 'none yet: kedge tenant add NAME';
    throw new SettingError(
      name === undefined ? `which tenant? --tenant NAME (${names})` : `there is no tenant ${name} (${names})`,
    );
  }

  /** The genesis key and its successor are made now, so that a thief of the first cannot choose the second. */
  async addTenant(name: string, suite: 'sha2-256' | 'blake3-128'): Promise<Tenant> {
    if (!Chain.TENANT_NAME.test(name)) {
      throw new SettingError(
        `${JSON.stringify(name)} is no tenant name: lower-case letters, digits and dashes, 63 at most`,
      );
    }
    // Opens with the passphrase that all keys of this directory are under, or not at all.
    this.#keys.read(OPERATOR_SECRET);
    const slot = (await this.store.tenants()).length;
    if (slot >= MAX_SLOTS)
      throw new SettingError(`a log has ${MAX_SLOTS} slots and all are given: run a second deployment`);
    const genesisKey = this.#keys.create();
    const nextKeyDigest = this.#successor(genesisKey);
    const identity = {
      tenant: name,
      suite: suite === 'sha2-256' ? SHA2_256 : BLAKE3_128,
      slot,
      genesisKey,
      nextKeyDigest,
    };
    return this.store.addTenant(identity);
  }

  /** The key after `key` stands in the keystore under its name, so that a rotation that was cut short finds it again. */
  #successor(key: PublicKey) {
    const next = this.#keys.create();
    this.#keys.write(`${toHex(key)}.next`, next);
    return Chain.keyDigest(next);
  }

  #signer = (publicKey: PublicKey): Signer => {
    const seed = this.#keys.seed(publicKey);
    return { publicKey, sign: (message) => Signature.sign(message, seed) };
  };

  async ingest(tenant: Tenant, events: readonly NewEvent[]): Promise<Taken> {
    return submit(this.store, tenant, events, this.#signer, () => this.#keyInForce(tenant), this.#outside.now());
  }

  async #keyInForce(tenant: Tenant) {
    let key = tenant.genesisKey;
    let height = 0n;
    for await (const { bytes } of this.store.records(tenant.chainId)) {
      const record = Chain.decodeRecord(bytes);
      if (record.tag === Rotation.TAG) key = record.newKey;
      height += 1n;
    }
    return { key, height };
  }

  async sealer(tenant: Tenant): Promise<Sealer> {
    const sealer =
      this.#sealers.get(tenant.tenant) ?? (await Sealer.open(this.store, tenant, this.#signer, this.#outside.now));
    this.#sealers.set(tenant.tenant, sealer);
    return sealer;
  }

  async seal(tenant: Tenant, heartbeat: boolean): Promise<Sealed | undefined> {
    const sealer = await this.sealer(tenant);
    return sealer.seal({ maxEvents: this.settings.seal.maxEvents, heartbeat, beacons: await this.#beacons() });
  }

  /** The newest safe L2 block, when a node can tell it; sealing never waits for one. */
  async #beacons(): Promise<readonly Seal.Beacon[]> {
    const l2 = this.#reachableL2();
    if (l2 === undefined) return [];
    try {
      const block = await l2.block('safe');
      if (block === undefined) return [];
      const raw = Header.fromRpc(block);
      const { hash, number } = Header.decode(raw);
      await this.store.putBeaconHeader(hash, raw);
      return [{ kind: Seal.EVM_BLOCK, network: await l2.chainId(), number, hash }];
    } catch {
      return [];
    }
  }

  #reachableL2(): L2 | undefined {
    try {
      return this.#l2();
    } catch (error) {
      if (error instanceof SettingError) return undefined;
      throw error;
    }
  }

  #l2(): L2 {
    const { rpcUrl, contract } = this.settings.l2();
    return new L2({ node: this.#outside.l2Node ?? rpcUrl, contract });
  }

  async rotate(tenant: Tenant, reason: Rotation.Reason): Promise<Sealed> {
    const sealer = await this.sealer(tenant);
    const { activeKey } = sealer.state;
    const next = this.#keys.read(`${toHex(activeKey)}.next`) as PublicKey;
    return sealer.rotate(this.#signer(next), this.#successor(next), reason);
  }

  async anchorer(): Promise<Anchorer.Anchorer> {
    return Anchorer.connect(this.store, this.#l2(), this.#keys.read(OPERATOR_SECRET));
  }

  get development(): { readonly chain: DevelopmentChain; readonly script: Uint8Array } | undefined {
    const { devchain, privateKey } = this.settings.bitcoin;
    return devchain === undefined
      ? undefined
      : { chain: new DevelopmentChain(devchain), script: scriptOf(privateKey(), 'regtest') };
  }

  checkpointer(anchorer: Anchorer.Anchorer): Checkpointer.Deployment {
    const { bitcoin } = this.settings;
    const { development } = this;
    if (development === undefined) {
      throw new SettingError(
        'no Bitcoin backend is set: KEDGE_BITCOIN_DEVCHAIN names a folder for the development chain',
      );
    }
    return {
      store: this.store,
      l2: anchorer.l2,
      contract: { evmChainId: anchorer.evmChainId, address: anchorer.l2.contract },
      notaries: [opReturnNotary(development.chain, bitcoin.privateKey(), bitcoin)],
      storageSlots,
      checkState: (block, contract) => stateFailure(block, contract, undefined)?.detail,
      confirmations: bitcoin.confirmations,
    };
  }

  async proving(): Promise<Prove.Deployment> {
    const bound = await this.store.log();
    return {
      store: this.store,
      evmChainId: bound?.evmChainId ?? 0n,
      contract: bound?.contract ?? new Uint8Array(20),
      bitcoinNetwork: this.settings.bitcoin.network,
      secret: this.#keys.read(OPERATOR_SECRET),
    };
  }
}
