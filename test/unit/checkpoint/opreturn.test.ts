import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { opcodes, payments, script as scripts, Transaction } from 'bitcoinjs-lib';
import { BitcoinError, type BitcoinBackend, type Unspent } from '../../../src/checkpoint/bitcoin.ts';
import { DevelopmentChain } from '../../../src/checkpoint/devchain.ts';
import type { Notarized, Waiting } from '../../../src/checkpoint/notary.ts';
import { addressOf, opReturnNotary, scriptOf } from '../../../src/checkpoint/opreturn.ts';
import * as Bitcoin from '../../../src/protocol/bitcoin.ts';
import { equal, toHex } from '../../../src/protocol/bytes.ts';
import * as Ots from '../../../src/protocol/ots.ts';
import { sha256 } from '../../../src/protocol/suite.ts';
import { spend, through } from './spend.ts';

const KEY = new Uint8Array(32).fill(9);
const STRANGER = new Uint8Array(32).fill(8);
const SCRIPT = scriptOf(KEY, 'regtest');
const NOW = 1_790_000_000;
const LIMITS = { maxFeeRate: 50, maxFee: 20_000 };
const DIGEST = sha256(new Uint8Array([1]));

const PYTHON = '/usr/bin/python3';
const REFERENCE = `
import sys
from opentimestamps.core.timestamp import DetachedTimestampFile
from opentimestamps.core.serialize import BytesDeserializationContext
from bitcoin.core import CBlockHeader
proof = DetachedTimestampFile.deserialize(BytesDeserializationContext(open(sys.argv[1], 'rb').read()))
assert proof.file_digest == bytes.fromhex(sys.argv[2])
[(message, attestation)] = proof.timestamp.all_attestations()
print(attestation.height, attestation.verify_against_blockheader(message, CBlockHeader.deserialize(bytes.fromhex(sys.argv[3]))))
`;

const failure = async (work: Promise<unknown>): Promise<BitcoinError> => {
  const error = await work.then(
    () => undefined,
    (each: unknown) => each,
  );
  expect(error).to.be.instanceOf(BitcoinError);
  return error as BitcoinError;
};

/** Throws where the proof is still waited for. */
function found(answer: Notarized | Waiting): Notarized {
  if ('waitingFor' in answer) throw new Error(answer.waitingFor);
  return answer;
}

const coin = (fill: number, value: number, confirmations = 1): Unspent => ({
  txid: new Uint8Array(32).fill(fill),
  output: 0,
  value: BigInt(value),
  confirmations,
  transaction: undefined,
});

describe('op-return notary', function () {
  this.timeout(60_000);
  let directory: string;
  let chain: DevelopmentChain;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'kedge-'));
    new DevelopmentChain(join(directory, 'start')).mine(110, SCRIPT, NOW);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));
  beforeEach(() => {
    rmSync(join(directory, 'chain'), { recursive: true, force: true });
    cpSync(join(directory, 'start'), join(directory, 'chain'), { recursive: true });
    chain = new DevelopmentChain(join(directory, 'chain'));
  });

  /** The transaction made from these coins at this rate. */
  const prepared = async (coins: readonly Unspent[], rate = 1, limits = LIMITS): Promise<Transaction> => {
    const backend = through(chain, { unspent: async () => coins, feeRate: async () => rate });
    return Transaction.fromBuffer(await opReturnNotary(backend, KEY, limits).prepare(DIGEST));
  };
  const spent = (transaction: Transaction): readonly number[] => transaction.ins.map(({ hash }) => hash[0]!);

  describe('prepares', () => {
    it('one output with the digest, once, and the change back to its key', async () => {
      const { outs, ...transaction } = await prepared([coin(1, 10_000)], 3);
      expect(outs.map(({ script }) => toHex(script))).to.deep.equal([`6a20${toHex(DIGEST)}`, toHex(SCRIPT)]);
      expect(outs[0]!.value).to.equal(0n);
      expect(transaction.ins).to.have.length(1);
    });

    it('as many coins as it takes, at the rate asked for: never below it, above only by signatures of full length', async () => {
      for (const rate of [1, 1.3, 2, 17]) {
        for (let n = 1; n <= 5; n++) {
          // Just enough when there are n of them.
          const value = Math.ceil(((86 + 68 * n) * rate + 294) / n);
          const transaction = await prepared(
            Array.from({ length: 8 }, (_, i) => coin(i + 1, value)),
            rate,
          );
          expect(transaction.ins).to.have.length(n);
          const fee = n * value - Number(transaction.outs[1]!.value);
          const size = transaction.virtualSize();
          expect(fee).to.be.within(size * rate, Math.ceil((size + n) * rate));
        }
      }
    });

    it('from the largest coin, however many small ones somebody sent, older ones too', async () => {
      const dust = Array.from({ length: 200 }, (_, i) => coin(i + 2, 300, 1000));
      expect(spent(await prepared([...dust, coin(1, 50_000)], 10))).to.deep.equal([1]);
    });

    it('the same transaction whatever the order of the coins', async () => {
      const coins = [coin(1, 5_000), coin(2, 5_000), coin(3, 5_000)];
      const [one, two] = [await prepared(coins), await prepared(coins.toReversed())];
      expect(one.getId()).to.equal(two.getId());
    });

    it('from its own unconfirmed change, after what is confirmed; never from what a stranger sent', async () => {
      const change = spend(KEY, [coin(1, 10_000)], [[SCRIPT, 9_000n]]);
      const gift = spend(STRANGER, [coin(2, 90_000)], [[SCRIPT, 80_000n]]);
      const mixed = spend(KEY, [coin(3, 9_000)], [[SCRIPT, 70_000n]]);
      mixed.ins.push(gift.ins[0]!);
      const waiting = (transaction: Transaction): Unspent => ({
        ...coin(0, Number(transaction.outs[0]!.value), 0),
        txid: transaction.getHash(),
        transaction: transaction.toBuffer(),
      });
      const own = [waiting(gift), waiting(mixed), waiting(change)];
      expect(toHex((await prepared(own)).ins[0]!.hash)).to.equal(toHex(change.getHash()));
      expect(spent(await prepared([...own, coin(7, 1_000)]))).to.deep.equal([7]);
      const claimed = { ...waiting(gift), transaction: change.toBuffer() };
      const error = await failure(prepared([waiting(gift), waiting(mixed), claimed, coin(5, 90_000, 0)]));
      expect(error.message).to.contain('4 more are unconfirmed');
    });
  });

  describe('waits', () => {
    const FEE = 153; // of one input at 1 sat/vB

    it('where the change would be dust', async () => {
      expect(await prepared([coin(1, FEE + 294)]))
        .to.have.property('outs')
        .with.length(2);
      const error = await failure(prepared([coin(1, FEE + 293)]));
      expect(error.message).to.contain('too little for a checkpoint');
    });

    it('for coins, and says where to and how many there are', async () => {
      const error = await failure(prepared([coin(1, 200), coin(2, 100)], 10));
      expect(error.retryable).to.equal(true);
      expect(error.message).to.contain(addressOf(KEY, 'regtest')).and.to.contain('holds 300 sat in 2 coins');
      expect((await failure(prepared([]))).message).to.contain('holds 0 sat in 0 coins');
    });

    it('while the rate or the fee is above its limit', async () => {
      const rich = [coin(1, 1_000_000)];
      expect((await failure(prepared(rich, 51))).message).to.contain('KEDGE_BITCOIN_MAX_FEE_RATE (50)');
      const tight = { maxFeeRate: 50, maxFee: FEE };
      expect(await prepared(rich, 1, tight))
        .to.have.property('outs')
        .with.length(2);
      const error = await failure(prepared(rich, 1.01, tight));
      expect(error).to.have.property('retryable', true);
      expect(error.message).to.contain(`KEDGE_BITCOIN_MAX_FEE (${FEE})`);
    });

    it('while a node knows no rate', async () => {
      for (const rate of [NaN, 0, -1, Infinity]) {
        expect((await failure(prepared([coin(1, 10_000)], rate))).retryable).to.equal(true);
      }
    });
  });

  it('refuses a transaction that would hold the digest twice', async () => {
    const twin = { ...coin(1, 10_000), txid: DIGEST };
    const error = await failure(prepared([twin]));
    expect(error).to.have.property('retryable', false);
    expect(error.message).to.contain('the digest once');
  });

  it('refuses what is no digest', async () => {
    const error: unknown = await opReturnNotary(chain, KEY, LIMITS)
      .prepare(new Uint8Array(16))
      .catch((each: unknown) => each);
    expect(error).to.be.instanceOf(RangeError);
  });

  it('keeps a bad key out of its errors', async () => {
    const keys = [new Uint8Array(31).fill(0xab), new Uint8Array(33).fill(0xab), new Uint8Array(32).fill(0xff)];
    for (const key of [...keys, new Uint8Array(32)]) {
      const error = await failure(opReturnNotary(chain, key, LIMITS).prepare(DIGEST));
      const all = inspect(error, { depth: 10, showHidden: true });
      expect(all).not.to.match(/171|(ab){4}|255, 255|(ff){4}/);
    }
  });

  describe('after a restart', () => {
    it('hands over the same transaction, in every state, and pays once', async () => {
      const first = await opReturnNotary(chain, KEY, LIMITS).prepare(DIGEST);
      const restarted = () => opReturnNotary(chain, KEY, LIMITS).submit(first);
      await restarted();
      await restarted();
      chain.mine(1, SCRIPT, NOW);
      await restarted();
      // Its change is spent too: a node would now call it a double spend.
      const txid = Bitcoin.txid(first);
      const change = (await chain.unspent(SCRIPT)).find((each) => equal(each.txid, txid))!;
      await chain.broadcast(spend(KEY, [change], [[SCRIPT, change.value - 200n]]).toBuffer());
      chain.mine(1, SCRIPT, NOW);
      await restarted();
      const refusing = through(chain, { broadcast: () => Promise.reject(new BitcoinError('missing inputs', false)) });
      await opReturnNotary(refusing, KEY, LIMITS).submit(first);
      expect(Bitcoin.decodeBlock(await chain.block(111)).transactions).to.have.length(2);
    });

    it("leaves an earlier checkpoint's coins alone, though the node did not take it yet", async () => {
      const first = await opReturnNotary(chain, KEY, LIMITS).prepare(DIGEST);
      const down = through(chain, { broadcast: () => Promise.reject(new BitcoinError('no node', true)) });
      const restarted = opReturnNotary(down, KEY, LIMITS);
      await failure(restarted.submit(first));
      const second = await restarted.prepare(sha256(DIGEST));
      await chain.broadcast(second);
      await chain.broadcast(first);
    });
  });

  describe('proves', () => {
    const other = (i: number) => sha256(new Uint8Array([2, i]));

    /** A block of `count` transactions, the coinbase first, ours at `position`. */
    const blockOf = async (count: number, position: number): Promise<Uint8Array> => {
      const notary = opReturnNotary(chain, KEY, LIMITS);
      let ours: Uint8Array | undefined;
      for (let i = 1; i < count; i++) {
        const raw = await notary.prepare(i === position ? DIGEST : other(i));
        await notary.submit(raw);
        if (i === position) ours = raw;
      }
      chain.mine(1, SCRIPT, NOW);
      return ours!;
    };

    for (const count of [2, 3, 4, 5, 7]) {
      it(`that the digest is in a block of ${count} transactions, at every place`, async () => {
        for (let position = 1; position < count; position++) {
          const ours = await blockOf(count, position);
          const height = await chain.tip();
          const { stamp, headers } = found(await opReturnNotary(chain, KEY, LIMITS).poll(DIGEST, ours, 1));
          const again = Ots.decode(Ots.encode(stamp), DIGEST);
          const [end, ...more] = Ots.walk(again);
          expect(more).to.have.length(0);
          expect(end!.attestation).to.deep.equal({ kind: 'bitcoin', height });
          const header = Bitcoin.decodeHeader(headers[0]!);
          expect(toHex(end!.message)).to.equal(toHex(header.merkleRoot));
          expect(Bitcoin.decodeBlock(await chain.block(height)).transactions).to.have.length(count);
          chain.mine(3, SCRIPT, NOW);
        }
      });
    }

    it('so that the reference implementation agrees (Debian python3-opentimestamps)', async function () {
      if (spawnSync(PYTHON, ['-c', 'import opentimestamps, bitcoin']).status !== 0) this.skip();
      const ours = await blockOf(6, 5);
      const { stamp, height, headers } = found(await opReturnNotary(chain, KEY, LIMITS).poll(DIGEST, ours, 1));
      const path = join(directory, 'digest.ots');
      writeFileSync(path, Ots.encodeFile({ hash: 'sha256', stamp }));
      const args = ['-c', REFERENCE, path, toHex(DIGEST), toHex(headers[0]!)];
      const { stdout, stderr, status } = spawnSync(PYTHON, args, { encoding: 'utf8' });
      expect(status, stderr).to.equal(0);
      expect(stdout.trim()).to.equal(`${height} ${Bitcoin.decodeHeader(headers[0]!).time}`);
    });

    it('again, elsewhere, when its block left the best chain', async () => {
      const fork = new DevelopmentChain(join(directory, 'fork'));
      cpSync(join(directory, 'start'), join(directory, 'fork'), { recursive: true });
      let best = chain;
      const backend = through(chain, {
        tip: () => best.tip(),
        header: (height) => best.header(height),
        block: (height) => best.block(height),
        find: (txid) => best.find(txid),
        broadcast: (raw) => best.broadcast(raw),
      });
      const notary = opReturnNotary(backend, KEY, LIMITS);
      const ours = await notary.prepare(DIGEST);
      await notary.submit(ours);
      chain.mine(2, SCRIPT, NOW);
      const before = found(await notary.poll(DIGEST, ours, 2));
      fork.mine(3, SCRIPT, NOW + 5);
      best = fork;
      expect(await notary.poll(DIGEST, ours, 2))
        .to.have.property('waitingFor')
        .that.contains('to be seen');
      await notary.submit(ours);
      fork.mine(1, SCRIPT, NOW + 5);
      expect(await notary.poll(DIGEST, ours, 2)).to.have.property('waitingFor', 'confirmation 2 of 2 on block 114');
      fork.mine(1, SCRIPT, NOW + 5);
      const after = found(await notary.poll(DIGEST, ours, 2));
      expect([before.height, after.height]).to.deep.equal([111, 114]);
      expect(toHex(after.headers[0]!)).to.equal(toHex(await fork.header(114)));
    });
  });

  describe('does not believe a node', () => {
    let ours: Uint8Array;
    beforeEach(async () => {
      const notary = opReturnNotary(chain, KEY, LIMITS);
      ours = await notary.prepare(DIGEST);
      await notary.submit(ours);
      chain.mine(3, SCRIPT, NOW);
    });
    const lie = async (changes: Partial<BitcoinBackend>): Promise<string> => {
      const error = await failure(opReturnNotary(through(chain, changes), KEY, LIMITS).poll(DIGEST, ours, 3));
      expect(error.retryable).to.equal(true);
      return error.message;
    };
    const noWork = async (height: number): Promise<Uint8Array> => {
      const header = Uint8Array.from(await chain.header(height));
      do header[76]!++;
      while (Bitcoin.checkWork(Bitcoin.decodeHeader(header), Bitcoin.networks.regtest));
      return header;
    };

    it('that names another block', async () => {
      expect(await lie({ find: async () => 112 })).to.contain('does not hold transaction');
    });

    it('that gives the right block under another height', async () => {
      expect(await lie({ find: async () => 112, block: () => chain.block(111) })).to.contain('another height');
    });

    it('that gives a block cut short, changed, or none', async () => {
      const block = await chain.block(111);
      for (const wrong of [
        block.subarray(0, -1),
        block.map((byte, i) => (i === 100 ? byte ^ 1 : byte)),
        new Uint8Array(),
      ]) {
        expect(await lie({ block: async () => wrong })).to.contain('block 111 is none');
      }
    });

    it('whose headers have no work, do not follow one another, or are of another chain', async () => {
      const with_ = (at: number, header: Uint8Array): Partial<BitcoinBackend> => ({
        header: async (height) => (height === at ? header : chain.header(height)),
      });
      expect(await lie(with_(112, await noWork(112)))).to.contain('header 112');
      expect(await lie(with_(113, await chain.header(112)))).to.contain('header 113');
      expect(await lie(with_(112, new Uint8Array(79)))).to.contain('block 112 is none');
      expect(await lie({ header: (height) => chain.header(height + 1), tip: async () => 112 })).to.contain('changed');
      expect(await lie({ network: 'mainnet' })).to.contain('no work');
    });

    it('whose tip is below the block', async () => {
      expect(await lie({ tip: async () => 110 })).to.contain('changed while it was read');
    });

    it('about a transaction with the digest twice', async () => {
      const [unspent] = await chain.unspent(SCRIPT);
      const data = scripts.compile([opcodes['OP_RETURN']!, DIGEST]);
      const second = payments.p2wsh({ hash: DIGEST }).output!;
      const twice = spend(
        KEY,
        [unspent!],
        [
          [data, 0n],
          [second, 1000n],
        ],
      );
      await chain.broadcast(twice.toBuffer());
      chain.mine(1, SCRIPT, NOW);
      const error = await failure(opReturnNotary(chain, KEY, LIMITS).poll(DIGEST, twice.toBuffer(), 1));
      expect(error.message).to.contain('the digest once');
    });
  });
});
