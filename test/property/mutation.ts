/** Ways to damage a proof. `pick(n)` chooses below n, so that whoever calls owns the seed. */
import { concat, equal } from '../../src/protocol/bytes.ts';

export type Nodes = readonly Uint8Array[];
export type Pick = (limit: number) => number;

type Mutation = (nodes: Nodes, pick: Pick) => Nodes;

const replace = (nodes: Nodes, at: number, node: Uint8Array): Nodes => nodes.with(at, node);

const MUTATIONS: readonly Mutation[] = [
  function flipBit(nodes, pick) {
    const at = pick(nodes.length);
    const node = nodes[at]!.slice();
    const byte = pick(node.length);
    node[byte] = node[byte]! ^ (1 << pick(8));
    return replace(nodes, at, node);
  },
  function setByte(nodes, pick) {
    const at = pick(nodes.length);
    const node = nodes[at]!.slice();
    node[pick(node.length)] = pick(256);
    return replace(nodes, at, node);
  },
  function cutNode(nodes, pick) {
    const at = pick(nodes.length);
    return replace(nodes, at, nodes[at]!.slice(0, pick(nodes[at]!.length)));
  },
  function growNode(nodes, pick) {
    const at = pick(nodes.length);
    return replace(nodes, at, concat(nodes[at]!, Uint8Array.of(pick(256))));
  },
  function drop(nodes, pick) {
    return nodes.toSpliced(pick(nodes.length), 1);
  },
  function breakOff(nodes, pick) {
    return nodes.slice(0, pick(nodes.length));
  },
  function duplicate(nodes, pick) {
    const at = pick(nodes.length);
    return nodes.toSpliced(pick(nodes.length + 1), 0, nodes[at]!);
  },
  function swap(nodes, pick) {
    const a = pick(nodes.length);
    const b = pick(nodes.length);
    return nodes.with(a, nodes[b]!).with(b, nodes[a]!);
  },
  function appendRandom(nodes, pick) {
    return [...nodes, Uint8Array.from({ length: pick(64) }, () => pick(256))];
  },
];

/** Damaged nodes; `undefined` where the choice left them as they were. */
export function mutate(nodes: Nodes, pick: Pick): Nodes | undefined {
  const mutated = MUTATIONS[pick(MUTATIONS.length)]!(nodes, pick);
  const isSame = mutated.length === nodes.length && mutated.every((node, i) => equal(node, nodes[i]!));
  return isSame ? undefined : mutated;
}

/** Mulberry32: the same choices for the same seed. */
export function seeded(seed: number): Pick {
  let state = seed | 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}
