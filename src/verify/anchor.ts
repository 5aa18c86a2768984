/** head -> anchor -> anchor log: the head is the one that its slot held when the anchor was made. */
import * as Anchor from '../protocol/anchor.ts';
import type { Root } from '../protocol/bytes.ts';
import type { ChainRecord } from '../protocol/chain.ts';
import type { Evidence } from '../protocol/evidence.ts';
import * as Log from '../protocol/log.ts';
import * as Merkle from '../protocol/merkle.ts';
import { SHA2_256 } from '../protocol/suite.ts';
import type { Trust } from '../protocol/trust.ts';
import type { Ledger } from './ledger.ts';

/** The value that the contract has to hold, 32 bytes. */
export function anchoredValue(
  evidence: Evidence,
  head: ChainRecord,
  trust: Trust,
  ledger: Ledger,
): Uint8Array | undefined {
  const { anchor } = evidence;
  if (anchor === undefined) return undefined;
  const { slot } = trust.identity;
  if (slot >= anchor.count) {
    return ledger.fail('anchor', 'AnchorMismatch', 'anchor.count', `slot ${slot} is not among ${anchor.count}`);
  }
  // The index is the trusted slot and the size is hashed into the value, so an anchor holds one head per chain.
  const entry = Anchor.entry(anchor.salt, { chainId: head.chainId, height: head.height, record: evidence.head });
  const leaf = Merkle.leafHash(SHA2_256, entry);
  const root = Merkle.rootFromInclusionProof(SHA2_256, leaf, BigInt(slot), BigInt(anchor.count), anchor.path);
  if (root === undefined)
    return ledger.fail('anchor', 'AnchorMismatch', 'anchor.path', 'not a path for this slot and count');
  ledger.pass('anchor', `the head is in slot ${slot} of ${anchor.count}`);
  return Anchor.value(anchor.count, root);
}

export function logEntry(log: NonNullable<Evidence['log']>, root: Uint8Array, trust: Trust): Uint8Array {
  return Log.entry({ evmChainId: trust.l2.chainId, contract: trust.l2.contract, root, timestamp: log.timestamp });
}

/** The way into the log that a checkpoint covers. */
export function checkLogged(
  log: NonNullable<Evidence['log']>,
  anchored: Uint8Array,
  logSize: bigint,
  logRoot: Root,
  trust: Trust,
  ledger: Ledger,
): true | undefined {
  const leaf = Merkle.leafHash(SHA2_256, logEntry(log, anchored, trust));
  if (!Merkle.checkInclusion(SHA2_256, leaf, log.index, logSize, log.path, logRoot)) {
    return ledger.fail(
      'log',
      'AnchorMismatch',
      'log.path',
      "the anchor is not on the way to the checkpoint's log_root",
    );
  }
  return ledger.pass('log', `anchor ${log.index} of ${logSize} in the contract's log`);
}
