/** `kedge serve` as a process of its own, the L2 of this process over HTTP, and moments to stop the one at. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import type { World } from './world.ts';

const SEND = 'eth_sendRawTransaction';

/** Mulberry32: the same seed gives the same moments. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const pause = (ms: number): Promise<void> => new Promise((done) => void setTimeout(done, ms));

export type Bridge = { readonly url: string; readonly close: () => Promise<void> };

/** Every request passes `line.fault`, as those of commands in this process do. */
export async function bridge({ line, connection }: World): Promise<Bridge> {
  const server = createServer((request, response) => {
    void (async () => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const { id, method, params } = JSON.parse(body) as { id: number; method: string; params: never };
      const answer = await line
        .fault(method, () => connection.provider.request({ method, params }))
        .then(
          (result) => ({ result }),
          (error: unknown) => ({ error: { code: -32000, message: (error as Error).message } }),
        );
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
    })().catch(() => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

export type Running = {
  readonly process: ChildProcess;
  readonly said: () => string;
  /** The exit code; `null` where a signal ended it. */
  readonly ended: Promise<number | null>;
  readonly isOver: () => boolean;
};

export function run(w: World, l2: Bridge, ...args: string[]): Running {
  const started = spawn(process.execPath, [resolve('src/cli/main.ts'), ...args], {
    env: { ...w.env, KEDGE_L2_RPC_URL: l2.url },
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: w.directory,
  });
  let said = '';
  started.stdout.on('data', (text) => (said += String(text)));
  started.stderr.on('data', (text) => (said += String(text)));
  return {
    process: started,
    said: () => said,
    ended: new Promise((done) => started.once('exit', (code) => done(code))),
    isOver: () => started.exitCode !== null || started.signalCode !== null,
  };
}

/**
 * When to stop a daemon: after a time, or at one of its requests to the L2. That request is lost, arrives only when
 * the daemon is gone and perhaps another one is running, or was served and its answer is lost.
 */
export type Moment = { readonly signal: 'SIGKILL' | 'SIGTERM'; readonly afterMs: number } & (
  | { readonly at: 'time' }
  | { readonly at: 'any' | typeof SEND; readonly nth: number; readonly fate: 'lost' | 'late' | 'unanswered' }
);

export function moment(random: () => number): Moment {
  const signal = random() < 0.25 ? 'SIGTERM' : 'SIGKILL';
  const kind = random();
  const fate = (['lost', 'late', 'unanswered'] as const)[Math.floor(random() * 3)]!;
  const where = random();
  if (kind < 0.4) return { signal, at: 'time', afterMs: Math.floor(where * 3000) };
  // A request that is not made within this time is not waited for.
  if (kind < 0.7) return { signal, at: 'any', nth: 1 + Math.floor(where * 40), fate, afterMs: 4000 };
  return { signal, at: SEND, nth: 1 + Math.floor(where * 2), fate, afterMs: 4000 };
}

/** Arms the L2 line and the clock; `strike` is called once. */
export function arm(w: World, when: Moment, strike: () => void): () => void {
  let isOver = false;
  const once = (): void => {
    if (!isOver) strike();
    isOver = true;
  };
  const timer = setTimeout(once, when.afterMs);
  let seen = 0;
  w.line.fault = async (method, send) => {
    const isIt = when.at !== 'time' && (when.at === 'any' || when.at === method) && ++seen === when.nth;
    if (!isIt || isOver) return send();
    if (when.fate === 'unanswered') {
      const answer = await send();
      once();
      return answer;
    }
    once();
    if (when.fate === 'lost') throw new Error('the connection was lost');
    await pause(when.nth * 100);
    return send();
  };
  return () => {
    clearTimeout(timer);
    isOver = true;
    w.line.fault = async (_method, send) => send();
  };
}
