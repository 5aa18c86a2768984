/** A node in memory that does what a test tells it: blocks when told, a mempool, one anchor log. */
import {
  decodeFunctionData,
  encodeAbiParameters,
  encodeErrorResult,
  encodeEventTopics,
  keccak256,
  numberToHex,
  parseTransaction,
  recoverTransactionAddress,
  toFunctionSelector,
  toHex,
  type Hex,
  type TransactionSerializedEIP1559,
} from 'viem';
import { privateKeyToAddress } from 'viem/accounts';
import { anchorLogAbi } from '../../../src/anchor/abi.ts';
import * as Log from '../../../src/protocol/log.ts';
import * as Merkle from '../../../src/protocol/merkle.ts';
import { SHA2_256 } from '../../../src/protocol/suite.ts';

export const KEY: Hex = `0x${'5a'.repeat(32)}`;
export const ANCHORER = privateKeyToAddress(KEY).toLowerCase();
export const CONTRACT = new Uint8Array(20).fill(0xc0);
export const CHAIN_ID = 10;
const ADDRESS = toHex(CONTRACT);

type Entry = { readonly root: Hex; readonly timestamp: bigint };
type Block = {
  readonly number: bigint;
  readonly hash: Hex;
  readonly timestamp: bigint;
  readonly entries: readonly Entry[];
  readonly nonce: number;
};
type Pending = { readonly raw: Hex; readonly nonce: number; readonly data: Hex | undefined };
export type Fault = (method: string, params: readonly unknown[], answer: () => unknown) => unknown;

export class RpcFailure extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(message: string, code = -32000, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export class FakeNode {
  blocks: Block[] = [];
  mempool: Pending[] = [];
  chainId = CHAIN_ID;
  code = '0x60';
  baseFee = 1_000_000n;
  maxLogSpan = 1_000_000n;
  /** Every block of a fork has other hashes. */
  fork = 0;
  readonly asked: { readonly method: string; readonly params: readonly unknown[] }[] = [];
  readonly sent: Hex[] = [];
  fault: Fault = (_method, _params, answer) => answer();

  constructor() {
    this.mine();
  }

  get tip(): Block {
    return this.blocks.at(-1)!;
  }

  request = async ({ method, params = [] }: { method: string; params?: object }): Promise<unknown> => {
    const list = params as readonly unknown[];
    this.asked.push({ method, params: list });
    if (method === 'eth_sendRawTransaction') this.sent.push(list[0] as Hex);
    return this.fault(method, list, () => this.#answer(method, list));
  };

  /** Takes in all of the mempool whose turn it is. */
  mine(timestamp = 1_790_000_000n + 2n * BigInt(this.blocks.length)): void {
    const before = this.blocks.at(-1);
    const number = BigInt(this.blocks.length);
    const entries = [...(before?.entries ?? [])];
    let nonce = before?.nonce ?? 0;
    for (const { nonce: own, data } of this.mempool.sort((a, b) => a.nonce - b.nonce)) {
      if (own !== nonce) continue;
      nonce += 1;
      if (data === undefined) continue;
      const { roots, expectedIndex } = called(data);
      // A stale index reverts, and its nonce is used all the same.
      if (expectedIndex === BigInt(entries.length)) entries.push(...roots.map((root) => ({ root, timestamp })));
    }
    this.mempool = this.mempool.filter((each) => each.nonce >= nonce);
    const hash = keccak256(toHex(`${this.fork}/${number}/${entries.length}`));
    this.blocks.push({ number, hash, timestamp, entries, nonce });
  }

  /** Another transaction of the anchorer's account. */
  foreign(roots?: readonly Hex[]): void {
    const nonce = this.tip.nonce;
    this.mempool = this.mempool.filter((each) => each.nonce !== nonce);
    if (roots === undefined) this.mempool.push({ raw: '0x', nonce, data: undefined });
    this.mine();
    if (roots === undefined) return;
    const { tip } = this;
    this.blocks[this.blocks.length - 1] = {
      ...tip,
      nonce: nonce + 1,
      entries: [...tip.entries, ...roots.map((root) => ({ root, timestamp: tip.timestamp }))],
    };
  }

  #block(at: unknown): Block {
    if (typeof at === 'object' && at !== null) {
      const found = this.blocks.find(({ hash }) => hash === (at as { blockHash: Hex }).blockHash);
      if (found === undefined) throw new RpcFailure('header for hash not found');
      return found;
    }
    if (at === undefined || at === 'latest' || at === 'pending') return this.tip;
    const found = this.blocks[Number(at)];
    if (found === undefined) throw new RpcFailure('header not found');
    return found;
  }

  async #answer(method: string, params: readonly unknown[]): Promise<unknown> {
    switch (method) {
      case 'eth_chainId':
        return numberToHex(this.chainId);
      case 'eth_getCode':
        return this.code;
      case 'eth_getBlockByNumber': {
        const { number, hash, timestamp } = this.#block(params[0]);
        return {
          number: numberToHex(number),
          hash,
          timestamp: numberToHex(timestamp),
          baseFeePerGas: numberToHex(this.baseFee),
          transactions: [],
        };
      }
      case 'eth_maxPriorityFeePerGas':
        return numberToHex(1000);
      case 'eth_getTransactionCount':
        return numberToHex(this.#block(params[1]).nonce);
      case 'eth_call':
        return this.#call((params[0] as { data: Hex }).data, this.#block(params[1]));
      case 'eth_estimateGas':
        return this.#estimate((params[0] as { data: Hex }).data);
      case 'eth_getLogs':
        return this.#logs(params[0] as Filter);
      case 'eth_sendRawTransaction':
        return this.#send(params[0] as TransactionSerializedEIP1559);
      default:
        throw new RpcFailure(`the method ${method} does not exist`, -32601);
    }
  }

  #call(data: Hex, { entries }: Block): Hex {
    if (data === toFunctionSelector('size()')) return numberToHex(entries.length, { size: 32 });
    if (data === toFunctionSelector('anchorer()')) return `0x${ANCHORER.slice(2).padStart(64, '0')}`;
    const leaves = entries.map(({ root, timestamp }) =>
      Merkle.leafHash(
        SHA2_256,
        Log.entry({
          evmChainId: BigInt(CHAIN_ID),
          contract: CONTRACT,
          root: Buffer.from(root.slice(2), 'hex'),
          timestamp,
        }),
      ),
    );
    return toHex(Merkle.root(SHA2_256, leaves));
  }

  #estimate(data: Hex): Hex {
    const { expectedIndex } = called(data);
    const size = BigInt(this.tip.entries.length);
    if (expectedIndex === size) return numberToHex(60_000);
    const revert = encodeErrorResult({
      abi: anchorLogAbi,
      errorName: 'AnchorLogUnexpectedIndex',
      args: [expectedIndex, size],
    });
    throw new RpcFailure('execution reverted', 3, revert);
  }

  #logs({ fromBlock, toBlock, topics: [, indexes] }: Filter): unknown[] {
    const [from, to] = [BigInt(fromBlock), BigInt(toBlock)];
    if (to - from + 1n > this.maxLogSpan) throw new RpcFailure(`block range is limited to ${this.maxLogSpan}`, -32600);
    return this.tip.entries.flatMap(({ root, timestamp }, index) => {
      const { number, hash } = this.blocks.find(({ entries }) => entries.length > index)!;
      const topic = numberToHex(index, { size: 32 });
      if (number < from || number > to || !(indexes === topic || indexes.includes(topic))) return [];
      return {
        address: ADDRESS,
        topics: encodeEventTopics({ abi: anchorLogAbi, eventName: 'Anchored', args: { index: BigInt(index), root } }),
        data: encodeAbiParameters([{ type: 'uint256' }], [timestamp]),
        blockNumber: numberToHex(number),
        blockHash: hash,
        transactionHash: hash,
        transactionIndex: '0x0',
        logIndex: '0x0',
        removed: false,
      };
    });
  }

  async #send(raw: TransactionSerializedEIP1559): Promise<Hex> {
    const { nonce = 0, data, chainId, maxFeePerGas = 0n } = parseTransaction(raw);
    const from = await recoverTransactionAddress({ serializedTransaction: raw });
    if (from.toLowerCase() !== ANCHORER || chainId !== CHAIN_ID) throw new RpcFailure('invalid sender');
    if (this.mempool.some((each) => each.raw === raw)) throw new RpcFailure('already known');
    if (nonce < this.tip.nonce) throw new RpcFailure(`nonce too low: next nonce ${this.tip.nonce}, tx nonce ${nonce}`);
    if (maxFeePerGas < this.baseFee) throw new RpcFailure('max fee per gas less than block base fee');
    this.mempool = [...this.mempool.filter((each) => each.nonce !== nonce), { raw, nonce, data }];
    return keccak256(raw);
  }
}

type Filter = { fromBlock: Hex; toBlock: Hex; topics: [Hex, Hex | Hex[]] };

function called(data: Hex): { readonly roots: readonly Hex[]; readonly expectedIndex: bigint } {
  const { functionName, args } = decodeFunctionData({ abi: anchorLogAbi, data });
  if (functionName === 'anchor') return { roots: [args[0]], expectedIndex: args[1] };
  if (functionName === 'anchorMany') return { roots: args[0], expectedIndex: args[1] };
  throw new Error(`${functionName} is no transaction of the anchorer's`);
}
