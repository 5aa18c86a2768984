import { expect } from 'chai';
import { L2 } from '../../src/anchor/l2.ts';
import { toHex } from '../../src/protocol/bytes.ts';
import type { Transaction } from '../../src/store/port.ts';
import { open } from '../../src/store/sqlite.ts';
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
    const foreign = await l2.sign(key, [new Uint8Array(32).fill(1)], 1n, await l2.nonce(wallet!.account.address));
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
