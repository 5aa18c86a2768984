import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DevelopmentChain } from '../../src/checkpoint/devchain.ts';
import { opReturnNotary, scriptOf } from '../../src/checkpoint/opreturn.ts';
import { decodeHeader } from '../../src/protocol/bitcoin.ts';
import { toHex } from '../../src/protocol/bytes.ts';

/** A real Bitcoin node that knows nothing of ours; `.ci/run` installs one. */
const BTCD = process.env['BTCD'] ?? 'btcd';

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

describe('the development chain', function () {
  this.timeout(120_000);
  let directory: string;
  let node: ChildProcess | undefined;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'kedge-'));
  });
  after(() => {
    node?.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  it('is accepted, block by block, by a real Bitcoin node in regtest mode (btcd)', async function () {
    if (spawnSync(BTCD, ['--version']).status !== 0) this.skip();
    const chain = new DevelopmentChain(join(directory, 'chain'));
    const key = new Uint8Array(32).fill(9);
    const script = scriptOf(key, 'regtest');
    const now = Math.floor(Date.now() / 1000) - 10_000;
    chain.mine(110, script, now);
    const notary = opReturnNotary(chain, key, { maxFeeRate: 10, maxFee: 10_000 });
    // Blocks of one to four transactions; later ones spend the change of earlier ones.
    for (let block = 0; block < 4; block++) {
      for (let i = 0; i < block; i++)
        await notary.submit(await notary.prepare(new Uint8Array(32).fill(16 * block + i + 1)));
      chain.mine(1, script, now + block);
    }
    chain.mine(60, script, now);

    const [rpc, peers] = [await freePort(), await freePort()];
    const args = [
      '--regtest',
      '--nodnsseed',
      '--notls',
      '--rpcuser=kedge',
      '--rpcpass=kedge',
      `--datadir=${join(directory, 'data')}`,
      `--logdir=${join(directory, 'logs')}`,
      `--configfile=${join(directory, 'none.conf')}`,
      `--rpclisten=127.0.0.1:${rpc}`,
      `--listen=127.0.0.1:${peers}`,
    ];
    node = spawn(BTCD, args, { stdio: 'ignore', env: { ...process.env, HOME: directory } });
    const ask = async (method: string, ...params: unknown[]): Promise<unknown> => {
      const response = await fetch(`http://127.0.0.1:${rpc}`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from('kedge:kedge').toString('base64')}` },
        body: JSON.stringify({ jsonrpc: '1.0', id: 1, method, params }),
      });
      const { result, error } = (await response.json()) as { result: unknown; error: { message: string } | null };
      if (error !== null) throw new Error(error.message);
      return result;
    };
    for (let tries = 0; ; tries++) {
      try {
        await ask('getblockcount');
        break;
      } catch (error) {
        if (tries > 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }

    const tip = await chain.tip();
    for (let height = 1; height <= tip; height++) {
      const refusal = await ask('submitblock', toHex(await chain.block(height)));
      expect(refusal, `block ${height}`).to.equal(null);
    }
    expect(await ask('getblockcount')).to.equal(tip);
    expect(await ask('getbestblockhash')).to.equal(toHex(decodeHeader(await chain.header(tip)).hash.toReversed()));
  });

  it('refuses double spends, wrong signatures and coins that are not there', async () => {
    const chain = new DevelopmentChain(join(directory, 'other'));
    const key = new Uint8Array(32).fill(9);
    chain.mine(101, scriptOf(key, 'regtest'), 1_790_000_000);
    const limits = { maxFeeRate: 10, maxFee: 10_000 };
    const notary = opReturnNotary(chain, key, limits);
    const [one, two] = [
      await notary.prepare(new Uint8Array(32).fill(1)),
      await notary.prepare(new Uint8Array(32).fill(2)),
    ];
    await notary.submit(one);
    // Safe to repeat.
    await notary.submit(one);
    const refusal = async (raw: Uint8Array): Promise<string> =>
      chain.broadcast(raw).then(
        () => 'taken',
        (error: unknown) => String(error),
      );
    expect(await refusal(two)).to.contain('spent already');
    const changed = Uint8Array.from(await notary.prepare(new Uint8Array(32).fill(3)));
    changed[changed.length - 50]! ^= 1;
    expect(await refusal(changed)).not.to.equal('taken');
    const poor = opReturnNotary(chain, new Uint8Array(32).fill(4), limits);
    expect(await poor.prepare(new Uint8Array(32).fill(1)).catch(String)).to.contain('too little for a checkpoint');
    const tight = opReturnNotary(chain, key, { maxFeeRate: 10, maxFee: 10 });
    expect(await tight.prepare(new Uint8Array(32).fill(5)).catch(String)).to.contain('KEDGE_BITCOIN_MAX_FEE');
  });

  it('says what a checkpoint waits for until it has its confirmations', async () => {
    const chain = new DevelopmentChain(join(directory, 'waiting'));
    const key = new Uint8Array(32).fill(9);
    const script = scriptOf(key, 'regtest');
    chain.mine(101, script, 1_790_000_000);
    const notary = opReturnNotary(chain, key, { maxFeeRate: 10, maxFee: 10_000 });
    const digest = new Uint8Array(32).fill(1);
    const state = await notary.prepare(digest);
    expect(await notary.poll(digest, state, 3))
      .to.have.property('waitingFor')
      .that.contains('to be seen');
    await notary.submit(state);
    expect(await notary.poll(digest, state, 3))
      .to.have.property('waitingFor')
      .that.contains('a block');
    chain.mine(2, script, 1_790_000_000);
    expect(await notary.poll(digest, state, 3)).to.have.property('waitingFor', 'confirmation 3 of 3 on block 102');
    chain.mine(1, script, 1_790_000_000);
    const found = await notary.poll(digest, state, 3);
    expect(found).to.have.property('height', 102);
    expect(found).to.have.property('headers').with.length(3);
  });
});
