/** anchor log -> checkpoint: the L2 block's state holds the very log that the checkpoint names. */
import { equal, toHex, type Root } from '../protocol/bytes.ts';
import * as Checkpoint from '../protocol/checkpoint.ts';
import type { Evidence, Path } from '../protocol/evidence.ts';
import * as Header from '../protocol/header.ts';
import * as Log from '../protocol/log.ts';
import * as Merkle from '../protocol/merkle.ts';
import { SHA2_256 } from '../protocol/suite.ts';
import * as Trie from '../protocol/trie.ts';
import type { Trust } from '../protocol/trust.ts';
import type { Reason } from '../protocol/verdict.ts';
import type { Ledger } from './ledger.ts';

type Covered = NonNullable<Evidence['checkpoint']>;

export function checkCheckpoint(covered: Covered, trust: Trust, ledger: Ledger): Checkpoint.Checkpoint | undefined {
  const checkpoint = ledger.decode('checkpoint', 'checkpoint.record', () => Checkpoint.decode(covered.record));
  if (checkpoint === undefined) return undefined;
  const { chainId, contract } = trust.l2;
  if (checkpoint.evmChainId !== chainId || !equal(checkpoint.contract, contract)) {
    return ledger.fail('checkpoint', 'WrongChain', 'checkpoint.record', 'not the L2 or the contract of the trust file');
  }
  const header = ledger.decode('l2 block', 'checkpoint.header', () => Header.decode(covered.header));
  if (header === undefined) return undefined;
  const agrees =
    equal(header.hash, checkpoint.blockHash) &&
    equal(header.stateRoot, checkpoint.stateRoot) &&
    header.number === checkpoint.blockNumber &&
    header.timestamp === checkpoint.blockTimestamp;
  if (!agrees)
    return ledger.fail('l2 block', 'HeaderMismatch', 'checkpoint.header', 'is not the block of the checkpoint');
  ledger.pass('l2 block', `block ${checkpoint.blockNumber} of chain ${chainId}`);

  const { stateRoot, logSize, logRoot } = checkpoint;
  const failure = ledger.decode('checkpoint', 'checkpoint.storageProofs', () => ({
    found: stateFailure({ stateRoot, logSize, logRoot, ...covered }, contract, trust.l2.codeHash),
  }));
  if (failure === undefined) return undefined;
  if (failure.found !== undefined)
    return ledger.fail('checkpoint', failure.found.reason, failure.found.at, failure.found.detail);
  ledger.pass('checkpoint', `the state of that block holds the log of ${checkpoint.logSize} anchors`);
  return checkpoint;
}

export type StateProof = {
  readonly stateRoot: Uint8Array;
  readonly logSize: bigint;
  readonly logRoot: Root;
  readonly accountProof: Path;
  readonly storageProofs: readonly Path[];
};

/** Storage keys that prove a log of `size` anchors: the size slot, then the live peaks, largest first. */
export function storageSlots(size: bigint): readonly bigint[] {
  const slots = [Log.BASE_SLOT];
  for (let height = 63n; height >= 0n; height--) {
    if ((size >> height) & 1n) slots.push(Log.BASE_SLOT + 1n + height);
  }
  return slots;
}

/** Why the L2's state does not hold this very log at the contract; `undefined` when it does. */
export function stateFailure(
  proof: StateProof,
  contract: Uint8Array,
  codeHash: Uint8Array | undefined,
): { readonly reason: Reason; readonly at: string; readonly detail: string } | undefined {
  const account = Trie.checkProof(proof.stateRoot, Trie.accountKey(contract), proof.accountProof);
  const invalid = (at: string, detail: string) => ({
    reason: 'StateProofInvalid' as const,
    at: `checkpoint.${at}`,
    detail,
  });
  if (account.kind !== 'present')
    return invalid('accountProof', account.kind === 'invalid' ? account.why : 'no such account');
  const { storageRoot, codeHash: proven } = Trie.decodeAccount(account.value);
  if (codeHash !== undefined && !equal(proven, codeHash)) {
    return {
      reason: 'WrongChain',
      at: 'checkpoint.accountProof',
      detail: 'the contract has another code than the trust file names',
    };
  }
  const slots = storageSlots(proof.logSize);
  if (proof.storageProofs.length !== slots.length) {
    return invalid('storageProofs', `${proof.storageProofs.length} proofs where ${slots.length} are needed`);
  }
  const words: Uint8Array[] = [];
  for (const [i, slot] of slots.entries()) {
    const stored = Trie.checkProof(storageRoot, Trie.storageKey(slot), proof.storageProofs[i] ?? []);
    if (stored.kind !== 'present') {
      return invalid(`storageProofs.${i}`, stored.kind === 'invalid' ? stored.why : 'the slot is empty');
    }
    words.push(Trie.decodeStorageValue(stored.value));
  }
  const [packed, ...peaks] = words;
  // The anchorer's address stands above the size in the same word.
  const size = BigInt(`0x${toHex((packed ?? new Uint8Array(32)).subarray(24))}`);
  if (size !== proof.logSize) {
    return {
      reason: 'CheckpointMismatch',
      at: 'checkpoint.record',
      detail: `the contract's log has ${size} anchors, not ${proof.logSize}`,
    };
  }
  if (!equal(Merkle.rangeRoot(SHA2_256, { size, peaks }), proof.logRoot)) {
    return {
      reason: 'CheckpointMismatch',
      at: 'checkpoint.record',
      detail: "the contract's peaks do not bag to log_root",
    };
  }
  return undefined;
}
