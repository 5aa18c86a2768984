/** The daemon: sealer, anchorer and checkpointer on their schedules, until a signal. A fault of one stops no other. */
import * as Anchorer from '../anchor/anchorer.ts';
import { L2Error } from '../anchor/l2.ts';
import * as Checkpointer from '../checkpoint/checkpointer.ts';
import { SealError } from '../seal/sealer.ts';
import type { Deployment } from './deployment.ts';
import type { Settings } from './settings.ts';

export type Line = { readonly what: string; readonly detail: string };

/** Runs until SIGTERM or SIGINT; a round that has begun is finished. */
export async function serve(deployment: Deployment, settings: Settings, log: (line: Line) => void): Promise<void> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGTERM', onSignal);
  process.once('SIGINT', onSignal);
  log({ what: 'serve', detail: 'started' });
  try {
    const { signal } = stop;
    await Promise.all([
      loop('seal', Math.min(settings.seal.periodMs, 1000), signal, log, sealing(deployment, settings, log)),
      loop('anchor', settings.anchorPeriodMs, signal, log, () => anchoring(deployment, settings, log)),
      loop(
        'checkpoint',
        Math.min(settings.checkpointPeriodMs, 60_000),
        signal,
        log,
        checkpointing(deployment, settings, log),
      ),
    ]);
  } finally {
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
  }
  log({ what: 'serve', detail: 'stopped' });
}

async function loop(
  what: string,
  periodMs: number,
  signal: AbortSignal,
  log: (line: Line) => void,
  round: () => Promise<void>,
): Promise<void> {
  let said = '';
  while (!signal.aborted) {
    try {
      await round();
      said = '';
    } catch (error) {
      // Once for each fault, not once for each round.
      const detail = error instanceof Error ? error.message : String(error);
      if (detail !== said) log({ what: `${what} failed`, detail });
      said = detail;
      if ((error instanceof L2Error || error instanceof SealError) && !error.retryable) {
        log({ what, detail: 'stopped for good: somebody has to look' });
        return;
      }
    }
    await pause(periodMs, signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
  });
}

/** Each tenant's seal closes on its period or when it is full; a period without events is a heartbeat. */
function sealing(deployment: Deployment, settings: Settings, log: (line: Line) => void): () => Promise<void> {
  const sealedAt = new Map<string, number>();
  return async () => {
    for (const tenant of await deployment.store.tenants()) {
      const { total, sealed } = await deployment.store.countEvents(tenant.chainId);
      const isDue = performance.now() - (sealedAt.get(tenant.tenant) ?? -Infinity) >= settings.seal.periodMs;
      if (!isDue && total - sealed < BigInt(settings.seal.maxEvents)) continue;
      const made = await deployment.seal(tenant, total > 0n);
      sealedAt.set(tenant.tenant, performance.now());
      if (made !== undefined)
        log({ what: 'sealed', detail: `${tenant.tenant} at height ${made.head.height}, ${total - sealed} events` });
    }
  };
}

async function anchoring(deployment: Deployment, settings: Settings, log: (line: Line) => void): Promise<void> {
  const planner = await deployment.anchorer();
  const planned = await Anchorer.plan(planner);
  if (planned !== undefined)
    log({ what: 'anchor planned', detail: `number ${planned.number} over ${planned.count} slots` });
  const { included } = await Anchorer.step(planner, settings.l2PrivateKey());
  if (included > 0) log({ what: 'anchored', detail: `${included} read back from the contract` });
}

function checkpointing(deployment: Deployment, settings: Settings, log: (line: Line) => void): () => Promise<void> {
  let provenAt = -Infinity;
  return async () => {
    const anchorer = await deployment.anchorer();
    const checkpointer = deployment.checkpointer(anchorer);
    if (performance.now() - provenAt >= settings.checkpointPeriodMs) {
      // What the newest block holds of ours has to be known before that block is proven.
      await Anchorer.reconcile(anchorer);
      const block = await Checkpointer.prove(checkpointer);
      if (block !== undefined) {
        provenAt = performance.now();
        log({ what: 'proven', detail: `L2 block ${block.number}, ${block.logSize} anchors` });
      }
    }
    const commit = await Checkpointer.commit(checkpointer);
    if (commit === 'dropped') provenAt = -Infinity;
    if (commit === 'committed' || commit === 'dropped') log({ what: 'checkpoint', detail: commit });
    for (const { checkpoint, notary, status, detail } of await Checkpointer.notarize(checkpointer)) {
      if (status !== 'waiting') log({ what: status, detail: `checkpoint ${checkpoint} at ${notary}: ${detail}` });
    }
  };
}
