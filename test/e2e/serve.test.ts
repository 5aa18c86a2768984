import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { resolve } from 'node:path';
import { expect } from 'chai';
import { L2 } from '../../src/anchor/l2.ts';
import { toHex } from '../../src/protocol/bytes.ts';
import { open } from '../../src/store/sqlite.ts';
import { world, type World } from './world.ts';

const KILLS = 20;
const SEED = Number(process.env['KEDGE_SEED'] ?? Date.now() % 1_000_000);

/** Mulberry32: the same seed gives the same moments. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pause = (ms: number): Promise<void> => new Promise((done) => void setTimeout(done, ms));

/** The L2 of this process, over HTTP for the daemon's. */
function bridge(provider: World['connection']['provider']): Promise<Server> {
  const server = createServer((request, response) => {
    void (async () => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const { id, method, params } = JSON.parse(body) as { id: number; method: string; params: never };
      const answer = await provider.request({ method, params }).then(
        (result: unknown) => ({ result }),
        (error: unknown) => ({ error: { code: -32000, message: (error as Error).message } }),
      );
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
    })();
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

describe('kedge serve, stopped at any moment', function () {
  this.timeout(300_000);
  let w: World;
  let server: Server;
  let child: ChildProcess | undefined;
  let said = '';
  before(async () => {
    w = await world();
    server = await bridge(w.connection.provider);
  });
  after(async () => {
    child?.kill('SIGKILL');
    server.close();
    await w.close();
  });

  const run = (...args: string[]): ChildProcess => {
    const started = spawn(process.execPath, [resolve('src/cli/main.ts'), ...args], {
      env: { ...w.env, KEDGE_L2_RPC_URL: `http://127.0.0.1:${(server.address() as { port: number }).port}` },
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: w.directory,
    });
    started.stdout!.on('data', (text) => (said += String(text)));
    started.stderr!.on('data', (text) => (said += String(text)));
    return started;
  };
  const ended = (process_: ChildProcess): Promise<number | null> =>
    new Promise((done) => {
      if (process_.exitCode !== null || process_.signalCode !== null) done(process_.exitCode);
      else process_.once('exit', (code) => done(code));
    });

  it(`loses no acknowledged event and never anchors twice (seed ${SEED})`, async () => {
    Object.assign(w.env, {
      KEDGE_SEAL_PERIOD: '1',
      KEDGE_ANCHOR_PERIOD: '1',
      KEDGE_CHECKPOINT_PERIOD: '2',
      KEDGE_BITCOIN_CONFIRMATIONS: '1',
    });
    await w.ok('init');
    await w.ok('tenant', 'add', 'acme');
    const random = seeded(SEED);
    const acknowledged = new Set<string>();
    let next = 0;
    const ingest = async (): Promise<void> => {
      const count = 1 + Math.floor(random() * 20);
      const file = w.events(`${next}.ndjson`, next, count);
      // A retry of what may be on disk already is no second event.
      await w.ok('ingest', file);
      if (random() < 0.3) await w.ok('ingest', file);
      for (let i = 0; i < count; i++) acknowledged.add(`event-${next + i}`);
      next += count;
    };

    for (let kill = 0; kill < KILLS; kill++) {
      child = run('serve');
      const until = performance.now() + 300 + random() * 2200;
      while (performance.now() < until) {
        await ingest();
        if (random() < 0.2) w.mine(1);
        await pause(random() * 250);
      }
      const isGentle = random() < 0.3;
      child.kill(isGentle ? 'SIGTERM' : 'SIGKILL');
      const code = await Promise.race([ended(child), pause(10_000).then(() => 'still running' as const)]);
      // Before the daemon has begun to listen, the signal ends it as any process.
      if (isGentle) expect(code, said).to.be.oneOf([0, null]);
    }

    // All is taken up where it was left.
    child = run('serve');
    for (const deadline = performance.now() + 60_000; performance.now() < deadline; await pause(500)) {
      w.mine(1);
      const status = JSON.parse(await w.ok('status', '--json')) as {
        tenants: { unsealed: string }[];
        anchors: { planned: number; included: number };
        checkpoints: { bitcoin: string | null }[];
      };
      const isQuiet = status.tenants.every(({ unsealed }) => unsealed === '0');
      if (isQuiet && status.checkpoints.some(({ bitcoin }) => bitcoin !== null)) break;
    }
    child.kill('SIGTERM');
    expect(await Promise.race([ended(child), pause(10_000).then(() => 'still running')]), said).to.equal(0);
    await w.ok('seal');
    await w.ok('anchor');

    const store = open(`${w.env.KEDGE_DIR}/kedge.sqlite`);
    const [tenant] = await store.tenants();
    const { total, sealed } = await store.countEvents(tenant!.chainId);
    const events = await store.events(tenant!.chainId, 0n, Number(total));
    const anchors = await store.anchors();
    await store.close();
    expect(sealed).to.equal(total);
    expect(events.map(({ id }) => id).sort()).to.deep.equal([...acknowledged].sort());

    const l2 = new L2({
      node: w.connection.provider as never,
      contract: Buffer.from(w.env.KEDGE_L2_CONTRACT.slice(2), 'hex'),
    });
    const block = BigInt(String((await l2.block('latest'))!.number));
    const { size } = await l2.logState(block);
    const roots: string[] = [];
    for (let index = 0n; index < size; index++) roots.push(toHex((await l2.anchored(index, 0n, block))!.root));
    expect(new Set(roots).size).to.equal(roots.length);
    expect(roots).to.deep.equal(anchors.map(({ root }) => toHex(root)));

    await w.ok('export', '-t', 'acme', w.path('export'));
    await w.ok('tenant', 'trust', 'acme', '--out', w.path('trust.json'), '--tier', 'sealed');
    await w.ok('verify', w.path('export'), '--trust', w.path('trust.json'));
    expect(said).not.to.match(/\n\s+at /);
    expect(said + JSON.stringify(roots)).not.to.contain(w.env.KEDGE_L2_PRIVATE_KEY.slice(2, 30));
    await w.ok('prove', 'event-0', '--out', w.path('evidence.json'));
    expect(await w.ok('verify', w.path('evidence.json'), '--trust', w.path('trust.json'))).to.contain('tier notarized');
  });

  it('a second writer is refused while one is running', async () => {
    child = run('serve');
    await pause(1500);
    const second = await w.kedge('seal');
    expect(second.exit).to.equal(3);
    expect(second.out).to.contain('another kedge process');
    child.kill('SIGTERM');
    expect(await ended(child)).to.equal(0);
  });
});
