/** The door to an L2 node. Every failure becomes an `L2Error`; no message holds a key or the node's full address. */
import {
  createPublicClient,
  custom,
  http,
  numberToHex,
  pad,
  toHex,
  type Hex,
  type PublicClient,
  type Transport,
} from 'viem';
import type { RpcBlock } from '../protocol/header.ts';
import { anchoredEvent, anchorLogAbi } from './abi.ts';
import * as Fault from './fault.ts';
import { L2Error } from './fault.ts';
import * as Transaction from './transaction.ts';
import { bytes } from './transaction.ts';

export { L2Error } from './fault.ts';

/**
 * `known` too where the transaction was given to the node before; `nonce-used`: its nonce is spent, by itself or by
 * another; `nonce-gap`: one before it is missing; `underpriced`: below what the node takes, or takes in its place.
 */
export type Sent = 'known' | 'nonce-used' | 'nonce-gap' | 'underpriced';
export type BlockName = { readonly number: bigint; readonly hash: Uint8Array };
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
  /** For one answer. */
  readonly timeoutMs?: number;
  /** Wei for a unit of gas: above it nothing is sent. */
  readonly maxFeePerGas?: bigint;
  readonly pause?: (ms: number) => Promise<void>;
};

const TIMEOUT_MS = 20_000;
const MAX_FEE_PER_GAS = 100_000_000_000n;
/** Asked again this often while a node is busy; after that it is the caller's next round. */
const ATTEMPTS = 3;
const BACKOFF_MS = 250;
const MAX_WAIT_MS = 10_000;
/** Blocks for one `eth_getLogs`: what public nodes commonly allow. Halved where one allows less. */
const LOG_SPAN = 9_000n;
/** Indexes for one `eth_getLogs`. */
const LOG_INDEXES = 64;

const sleep = (ms: number): Promise<void> => new Promise((done) => void setTimeout(done, ms));

export class L2 {
  readonly contract: Uint8Array;
  readonly #client: PublicClient;
  readonly #where: string;
  readonly #secrets: readonly string[];
  readonly #maxFeePerGas: bigint;
  readonly #pause: (ms: number) => Promise<void>;
  #logSpan = LOG_SPAN;

  constructor({ node, contract, timeoutMs = TIMEOUT_MS, maxFeePerGas = MAX_FEE_PER_GAS, pause = sleep }: L2Options) {
    this.contract = contract;
    const address = typeof node === 'string' ? new URL(node) : undefined;
    this.#where = address?.host ?? 'the node of this process';
    this.#secrets = address === undefined ? [] : Fault.secretsOf(address);
    this.#maxFeePerGas = maxFeePerGas;
    this.#pause = pause;
    // Retries are ours: viem would wait for as long as a node's Retry-After says.
    const transport: Transport =
      typeof node === 'string'
        ? http(node, { timeout: timeoutMs, retryCount: 0 })
        : custom(node as never, { retryCount: 0 });
    this.#client = createPublicClient({ transport });
  }

  get #address(): Hex {
    return toHex(this.contract);
  }

  /** Asks until the node is not busy, a few times. Everything asked is safe to repeat. */
  async #try<T>(ask: () => Promise<T>): Promise<{ readonly answer: T } | { readonly fault: Fault.Fault }> {
    for (let attempt = 1; ; attempt++) {
      try {
        return { answer: await ask() };
      } catch (error) {
        const fault = Fault.read(error, this.#secrets);
        const wait = fault.retryAfterMs ?? BACKOFF_MS * 2 ** attempt * (0.5 + Math.random() / 2);
        if (!fault.isBusy || attempt === ATTEMPTS || wait > MAX_WAIT_MS) return { fault };
        await this.#pause(wait);
      }
    }
  }

  async #ask<T>(what: string, ask: () => Promise<T>): Promise<T> {
    const tried = await this.#try(ask);
    if ('answer' in tried) return tried.answer;
    throw this.#error(what, tried.fault);
  }

  #error(what: string, { said, revert, isRevert }: Fault.Fault): L2Error {
    // Another transaction of ours got through in between: the next round sees it.
    const isRace = revert === 'AnchorLogUnexpectedIndex';
    return new L2Error(`${what} at ${this.#where}: ${revert ?? said}`, isRace || !isRevert);
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

  /** The block that stands at a number now. */
  async blockName(at: 'latest' | bigint): Promise<BlockName | undefined> {
    const block = await this.block(at);
    if (block === undefined) return undefined;
    const { number, hash } = block as { readonly number?: unknown; readonly hash?: unknown };
    if (!/^0x[0-9a-f]{1,16}$/i.test(String(number)) || !/^0x[0-9a-f]{64}$/i.test(String(hash))) {
      throw new L2Error(`block ${String(at)} of ${this.#where} has no number or no hash`, true);
    }
    return { number: BigInt(String(number)), hash: bytes(String(hash)) };
  }

  /** EIP-1186. Keys are padded to 32 bytes: some nodes refuse others. */
  async proof(address: Uint8Array, slots: readonly Uint8Array[], blockNumber: bigint) {
    return this.#ask(`cannot prove the state of block ${blockNumber}`, async () => {
      const { accountProof, storageProof } = await this.#client.request({
        method: 'eth_getProof',
        params: [toHex(address), slots.map((slot) => pad(toHex(slot), { size: 32 })), numberToHex(blockNumber)],
      });
      return {
        accountProof: accountProof.map(bytes),
        storageProofs: storageProof.map(({ proof }) => proof.map(bytes)),
      };
    });
  }

  /** By a block's hash (EIP-1898) both answers are of that very block, whichever node of a provider gives them. */
  async logState(block: bigint | Uint8Array): Promise<LogState> {
    const at = typeof block === 'bigint' ? { blockNumber: block } : { blockHash: toHex(block) };
    const call = { address: this.#address, abi: anchorLogAbi, ...at } as const;
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

  /** The event of one index, between two blocks. */
  async anchored(index: bigint, fromBlock: bigint, toBlock: bigint): Promise<LogEvent | undefined> {
    return (await this.anchoredSince(index, index + 1n, fromBlock, toBlock)).get(index);
  }

  /** The events of the indexes from `first` to below `end`; by topic, so that a node answers from its index. */
  async anchoredSince(
    first: bigint,
    end: bigint,
    fromBlock: bigint,
    toBlock: bigint,
  ): Promise<ReadonlyMap<bigint, LogEvent>> {
    const found = new Map<bigint, LogEvent>();
    let missing = Array.from({ length: Number(end - first) }, (_, i) => first + BigInt(i));
    // What is asked for is new, so the search goes back from the newest block.
    for (let top = toBlock; top >= fromBlock && missing.length > 0;) {
      const bottom = top - this.#logSpan + 1n > fromBlock ? top - this.#logSpan + 1n : fromBlock;
      const events = await this.#events(missing, bottom, top);
      if (events === undefined) continue;
      for (const event of events) found.set(event.index, event);
      missing = missing.filter((index) => !found.has(index));
      top = bottom - 1n;
    }
    return found;
  }

  /** `undefined` where the node wants to be asked for fewer blocks at once. */
  async #events(indexes: readonly bigint[], fromBlock: bigint, toBlock: bigint): Promise<LogEvent[] | undefined> {
    const events: LogEvent[] = [];
    for (let at = 0; at < indexes.length; at += LOG_INDEXES) {
      const wanted = indexes.slice(at, at + LOG_INDEXES);
      const tried = await this.#try(() =>
        this.#client.getLogs({
          address: this.#address,
          event: anchoredEvent,
          args: { index: wanted },
          fromBlock,
          toBlock,
          strict: true,
        }),
      );
      if ('fault' in tried) {
        const isTooWide = tried.fault.isAnswer && /range|blocks|results/i.test(tried.fault.said);
        if (!isTooWide || this.#logSpan === 1n || fromBlock === toBlock) {
          throw this.#error(`cannot read the events of anchors from ${wanted[0]} on`, tried.fault);
        }
        this.#logSpan = this.#logSpan / 2n > 1n ? this.#logSpan / 2n : 1n;
        return undefined;
      }
      for (const { address, args, blockNumber, blockHash } of tried.answer) {
        // Some nodes are free with what was asked for.
        if (address.toLowerCase() !== this.#address || !wanted.includes(args.index) || blockHash === null) continue;
        const { index, root, timestamp } = args;
        events.push({ index, root: bytes(root), timestamp, blockNumber, blockHash: bytes(blockHash) });
      }
    }
    return events;
  }

  /** Transactions of the account up to a block: the lowest nonce that is free there. */
  async nonce(address: Hex, block?: Uint8Array): Promise<bigint> {
    const at = block === undefined ? { blockTag: 'latest' as const } : { blockHash: toHex(block) };
    return BigInt(await this.#ask('cannot read the nonce', () => this.#client.getTransactionCount({ address, ...at })));
  }

  /** Signs what appends `roots`; where `refused` ones have its nonce, for more than they offered. */
  async sign(
    key: Hex,
    chainId: bigint,
    roots: readonly Uint8Array[],
    expectedIndex: bigint,
    nonce: bigint,
    refused: readonly Uint8Array[] = [],
  ): Promise<Transaction.Signed> {
    const account = Transaction.addressOf(key);
    const data = Transaction.call(roots, expectedIndex);
    const fees = await this.#fees(Transaction.outbid(refused));
    const gas = await this.#ask('cannot prepare a transaction', () =>
      this.#client.estimateGas({ account, to: this.#address, data }),
    );
    // Room for a merge more than was estimated.
    return Transaction.sign(key, { chainId, to: this.#address, data, nonce, gas: (gas * 5n) / 4n, fees });
  }

  async #fees(least: Transaction.Fees): Promise<Transaction.Fees> {
    const now = await this.#ask('cannot read the fees', () => this.#client.estimateFeesPerGas());
    const needed = now.maxFeePerGas > least.max ? now.maxFeePerGas : least.max;
    if (needed > this.#maxFeePerGas) {
      const gwei = (wei: bigint): string => `${Number(wei) / 1e9} gwei`;
      throw new L2Error(
        `a transaction would cost ${gwei(needed)} for a unit of gas and at most ${gwei(this.#maxFeePerGas)} is paid: anchors ` +
          'wait until it is less',
        true,
      );
    }
    // Room for the base fee to rise while the transaction waits.
    const wanted = now.maxFeePerGas * 2n > least.max ? now.maxFeePerGas * 2n : least.max;
    const max = wanted < this.#maxFeePerGas ? wanted : this.#maxFeePerGas;
    const tip = now.maxPriorityFeePerGas > least.tip ? now.maxPriorityFeePerGas : least.tip;
    return { max, tip: tip < max ? tip : max };
  }

  /** Safe to repeat with the same bytes. Where it throws, the node may have the transaction all the same. */
  async send(raw: Uint8Array): Promise<Sent> {
    const tried = await this.#try(() =>
      this.#client.request({ method: 'eth_sendRawTransaction', params: [toHex(raw)] }),
    );
    if ('answer' in tried) return 'known';
    const { said } = tried.fault;
    if (/already.?known|already imported|known transaction/i.test(said)) return 'known';
    if (/nonce.?too.?low|old.?nonce|nonce.*already|already.*nonce/i.test(said)) return 'nonce-used';
    if (/nonce.?too.?high|nonce.?gap/i.test(said)) return 'nonce-gap';
    if (/underpriced|fee.?too.?low|max ?fee ?per ?gas.*(?:less than|too low)/i.test(said)) return 'underpriced';
    if (/insufficient.?funds|doesn't have enough funds/i.test(said)) {
      throw new L2Error(`the anchorer's account cannot pay for gas: send it some. ${this.#where} said: ${said}`, true);
    }
    throw new L2Error(`the transaction was not taken by ${this.#where}: ${said}`, true);
  }
}
