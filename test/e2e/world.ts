/** A deployment from end to end in one process: a local OP-type L2, the development chain, a clock that only tests move. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { network } from 'hardhat';
import AnchorLog from '../../ignition/modules/AnchorLog.ts';
import { DevelopmentChain } from '../../src/checkpoint/devchain.ts';
import { scriptOf } from '../../src/checkpoint/opreturn.ts';
import { main } from '../../src/cli/main.ts';

/** Hardhat's first well-known account: its key is public. */
const ANCHORER = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

export type Ran = { readonly exit: number; readonly out: string };
export type World = Awaited<ReturnType<typeof world>>;

export async function world() {
  const directory = mkdtempSync(join(tmpdir(), 'kedge-'));
  const connection = await network.create({ network: 'localOp', chainType: 'op' });
  const deployed: { readonly anchorLog: object } = await connection.ignition.deploy(AnchorLog);
  const { address } = deployed.anchorLog as { readonly address: string };
  const bitcoinKey = new Uint8Array(32).fill(7);
  const devchain = new DevelopmentChain(join(directory, 'devchain'));
  let clock = 1_790_000_000_000n;
  const mine = (blocks: number): void => devchain.mine(blocks, scriptOf(bitcoinKey, 'regtest'), Number(clock / 1000n));
  mine(101);
  const env = {
    KEDGE_DIR: join(directory, 'operator'),
    KEDGE_PASSPHRASE: 'for tests only',
    KEDGE_L2_RPC_URL: 'http://in.process',
    KEDGE_L2_CONTRACT: address,
    KEDGE_L2_PRIVATE_KEY: ANCHORER,
    KEDGE_BITCOIN_NETWORK: 'regtest',
    KEDGE_BITCOIN_DEVCHAIN: join(directory, 'devchain'),
    KEDGE_BITCOIN_PRIVATE_KEY: Buffer.from(bitcoinKey).toString('hex'),
  };
  /** Stands between the daemon and its node; tests put faults here. */
  const line = { fault: async (_method: string, send: () => Promise<unknown>): Promise<unknown> => send() };
  const l2Node = {
    request: (args: { method: string; params?: object }) =>
      line.fault(args.method, () => connection.provider.request(args as never)),
  };
  const outside = { now: () => (clock += 1000n), l2Node };

  /** Runs a command in this process and returns what it printed. */
  const kedge = async (...args: string[]): Promise<Ran> => {
    const { write } = process.stdout;
    const { write: writeError } = process.stderr;
    let out = '';
    const keep = (text: string | Uint8Array): boolean => {
      out += String(text);
      return true;
    };
    process.stdout.write = keep as typeof write;
    process.stderr.write = keep as typeof write;
    try {
      return { exit: await main(args, env, outside), out };
    } finally {
      process.stdout.write = write;
      process.stderr.write = writeError;
    }
  };

  const path = (name: string): string => join(directory, name);
  return {
    directory,
    connection,
    line,
    env,
    devchain,
    mine,
    kedge,
    path,
    /** The same, for commands that have to succeed. */
    ok: async (...args: string[]): Promise<string> => {
      const { exit, out } = await kedge(...args);
      if (exit !== 0) throw new Error(`kedge ${args.join(' ')} ended with ${exit}: ${out}`);
      return out;
    },
    /** Writes events as NDJSON and returns the file's path. */
    events: (name: string, from: number, count: number): string => {
      const lines = Array.from({ length: count }, (_, i) =>
        JSON.stringify({ id: `event-${from + i}`, amount: from + i, note: 'ünïcode' }),
      );
      writeFileSync(path(name), `${lines.join('\n')}\n`);
      return path(name);
    },
    close: async (): Promise<void> => {
      await connection.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Two tenants; the first one's chain: seal, rotation, seal, heartbeat; three anchors, two checkpoints, the last in Bitcoin. */
export async function story(): Promise<World> {
  const made = await world();
  const { ok, events, mine, path } = made;
  await ok('init');
  await ok('tenant', 'add', 'acme');
  await ok('tenant', 'add', 'globex', '--suite', 'blake3-128');
  await ok('ingest', '-t', 'acme', events('first.ndjson', 0, 7));
  await ok('ingest', '-t', 'globex', events('other.ndjson', 100, 3));
  await ok('seal');
  await ok('anchor');
  await ok('rotate', '-t', 'acme');
  await ok('ingest', '-t', 'acme', events('second.ndjson', 7, 5));
  await ok('seal', '-t', 'acme');
  await ok('anchor');
  await ok('checkpoint');
  await ok('seal', '-t', 'acme', '--heartbeat');
  await ok('anchor');
  await ok('checkpoint');
  mine(6);
  await ok('upgrade');
  await ok('prove', 'event-3', '-t', 'acme', '--out', path('evidence.json'), '--ots', path('event.json.ots'));
  await ok('prove', 'event-9', '-t', 'acme', '--out', path('later.json'));
  await ok('prove', 'event-101', '-t', 'globex', '--out', path('globex.json'));
  await ok('tenant', 'trust', 'acme', '--out', path('trust.json'));
  await ok('tenant', 'trust', 'globex', '--out', path('globex-trust.json'));
  return made;
}
