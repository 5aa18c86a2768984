/** The library's public face. */
export { verify, verifyEvidence, type Options, type Sources } from './verify.ts';
export { verifyChain, type ExportedRecord, type KnownHead } from './history.ts';
export * as Evidence from '../protocol/evidence.ts';
export * as Trust from '../protocol/trust.ts';
export type { Bound, ChainVerdict, EventVerdict, Finding, L2Status, Reason, Step, Tier } from '../protocol/verdict.ts';
