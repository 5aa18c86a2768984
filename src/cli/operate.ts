/** The commands of an operator: everything that needs the deployment's directory. */
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import * as Anchorer from '../anchor/anchorer.ts';
import * as Checkpointer from '../checkpoint/checkpointer.ts';
import { create, Deployment, type Outside } from '../daemon/deployment.ts';
import { serve as run } from '../daemon/serve.ts';
import { read, type Settings } from '../daemon/settings.ts';
import { fromHex, toHex } from '../protocol/bytes.ts';
import * as Event from '../protocol/event.ts';
import * as Evidence from '../protocol/evidence.ts';
import * as Json from '../protocol/json.ts';
import type { Reason } from '../protocol/rotation.ts';
import * as Seal from '../protocol/seal.ts';
import { sha256 } from '../protocol/suite.ts';
import * as Trust from '../protocol/trust.ts';
import { ownTrust, prove as assemble } from '../prove/evidence.ts';
import * as Export from '../prove/export.ts';
import { stampEvent } from '../prove/ots.ts';
import { ProveError } from '../prove/source.ts';
import type { Head, NewEvent, StoredEvent, Tenant } from '../store/port.ts';
import { EXIT, print, readInput, reasonOf, UsageError, type Exit } from './output.ts';

type Json_ = { readonly json?: boolean };
type OfTenant = Json_ & { readonly tenant?: string };

export class Operator {
  readonly #settings: Settings;
  readonly #outside: Outside;

  constructor(env: { readonly [name: string]: string | undefined }, outside: Outside) {
    this.#settings = read(env);
    this.#outside = outside;
  }

  async #with<T>(work: (deployment: Deployment) => Promise<T>): Promise<T> {
    const deployment = new Deployment(this.#settings, this.#outside);
    try {
      return await work(deployment);
    } finally {
      await deployment.close();
    }
  }

  /** For what only one process may do at a time. */
  async #alone<T>(work: (deployment: Deployment) => Promise<T>): Promise<T> {
    return this.#with(async (deployment) => {
      const lock = deployment.lock();
      try {
        return await work(deployment);
      } finally {
        lock.release();
      }
    });
  }

  async init({ json }: Json_): Promise<Exit> {
    await create(this.#settings);
    const { directory } = this.#settings;
    print(json, { directory }, [`${directory} is ready. Next: kedge tenant add NAME`]);
    return EXIT.done;
  }

  async addTenant(name: string, { suite, json }: Json_ & { readonly suite: string }): Promise<Exit> {
    if (suite !== 'sha2-256' && suite !== 'blake3-128') throw new UsageError('--suite is sha2-256 or blake3-128');
    return this.#with(async (deployment) => {
      const tenant = await deployment.addTenant(name, suite);
      const shown = { tenant: name, slot: tenant.slot, suite, chainId: tenant.chainId, genesisKey: tenant.genesisKey };
      print(json, shown, [`${name} has slot ${tenant.slot}, chain ${toHex(tenant.chainId)}`]);
      return EXIT.done;
    });
  }

  /** What a verifier may start a trust file from; whoever verifies decides what of it to believe. */
  async trust(
    name: string | undefined,
    options: Json_ & { readonly out: string; readonly tier: string },
  ): Promise<Exit> {
    return this.#with(async (deployment) => {
      const tenant = await deployment.tenant(name);
      const own = ownTrust(await deployment.proving(), tenant);
      const tier = (['sealed', 'checkpointed', 'notarized'] as const).find((each) => each === options.tier);
      if (tier === undefined) throw new UsageError('--tier is sealed, checkpointed or notarized');
      const { confirmations } = this.#settings.bitcoin;
      const blocks = await this.#knownBlocks(deployment);
      const trust = { ...own, bitcoin: { ...own.bitcoin, blocks }, policy: { ...own.policy, tier, confirmations } };
      await writeFile(options.out, Trust.encode(trust));
      print(options.json, { trust: options.out }, [
        `${options.out} written: compare it with what you know from elsewhere`,
      ]);
      return EXIT.done;
    });
  }

  /** Where work is free, a header is only as good as the verifier's own knowledge of the chain. */
  async #knownBlocks({ development }: Deployment): Promise<Trust.Trust['bitcoin']['blocks']> {
    if (development === undefined) return [];
    const tip = await development.chain.tip();
    const hash = async (height: number) => ({ height, hash: sha256(sha256(await development.chain.header(height))) });
    return Promise.all(Array.from({ length: tip + 1 }, (_, height) => hash(height)));
  }

  async ingest(
    files: readonly string[],
    options: OfTenant & { readonly raw?: boolean; readonly idField: string },
  ): Promise<Exit> {
    return this.#with(async (deployment) => {
      const tenant = await deployment.tenant(options.tenant);
      const totals = { added: 0, known: 0, receipts: [] as Uint8Array[] };
      for (const file of files) {
        const batches = () =>
          options.raw === true ? rawEvent(file, tenant) : ndjsonEvents(file, tenant, options.idField);
        // A file is read to its end before any of it is taken in: a mistake in its last line leaves nothing behind.
        if (file !== '-') for await (const _ of batches());
        for await (const events of batches()) {
          const taken = await deployment.ingest(tenant, events);
          totals.added += taken.added;
          totals.known += taken.known;
          totals.receipts.push(...taken.receipts);
        }
      }
      print(options.json, totals, [
        `${totals.added} events on disk for ${tenant.tenant}, ${totals.known} known before`,
      ]);
      return EXIT.done;
    });
  }

  async stamp(files: readonly string[], options: OfTenant): Promise<Exit> {
    return this.#with(async (deployment) => {
      const tenant = await deployment.tenant(options.tenant);
      const events: NewEvent[] = [];
      for (const file of files) {
        events.push({ id: undefined, hash: Event.hash(tenant.suite, await readInput(file)), bytes: undefined });
      }
      const taken = await deployment.ingest(tenant, events);
      const lines = events.map(({ hash }, i) => `${toHex(hash)}  ${files[i]!}`);
      print(options.json, { ...taken, hashes: events.map(({ hash }) => hash) }, lines);
      return EXIT.done;
    });
  }

  async seal(options: OfTenant & { readonly heartbeat?: boolean }): Promise<Exit> {
    return this.#alone(async (deployment) => {
      const tenants =
        options.tenant === undefined ? await deployment.store.tenants() : [await deployment.tenant(options.tenant)];
      const sealed: object[] = [];
      const lines: string[] = [];
      for (const tenant of tenants) {
        for (;;) {
          const made = await deployment.seal(tenant, options.heartbeat === true);
          if (made === undefined) break;
          const events = made.record.tag === Seal.TAG ? made.record.eventCount : 0;
          sealed.push({ tenant: tenant.tenant, ...made.head, events });
          lines.push(`${tenant.tenant}: seal ${made.head.height} over ${events} events, ${toHex(made.head.hash)}`);
          if (events === 0) break;
        }
      }
      print(options.json, { sealed }, lines.length === 0 ? ['nothing to seal'] : lines);
      return EXIT.done;
    });
  }

  async rotate(options: OfTenant & { readonly reason: string }): Promise<Exit> {
    const reason = ['scheduled', 'compromise', 'other'].indexOf(options.reason);
    if (reason === -1) throw new UsageError('--reason is scheduled, compromise or other');
    return this.#alone(async (deployment) => {
      const tenant = await deployment.tenant(options.tenant);
      const { head } = await deployment.rotate(tenant, reason as Reason);
      print(options.json, { tenant: tenant.tenant, ...head }, [
        `${tenant.tenant}: a new key signs from height ${head.height + 1n} on`,
      ]);
      return EXIT.done;
    });
  }

  async anchor({ json }: Json_): Promise<Exit> {
    return this.#alone(async (deployment) => {
      const anchorer = await deployment.anchorer();
      await Anchorer.plan(anchorer);
      const outcome = await Anchorer.settle(anchorer, this.#settings.l2PrivateKey(), 30, () => pause(1000));
      const lines = [`${outcome.included} anchors read back from the contract, ${outcome.pending} still on their way`];
      print(json, outcome, lines);
      return outcome.pending === 0 ? EXIT.done : EXIT.unreachable;
    });
  }

  /** Proves a block, makes it a checkpoint when it is final, and hands it to the notaries. */
  async checkpoint({ json }: Json_): Promise<Exit> {
    return this.#checkpoint(json, true);
  }

  /** Only follows what was handed over before. */
  async upgrade({ json }: Json_): Promise<Exit> {
    return this.#checkpoint(json, false);
  }

  async #checkpoint(json: boolean | undefined, makesNew: boolean): Promise<Exit> {
    return this.#alone(async (deployment) => {
      const anchorer = await deployment.anchorer();
      const checkpointer = deployment.checkpointer(anchorer);
      if (makesNew) {
        await Anchorer.reconcile(anchorer);
        await Checkpointer.prove(checkpointer);
      }
      const commit = await Checkpointer.commit(checkpointer);
      const progress = await Checkpointer.notarize(checkpointer);
      const lines = [
        {
          committed: 'a new checkpoint',
          waiting: 'a proven block waits to be final',
          dropped: 'the proven block left the chain',
          none: 'no new anchor to cover',
        }[commit],
        ...progress.map(
          ({ checkpoint, notary, status, detail }) => `checkpoint ${checkpoint} at ${notary}: ${status}, ${detail}`,
        ),
      ];
      print(json, { commit, progress }, lines);
      return progress.some(({ status }) => status === 'failed') ? EXIT.unreachable : EXIT.done;
    });
  }

  async serve({ json }: Json_): Promise<Exit> {
    return this.#alone(async (deployment) => {
      await run(deployment, this.#settings, (line) =>
        print(json, { at: new Date().toISOString(), ...line }, [`${line.what}: ${line.detail}`]),
      );
      return EXIT.done;
    });
  }

  async prove(
    name: string,
    options: OfTenant & { readonly out?: string; readonly ots?: string; readonly trust?: string },
  ): Promise<Exit> {
    if (options.out === undefined && options.ots === undefined)
      throw new UsageError('where to? --out FILE, --ots FILE, or both');
    const known = options.trust === undefined ? [] : Trust.decode(await readInput(options.trust)).records;
    return this.#with(async (deployment) => {
      const { tenant, event } = await findEvent(deployment, name, options.tenant);
      const proving = await deployment.proving();
      const written: string[] = [];
      if (options.out !== undefined) {
        await writeFile(options.out, Evidence.encode(await assemble(proving, tenant, event, known)));
        written.push(options.out);
      }
      if (options.ots !== undefined) {
        await writeFile(options.ots, await stampEvent(proving, tenant, event));
        written.push(options.ots);
        const content = options.ots.replace(/\.ots$/, '');
        if (event.bytes !== undefined && content !== options.ots) {
          await writeFile(content, event.bytes);
          written.push(content);
        }
      }
      print(
        options.json,
        { tenant: tenant.tenant, event: event.hash, written },
        written.map((path) => `${path} written`),
      );
      return EXIT.done;
    });
  }

  async export(folder: string, options: OfTenant): Promise<Exit> {
    return this.#with(async (deployment) => {
      const tenant = await deployment.tenant(options.tenant);
      await mkdir(folder, { recursive: true });
      const exported = await Export.write(deployment.store, tenant, folder);
      print(options.json, exported, [`${exported.records} records and ${exported.events} events in ${folder}`]);
      return EXIT.done;
    });
  }

  async status({ json }: Json_): Promise<Exit> {
    return this.#with(async ({ store }) => {
      const tenants = [];
      for (const tenant of await store.tenants()) {
        const { total, sealed } = await store.countEvents(tenant.chainId);
        const head: Head | undefined = await store.head(tenant.chainId);
        tenants.push({
          tenant: tenant.tenant,
          slot: tenant.slot,
          events: total,
          unsealed: total - sealed,
          head: head?.height ?? null,
        });
      }
      const anchors = await store.anchors();
      const included = anchors.filter((each) => each.included !== undefined).length;
      const candidate = await store.candidate();
      const notarizations = await store.notarizations();
      const checkpoints = (await store.checkpoints()).map(({ number, block }) => ({
        number,
        l2Block: block.number,
        anchors: block.logSize,
        bitcoin: notarizations.find((each) => each.checkpoint === number && each.proof)?.bitcoinHeight ?? null,
      }));
      const anchored = { planned: anchors.length, included };
      print(json, { tenants, anchors: anchored, waitingForFinal: candidate?.number ?? null, checkpoints }, [
        ...tenants.map(
          (each) =>
            `tenant ${each.tenant}: ${each.events} events, ${each.unsealed} unsealed, head ${each.head ?? 'none'}`,
        ),
        `anchors: ${included} on the L2, ${anchors.length - included} on their way`,
        ...(candidate === undefined ? [] : [`L2 block ${candidate.number} is proven and waits to be final`]),
        ...checkpoints.map(
          (each) =>
            `checkpoint ${each.number}: L2 block ${each.l2Block}, ${each.anchors} anchors, ${each.bitcoin === null ? 'waits for Bitcoin' : `Bitcoin block ${each.bitcoin}`}`,
        ),
      ]);
      return EXIT.done;
    });
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

async function* rawEvent(file: string, tenant: Tenant): AsyncGenerator<readonly NewEvent[]> {
  const bytes = await readInput(file);
  yield [{ id: undefined, hash: Event.hash(tenant.suite, bytes), bytes }];
}

/** One JSON event a line, in the canonical form of RFC 8785. `-` is standard input. */
async function* ndjsonEvents(file: string, tenant: Tenant, idField: string): AsyncGenerator<readonly NewEvent[]> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  let batch: NewEvent[] = [];
  let line = 0;
  try {
    // Latin-1 keeps every byte as it is: the parser decodes UTF-8 strictly.
    input.setEncoding('latin1');
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      line += 1;
      if (text.trim() === '') continue;
      batch.push(jsonEvent(Uint8Array.from(Buffer.from(text, 'latin1')), tenant, idField));
      if (batch.length < 10_000) continue;
      yield batch;
      batch = [];
    }
  } catch (error) {
    throw new UsageError(
      `${file === '-' ? 'standard input' : file}${line === 0 ? '' : `, line ${line}`}: ${reasonOf(error)}`,
    );
  }
  if (batch.length > 0) yield batch;
}

function jsonEvent(text: Uint8Array, tenant: Tenant, idField: string): NewEvent {
  const value = Json.parse(text);
  const bytes = Json.canonicalize(value);
  const id =
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as { [name: string]: Json.Json })[idField]
      : undefined;
  return { id: typeof id === 'string' ? id : undefined, hash: Event.hash(tenant.suite, bytes), bytes };
}

async function findEvent(
  deployment: Deployment,
  name: string,
  tenantName: string | undefined,
): Promise<{ readonly tenant: Tenant; readonly event: StoredEvent }> {
  const tenants = tenantName === undefined ? await deployment.store.tenants() : [await deployment.tenant(tenantName)];
  for (const tenant of tenants) {
    const byId = await deployment.store.findEvent(tenant.chainId, { id: name });
    const isHash = /^([0-9a-f]{64}|[0-9a-f]{32})$/.test(name);
    const event =
      byId ?? (isHash ? await deployment.store.findEvent(tenant.chainId, { hash: fromHex(name, 'hash') }) : undefined);
    if (event !== undefined) return { tenant, event };
  }
  throw new ProveError(`no event has the id or hash ${JSON.stringify(name)}`);
}
