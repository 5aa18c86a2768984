import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { expect } from 'chai';
import { toHex, type Hex } from 'viem';
import { L2, L2Error } from '../../../src/anchor/l2.ts';
import { CHAIN_ID, CONTRACT, FakeNode, KEY, RpcFailure } from './node.ts';

const PATH_KEY = 'a1b2c3d4e5f60718';
const PASSWORD = 'hunter2hunter2';

async function failure(promise: Promise<unknown>): Promise<L2Error> {
  try {
    await promise;
  } catch (error) {
    expect(error).to.be.instanceOf(L2Error);
    const { message } = error as L2Error;
    for (const secret of [PATH_KEY, PASSWORD, KEY.slice(2, 20)]) expect(message).not.to.contain(secret);
    // eslint-disable-next-line no-control-regex -- they are what is looked for
    expect(message).not.to.match(/\n|\u001b/);
    return error as L2Error;
  }
  throw new Error('it did not fail');
}

describe('the door to an L2 node, over HTTP', () => {
  let server: Server;
  let answer: (request: IncomingMessage, response: ServerResponse, body: { id: number; method: string }) => void;
  let requests = 0;
  let waits: number[] = [];
  let l2: L2;
  beforeEach((done) => {
    requests = 0;
    waits = [];
    server = createServer((request, response) => {
      void (async () => {
        let body = '';
        for await (const chunk of request) body += String(chunk);
        requests += 1;
        answer(request, response, JSON.parse(body) as { id: number; method: string });
      })();
    });
    server.listen(0, '127.0.0.1', () => {
      l2 = new L2({ node: address(), contract: CONTRACT, timeoutMs: 200, pause });
      done();
    });
  });
  afterEach((done) => {
    server.closeAllConnections();
    server.close(() => done());
  });

  const address = (): string => {
    const { port } = server.address() as { port: number };
    return `http://user:${PASSWORD}@127.0.0.1:${port}/v2/${PATH_KEY}?apikey=${PATH_KEY}`;
  };
  const pause = async (ms: number): Promise<void> => void waits.push(ms);
  const reply =
    (status: number, body: string, headers: Record<string, string> = {}) =>
    (_request: unknown, response: ServerResponse): void =>
      void response.writeHead(status, headers).end(body);
  const json =
    (body: object) =>
    (_request: unknown, response: ServerResponse, { id }: { id: number }) =>
      void response.setHeader('content-type', 'application/json').end(JSON.stringify({ jsonrpc: '2.0', id, ...body }));

  const BROKEN: readonly (readonly [string, () => void])[] = [
    ['an HTML page instead of an answer', () => (answer = reply(200, `<html>${PATH_KEY}</html>`))],
    ['HTTP 500 with a page', () => (answer = reply(500, `<!DOCTYPE html><p>${PATH_KEY}`))],
    ['HTTP 429', () => (answer = reply(429, `slow down, ${PATH_KEY}`))],
    ['HTTP 502 with nothing', () => (answer = reply(502, ''))],
    ['half an answer', () => (answer = reply(200, '{"jsonrpc": "2.0", "resu', { 'content-type': 'application/json' }))],
    ['an answer without a result', () => (answer = json({}))],
    ['a result of another kind', () => (answer = json({ result: { chain: 'ten' } }))],
    [
      'an error with terminal control characters',
      () => (answer = json({ error: { code: -32000, message: '\u001b[2J\nok' } })),
    ],
    ['no answer in time', () => (answer = () => undefined)],
    ['a connection that is cut', () => (answer = (request) => void request.socket.destroy())],
  ];
  for (const [what, set] of BROKEN) {
    it(`${what} is retryable, and shows no part of the address but its host`, async () => {
      set();
      const { message, retryable } = await failure(l2.chainId());
      expect(retryable).to.equal(true);
      expect(message).to.match(/^cannot read the chain id at 127\.0\.0\.1:\d+: \S/);
    });
    it(`${what}, in answer to a transaction, is retryable: whether it was taken is not known`, async () => {
      set();
      const raw = new Uint8Array(100);
      // A node that answers a transaction without an error has taken it, whatever it calls it.
      const isAnswered = ['an answer without a result', 'a result of another kind'].includes(what);
      if (isAnswered) expect(await l2.send(raw)).to.equal('known');
      else expect((await failure(l2.send(raw))).retryable).to.equal(true);
    });
  }

  it('a busy node is asked three times, further and further apart', async () => {
    answer = reply(503, '');
    await failure(l2.chainId());
    expect(requests).to.equal(3);
    expect(waits).to.have.length(2);
    expect(waits[1]!)
      .to.be.above(waits[0]! / 2)
      .and.below(2000);
  });

  it('one that recovers in between is not an error', async () => {
    answer = (request, response, body) =>
      requests < 3 ? reply(429, '')(request, response) : json({ result: '0xa' })(request, response, body);
    expect(await l2.chainId()).to.equal(10n);
  });

  it('Retry-After is honoured, and one of an hour is left to the next round', async () => {
    answer = reply(429, '', { 'retry-after': '3' });
    await failure(l2.chainId());
    expect(waits).to.deep.equal([3000, 3000]);
    answer = reply(429, '', { 'retry-after': '3600' });
    await failure(l2.chainId());
    expect(waits).to.have.length(2);
    expect(requests).to.equal(4);
  });

  it("an error of the node's own is not asked again", async () => {
    answer = json({ error: { code: -32000, message: `header not found for ${PATH_KEY}` } });
    expect((await failure(l2.chainId())).message).to.contain('header not found');
    expect(requests).to.equal(1);
  });

  it('a node that is not there is named by host and reason', async () => {
    const gone = address();
    await new Promise((done) => server.close(done));
    const { message, retryable } = await failure(new L2({ node: gone, contract: CONTRACT, pause }).chainId());
    expect(retryable).to.equal(true);
    expect(message).to.contain('ECONNREFUSED');
    server.listen(0, '127.0.0.1');
  });
});

describe('the door to an L2 node', () => {
  let node: FakeNode;
  let l2: L2;
  beforeEach(() => {
    node = new FakeNode();
    l2 = new L2({ node, contract: CONTRACT, pause: async () => {} });
  });
  const refuse = (message: string, code?: number): void => {
    node.fault = () => {
      throw new RpcFailure(message, code);
    };
  };

  const SAID: { readonly [sent: string]: readonly string[] } = {
    known: [
      'already known',
      'AlreadyKnown',
      'Known transaction',
      'Transaction with the same hash was already imported.',
    ],
    'nonce-used': [
      'nonce too low',
      'nonce too low: next nonce 5, tx nonce 4',
      'Nonce too low. Expected nonce to be 3 but got 2.',
      'NONCE_TOO_LOW',
      'OldNonce',
    ],
    'nonce-gap': ['nonce too high', 'Nonce too high. Expected nonce to be 0 but got 1.', 'NonceGap'],
    underpriced: [
      'transaction underpriced',
      'replacement transaction underpriced',
      'max fee per gas less than block base fee: address 0x1, maxFeePerGas: 1, baseFee: 2',
      'FeeTooLow, EffectivePriorityFeePerGas too low',
      'maxFeePerGas (1) is too low for the next block, which has a baseFeePerGas of 2',
    ],
  };
  for (const [sent, messages] of Object.entries(SAID)) {
    for (const message of messages) {
      it(`"${message}" is ${sent}`, async () => {
        refuse(message);
        expect(await l2.send(new Uint8Array(1))).to.equal(sent);
      });
    }
  }

  it('other refusals, and accounts without money, throw what may work later', async () => {
    for (const message of ['insufficient funds for gas * price + value', 'exceeds block gas limit', 'txpool is full']) {
      refuse(message);
      const error = await failure(l2.send(new Uint8Array(1)));
      expect(error.retryable).to.equal(true);
      expect(error.message).to.contain(message);
    }
  });

  it('a stale index is a race that the next round sees; another revert is fatal', async () => {
    node.foreign([`0x${'01'.repeat(32)}`]);
    const sign = () => l2.sign(KEY, BigInt(CHAIN_ID), [new Uint8Array(32).fill(1)], 0n, 1n);
    const race = await failure(sign());
    expect(race.retryable).to.equal(true);
    expect(race.message).to.contain('AnchorLogUnexpectedIndex');
    node.fault = (method, _params, answer) => {
      if (method === 'eth_estimateGas') throw new RpcFailure('execution reverted', 3, '0x12345678');
      return answer();
    };
    expect((await failure(sign())).retryable).to.equal(false);
  });

  it('storage keys are asked for as 32 bytes, and a proof without nodes is an error', async () => {
    node.fault = () => ({ accountProof: ['0x01'], storageProof: [{ proof: ['0x02', '0x0304'] }] });
    expect(await l2.proof(CONTRACT, [Uint8Array.of(7)], 5n)).to.deep.equal({
      accountProof: [Uint8Array.of(1)],
      storageProofs: [[Uint8Array.of(2), Uint8Array.of(3, 4)]],
    });
    expect(node.asked.at(-1)!.params).to.deep.equal([toHex(CONTRACT), [`0x${'00'.repeat(31)}07`], '0x5']);
    node.fault = () => ({});
    expect((await failure(l2.proof(CONTRACT, [], 5n))).retryable).to.equal(true);
  });

  it('a block without a number or hash is an error', async () => {
    node.fault = () => ({ number: 'zz', hash: '0x' });
    expect((await failure(l2.blockName('latest'))).retryable).to.equal(true);
    node.fault = () => null;
    expect(await l2.blockName(9n)).to.equal(undefined);
  });

  it('events are found however few blocks the node allows, and asked for by topic', async () => {
    const roots = Array.from({ length: 70 }, (_, i): Hex => toHex(new Uint8Array(32).fill(i + 1)));
    for (const root of roots) node.foreign([root]);
    for (const span of [1_000_000n, 20n, 1n]) {
      node.maxLogSpan = span;
      const events = await new L2({ node, contract: CONTRACT }).anchoredSince(0n, 70n, 0n, node.tip.number);
      expect([...events.keys()].sort((a, b) => Number(a - b))).to.deep.equal(roots.map((_, i) => BigInt(i)));
      for (const [index, { root }] of events) expect(toHex(root)).to.equal(roots[Number(index)]);
    }
    const asked = node.asked.filter(({ method }) => method === 'eth_getLogs');
    for (const { params } of asked) expect((params[0] as { topics: unknown[] }).topics[1]).to.be.an('array');
  });

  it('events of another contract or index, which a node throws in, are left out', async () => {
    node.foreign([`0x${'01'.repeat(32)}`]);
    node.foreign([`0x${'02'.repeat(32)}`]);
    node.fault = async (method, params, answer) => {
      if (method !== 'eth_getLogs') return answer();
      const [filter] = params as [{ topics: [Hex, Hex[]] }];
      const [, indexes] = filter.topics;
      const [log] = (await answer()) as object[];
      return [
        { ...log, address: `0x${'dd'.repeat(20)}` },
        log,
        { ...log, topics: [filter.topics[0], `0x${'00'.repeat(31)}05`, indexes[0]] },
      ];
    };
    const events = await l2.anchoredSince(1n, 2n, 0n, node.tip.number);
    expect([...events.keys()]).to.deep.equal([1n]);
  });
});
