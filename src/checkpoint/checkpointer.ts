/**
 * L2 block to Bitcoin. Prove early, commit when final: nodes keep the state of few old blocks, so what is not proven
 * at once may never be had again.
 */
import { equal, toHex, type Root } from '../protocol/bytes.ts';
import * as Checkpoint from '../protocol/checkpoint.ts';
import * as Header from '../protocol/header.ts';
import * as Log from '../protocol/log.ts';
import * as Merkle from '../protocol/merkle.ts';
import * as Ots from '../protocol/ots.ts';
import { SHA2_256 } from '../protocol/suite.ts';
import { slotBytes } from '../protocol/trie.ts';
import type { Notarization, ProvenBlock, Store } from '../store/port.ts';
import type { L2Reader } from './l2.ts';
import type { Notary } from './notary.ts';

export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}

export type Contract = { readonly evmChainId: bigint; readonly address: Uint8Array };

/** What the verifier needs to agree with before a block is kept; joined in by the daemon. */
export type StateCheck = (
  block: Pick<ProvenBlock, 'stateRoot' | 'logSize' | 'accountProof' | 'storageProofs'> & { readonly logRoot: Root },
  contract: Uint8Array,
) => string | undefined;

export type Deployment = {
  readonly store: Store;
  readonly l2: L2Reader;
  readonly contract: Contract;
  readonly notaries: readonly Notary[];
  /** Storage keys that prove a log of this size. */
  readonly storageSlots: (logSize: bigint) => readonly bigint[];
  readonly checkState: StateCheck;
  /** Bitcoin blocks, the attested one included. */
  readonly confirmations: number;
};

/**
 * Proves the newest block whose log holds more than the last checkpoint's, against our own anchors.
 * `undefined` where no anchor came since.
 */
export async function prove(deployment: Deployment): Promise<ProvenBlock | undefined> {
  const { store, l2, contract } = deployment;
  const waiting = await store.candidate();
  if (waiting !== undefined) return waiting;
  const entries = (await store.anchors()).flatMap(({ root, included }) => (included ? [{ root, included }] : []));
  const covered = (await store.checkpoints()).at(-1)?.block.logSize ?? 0n;
  if (BigInt(entries.length) <= covered) return undefined;

  const raw = await l2.block('latest');
  if (raw === undefined) throw new CheckpointError('the L2 node has no newest block');
  const header = checkedHeader(raw);
  // Only anchors in this very block's history are in its state.
  const held = entries.filter(({ included }) => included.blockNumber <= header.number);
  const logSize = BigInt(held.length);
  if (logSize <= covered) return undefined;
  const logRoot = ownLogRoot(held, contract);
  const slots = deployment.storageSlots(logSize).map(slotBytes);
  const { accountProof, storageProofs } = await l2.proof(contract.address, slots, header.number);
  const block: ProvenBlock = { ...header, logSize, logRoot, accountProof, storageProofs };
  const failure = deployment.checkState({ ...block, logRoot }, contract.address);
  if (failure !== undefined) {
    throw new CheckpointError(`the L2 node's proof of block ${header.number} does not hold: ${failure}`);
  }
  // If we crash before this line, the next round proves a newer block; after it, that very block is waited for.
  await store.setCandidate(block);
  return block;
}

type HeaderOf = Pick<ProvenBlock, 'number' | 'hash' | 'header' | 'stateRoot' | 'timestamp'>;

function checkedHeader(raw: Header.RpcBlock): HeaderOf {
  const header = Header.fromRpc(raw);
  const { hash, number, stateRoot, timestamp } = Header.decode(header);
  if (raw.hash !== `0x${toHex(hash)}`) {
    throw new CheckpointError(
      `the header of L2 block ${number} does not hash to ${String(raw.hash)}: a fork with fields that this version does not know`,
    );
  }
  return { number, hash, header, stateRoot, timestamp };
}

function ownLogRoot(
  entries: readonly { readonly root: Uint8Array; readonly included: { readonly timestamp: bigint } }[],
  { evmChainId, address }: Contract,
): Root {
  const leaves = entries.map(({ root, included }) =>
    Merkle.leafHash(SHA2_256, Log.entry({ evmChainId, contract: address, root, timestamp: included.timestamp })),
  );
  return Merkle.root(SHA2_256, leaves);
}

/** Makes the candidate a checkpoint once that very block is final; drops it where it left the chain. */
export async function commit(deployment: Deployment): Promise<'committed' | 'waiting' | 'dropped' | 'none'> {
  const { store, l2, contract } = deployment;
  const block = await store.candidate();
  if (block === undefined) return 'none';
  const final = await l2.block('finalized');
  if (final === undefined || BigInt(String(final.number)) < block.number) {
    const now = await l2.block(block.number);
    if (now !== undefined && !equal(checkedHeader(now).hash, block.hash)) return drop(store);
    return 'waiting';
  }
  const canonical = await l2.block(block.number);
  if (canonical === undefined) return 'waiting';
  if (!equal(checkedHeader(canonical).hash, block.hash)) return drop(store);

  const checkpoints = await store.checkpoints();
  const before = checkpoints.at(-1);
  const bytes = Checkpoint.encode({
    evmChainId: contract.evmChainId,
    contract: contract.address,
    blockNumber: block.number,
    blockHash: block.hash,
    stateRoot: block.stateRoot,
    blockTimestamp: block.timestamp,
    logSize: block.logSize,
    logRoot: block.logRoot as Root,
    prev: before === undefined ? new Uint8Array(32) : Checkpoint.digest(before.bytes),
  });
  // If we crash here, the same candidate gives the same bytes; after it, only the notaries are left to be asked.
  const added = await store.addCheckpoint({ number: BigInt(checkpoints.length), bytes, block });
  if (!added) throw new CheckpointError('another process wrote a checkpoint at the same time: run only one');
  return 'committed';
}

async function drop(store: Store): Promise<'dropped'> {
  await store.setCandidate(undefined);
  return 'dropped';
}

export type Progress = {
  readonly checkpoint: bigint;
  readonly notary: string;
  readonly status: 'notarized' | 'waiting' | 'failed';
  readonly detail: string;
};

/** Hands checkpoints to every notary and takes in what became of those handed over before. One failing notary stops no other. */
export async function notarize(deployment: Deployment): Promise<readonly Progress[]> {
  const progress: Progress[] = [];
  const known = await deployment.store.notarizations();
  for (const { number, bytes } of await deployment.store.checkpoints()) {
    for (const notary of deployment.notaries) {
      const stored = known.find((each) => each.checkpoint === number && each.notary === notary.name);
      if (stored !== undefined && stored.headers.length >= deployment.confirmations) continue;
      progress.push(await attempt(deployment, notary, number, Checkpoint.digest(bytes), stored));
    }
  }
  return progress;
}

async function attempt(
  deployment: Deployment,
  notary: Notary,
  checkpoint: bigint,
  digest: Uint8Array,
  stored: Notarization | undefined,
): Promise<Progress> {
  const report = (status: Progress['status'], detail: string) => ({ checkpoint, notary: notary.name, status, detail });
  try {
    const state = stored?.state ?? (await notary.prepare(digest));
    const blank = { checkpoint, notary: notary.name, state, proof: undefined, bitcoinHeight: undefined, headers: [] };
    // If we crash here, nothing has left the machine; after it, the same bytes are handed over again.
    if (stored === undefined) await deployment.store.putNotarization(blank);
    await notary.submit(state);
    const found = await notary.poll(digest, state, deployment.confirmations);
    if ('waitingFor' in found) {
      // A block that was reorganized away takes its proof with it.
      if (stored?.proof !== undefined) await deployment.store.putNotarization(blank);
      return report('waiting', found.waitingFor);
    }
    const { height, headers } = found;
    await deployment.store.putNotarization({
      ...blank,
      proof: Ots.encode(found.stamp),
      bitcoinHeight: BigInt(height),
      headers,
    });
    return report('notarized', `Bitcoin block ${height}, ${headers.length} confirmations`);
  } catch (error) {
    return report('failed', error instanceof Error ? error.message : String(error));
  }
}
