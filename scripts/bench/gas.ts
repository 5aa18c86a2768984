/**
 * What an anchor costs: the average gas of consecutive `anchor` transactions on an OP-type chain in this process, beside
 * a contract that only emits the root and one that keeps a timestamp for each. L2 execution gas; the fee for L1 data comes
 * on top and depends on the chain and the day.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import hre from 'hardhat';
import { type Address, bytesToHex, type Hash, type Hex, parseAbi } from 'viem';

const ANCHORS = 256;

// A no-op where nothing changed.
await hre.tasks.getTask('build').run({ quiet: true, noTests: true });
const connection = await hre.network.create('localOp');
const { viem } = connection;
const sender = (await viem.getWalletClients())[0]!;
const client = await viem.getPublicClient();

/** As random as a real root is to calldata's price, and the same in every run. */
const roots = Array.from({ length: ANCHORS }, (_, index) =>
  bytesToHex(sha256(new TextEncoder().encode(`root ${index}`))),
);

async function gasOf(hash: Hash): Promise<bigint> {
  const receipt = await client.getTransactionReceipt({ hash });
  if (receipt.status !== 'success') throw new Error(`transaction ${hash} reverted`);
  return receipt.gasUsed;
}

async function averageGas(send: (root: Hex, index: bigint) => Promise<Hash>): Promise<number> {
  let total = 0n;
  for (const [index, root] of roots.entries()) total += await gasOf(await send(root, BigInt(index)));
  return Number(total) / ANCHORS;
}

const abi = parseAbi([
  'function anchor(bytes32 root, uint256 expectedIndex)',
  'function anchorMany(bytes32[] roots, uint256 expectedIndex)',
]);
const peerAbi = parseAbi(['function anchor(bytes32 root)']);
const newLog = (): Promise<{ address: Address }> =>
  viem.deployContract('AnchorLog', [sender.account.address, sender.account.address]);
const anchorLog = await newLog();
const emitOnly = await viem.deployContract('EmitOnly');
const mapping = await viem.deployContract('TimestampMapping');

const anchor = (root: Hex, index: bigint): Promise<Hash> =>
  sender.writeContract({ abi, address: anchorLog.address, functionName: 'anchor', args: [root, index] });
const anchorIn =
  (address: Address) =>
  (root: Hex): Promise<Hash> =>
    sender.writeContract({ abi: peerAbi, address, functionName: 'anchor', args: [root] });

const averages = {
  anchorAverage: await averageGas(anchor),
  emitOnly: await averageGas(anchorIn(emitOnly.address)),
  mapping: await averageGas(anchorIn(mapping.address)),
};

/** The same roots in batches: what a backlog costs for each root. */
async function batchAverage(size: number): Promise<number> {
  const { address } = await newLog();
  let total = 0n;
  for (let start = 0; start < ANCHORS; start += size) {
    const args = [roots.slice(start, start + size), BigInt(start)] as const;
    total += await gasOf(await sender.writeContract({ abi, address, functionName: 'anchorMany', args }));
  }
  return Number(total) / ANCHORS;
}
const batchOf16Average = await batchAverage(16);

const rows: readonly (readonly [string, number])[] = [
  ['AnchorLog.anchor', averages.anchorAverage],
  ['emits the root only', averages.emitOnly],
  ['mapping root => time', averages.mapping],
  ['AnchorLog.anchorMany, 16 roots, each', batchOf16Average],
];
const line = (name: string, gas: string, ratio: string): string =>
  `${name.padEnd(38)}${gas.padStart(9)}${ratio.padStart(9)}`;
console.log(line(`${ANCHORS} anchors, ${connection.networkConfig.chainType} chain`, 'gas', 'ratio'));
for (const [name, gas] of rows) console.log(line(name, gas.toFixed(1), (gas / averages.anchorAverage).toFixed(3)));

if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ anchors: ANCHORS, ...averages, batchOf16Average }));
}
