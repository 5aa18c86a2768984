import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseTransaction, toFunctionSelector, toHex, type Hex } from 'viem';
import * as Anchorer from '../../../src/anchor/anchorer.ts';
import { L2, L2Error } from '../../../src/anchor/l2.ts';
import { type ContentHash, type KeyDigest, type PublicKey } from '../../../src/protocol/bytes.ts';
import { SHA2_256 } from '../../../src/protocol/suite.ts';
import { create, type SqliteStore } from '../../../src/store/sqlite.ts';
import { CONTRACT, FakeNode, KEY, RpcFailure } from './node.ts';

const SEND = 'eth_sendRawTransaction';
const SECRET = new Uint8Array(32).fill(9);

async function failure(promise: Promise<unknown>): Promise<L2Error> {
  try {
    await promise;
  } catch (error) {
    expect(error).to.be.instanceOf(L2Error);
    expect((error as L2Error).message).not.to.contain(KEY.slice(2, 20));
    return error as L2Error;
  }
  throw new Error('it did not fail');
}

describe('the anchorer, with a node that is told what to do', () => {
  let directory: string;
  let store: SqliteStore;
  let node: FakeNode;
  let anchorer: Anchorer.Anchorer;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'kedge-'));
    store = create(join(directory, 'store.sqlite'));
    node = new FakeNode();
    const l2 = new L2({ node, contract: CONTRACT, pause: async () => {} });
    anchorer = await Anchorer.connect(store, l2, SECRET);
  });
  afterEach(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });

  const rootOf = (number: number): Uint8Array => new Uint8Array(32).fill(number + 1);
  const add = async (count = 1): Promise<void> => {
    const from = (await store.anchors()).length;
    for (let n = from; n < from + count; n++) await store.addAnchor(BigInt(n), rootOf(n), 1, []);
  };
  const step = () => Anchorer.step(anchorer, KEY);
  const logged = (): readonly Hex[] => node.tip.entries.map(({ root }) => root);
  const inclusions = async () => (await store.anchors()).map(({ included }) => included);
  const ours = (count: number): readonly Hex[] => Array.from({ length: count }, (_, n) => toHex(rootOf(n)));
  /** The node does what was asked and its answer is lost. */
  const loseAnswers = (): void => {
    node.fault = async (method, _params, answer) => {
      if (method !== SEND) return answer();
      await answer();
      throw new RpcFailure('upstream timed out', -32099);
    };
  };
  const heal = (): void => {
    node.fault = (_method, _params, answer) => answer();
  };

  it('sends, waits, and believes what the log shows at one block', async () => {
    await add();
    expect(await step()).to.deep.equal({ included: 0, pending: 1, sent: true });
    expect(await step()).to.deep.equal({ included: 0, pending: 1, sent: true });
    node.mine();
    expect(await step()).to.deep.equal({ included: 1, pending: 0, sent: false });
    const { number, hash, timestamp } = node.tip;
    expect(await inclusions()).to.deep.equal([
      { index: 0n, timestamp, blockNumber: number, blockHash: Uint8Array.from(Buffer.from(hash.slice(2), 'hex')) },
    ]);
    expect(new Set(node.sent).size).to.equal(1);
    const methods = node.asked.map(({ method }) => method);
    expect(methods).not.to.include('eth_getTransactionReceipt');
    expect(methods).not.to.include('eth_getTransactionByHash');
    const calls = node.asked.filter(({ method }) => method === 'eth_call').map(({ params }) => params[1]);
    expect(calls.filter((at) => typeof at === 'object')).to.have.length.above(1);
  });

  it('the transaction is on disk before the node hears of it', async () => {
    await add();
    const seen: string[][] = [];
    node.fault = async (method, _params, answer) => {
      if (method === SEND) seen.push((await store.openTransactions()).map(({ raw }) => toHex(raw)));
      return answer();
    };
    await step();
    expect(seen).to.deep.equal([[node.sent[0]]]);
  });

  it('sent is unknown: the same bytes again, and one entry', async () => {
    await add();
    loseAnswers();
    expect((await failure(step())).retryable).to.equal(true);
    // The node says that it has it already.
    await step();
    heal();
    await step();
    expect(node.sent).to.have.length(3);
    expect(new Set(node.sent).size).to.equal(1);
    node.mine();
    expect((await step()).included).to.equal(1);
    expect(logged()).to.deep.equal(ours(1));
  });

  it('taken, mined, and the answer lost: nothing is sent again', async () => {
    await add();
    loseAnswers();
    await failure(step());
    heal();
    node.mine();
    expect(await step()).to.deep.equal({ included: 1, pending: 0, sent: false });
    expect(node.sent).to.have.length(1);
  });

  it('mined after the log was read and before the transaction went out again: one entry, no new transaction', async () => {
    await add();
    await step();
    node.fault = async (method, _params, answer) => {
      if (method === SEND) node.mine();
      return answer();
    };
    expect((await step()).pending).to.equal(1);
    heal();
    expect((await step()).included).to.equal(1);
    expect(await store.openTransactions()).to.deep.equal([]);
    expect(new Set(node.sent).size).to.equal(1);
  });

  it('mined between the log and the nonce: the nonce is of the same block, so nothing new is signed', async () => {
    await add();
    await step();
    node.fault = async (method, _params, answer) => {
      if (method === 'eth_getTransactionCount' && node.mempool.length > 0) node.mine();
      return answer();
    };
    await step();
    heal();
    expect((await step()).included).to.equal(1);
    expect(new Set(node.sent).size).to.equal(1);
  });

  it('a nonce that another transaction used: a new one with the next nonce', async () => {
    await add();
    await step();
    node.foreign();
    await step();
    const nonces = [...new Set(node.sent)].map((raw) => parseTransaction(raw).nonce ?? 0);
    expect(nonces).to.deep.equal([0, 1]);
    node.mine();
    expect((await step()).included).to.equal(1);
    expect(logged()).to.deep.equal(ours(1));
  });

  it('an emptied mempool: the same bytes again', async () => {
    await add();
    await step();
    node.mempool = [];
    await step();
    expect(node.mempool).to.have.length(1);
    expect(new Set(node.sent).size).to.equal(1);
  });

  it('a gap below our nonce is filled', async () => {
    await add();
    node.foreign();
    await step();
    // The foreign transaction is reorganized away: our nonce waits for one that nobody will send.
    node.fork += 1;
    node.blocks = node.blocks.slice(0, 1);
    node.mine();
    await step();
    node.mine();
    expect((await step()).included).to.equal(1);
    expect(logged()).to.deep.equal(ours(1));
  });

  it('a base fee above the offer: outbid under the same nonce, up to the cap', async () => {
    await add();
    await step();
    node.mempool = [];
    node.baseFee = 50_000_000n;
    await step();
    const [first, second] = [...new Set(node.sent)].map((raw) => parseTransaction(raw));
    expect(second!.nonce).to.equal(first!.nonce);
    expect(Number(second!.maxFeePerGas)).to.be.at.least(Number(first!.maxFeePerGas) * 1.1);
    node.mempool = [];
    node.baseFee = 200_000_000_000n;
    const { message, retryable } = await failure(step());
    expect(retryable).to.equal(true);
    expect(message).to.contain('gwei');
    expect(new Set(node.sent).size).to.equal(2);
    node.baseFee = 1_000_000n;
    await step();
    node.mine();
    expect((await step()).included).to.equal(1);
    expect(logged()).to.deep.equal(ours(1));
  });

  it('a node that refuses for the fee for ever: each offer is higher, none above the cap', async () => {
    await add();
    node.fault = (method, _params, answer) => {
      if (method === SEND) throw new RpcFailure('replacement transaction underpriced');
      return answer();
    };
    for (let round = 0; round < 4; round++) await failure(step());
    const fees = [...new Set(node.sent)].map((raw) => parseTransaction(raw).maxFeePerGas!);
    expect(fees).to.have.length(4);
    for (let i = 1; i < fees.length; i++) expect(fees[i]! * 10n >= fees[i - 1]! * 11n).to.equal(true);
  });

  it('a backlog goes out in batches that a block holds', async () => {
    await add(150);
    for (let round = 0; round < 4; round++) {
      await step();
      node.mine();
    }
    expect(logged()).to.deep.equal(ours(150));
    expect(await step()).to.include({ pending: 0 });
    expect(node.sent.length).to.equal(3);
    expect((await inclusions()).map((each) => each?.index)).to.deep.equal(ours(150).map((_, i) => BigInt(i)));
  });

  it('anchors planned while one is under way wait for it', async () => {
    await add();
    await step();
    await add(2);
    await step();
    expect(new Set(node.sent).size).to.equal(1);
    node.mine();
    await step();
    node.mine();
    expect(await step()).to.include({ included: 2, pending: 0 });
    expect(logged()).to.deep.equal(ours(3));
  });

  it('a root of somebody else in our place is fatal, and nothing is sent', async () => {
    await add();
    node.foreign([`0x${'ee'.repeat(32)}`]);
    const { message, retryable } = await failure(step());
    expect(retryable).to.equal(false);
    expect(message).to.contain('not ours');
    expect(node.sent).to.deep.equal([]);
  });

  it('a log beyond what this store ever planned is fatal: an old copy', async () => {
    node.foreign(ours(1));
    expect((await failure(step())).retryable).to.equal(false);
  });

  it('an event that is not what the log holds is not believed, and not taken for somebody else', async () => {
    await add();
    await step();
    node.mine();
    for (const [part, position] of [
      ['topics', 2],
      ['data', undefined],
    ] as const) {
      node.fault = async (method, _params, answer) => {
        const logs = await answer();
        if (method !== 'eth_getLogs') return logs;
        const lie = `0x${'00'.repeat(31)}77`;
        return (logs as { topics: Hex[]; data: Hex }[]).map((log) =>
          position === undefined ? { ...log, data: lie } : { ...log, topics: log.topics.with(position, lie as Hex) },
        );
      };
      expect((await failure(step())).retryable, part).to.equal(true);
    }
    expect(await inclusions()).to.deep.equal([undefined]);
  });

  it('no event, an event of a block that does not stand, another log root: none is believed', async () => {
    await add();
    await step();
    node.mine();
    node.fault = (method, _params, answer) => (method === 'eth_getLogs' ? [] : answer());
    expect((await failure(step())).retryable).to.equal(true);
    node.fault = async (method, _params, answer) => {
      const logs = await answer();
      if (method !== 'eth_getLogs') return logs;
      return (logs as object[]).map((log) => ({ ...log, blockHash: `0x${'ab'.repeat(32)}` }));
    };
    expect((await failure(step())).retryable).to.equal(true);
    for (const [call, lie] of [
      ['logRoot()', `0x${'00'.repeat(32)}`],
      ['size()', `0x${'00'.repeat(31)}02`],
    ] as const) {
      node.fault = (method, params, answer) => {
        const isCall = method === 'eth_call' && (params[0] as { data: Hex }).data === toFunctionSelector(call);
        return isCall ? lie : answer();
      };
      expect((await failure(step())).retryable, call).to.equal(true);
    }
    expect(await inclusions()).to.deep.equal([undefined]);
    heal();
    expect((await step()).included).to.equal(1);
  });

  it('a node that lags behind our newest anchor is not taken for a reorganization', async () => {
    await add();
    await step();
    node.mine();
    await step();
    const { blocks } = node;
    node.blocks = blocks.slice(0, 1);
    const { message, retryable } = await failure(step());
    expect(retryable).to.equal(true);
    expect(message).to.contain('behind');
    node.blocks = blocks;
    expect(await step()).to.include({ pending: 0 });
  });

  it('an anchor that a reorganization moved to another block and time is read back again', async () => {
    await add(2);
    await step();
    node.mine();
    await step();
    const [before] = await inclusions();
    const [raw] = node.sent;
    node.fork += 1;
    node.blocks = node.blocks.slice(0, 1);
    node.mine();
    await node.request({ method: SEND, params: [raw] });
    node.mine(1_790_000_777n);
    expect(await step()).to.deep.equal({ included: 0, pending: 0, sent: false });
    const [after, second] = await inclusions();
    expect(after).to.deep.include({ index: 0n, timestamp: 1_790_000_777n, blockNumber: 2n });
    expect(after!.blockHash).not.to.deep.equal(before!.blockHash);
    expect(second).to.deep.include({ index: 1n, blockNumber: 2n });
  });

  it('an anchor that a reorganization removed: nothing is sent, and it is taken up when it is back', async () => {
    await add();
    await step();
    node.mine();
    await step();
    const sent = node.sent.length;
    node.fork += 1;
    node.blocks = node.blocks.slice(0, 1);
    node.mine();
    node.mine();
    await add();
    const { message, retryable } = await failure(step());
    expect(retryable).to.equal(true);
    expect(message).to.contain('reorganized');
    expect(node.sent).to.have.length(sent);
    await node.request({ method: SEND, params: [node.sent[0]] });
    node.mine();
    await step();
    node.mine();
    expect(await step()).to.include({ pending: 0 });
    expect(logged()).to.deep.equal(ours(2));
  });

  it('another chain, and an address without code: fatal, and nothing is signed', async () => {
    await add();
    node.chainId = 11;
    expect((await failure(step())).retryable).to.equal(false);
    node.chainId = 10;
    node.code = '0x';
    expect((await failure(step())).retryable).to.equal(false);
    expect(await store.openTransactions()).to.deep.equal([]);
    expect(node.sent).to.deep.equal([]);
  });

  it('a chain id that changes its mind: what is signed is for the chain of the deployment', async () => {
    await add();
    let asked = 0;
    node.fault = (method, _params, answer) => (method === 'eth_chainId' && asked++ > 0 ? '0xb' : answer());
    await step();
    expect(parseTransaction(node.sent[0]!).chainId).to.equal(10);
  });

  it('a deployment is not bound to an address without code', async () => {
    const fresh = create(join(directory, 'fresh.sqlite'));
    node.code = '0x';
    const l2 = new L2({ node, contract: CONTRACT });
    expect((await failure(Anchorer.connect(fresh, l2, SECRET))).retryable).to.equal(false);
    expect(await fresh.log()).to.equal(undefined);
    await fresh.close();
  });

  it('a key that is none, or another one: fatal, and not shown', async () => {
    await add();
    for (const key of [
      `0x${'zz'.repeat(32)}`,
      `0x${'00'.repeat(32)}`,
      `0x${'7e'.repeat(31)}`,
      `0x${'7e'.repeat(32)}`,
    ]) {
      const { message, retryable } = await failure(Anchorer.step(anchorer, key as Hex));
      expect(retryable).to.equal(false);
      expect(message).not.to.contain(key.slice(2, 20));
    }
    expect(node.sent).to.deep.equal([]);
    expect(await store.openTransactions()).to.deep.equal([]);
  });

  it('no money for gas is said as such', async () => {
    await add();
    node.fault = (method, _params, answer) => {
      if (method === SEND) throw new RpcFailure('insufficient funds for gas * price + value: balance 0');
      return answer();
    };
    const { message, retryable } = await failure(step());
    expect(retryable).to.equal(true);
    expect(message).to.contain('cannot pay for gas');
  });

  it('settling ends when all is included, or after its rounds', async () => {
    await add();
    let pauses = 0;
    const pause = async (): Promise<void> => {
      if (++pauses === 3) node.mine();
    };
    expect(await Anchorer.settle(anchorer, KEY, 10, pause)).to.deep.equal({ included: 1, pending: 0, sent: false });
    expect(pauses).to.equal(3);
    await add();
    expect(await Anchorer.settle(anchorer, KEY, 2, async () => {})).to.include({ pending: 1 });
  });

  it('a plan holds the heads that moved, and never fewer slots than before', async () => {
    const key = new Uint8Array(32).fill(1) as PublicKey;
    const tenant = async (slot: number) =>
      store.addTenant({
        tenant: `t${slot}`,
        suite: SHA2_256,
        slot,
        genesisKey: key,
        nextKeyDigest: key as never as KeyDigest,
      });
    const [first, second] = [await tenant(0), await tenant(1)];
    const move = async (chain: typeof first.chainId, height: bigint): Promise<void> => {
      const hash = new Uint8Array(32).fill(Number(height) + 1) as ContentHash;
      await store.putRecord(chain, height, hash, new Uint8Array(8).fill(Number(height)));
      const from = await store.head(chain);
      expect(await store.moveHead(chain, from, { height, hash }, 0n)).to.equal(true);
    };
    expect(await Anchorer.plan(anchorer)).to.equal(undefined);
    await move(first.chainId, 0n);
    expect(await Anchorer.plan(anchorer)).to.include({ number: 0n, count: 2 });
    expect(await Anchorer.plan(anchorer)).to.equal(undefined);
    await move(second.chainId, 0n);
    await move(first.chainId, 1n);
    const planned = await Anchorer.plan(anchorer);
    expect(planned).to.include({ number: 1n, count: 2 });
    expect((await store.anchoredHeads(1n)).map(({ slot, height }) => [slot, height])).to.deep.equal([
      [0, 1n],
      [1, 0n],
    ]);
    expect(node.asked.filter(({ method }) => method === 'eth_call')).to.deep.equal([]);
  });
});
