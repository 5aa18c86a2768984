/** What the verifier says. Verdicts are values: nothing here is thrown. */

/** In the order in which findings at one height are listed. */
export const REASONS = [
  'DecodeFailed',
  'ContentHashMismatch',
  'ChainLinkBroken',
  'SignatureInvalid',
  'MerkleRootMismatch',
  'PrevSealNotFound',
  'Forked',
  'WrongChain',
  'ChainTruncated',
  'AnchorMismatch',
  'StateProofInvalid',
  'HeaderMismatch',
  'CheckpointMismatch',
  'BitcoinProofInvalid',
  'InsufficientWork',
] as const;
export type Reason = (typeof REASONS)[number];

export type Finding = {
  readonly reason: Reason;
  /** The height of a record, or the member of the evidence. */
  readonly at: string;
  readonly detail: string;
};

/** Which commitments recompute, from the least to the most. */
export const TIERS = ['none', 'sealed', 'anchored', 'checkpointed', 'notarized'] as const;
export type Tier = (typeof TIERS)[number];

/** What the caller's source said of the L2 block; offline always `NotChecked`. */
export type L2Status = 'NotChecked' | 'Unsafe' | 'Safe' | 'Final' | 'Orphaned';

export type Step = { readonly name: string; readonly ok: boolean; readonly detail: string };

/** A block that bounds the sealing from one side. */
export type Bound = {
  readonly chain: string;
  readonly block: string;
  /** As the tools of that chain print it. */
  readonly hash: string;
  /** RFC 3339, as the block's header claims. */
  readonly time: string;
};

export type EventVerdict = {
  readonly verdict: 'Included' | 'NotIncluded' | 'Tampered' | 'PolicyUnmet';
  readonly tier: Tier;
  readonly l2: L2Status;
  readonly findings: readonly Finding[];
  readonly notBefore: Bound | null;
  readonly notAfter: Bound | null;
  readonly steps: readonly Step[];
  /** What the verdict does not say, and what was left unchecked. */
  readonly notes: readonly string[];
};

export type ChainVerdict = {
  readonly verdict: 'Tampered' | 'ChainTruncated' | 'Empty' | 'Verified';
  /** Rests on records alone. */
  readonly tier: Tier;
  readonly l2: L2Status;
  readonly findings: readonly Finding[];
  readonly notBefore: null;
  readonly notAfter: null;
  readonly steps: readonly Step[];
  readonly notes: readonly string[];
};

export const isGood = (verdict: EventVerdict | ChainVerdict): boolean =>
  verdict.verdict === 'Included' || verdict.verdict === 'Verified';
