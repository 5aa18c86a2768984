/** A deployed anchor log on an OP-type chain in this process, beside the log that TypeScript says it should be. */
import hre from 'hardhat';
import {
  type Address,
  BaseError,
  bytesToHex,
  ContractFunctionRevertedError,
  type Hex,
  hexToBytes,
  parseAbi,
  parseEventLogs,
} from 'viem';
import { ascii, type LeafHash, u64 } from '../../src/protocol/bytes.ts';
import * as Log from '../../src/protocol/log.ts';
import * as Merkle from '../../src/protocol/merkle.ts';
import { sha256, SHA2_256 } from '../../src/protocol/suite.ts';

export const ABI = parseAbi([
  'constructor(address initialOwner, address initialAnchorer)',
  'function anchor(bytes32 root, uint256 expectedIndex)',
  'function anchorMany(bytes32[] roots, uint256 expectedIndex)',
  'function size() view returns (uint256)',
  'function logRoot() view returns (bytes32)',
  'function peaks() view returns (bytes32[] live)',
  'function isAnchored(bytes32 root, uint64 timestamp, uint256 index, bytes32[] proof) view returns (bool)',
  'function verifyInclusion(bytes entry, uint256 index, uint256 treeSize, bytes32[] proof, bytes32 root) pure returns (bool)',
  'function anchorer() view returns (address)',
  'function setAnchorer(address newAnchorer)',
  'function owner() view returns (address)',
  'function pendingOwner() view returns (address)',
  'function transferOwnership(address newOwner)',
  'function acceptOwnership()',
  'function renounceOwnership() view',
  'event Anchored(uint256 indexed index, bytes32 indexed root, uint256 timestamp)',
  'event AnchorerSet(address indexed previousAnchorer, address indexed newAnchorer)',
  'event OwnershipTransferStarted(address indexed previousOwner, address indexed newOwner)',
  'event OwnershipTransferred(address indexed previousOwner, address indexed newOwner)',
  'error AnchorLogUnauthorizedAnchorer(address account)',
  'error AnchorLogUnexpectedIndex(uint256 expectedIndex, uint256 size)',
  'error AnchorLogZeroRoot()',
  'error AnchorLogEmptyBatch()',
  'error AnchorLogChainIdTooLarge(uint256 chainId)',
  'error AnchorLogOwnershipNotRenounceable()',
  'error OwnableUnauthorizedAccount(address account)',
  'error OwnableInvalidOwner(address owner)',
  'error Rfc9162HashFailed()',
]);

export type Chain = Awaited<ReturnType<typeof start>>;

/** Account 0 owns and anchors. */
export async function start() {
  const connection = await hre.network.create('localOp');
  const client = await connection.viem.getPublicClient();
  const wallets = await connection.viem.getWalletClients();
  const [operator, stranger, third] = [wallets[0]!, wallets[1]!, wallets[2]!];
  return { connection, client, operator, stranger, third, evmChainId: BigInt(await client.getChainId()) };
}

export async function deploy(chain: Chain): Promise<AnchoredLog> {
  const account = chain.operator.account.address;
  const { address } = await chain.connection.viem.deployContract('AnchorLog', [account, account]);
  return new AnchoredLog(chain, address);
}

export const rootsOf = (seed: number, count: number): Hex[] =>
  Array.from({ length: count }, (_, index) => bytesToHex(sha256(ascii(`root ${seed} ${index}`))));

export class AnchoredLog {
  readonly chain: Chain;
  readonly address: Address;
  readonly entries: Uint8Array[] = [];
  readonly anchored: { readonly root: Hex; readonly timestamp: bigint }[] = [];
  readonly leaves: LeafHash[] = [];
  range: Merkle.Range = Merkle.emptyRange;

  constructor(chain: Chain, address: Address) {
    this.chain = chain;
    this.address = address;
  }

  get contract() {
    return { abi: ABI, address: this.address };
  }

  /** One root by `anchor`, several by `anchorMany`; what TypeScript appends comes from the events. */
  async append(roots: readonly Hex[]) {
    const index = BigInt(this.entries.length);
    const hash = await (roots.length === 1
      ? this.chain.operator.writeContract({ ...this.contract, functionName: 'anchor', args: [roots[0]!, index] })
      : this.chain.operator.writeContract({ ...this.contract, functionName: 'anchorMany', args: [roots, index] }));
    const receipt = await this.chain.client.getTransactionReceipt({ hash });
    const events = parseEventLogs({ abi: ABI, eventName: 'Anchored', logs: receipt.logs });
    for (const { args } of events) {
      const contract = hexToBytes(this.address);
      const { evmChainId } = this.chain;
      const entry = Log.entry({ evmChainId, contract, root: hexToBytes(args.root), timestamp: args.timestamp });
      const leaf = Merkle.leafHash(SHA2_256, entry);
      this.entries.push(entry);
      this.anchored.push({ root: args.root, timestamp: args.timestamp });
      this.leaves.push(leaf);
      this.range = Merkle.append(SHA2_256, this.range, leaf);
    }
    return { receipt, events };
  }

  root(): Hex {
    return bytesToHex(Merkle.root(SHA2_256, this.leaves));
  }

  path(index: number): Hex[] {
    return Merkle.inclusionProof(SHA2_256, this.leaves, index).map((node) => bytesToHex(node));
  }

  /** The 32 bytes of the slot `offset` above S. */
  async slot(offset: bigint): Promise<Uint8Array> {
    const slot = `0x${(Log.BASE_SLOT + offset).toString(16).padStart(64, '0')}` as const;
    return hexToBytes((await this.chain.client.getStorageAt({ address: this.address, slot })) ?? '0x', { size: 32 });
  }

  read = {
    size: () => this.chain.client.readContract({ ...this.contract, functionName: 'size' }),
    logRoot: () => this.chain.client.readContract({ ...this.contract, functionName: 'logRoot' }),
    peaks: () => this.chain.client.readContract({ ...this.contract, functionName: 'peaks' }),
    anchorer: () => this.chain.client.readContract({ ...this.contract, functionName: 'anchorer' }),
    owner: () => this.chain.client.readContract({ ...this.contract, functionName: 'owner' }),
  };

  verifyInclusion(entry: Uint8Array, index: bigint, size: bigint, proof: readonly Hex[], root: Hex): Promise<boolean> {
    const args = [bytesToHex(entry), index, size, proof, root] as const;
    return this.chain.client.readContract({ ...this.contract, functionName: 'verifyInclusion', args });
  }

  isAnchored(root: Hex, timestamp: bigint, index: bigint, proof: readonly Hex[]): Promise<boolean> {
    const args = [root, timestamp, index, proof] as const;
    return this.chain.client.readContract({ ...this.contract, functionName: 'isAnchored', args });
  }
}

/** RFC 9162, 2.1.1, as it stands there: recursive and slow. */
export function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array());
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Uint8Array.of(1, ...naiveRoot(leaves.slice(0, k)), ...naiveRoot(leaves.slice(k))));
}

/** The custom error that a call reverts with, as `Name(arguments)`; `undefined` where it does not revert. */
export async function revertOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    const found = error instanceof BaseError && error.walk((cause) => cause instanceof ContractFunctionRevertedError);
    if (!(found instanceof ContractFunctionRevertedError) || found.data === undefined) throw error;
    return `${found.data.errorName}(${(found.data.args ?? []).join(', ')})`;
  }
}

export const head = (anchorer: Address, size: number): Uint8Array =>
  Uint8Array.of(0, 0, 0, 0, ...hexToBytes(anchorer), ...u64(BigInt(size)));
