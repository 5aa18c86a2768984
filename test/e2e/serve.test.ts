import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { expect } from 'chai';
import * as Bitcoin from '../../src/protocol/bitcoin.ts';
import { ascii, fromHex, toHex } from '../../src/protocol/bytes.ts';
import type { Inclusion } from '../../src/store/port.ts';
import { open } from '../../src/store/sqlite.ts';
import { arm, bridge, moment, pause, run, seeded, type Bridge, type Running } from './daemon.ts';
import { world, type World } from './world.ts';

const KILLS = 20;
const SEED = Number(process.env['KEDGE_SEED'] ?? Date.now() % 1_000_000);

const signature = (text: string): string => toHex(keccak_256(ascii(text)));

describe('kedge serve', function () {
  this.timeout(300_000);
  let w: World;
  let l2: Bridge;
  let daemon: Running | undefined;
  before(async () => {
    w = await world();
    l2 = await bridge(w);
    Object.assign(w.env, {
      KEDGE_SEAL_PERIOD: '1',
      KEDGE_ANCHOR_PERIOD: '1',
      KEDGE_CHECKPOINT_PERIOD: '2',
      KEDGE_BITCOIN_CONFIRMATIONS: '1',
    });
    await w.ok('init');
    await w.ok('tenant', 'add', 'acme');
  });
  after(async () => {
    daemon?.process.kill('SIGKILL');
    await l2.close();
    await w.close();
  });

  /** What every daemon said, for the message of a failure. */
  let journal = '';
  const acknowledged = new Set<string>();
  let next = 0;
  let newest: string | undefined;

  /** Acknowledged is what a command ended with 0 for. */
  async function ingest(random: () => number): Promise<void> {
    const first = next;
    const count = 1 + Math.floor(random() * 12);
    next += count;
    newest = w.events(`${first}.ndjson`, first, count);
    if (random() < 0.2) {
      const cut = run(w, l2, 'ingest', newest);
      await Promise.race([cut.ended, pause(200 + random() * 400)]);
      cut.process.kill('SIGKILL');
      await cut.ended;
    }
    // A retry of what may be on disk already is no second event.
    await w.ok('ingest', newest);
    for (let i = 0; i < count; i++) acknowledged.add(`event-${first + i}`);
  }

  async function stopped(running: Running, signal: 'SIGKILL' | 'SIGTERM', hadBegun: boolean): Promise<void> {
    const code = await Promise.race([running.ended, pause(10_000).then(() => 'still running' as const)]);
    journal += running.said();
    expect(code, journal).not.to.equal('still running');
    // Before the daemon has begun to listen, the signal ends it as it ends any process.
    if (signal === 'SIGTERM') expect(code, journal).to.be.oneOf(hadBegun ? [0] : [0, null]);
    else expect(running.process.signalCode, journal).to.equal(signal);
  }

  async function killAtRandom(random: () => number, load: () => number): Promise<void> {
    const when = moment(random);
    journal += `\n--- ${JSON.stringify(when)}\n`;
    const running = (daemon = run(w, l2, 'serve'));
    let hadBegun = false;
    let isStruck = false;
    const disarm = arm(w, when, () => {
      isStruck = true;
      hadBegun = running.said().includes('serve: started');
      running.process.kill(when.signal);
    });
    while (!isStruck) {
      expect(running.isOver(), `it ended by itself: ${journal}${running.said()}`).to.equal(false);
      await ingest(load);
      if (load() < 0.3) w.mine(1);
      await pause(load() * 250);
    }
    await stopped(running, when.signal, hadBegun);
    disarm();
    if (newest === undefined) return;
    expect(JSON.parse(await w.ok('ingest', newest, '--json'))).to.deep.include({ added: 0 });
  }

  async function runUntilQuiet(): Promise<void> {
    const running = (daemon = run(w, l2, 'serve'));
    type Status = { tenants: { unsealed: string }[]; checkpoints: { bitcoin: string | null }[] };
    let isQuiet = false;
    for (const deadline = performance.now() + 60_000; !isQuiet && performance.now() < deadline; await pause(500)) {
      w.mine(1);
      const { tenants, checkpoints } = JSON.parse(await w.ok('status', '--json')) as Status;
      isQuiet = tenants.every(({ unsealed }) => unsealed === '0') && checkpoints.some(({ bitcoin }) => bitcoin);
    }
    running.process.kill('SIGTERM');
    await stopped(running, 'SIGTERM', true);
    expect(isQuiet, journal).to.equal(true);
    // What the daemon had begun and not yet read back.
    await w.ok('anchor');
    for (let i = 0; i < 2; i++) await w.ok('checkpoint');
    w.mine(1);
    await w.ok('upgrade');
  }

  it(`stopped with SIGTERM or kill -9 at any moment, loses no acknowledged event and never anchors twice (seed ${SEED})`, async () => {
    const random = seeded(SEED);
    const load = seeded(SEED + 1);
    for (let kill = 0; kill < KILLS; kill++) await killAtRandom(random, load);
    await runUntilQuiet();
    expect(journal)
      .not.to.contain('stopped for good')
      .and.not.match(/\n\s+at /);
    expect(journal).not.to.contain(w.env.KEDGE_L2_PRIVATE_KEY.slice(2, 30));

    await expectEventsOnce();
    await expectAnchorsOnce();
    await expectNotarizedOnce();
    await expectEvidence(['event-0', `event-${Math.floor(random() * next)}`, `event-${next - 1}`]);
  });

  /** In the store and in the records, as an auditor would see them. */
  async function expectEventsOnce(): Promise<void> {
    const store = open(join(w.env.KEDGE_DIR, 'kedge.sqlite'));
    const [tenant] = await store.tenants();
    const { total, sealed } = await store.countEvents(tenant!.chainId);
    const events = await store.events(tenant!.chainId, 0n, Number(total));
    await store.close();
    const wanted = [...acknowledged].sort();
    expect(sealed).to.equal(total);
    expect(events.map(({ id }) => id).sort()).to.deep.equal(wanted);

    await w.ok('export', w.path('export'));
    await w.ok('tenant', 'trust', '--out', w.path('trust.json'));
    const audited = await w.ok('verify', w.path('export'), '--trust', w.path('trust.json'), '--json');
    expect(JSON.parse(audited)).to.deep.include({ verdict: 'Verified', findings: [] });
    const { heads } = JSON.parse(readFileSync(join(w.path('export'), 'heads.json'), 'utf8')) as { heads: object[] };
    expect(heads).to.have.length(1);
    const folder = join(w.path('export'), 'events');
    const exported = readdirSync(folder)
      .flatMap((name) => readFileSync(join(folder, name), 'utf8').trim().split('\n'))
      .map((line) => Buffer.from((JSON.parse(line) as { bytes: string }).bytes, 'hex').toString())
      .map((event) => (JSON.parse(event) as { id: string }).id);
    expect(exported.sort()).to.deep.equal(wanted);
  }

  /** The contract holds the store's roots, each of them once, and no set of heads has two roots. */
  async function expectAnchorsOnce(): Promise<void> {
    const store = open(join(w.env.KEDGE_DIR, 'kedge.sqlite'));
    const anchors = await store.anchors();
    const heads: string[] = [];
    for (const { number } of anchors) {
      heads.push((await store.anchoredHeads(number)).map(({ slot, hash }) => `${slot}:${toHex(hash)}`).join());
    }
    await store.close();
    expect(new Set(heads).size).to.equal(anchors.length);

    // Asked of the node itself, past all code of ours: the event's index and root are its topics.
    const address = w.env.KEDGE_L2_CONTRACT;
    const ask = async (method: string, ...params: unknown[]): Promise<unknown> =>
      w.connection.provider.request({ method, params });
    const size = await ask('eth_call', { to: address, data: `0x${signature('size()').slice(0, 8)}` }, 'latest');
    const topics = [`0x${signature('Anchored(uint256,bytes32,uint256)')}`];
    type Log = { topics: [string, string, string] };
    const logs = (await ask('eth_getLogs', { address, topics, fromBlock: '0x0', toBlock: 'latest' })) as Log[];
    const roots = logs.map(({ topics: [, , root] }) => root.slice(2));
    expect(logs.map(({ topics: [, index] }) => BigInt(index))).to.deep.equal(anchors.map((_, i) => BigInt(i)));
    expect(BigInt(size as string)).to.equal(BigInt(anchors.length));
    expect(new Set(roots).size).to.equal(roots.length);
    expect(roots).to.deep.equal(anchors.map(({ root }) => toHex(root)));
    expect(anchors.map(({ included }) => (included as Inclusion).index)).to.deep.equal(
      anchors.map((_, i) => BigInt(i)),
    );
  }

  /** Nobody else uses the development chain: what is no coinbase is a checkpoint's transaction, paid for once. */
  async function expectNotarizedOnce(): Promise<void> {
    const blocks = readFileSync(join(w.env.KEDGE_BITCOIN_DEVCHAIN, 'blocks'), 'utf8').trim().split('\n');
    const paid = blocks.flatMap((raw) => Bitcoin.decodeBlock(fromHex(raw, 'block')).transactions.slice(1));
    const { checkpoints } = JSON.parse(await w.ok('status', '--json')) as { checkpoints: { bitcoin: string | null }[] };
    expect(checkpoints.filter(({ bitcoin }) => bitcoin === null)).to.deep.equal([]);
    expect(paid).to.have.length(checkpoints.length);
  }

  async function expectEvidence(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const file = w.path(`${id}.json`);
      await w.ok('prove', id, '--out', file);
      const verdict: unknown = JSON.parse(await w.ok('verify', file, '--trust', w.path('trust.json'), '--json'));
      expect(verdict).to.deep.include({ verdict: 'Included', tier: 'notarized', findings: [] });
    }
  }

  it('a second writer is refused while one is running', async () => {
    const running = (daemon = run(w, l2, 'serve'));
    while (!running.said().includes('serve: started')) await pause(50);
    const second = await w.kedge('seal');
    expect(second.exit).to.equal(3);
    expect(second.out).to.contain('another kedge process');
    running.process.kill('SIGTERM');
    expect(await running.ended).to.equal(0);
  });
});
