/** One evidence and one trust document with every member, for tests of their form; nothing in them fits together. */
import type { ContentHash, KeyDigest, PublicKey } from '../../../src/protocol/bytes.ts';
import type { Evidence } from '../../../src/protocol/evidence.ts';
import { SHA2_256 } from '../../../src/protocol/suite.ts';
import type { Trust } from '../../../src/protocol/trust.ts';

const fill = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

export const EVIDENCE: Evidence = {
  event: { content: { bytes: fill(5, 0xe1) }, path: { index: 2n, nodes: [fill(32, 1), fill(32, 2)] } },
  seal: { record: fill(70, 3), path: [fill(32, 4)] },
  rotations: [
    { record: fill(71, 5), path: [fill(32, 6)] },
    { record: fill(72, 7), path: undefined },
  ],
  known: [{ height: 18_446_744_073_709_551_615n, path: [fill(32, 8)] }],
  head: fill(73, 9),
  anchor: { salt: fill(16, 0xa), count: 4_294_967_295, path: [fill(32, 0xb)] },
  log: { timestamp: 1_790_000_000n, index: 0n, path: [fill(32, 0xc)] },
  checkpoint: {
    record: fill(185, 0xd),
    header: fill(90, 0xe),
    accountProof: [fill(40, 0xf)],
    storageProofs: [[fill(41, 0x10), fill(42, 0x11)], []],
  },
  ots: fill(20, 0x12),
  bitcoin: { network: 'regtest', height: 102, headers: [fill(80, 0x13), fill(80, 0x14)] },
  beacons: [fill(80, 0x15), fill(0, 0)],
};

export const TRUST: Trust = {
  identity: {
    tenant: 'acme',
    suite: SHA2_256,
    slot: 4_294_967_295,
    genesisKey: fill(32, 0xa1) as PublicKey,
    nextKeyDigest: fill(32, 0xa2) as KeyDigest,
  },
  l2: { chainId: 84_532n, contract: fill(20, 0xa3), codeHash: fill(32, 0xa4) },
  bitcoin: { network: 'mainnet', minimumWork: 1n << 255n, blocks: [{ height: 900_000, hash: fill(32, 0xa5) }] },
  policy: { tier: 'notarized', confirmations: 6, l2Final: true },
  records: [
    {
      height: 12n,
      hash: fill(32, 0xa6) as ContentHash,
      key: fill(32, 0xa7) as PublicKey,
      nextKeyDigest: fill(32, 0) as KeyDigest,
    },
  ],
};

export type Node = string | number | boolean | null | readonly Node[] | { readonly [name: string]: Node };
type Step = string | number;

export const parsed = (bytes: Uint8Array): Node => JSON.parse(Buffer.from(bytes).toString()) as Node;
export const written = (document: Node): Uint8Array => Buffer.from(JSON.stringify(document));
export const pointer = (at: readonly Step[]): string => at.map((step) => `/${step}`).join('');

/** Everything in a document, by where it is. */
export function* nodes(node: Node, at: readonly Step[] = []): Generator<{ at: readonly Step[]; node: Node }> {
  yield { at, node };
  if (typeof node !== 'object' || node === null) return;
  const inner = Array.isArray(node) ? node.entries() : Object.entries(node);
  for (const [step, each] of inner) yield* nodes(each as Node, [...at, step as Step]);
}

/** The document with another value at a place, or with none there. */
export function changed(document: Node, at: readonly Step[], value: Node | undefined): Uint8Array {
  if (at.length === 0) return written(value ?? null);
  const copy = structuredClone(document);
  let parent = copy as { [step: Step]: unknown };
  for (const step of at.slice(0, -1)) parent = parent[step] as typeof parent;
  const last = at.at(-1)!;
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return written(copy);
}
