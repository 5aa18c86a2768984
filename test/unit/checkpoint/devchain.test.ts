import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { Block, Transaction } from 'bitcoinjs-lib';
import { BitcoinError } from '../../../src/checkpoint/bitcoin.ts';
import { DevelopmentChain } from '../../../src/checkpoint/devchain.ts';
import { scriptOf } from '../../../src/checkpoint/opreturn.ts';
import * as Bitcoin from '../../../src/protocol/bitcoin.ts';
import { equal, toHex } from '../../../src/protocol/bytes.ts';
import { spend } from './spend.ts';

const KEY = new Uint8Array(32).fill(9);
const OTHER_KEY = new Uint8Array(32).fill(8);
const SCRIPT = scriptOf(KEY, 'regtest');
const NOW = 1_790_000_000;
const COIN = 5_000_000_000n;

describe('development chain', function () {
  this.timeout(60_000);
  let directory: string;
  let chain: DevelopmentChain;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'kedge-'));
    chain = new DevelopmentChain(directory);
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const shown = async (height: number): Promise<string> =>
    toHex(Bitcoin.decodeHeader(await chain.header(height)).hash.toReversed());
  const refusal = async (transaction: Transaction | Uint8Array): Promise<string> => {
    try {
      await chain.broadcast(transaction instanceof Transaction ? transaction.toBuffer() : transaction);
      return 'taken';
    } catch (error) {
      expect(error).to.be.instanceOf(BitcoinError).with.property('retryable', false);
      return String(error);
    }
  };

  it("begins with regtest's own first block", async () => {
    expect(await chain.tip()).to.equal(0);
    expect(await shown(0)).to.equal('0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206');
  });

  it('pays a coin that can be spent a hundred blocks later, and halves it every 150', async () => {
    chain.mine(99, SCRIPT, NOW);
    expect(await chain.unspent(SCRIPT)).to.have.length(0);
    chain.mine(1, SCRIPT, NOW);
    expect(await chain.unspent(SCRIPT)).to.have.length(1);
    chain.mine(51, SCRIPT, NOW);
    const paid = async (height: number) => Block.fromBuffer(await chain.block(height)).transactions![0]!.outs[0]!.value;
    expect([await paid(149), await paid(150)]).to.deep.equal([COIN, COIN / 2n]);
  });

  it('gives the same chain byte for byte for the same clock', () => {
    const other = mkdtempSync(join(tmpdir(), 'kedge-'));
    chain.mine(20, SCRIPT, NOW);
    new DevelopmentChain(other).mine(20, SCRIPT, NOW);
    expect(readFileSync(join(other, 'blocks'), 'utf8')).to.equal(readFileSync(join(directory, 'blocks'), 'utf8'));
    rmSync(other, { recursive: true });
  });

  it('mines what waits, parents before children, and hands the fees to the miner', async () => {
    chain.mine(101, SCRIPT, NOW);
    const [coin] = await chain.unspent(SCRIPT);
    const parent = spend(KEY, [coin!], [[SCRIPT, COIN - 100n]]);
    await chain.broadcast(parent.toBuffer());
    const waiting = (await chain.unspent(SCRIPT)).find(({ confirmations }) => confirmations === 0)!;
    expect(toHex(waiting.transaction!)).to.equal(toHex(parent.toBuffer()));
    const child = spend(KEY, [waiting], [[SCRIPT, COIN - 300n]]);
    await chain.broadcast(child.toBuffer());
    expect(await chain.find(child.getHash())).to.equal('mempool');
    chain.mine(1, SCRIPT, NOW);
    const { transactions } = Block.fromBuffer(await chain.block(102));
    expect(transactions!.map((each) => each.getId()).slice(1)).to.deep.equal([parent.getId(), child.getId()]);
    expect(transactions![0]!.outs[0]!.value).to.equal(COIN + 300n);
    expect(await chain.find(child.getHash())).to.equal(102);
    chain.mine(1, SCRIPT, NOW);
    expect(Bitcoin.decodeBlock(await chain.block(103)).transactions).to.have.length(1);
  });

  describe('refuses', () => {
    beforeEach(() => chain.mine(101, SCRIPT, NOW));
    const coins = () => chain.unspent(SCRIPT);

    it('the same coin twice in one transaction (CVE-2018-17144)', async () => {
      const [coin] = await coins();
      expect(await refusal(spend(KEY, [coin!, coin!], [[SCRIPT, 2n * COIN]]))).to.contain('twice');
    });

    it('a coin that is spent already, in the mempool or in a block', async () => {
      const [coin] = await coins();
      expect(await refusal(spend(KEY, [coin!], [[SCRIPT, COIN]]))).to.equal('taken');
      const again = spend(KEY, [coin!], [[SCRIPT, COIN - 1n]]);
      expect(await refusal(again)).to.contain('spent already');
      chain.mine(1, SCRIPT, NOW);
      expect(await refusal(again)).to.contain('spent already');
    });

    it('a coin that never was, and a young coinbase', async () => {
      const [coin] = await coins();
      const absent = { ...coin!, txid: new Uint8Array(32).fill(1) };
      expect(await refusal(spend(KEY, [absent], [[SCRIPT, 1n]]))).to.contain('does not exist');
      const txid = Block.fromBuffer(await chain.block(101)).transactions![0]!.getHash();
      const young = { ...coin!, txid, output: 0 };
      expect(await refusal(spend(KEY, [young], [[SCRIPT, 1n]]))).to.contain('mature');
    });

    it('more paid than spent', async () => {
      const [coin] = await coins();
      expect(await refusal(spend(KEY, [coin!], [[SCRIPT, COIN + 1n]]))).to.contain('pays more');
    });

    it("another's coin, another's signature, one item too many", async () => {
      const [coin] = await coins();
      expect(await refusal(spend(OTHER_KEY, [coin!], [[SCRIPT, 1n]]))).to.contain('P2WPKH');
      expect(await refusal(spend(KEY, [{ ...coin!, value: coin!.value - 1n }], [[SCRIPT, 1n]]))).to.contain('P2WPKH');
      const more = spend(KEY, [coin!], [[SCRIPT, 1n]]);
      more.ins[0]!.witness.push(new Uint8Array(1));
      expect(await refusal(more)).to.contain('P2WPKH');
      const none = spend(KEY, [coin!], [[SCRIPT, 1n]]);
      none.ins[0]!.witness = [];
      expect(await refusal(none)).to.contain('P2WPKH');
    });

    it('lock times, no outputs, 64 bytes', async () => {
      const [coin] = await coins();
      const later = spend(KEY, [coin!], [[SCRIPT, 1n]], (each) => void (each.locktime = 500));
      expect(await refusal(later)).to.contain('lock times');
      const relative = spend(KEY, [coin!], [[SCRIPT, 1n]], (each) => void (each.ins[0]!.sequence = 5));
      expect(await refusal(relative)).to.contain('lock times');
      expect(await refusal(spend(KEY, [coin!], []))).to.contain('no outputs');
      expect(await refusal(spend(KEY, [coin!], [[new Uint8Array(4), 1n]]))).to.contain('64 bytes');
    });

    it('bytes that are no transaction', async () => {
      const [coin] = await coins();
      const raw = spend(KEY, [coin!], [[SCRIPT, 1n]]).toBuffer();
      for (const wrong of [raw.subarray(0, -1), Uint8Array.of(...raw, 0), new Uint8Array()]) {
        expect(await refusal(wrong)).to.contain('not a Bitcoin transaction');
      }
      const { transactions } = Block.fromBuffer(await chain.block(1));
      expect(await refusal(transactions![0]!)).to.equal('taken', 'a coinbase that is in a block is known');
    });
  });

  describe('in its folder', () => {
    it('is the same for another process, in both directions', async () => {
      const other = new DevelopmentChain(directory);
      chain.mine(101, SCRIPT, NOW);
      expect(await other.tip()).to.equal(101);
      const [coin] = await other.unspent(SCRIPT);
      const transaction = spend(KEY, [coin!], [[SCRIPT, COIN]]);
      await other.broadcast(transaction.toBuffer());
      expect(await chain.find(transaction.getHash())).to.equal('mempool');
      other.mine(1, SCRIPT, NOW);
      expect(await chain.find(transaction.getHash())).to.equal(102);
      expect(toHex(await chain.block(102))).to.equal(toHex(await other.block(102)));
    });

    it('grows by one block after the other when processes mine at once', async () => {
      const url = (path: string) => JSON.stringify(resolve(path));
      const program = `
        const { DevelopmentChain } = await import(${url('src/checkpoint/devchain.ts')});
        const chain = new DevelopmentChain(process.argv[1]);
        for (let i = 0; i < 15; i++) chain.mine(1, Buffer.from(process.argv[2], 'hex'), ${NOW});`;
      const run = (fill: number): Promise<number | null> =>
        new Promise((done) => {
          const script = toHex(scriptOf(new Uint8Array(32).fill(fill), 'regtest'));
          const args = ['--input-type=module', '-e', program, directory, script];
          spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] }).on('close', done);
        });
      expect(await Promise.all([run(1), run(2)])).to.deep.equal([0, 0]);
      expect(await chain.tip()).to.equal(30);
    });

    it('forgets what a crash cut short, at every byte', async () => {
      chain.mine(2, SCRIPT, NOW);
      const whole = readFileSync(join(directory, 'blocks'));
      const start = whole.lastIndexOf('\n', -2) + 1;
      for (let length = 0; length < whole.length; length += length < start ? 97 : 29) {
        writeFileSync(join(directory, 'blocks'), whole.subarray(0, length));
        const after = new DevelopmentChain(directory);
        after.mine(2 - (await after.tip()), SCRIPT, NOW);
        expect(readFileSync(join(directory, 'blocks')).equals(whole), `cut at ${length}`).to.equal(true);
      }
      appendFileSync(join(directory, 'mempool'), '0200');
      expect(await new DevelopmentChain(directory).tip()).to.equal(2);
    });

    it('says which block is damaged', async () => {
      chain.mine(3, SCRIPT, NOW);
      const lines = readFileSync(join(directory, 'blocks'), 'utf8').split('\n');
      const without = [...lines.slice(0, 2), ...lines.slice(3)];
      const changed = lines.map((line, i) => (i === 2 ? line.replace(/..$/, 'ff') : line));
      for (const damaged of [without, changed]) {
        writeFileSync(join(directory, 'blocks'), damaged.join('\n'));
        const error: unknown = await new DevelopmentChain(directory).tip().catch((each: unknown) => each);
        expect(error).to.be.instanceOf(BitcoinError).with.property('retryable', false);
        expect(String(error)).to.contain('block 2').and.to.contain(directory);
      }
    });

    it('begins again when the folder was deleted', async () => {
      chain.mine(3, SCRIPT, NOW);
      rmSync(directory, { recursive: true });
      chain.mine(1, SCRIPT, NOW);
      expect(await chain.tip()).to.equal(1);
      expect(equal(await chain.block(1), await new DevelopmentChain(directory).block(1))).to.equal(true);
    });
  });
});
