/** The door to an L2 node. Every failure becomes an `L2Error`; no message holds a key or the node's full address. */
import {
  BaseError,
  createPublicClient,
  custom,
  encodeFunctionData,
  http,
  keccak256,
  numberToHex,
  RpcRequestError,
  toHex,
  type Hex,
  type PublicClient,
  type Transport,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import type { RpcBlock } from '../protocol/header.ts';
import { anchorLogAbi } from './abi.ts';

export class L2Error extends Error {
  override readonly name = 'L2Error';
  /** Whether the same may work later. */
  readonly retryable: boolean;

  constructor(message: string, retryable: boolean) {
    super(message);
    this.retryable = retryable;
  }
}

export type SignedTransaction = { readonly hash: Uint8Array; readonly raw: Uint8Array; readonly nonce: bigint };
/** `known` too where the transaction was given to the node before. */
export type Sent = 'known' | 'nonce-used' | 'underpriced';
export type LogState = { readonly size: bigint; readonly root: Uint8Array };
export type LogEvent = {
  readonly index: bigint;
  readonly root: Uint8Array;
  readonly timestamp: bigint;
  readonly blockNumber: bigint;
  readonly blockHash: Uint8Array;
};

export type L2Options = {
  /** An address, or a provider in the same process. */
  readonly node: string | { readonly request: (args: { method: string; params?: object }) => Promise<unknown> };
  /** 20 bytes. */
  readonly contract: Uint8Array;
};

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.slice(2), 'hex'));

export class L2 {
  readonly contract: Uint8Array;
  readonly #client: PublicClient;
  readonly #where: string;

  constructor({ node, contract }: L2Options) {
    this.contract = contract;
    // Only the host is ever shown: providers put keys into paths and user names.
    this.#where = typeof node === 'string' ? new URL(node).host : 'the node of this process';
    const transport: Transport =
      typeof node === 'string'
        ? http(node, { timeout: 20_000, retryCount: 2 })
        : custom(node as never, { retryCount: 0 });
    this.#client = createPublicClient({ transport });
  }

  get #address(): Hex {
    return toHex(this.contract);
  }

  async #ask<T>(what: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw new L2Error(
        `${what} at ${this.#where}: ${this.#shown(error)}`,
        !(error instanceof BaseError && isRevert(error)),
      );
    }
  }

  /** viem's long messages name the whole address: only what the node said, and that without it. */
  #shown(error: unknown): string {
    if (!(error instanceof BaseError)) return error instanceof Error ? error.message : String(error);
    const cause = error.walk((each) => each instanceof RpcRequestError) ?? error;
    return (cause as BaseError).details || (cause as BaseError).shortMessage;
  }

  async chainId(): Promise<bigint> {
    return BigInt(await this.#ask('cannot read the chain id', () => this.#client.getChainId()));
  }

  /** Refuses an address without code. */
  async checkContract(): Promise<void> {
    const code = await this.#ask('cannot read the contract', () => this.#client.getCode({ address: this.#address }));
    if (code === undefined || code === '0x') {
      throw new L2Error(
        `there is no contract at ${this.#address} on the chain of ${this.#where}: check KEDGE_L2_CONTRACT`,
        false,
      );
    }
  }

  async block(at: 'latest' | 'safe' | 'finalized' | bigint): Promise<RpcBlock | undefined> {
    const tag = typeof at === 'bigint' ? numberToHex(at) : at;
    const block = await this.#ask(`cannot read block ${String(at)}`, () =>
      this.#client.request({ method: 'eth_getBlockByNumber', params: [tag, false] }),
    );
    return (block as RpcBlock | null) ?? undefined;
  }

  /** EIP-1186. Keys are padded to 32 bytes: some nodes refuse others. */
  async proof(address: Uint8Array, slots: readonly Uint8Array[], blockNumber: bigint) {
    const proof = await this.#ask(`cannot prove the state of block ${blockNumber}`, () =>
      this.#client.request({
        method: 'eth_getProof',
        params: [toHex(address), slots.map((slot) => toHex(slot)), numberToHex(blockNumber)],
      }),
    );
    return {
      accountProof: proof.accountProof.map(bytes),
      storageProofs: proof.storageProof.map((each) => each.proof.map(bytes)),
    };
  }

  async logState(blockNumber: bigint): Promise<LogState> {
    const call = { address: this.#address, abi: anchorLogAbi, blockNumber } as const;
    const [size, root] = await this.#ask('cannot read the anchor log', () =>
      Promise.all([
        this.#client.readContract({ ...call, functionName: 'size' }),
        this.#client.readContract({ ...call, functionName: 'logRoot' }),
      ]),
    );
    return { size, root: bytes(root) };
  }

  async anchorer(): Promise<Hex> {
    return this.#ask('cannot read the anchorer', () =>
      this.#client.readContract({ address: this.#address, abi: anchorLogAbi, functionName: 'anchorer' }),
    );
  }

  /** The event of one index, up to a block; by topic, so that a node answers it from its index. */
  async anchored(index: bigint, fromBlock: bigint, toBlock: bigint): Promise<LogEvent | undefined> {
    const span = 9_000n;
    for (let end = toBlock; end >= fromBlock; end -= span) {
      const start = end - span + 1n > fromBlock ? end - span + 1n : fromBlock;
      const [found] = await this.#ask(`cannot read the events of anchor ${index}`, () =>
        this.#client.getLogs({
          address: this.#address,
          event: anchorLogAbi[5],
          args: { index },
          fromBlock: start,
          toBlock: end,
          strict: true,
        }),
      );
      if (found === undefined) continue;
      const { root, timestamp } = found.args;
      return { index, root: bytes(root), timestamp, blockNumber: found.blockNumber, blockHash: bytes(found.blockHash) };
    }
    return undefined;
  }

  async nonce(address: Hex): Promise<bigint> {
    const nonce = await this.#ask('cannot read the nonce', () =>
      this.#client.getTransactionCount({ address, blockTag: 'latest' }),
    );
    return BigInt(nonce);
  }

  async sign(key: Hex, roots: readonly Uint8Array[], expectedIndex: bigint, nonce: bigint): Promise<SignedTransaction> {
    const account = privateKeyToAccount(key);
    const hexRoots = roots.map((root) => toHex(root));
    const data =
      hexRoots.length === 1
        ? encodeFunctionData({ abi: anchorLogAbi, functionName: 'anchor', args: [hexRoots[0]!, expectedIndex] })
        : encodeFunctionData({ abi: anchorLogAbi, functionName: 'anchorMany', args: [hexRoots, expectedIndex] });
    const { chainId, fees, gas } = await this.#ask('cannot prepare a transaction', async () => ({
      chainId: await this.#client.getChainId(),
      fees: await this.#client.estimateFeesPerGas(),
      gas: await this.#client.estimateGas({ account: account.address, to: this.#address, data }),
    }));
    const raw = await account.signTransaction({
      type: 'eip1559',
      chainId,
      to: this.#address,
      data,
      nonce: Number(nonce),
      // Room for the base fee to rise while the transaction waits, and for a merge more than was estimated.
      gas: (gas * 5n) / 4n,
      maxFeePerGas: fees.maxFeePerGas * 2n,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
    });
    return { hash: bytes(keccak256(raw)), raw: bytes(raw), nonce };
  }

  /** Safe to repeat with the same bytes. */
  async send(raw: Uint8Array): Promise<Sent> {
    try {
      await this.#client.request({ method: 'eth_sendRawTransaction', params: [toHex(raw)] });
      return 'known';
    } catch (error) {
      const said = this.#shown(error);
      if (/already known|already imported|known transaction/i.test(said)) return 'known';
      if (/nonce too low|nonce.*(?:too low|already)|already.*nonce/i.test(said)) return 'nonce-used';
      if (/underpriced|fee too low|max fee per gas less than/i.test(said)) return 'underpriced';
      if (/insufficient funds|doesn't have enough funds/i.test(said)) {
        throw new L2Error(
          `the anchorer's account cannot pay for gas: send it some. ${this.#where} said: ${said}`,
          true,
        );
      }
      throw new L2Error(`the transaction was not taken by ${this.#where}: ${said}`, true);
    }
  }
}

const isRevert = (error: BaseError): boolean => /revert/i.test(error.shortMessage);
