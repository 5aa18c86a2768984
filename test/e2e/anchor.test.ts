import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import hre from 'hardhat';
import { createTestClient, http, walletActions, type Abi, type Hex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import * as Anchorer from '../../src/anchor/anchorer.ts';
import { L2, type L2Error } from '../../src/anchor/l2.ts';
import { fromHex, toHex } from '../../src/protocol/bytes.ts';
import * as Log from '../../src/protocol/log.ts';
import * as Merkle from '../../src/protocol/merkle.ts';
import { SHA2_256 } from '../../src/protocol/suite.ts';
import type { Transaction } from '../../src/store/port.ts';
import { create, open, type SqliteStore } from '../../src/store/sqlite.ts';
import { world, type World } from './world.ts';

const SEND = 'eth_sendRawTransaction';

describe('anchoring through faults', function () {
  this.timeout(120_000);
  let w: World;
  let n = 0;
  beforeEach(async () => {
    w = await world();
    await w.ok('init');
    await w.ok('tenant', 'add', 'acme');
    await moveHead();
  });
  afterEach(() => w.close());

  const moveHead = async (): Promise<void> => {
    await w.ok('ingest', w.events(`${n}.ndjson`, n++, 1));
    await w.ok('seal');
  };
  const node = (): L2 =>
    new L2({ node: w.connection.provider as never, contract: Buffer.from(w.env.KEDGE_L2_CONTRACT.slice(2), 'hex') });
  const onChain = async () => node().logState(BigInt(String((await node().block('latest'))!.number)));
  const heal = (): void => {
    w.line.fault = async (_method, send) => send();
  };
  async function stored(): Promise<{ anchors: number; included: number; open: readonly Transaction[] }> {
    const store = open(`${w.env.KEDGE_DIR}/kedge.sqlite`);
    try {
      const anchors = await store.anchors();
      const included = anchors.filter((each) => each.included !== undefined).length;
      return { anchors: anchors.length, included, open: await store.openTransactions() };
    } finally {
      await store.close();
    }
  }

  it('a head that did not move is not anchored again', async () => {
    await w.ok('anchor');
    await w.ok('anchor');
    expect((await onChain()).size).to.equal(1n);
    expect((await stored()).anchors).to.equal(1);
  });

  it('an outage: roots queue and go out as one transaction', async () => {
    await w.ok('anchor');
    w.line.fault = async () => {
      throw new Error('connect ECONNREFUSED');
    };
    for (let i = 0; i < 3; i++) {
      await moveHead();
      const { exit, out } = await w.kedge('anchor');
      expect(exit).to.equal(3);
      expect(out).to.contain('ECONNREFUSED').and.not.contain(w.env.KEDGE_L2_PRIVATE_KEY.slice(2, 20));
    }
    expect(await stored()).to.deep.include({ anchors: 4, included: 1 });
    heal();
    let sent = 0;
    w.line.fault = async (method, send) => {
      if (method === SEND) sent += 1;
      return send();
    };
    await w.ok('anchor');
    expect(sent).to.equal(1);
    expect((await onChain()).size).to.equal(4n);
    expect(await stored()).to.deep.include({ anchors: 4, included: 4 });
  });

  it('a node that takes the transaction and loses the answer: nothing is anchored twice', async () => {
    w.line.fault = async (method, send) => {
      if (method !== SEND) return send();
      await send();
      throw new Error('socket hang up');
    };
    expect((await w.kedge('anchor')).exit).to.equal(3);
    heal();
    await w.ok('anchor');
    expect((await onChain()).size).to.equal(1n);
    expect(await stored()).to.deep.include({ anchors: 1, included: 1 });
  });

  it('stopped between writing the transaction down and sending it: the same bytes are sent', async () => {
    const raws: string[] = [];
    w.line.fault = async (method, send) => {
      if (method === SEND) {
        raws.push(...(await stored()).open.map(({ raw }) => toHex(raw)));
        throw new Error('killed');
      }
      return send();
    };
    expect((await w.kedge('anchor')).exit).to.equal(3);
    // It was on disk before the node was asked.
    expect(raws).to.have.length(1);
    expect((await w.kedge('anchor')).exit).to.equal(3);
    expect(raws).to.have.length(2);
    expect(new Set(raws).size).to.equal(1);
    heal();
    await w.ok('anchor');
    expect((await onChain()).size).to.equal(1n);
  });

  it('a nonce that somebody else used: the next one is taken', async () => {
    w.line.fault = async (method, send) => {
      if (method === SEND) throw new Error('killed');
      return send();
    };
    expect((await w.kedge('anchor')).exit).to.equal(3);
    heal();
    const [wallet] = await w.connection.viem.getWalletClients();
    await wallet!.sendTransaction({ to: wallet!.account.address, value: 0n });
    await w.ok('anchor');
    expect((await onChain()).size).to.equal(1n);
    expect(await stored()).to.deep.include({ anchors: 1, included: 1 });
  });

  it('somebody else anchors with our key: nothing more is sent', async () => {
    await w.ok('anchor');
    const key = w.env.KEDGE_L2_PRIVATE_KEY as `0x${string}`;
    const l2 = node();
    const [wallet] = await w.connection.viem.getWalletClients();
    const foreign = await l2.sign(
      key,
      await l2.chainId(),
      [new Uint8Array(32).fill(1)],
      1n,
      await l2.nonce(wallet!.account.address),
    );
    await l2.send(foreign.raw);
    await moveHead();
    const { exit, out } = await w.kedge('anchor');
    expect(exit).to.equal(3);
    expect(out).to.contain('somebody else');
    expect((await onChain()).size).to.equal(2n);
  });

  it('a node on another chain, and a contract that is not there, are refused before anything is signed', async () => {
    await w.ok('anchor');
    await moveHead();
    w.line.fault = async (method, send) => (method === 'eth_chainId' ? '0x5' : send());
    const { exit, out } = await w.kedge('anchor');
    expect(exit).to.equal(3);
    expect(out).to.contain('chain 5');
    w.line.fault = async (method, send) => (method === 'eth_getCode' ? '0x' : send());
    expect((await w.kedge('anchor')).out).to.contain('no contract');
    expect((await stored()).open).to.deep.equal([]);
  });

  it('a node that shows an event of another root is not believed', async () => {
    w.line.fault = async (method, send) => {
      const answer = await send();
      if (method !== 'eth_getLogs') return answer;
      return (answer as { topics: string[] }[]).map((log) => ({
        ...log,
        topics: [log.topics[0], log.topics[1], `0x${'11'.repeat(32)}`],
      }));
    };
    const { exit } = await w.kedge('anchor');
    expect(exit).to.equal(3);
    expect((await stored()).included).to.equal(0);
  });

  it('a key that is not the anchorer says so', async () => {
    w.env.KEDGE_L2_PRIVATE_KEY = `0x${'22'.repeat(32)}`;
    const { exit, out } = await w.kedge('anchor');
    expect(exit).to.equal(3);
    expect(out).to.contain("is not the contract's anchorer").and.not.contain('2222222222222222');
  });

  it('another contract than the deployment began with is refused', async () => {
    await w.ok('anchor');
    w.env.KEDGE_L2_CONTRACT = `0x${'33'.repeat(20)}`;
    const { exit, out } = await w.kedge('anchor');
    expect(exit).to.equal(3);
    expect(out).to.contain('this deployment anchors into');
  });

  it('heads are checked against a proof that lies: the checkpoint is not made', async () => {
    await w.ok('anchor');
    w.line.fault = async (method, send) => {
      const answer = await send();
      if (method !== 'eth_getProof') return answer;
      const proof = answer as { accountProof: string[] };
      return { ...proof, accountProof: proof.accountProof.slice(0, -1) };
    };
    const { exit, out } = await w.kedge('checkpoint');
    expect(exit).to.equal(3);
    expect(out).to.contain('does not hold');
    heal();
    await w.ok('checkpoint');
  });
});

const ANVIL = fileURLToPath(new URL('../../node_modules/@foundry-rs/anvil/bin.mjs', import.meta.url));
const KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

/** `undefined` where npm installed no anvil for this machine. */
async function anvil(): Promise<{ readonly url: string; readonly child: ChildProcess } | undefined> {
  if (!existsSync(ANVIL)) return undefined;
  const options = ['--host', '127.0.0.1', '--port', '0', '--optimism', '--no-mining'];
  const child = spawn(process.execPath, [ANVIL, ...options]);
  let said = '';
  const url = await new Promise<string | undefined>((done) => {
    child.once('exit', () => done(undefined));
    child.stdout.on('data', (text) => {
      said += String(text);
      const found = /Listening on (\S+)/.exec(said);
      if (found !== null) done(`http://${found[1]}`);
    });
  });
  return url === undefined ? undefined : { url, child };
}

describe('anchoring on a real node over HTTP (npm: @foundry-rs/anvil)', function () {
  this.timeout(120_000);
  let child: ChildProcess | undefined;
  let directory: string;
  let store: SqliteStore;
  let anchorer: Anchorer.Anchorer;
  let rpc: (method: string, ...params: unknown[]) => Promise<unknown>;
  before(async function () {
    const started = await anvil();
    if (started === undefined) return this.skip();
    child = started.child;
    directory = mkdtempSync(join(tmpdir(), 'kedge-'));
    const client = createTestClient({ mode: 'anvil', transport: http(started.url, { retryCount: 0 }) }).extend(
      walletActions,
    );
    rpc = (method, ...params) => client.request({ method, params } as never);
    const account = privateKeyToAccount(KEY);
    const { abi, bytecode } = await hre.artifacts.readArtifact('AnchorLog');
    const args = [account.address, account.address];
    const hash = await client.deployContract({
      abi: abi as Abi,
      bytecode: bytecode as Hex,
      args,
      account,
      chain: null,
    });
    await rpc('anvil_mine', '0x1');
    const receipt = (await rpc('eth_getTransactionReceipt', hash)) as { contractAddress: string };
    store = create(join(directory, 'store.sqlite'));
    const contract = fromHex(receipt.contractAddress.slice(2).toLowerCase(), 'contract');
    anchorer = await Anchorer.connect(store, new L2({ node: started.url, contract }), new Uint8Array(32).fill(9));
  });
  after(async () => {
    child?.kill('SIGTERM');
    if (store === undefined) return;
    await store.close();
    rmSync(directory, { recursive: true });
  });

  const add = async (count: number): Promise<void> => {
    const from = (await store.anchors()).length;
    for (let n = from; n < from + count; n++) await store.addAnchor(BigInt(n), new Uint8Array(32).fill(n + 1), 1, []);
  };
  const mine = () => rpc('anvil_mine', '0x1');
  const step = () => Anchorer.step(anchorer, KEY);
  const drop = async (): Promise<void> => void (await rpc('anvil_dropAllTransactions'));
  /** What is stored is what the contract holds, by its own log root. */
  const expectEqual = async (count: number): Promise<void> => {
    const anchors = await store.anchors();
    const leaves = anchors.map(({ root, included }) => {
      const { evmChainId, l2 } = anchorer;
      const entry = Log.entry({ evmChainId, contract: l2.contract, root, timestamp: included!.timestamp });
      return Merkle.leafHash(SHA2_256, entry);
    });
    const state = await anchorer.l2.logState((await anchorer.l2.blockName('latest'))!.hash);
    expect(state).to.deep.equal({ size: BigInt(count), root: Uint8Array.from(Merkle.root(SHA2_256, leaves)) });
    for (const { included } of anchors) {
      expect((await anchorer.l2.blockName(included!.blockNumber))!.hash).to.deep.equal(included!.blockHash);
    }
  };

  it('many anchors, one after the other, each waited for', async () => {
    for (let n = 1; n <= 20; n++) {
      await add(1);
      expect(await step()).to.include({ included: 0, pending: 1 });
      // It waits in the mempool: the node knows it already.
      expect(await step()).to.include({ included: 0, pending: 1 });
      await mine();
      expect(await step()).to.deep.equal({ included: 1, pending: 0, sent: false });
      expect((await store.openTransactions()).length).to.equal(0);
    }
    await expectEqual(20);
  });

  it('a mempool that forgets: the same bytes are sent again', async () => {
    await add(1);
    await step();
    await drop();
    await step();
    expect(await store.openTransactions()).to.have.length(1);
    await mine();
    expect(await step()).to.include({ included: 1, pending: 0 });
    await expectEqual(21);
  });

  it('a backlog of 100 goes out in two transactions', async () => {
    await add(100);
    await step();
    await mine();
    await step();
    await mine();
    expect(await step()).to.include({ pending: 0 });
    await expectEqual(121);
  });

  it('a transaction of the same account in our place: the next nonce', async () => {
    await add(1);
    await step();
    await drop();
    const address = privateKeyToAccount(KEY).address;
    await rpc('eth_sendTransaction', { from: address, to: address, value: '0x0' });
    await mine();
    await step();
    expect(await store.openTransactions()).to.have.length(2);
    await mine();
    expect(await step()).to.include({ included: 1, pending: 0 });
    await expectEqual(122);
  });

  it('a base fee that jumps above the offer: outbid under the same nonce', async () => {
    await add(1);
    await step();
    await drop();
    await rpc('anvil_setNextBlockBaseFeePerGas', '0x2540be400');
    await mine();
    await step();
    const open = await store.openTransactions();
    expect(new Set(open.map(({ nonce }) => nonce)).size).to.equal(1);
    expect(open).to.have.length(2);
    await mine();
    expect(await step()).to.include({ included: 1, pending: 0 });
    await expectEqual(123);
  });

  it('a reorganization that moves an anchor to a later block: it is read back again', async () => {
    await add(1);
    await step();
    const [sent] = await store.openTransactions();
    await mine();
    await step();
    const before = (await store.anchors()).at(-1)!.included!;
    await rpc('anvil_reorg', 1, []);
    const { message, retryable } = await step().then(
      () => expect.fail('it did not fail'),
      (error: L2Error) => error,
    );
    expect(retryable).to.equal(true);
    expect(message).to.contain('reorganized');
    // Sequencers take what they have lost in again.
    await anchorer.l2.send(sent!.raw);
    await rpc('evm_increaseTime', 77);
    await mine();
    expect(await step()).to.deep.equal({ included: 0, pending: 0, sent: false });
    const after = (await store.anchors()).at(-1)!.included!;
    expect(after.index).to.equal(before.index);
    expect(after.blockHash).not.to.deep.equal(before.blockHash);
    expect(after.timestamp > before.timestamp).to.equal(true);
    await expectEqual(124);
  });
});
