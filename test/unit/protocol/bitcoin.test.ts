import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as Bitcoin from '../../../src/protocol/bitcoin.ts';
import { DecodeError, equal, fromHex, toHex } from '../../../src/protocol/bytes.ts';
import * as Ots from '../../../src/protocol/ots.ts';

const FOLDER = 'test/vectors/bitcoin-core-regtest';
const hex = (path: string): Uint8Array => fromHex(readFileSync(`${FOLDER}/${path}`, 'utf8').trim(), path);
const headers = readFileSync(`${FOLDER}/headers.hex`, 'utf8')
  .trim()
  .split('\n')
  .map((line) => fromHex(line, 'header'));
const blocks = readdirSync(`${FOLDER}/blocks`);
const stamps = readdirSync(`${FOLDER}/stamps`).filter((name) => name.endsWith('.ots'));

describe('bitcoin', () => {
  it("mainnet's first blocks hash to their names", () => {
    const genesis = fromHex(
      '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c',
      'genesis',
    );
    const header = Bitcoin.decodeHeader(genesis);
    expect(toHex(header.hash.toReversed())).to.equal(
      '000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f',
    );
    expect(Bitcoin.checkWork(header, Bitcoin.networks.mainnet)).to.equal(true);
    expect(Bitcoin.work(header.bits)).to.equal(0x100010001n);
    expect(Bitcoin.checkWork(header, Bitcoin.networks.regtest)).to.equal(true);
  });

  it("the headers of a real node's chain are linked and have work; none passes on mainnet", () => {
    headers.forEach((raw, i) => {
      const header = Bitcoin.decodeHeader(raw);
      expect(Bitcoin.checkWork(header, Bitcoin.networks.regtest)).to.equal(true);
      expect(Bitcoin.checkWork(header, Bitcoin.networks.mainnet)).to.equal(false);
      if (i > 0) expect(equal(header.prev, Bitcoin.decodeHeader(headers[i - 1]!).hash)).to.equal(true);
    });
  });

  /** Block, header, hash as explorers show it. */
  const known: readonly (readonly [number, string, string])[] = [
    [
      1,
      '010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299',
      '00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048',
    ],
    [
      125552,
      '0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695',
      '00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d',
    ],
  ];
  for (const [height, bytes, hash] of known) {
    it(`mainnet's block ${height} hashes to its name and has the work that its bits say, not a bit more`, () => {
      const raw = fromHex(bytes, 'header');
      const header = Bitcoin.decodeHeader(raw);
      expect(toHex(header.hash.toReversed())).to.equal(hash);
      expect(Bitcoin.checkWork(header, Bitcoin.networks.mainnet)).to.equal(true);
      for (let i = 0; i < 8 * raw.length; i++) {
        const changed = raw.map((byte, at) => (at === i >> 3 ? byte ^ (1 << (i & 7)) : byte));
        expect(Bitcoin.checkWork(Bitcoin.decodeHeader(changed), Bitcoin.networks.mainnet), `bit ${i}`).to.equal(false);
      }
    });
  }

  it('targets and work as Bitcoin Core computes them', () => {
    const limit = 0x7fffffn << 232n;
    expect(Bitcoin.target(0x207fffff)).to.equal(limit);
    expect(Bitcoin.work(0x207fffff)).to.equal(2n);
    expect(Bitcoin.target(0x1b0404cb)).to.equal(0x404cbn << 192n);
    expect(Bitcoin.work(0x1a44b9f2)).to.equal((1n << 256n) / ((0x44b9f2n << 184n) + 1n));
  });

  it('a header is 80 bytes', () => {
    for (const length of [0, 79, 81, 160]) {
      expect(() => Bitcoin.decodeHeader(new Uint8Array(length))).to.throw(DecodeError);
    }
  });

  it('compact bits that stand for no target', () => {
    for (const bits of [0, 0x1d80ffff, 0x21ffffff, 0x1d000001, 0x02008000, 0xff7fffff]) {
      expect(Bitcoin.target(bits), bits.toString(16)).to.equal(undefined);
    }
  });

  for (const name of blocks) {
    it(`block ${name} of a real node: every transaction's path leads to its header`, () => {
      const { header, transactions } = Bitcoin.decodeBlock(hex(`blocks/${name}`));
      const ids = transactions.map(Bitcoin.sha256d);
      ids.forEach((id, i) => {
        const root = Bitcoin.merklePath(ids, i).reduce(
          (node, { hash, isLeft }) =>
            Bitcoin.sha256d(isLeft ? Uint8Array.of(...hash, ...node) : Uint8Array.of(...node, ...hash)),
          id,
        );
        expect(equal(root, header.merkleRoot)).to.equal(true);
      });
    });
  }

  it('a block with a byte more, less or changed is refused', () => {
    const raw = hex('blocks/115.hex');
    for (const wrong of [
      raw.subarray(0, -1),
      Uint8Array.of(...raw, 0),
      raw.map((byte, i) => (i === 200 ? byte ^ 1 : byte)),
    ]) {
      expect(() => Bitcoin.decodeBlock(wrong)).to.throw(DecodeError);
    }
  });

  it('the tree is the one that the rule says, for every size up to 33', () => {
    const naive = (level: readonly Uint8Array[]): Uint8Array => {
      if (level.length === 1) return level[0]!;
      const even = level.length % 2 === 0 ? level : [...level, level.at(-1)!];
      const pairs = Array.from({ length: even.length / 2 }, (_, i) => [even[2 * i]!, even[2 * i + 1]!] as const);
      return naive(pairs.map(([left, right]) => Bitcoin.sha256d(Uint8Array.of(...left, ...right))));
    };
    const ids = Array.from({ length: 33 }, (_, i) => Bitcoin.sha256d(Uint8Array.of(i)));
    for (let size = 1; size <= 33; size++) {
      const some = ids.slice(0, size);
      expect(toHex(Bitcoin.merkleRoot(some))).to.equal(toHex(naive(some)));
      some.forEach((id, i) => {
        const root = Bitcoin.merklePath(some, i).reduce(
          (node, { hash, isLeft }) =>
            Bitcoin.sha256d(isLeft ? Uint8Array.of(...hash, ...node) : Uint8Array.of(...node, ...hash)),
          id,
        );
        expect(toHex(root)).to.equal(toHex(naive(some)));
      });
      expect(() => Bitcoin.merklePath(some, size)).to.throw(RangeError);
    }
    expect(() => Bitcoin.merkleRoot([])).to.throw(RangeError);
  });

  const outpoint = `${'11'.repeat(32)}00000000`;
  const end = `00ffffffff01010000000000000000`;
  const witness = '0101ff';
  const segwit = `0200000000${'01'}01${outpoint}${end}${witness}00000000`;
  it('a transaction without its witness is what its id is the hash of', () => {
    const bare = `0200000001${outpoint}${end}00000000`;
    expect(toHex(Bitcoin.stripWitness(fromHex(segwit, '')))).to.equal(bare);
    expect(toHex(Bitcoin.txid(fromHex(segwit, '')))).to.equal(toHex(Bitcoin.txid(fromHex(bare, ''))));
  });

  const wrong: readonly (readonly [string, string, DecodeError['code']])[] = [
    ['a trailing byte', `${segwit}00`, 'trailing'],
    ['a missing byte', segwit.slice(0, -2), 'truncated'],
    ['an unknown flag', segwit.replace('020000000001', '020000000002'), 'malformed'],
    ['no inputs', '02000000000100' + '01010000000000000000' + '00000000', 'out-of-range'],
    ['an empty witness behind the flag', segwit.replace(`${witness}00000000`, '0000000000'), 'malformed'],
    ['a count in three bytes that fits one', `02000000fd0100${outpoint}${end}00000000`, 'malformed'],
    ['a count in five bytes that fits three', `02000000fefdff0000${outpoint}${end}00000000`, 'malformed'],
    ['a count in nine bytes that fits five', `02000000ffffffffff00000000${outpoint}${end}00000000`, 'malformed'],
    ['2^53 inputs', '02000000ff00000000000020ff', 'too-large'],
    ['4 billion inputs', '02000000feffffffff', 'truncated'],
    ['a script of 4 billion bytes', `0200000001${outpoint}feffffffff`, 'truncated'],
  ];
  for (const [what, bytes, code] of wrong) {
    it(`a transaction with ${what} is refused`, () => {
      expect(() => Bitcoin.stripWitness(fromHex(bytes, 'test')))
        .to.throw(DecodeError)
        .with.property('code', code);
    });
  }

  it('a block with a transaction of 64 bytes is refused, though its tree is right (CVE-2017-12842)', () => {
    const blockOf = (transaction: string): Uint8Array => {
      const root = toHex(Bitcoin.txid(fromHex(transaction, '')));
      return fromHex(`${'00'.repeat(36)}${root}${'00'.repeat(12)}01${transaction}`, 'block');
    };
    const output = (script: string) => `0100000000000000${(script.length / 2).toString(16).padStart(2, '0')}${script}`;
    const of = (script: string) => `0200000001${outpoint}00ffffffff01${output(script)}00000000`;
    expect(fromHex(of('51525354'), '')).to.have.length(64);
    expect(() => Bitcoin.decodeBlock(blockOf(of('51525354'))))
      .to.throw(DecodeError)
      .with.property('code', 'out-of-range');
    expect(Bitcoin.decodeBlock(blockOf(of('5152535455'))).transactions).to.have.length(1);
  });

  it('a real block with its last transactions given twice is refused (CVE-2012-2459)', () => {
    let tried = 0;
    for (const name of blocks) {
      const raw = hex(`blocks/${name}`);
      const { transactions } = Bitcoin.decodeBlock(raw);
      // Each level's lonely node is where a list can be doubled without a change of the root.
      for (let width = 1; width < transactions.length; width *= 2) {
        if (Math.ceil(transactions.length / width) % 2 === 0) continue;
        const tail = transactions.slice(transactions.length - (transactions.length % width || width));
        const all = [...transactions, ...tail];
        const bytes = Uint8Array.of(...raw.subarray(0, 80), all.length, ...all.flatMap((each) => [...each]));
        expect(() => Bitcoin.decodeBlock(bytes), `${name}, ${tail.length} twice`).to.throw(DecodeError, /equal nodes/);
        tried++;
      }
    }
    expect(tried).to.be.above(0);
  });

  it('a list with its last pair given twice is refused (CVE-2012-2459)', () => {
    const { transactions } = Bitcoin.decodeBlock(hex('blocks/115.hex'));
    const ids = transactions.map(Bitcoin.sha256d);
    const even = ids.slice(0, ids.length - (ids.length % 2));
    expect(() => Bitcoin.merkleRoot([...even, even.at(-1)!, even.at(-1)!])).to.throw(DecodeError);
  });
});

describe('ots', () => {
  for (const name of stamps) {
    it(`${name} of the reference client comes back byte for byte and leads to its block`, () => {
      const bytes = Uint8Array.from(readFileSync(`${FOLDER}/stamps/${name}`));
      const file = Ots.decodeFile(bytes);
      expect(toHex(Ots.encodeFile(file))).to.equal(toHex(bytes));
      expect(toHex(file.stamp.message)).to.equal(
        toHex(Ots.apply(Ots.SHA256, readFileSync(`${FOLDER}/stamps/${name.replace(/(\.pending)?\.ots$/, '')}`))),
      );
      const attested = Ots.walk(file.stamp);
      const blocksNamed = attested.filter(({ attestation }) => attestation.kind === 'bitcoin');
      expect(blocksNamed.length).to.equal(name.includes('pending') ? 0 : 1);
      for (const { attestation, message } of blocksNamed) {
        if (attestation.kind !== 'bitcoin') continue;
        expect(equal(message, Bitcoin.decodeHeader(headers[attestation.height]!).merkleRoot)).to.equal(true);
      }
    });
  }

  it("a calendar's answers decode against what they are about, and merge", () => {
    for (const n of [1, 2, 3]) {
      const pending = Ots.decode(
        readFileSync(`${FOLDER}/calendar/${n}.digest-response.bin`),
        hex(`calendar/${n}.digest.hex`),
      );
      const [first] = Ots.walk(pending);
      expect(first?.attestation.kind).to.equal('pending');
      const upgrade = Ots.decode(
        readFileSync(`${FOLDER}/calendar/${n}.timestamp-response.bin`),
        hex(`calendar/${n}.commitment.hex`),
      );
      expect(toHex(first!.message)).to.equal(toHex(upgrade.message));
      const [complete] = Ots.walk(upgrade);
      expect(complete?.attestation.kind).to.equal('bitcoin');
      const whole = Ots.merge(
        pending,
        Ots.fromPath(pending.message, first!.ops, () => upgrade),
      );
      expect(
        Ots.walk(whole)
          .map(({ attestation }) => attestation.kind)
          .sort(),
      ).to.deep.equal(['bitcoin', 'pending']);
      expect(toHex(Ots.encode(Ots.decode(Ots.encode(whole), pending.message)))).to.equal(toHex(Ots.encode(whole)));
    }
  });

  const attestation = '000588960d73d719010101';
  const hostile: readonly (readonly [string, string, DecodeError['code']])[] = [
    ['nothing', '', 'truncated'],
    ['a trailing byte', `${attestation}00`, 'trailing'],
    ['an unknown operation', `ab${attestation}`, 'bad-tag'],
    ['an append of nothing', `f000${attestation}`, 'out-of-range'],
    ['an argument of 10 MB', 'f08080800500', 'out-of-range'],
    ['a length not in shortest form', `f0810000${attestation}`, 'malformed'],
    ['a height not in shortest form', '000588960d73d71901028100', 'malformed'],
    ['a height beyond 32 bits', '000588960d73d7190106ffffffffff01', 'out-of-range'],
    ['an attestation cut short', '000588960d73d719', 'truncated'],
    ['a payload longer than it says', '000588960d73d71901020100', 'trailing'],
    ['the same operation twice', `ff08${attestation}08${attestation}`, 'malformed'],
    ['a calendar with a query', '0083dfe30d2ef90c8e06053f613d6223', 'malformed'],
    ['a storm of forks', 'ff'.repeat(64), 'bad-tag'],
    ['256 operations', `${'08'.repeat(256)}${attestation}`, 'too-deep'],
    [
      'a result of 4,097 bytes',
      `${'f08010' + '00'.repeat(2048)}${'f08010' + '00'.repeat(2048)}${attestation}`,
      'too-large',
    ],
    [
      'too many branches',
      `${Array.from({ length: 20_001 }, (_, i) => `fff003${i.toString(16).padStart(6, '0')}${attestation}`).join('')}08${attestation}`,
      'too-large',
    ],
  ];
  for (const [what, bytes, code] of hostile) {
    it(`refuses ${what}`, () => {
      expect(() => Ots.decode(fromHex(bytes, 'test'), new Uint8Array(32)))
        .to.throw(DecodeError)
        .with.property('code', code);
    });
  }

  it('255 operations pass, and one more is not written', () => {
    const end = (message: Uint8Array) => Ots.attested(message, { kind: 'bitcoin', height: 1 });
    const path = (count: number) =>
      Ots.fromPath(
        new Uint8Array(32),
        Array.from({ length: count }, () => Ots.SHA256),
        end,
      );
    expect(Ots.depth(Ots.decode(Ots.encode(path(255)), new Uint8Array(32)))).to.equal(255);
    expect(() => Ots.encode(path(256))).to.throw(RangeError, /256/);
  });

  it('an unknown attestation is kept', () => {
    const bytes = fromHex('00aabbccddeeff001103010203', 'test');
    expect(toHex(Ots.encode(Ots.decode(bytes, new Uint8Array(32))))).to.equal(toHex(bytes));
  });

  it('a changed byte of a real file is another proof or a DecodeError, never another error', () => {
    for (const name of stamps) {
      const bytes = Uint8Array.from(readFileSync(`${FOLDER}/stamps/${name}`));
      for (let i = 0; i < bytes.length; i++) {
        const changed = Uint8Array.from(bytes);
        changed[i]! ^= 1 << (i % 8);
        try {
          expect(toHex(Ots.encodeFile(Ots.decodeFile(changed)))).to.have.length(2 * bytes.length);
        } catch (error) {
          expect(error).to.be.instanceOf(DecodeError);
        }
        expect(() => Ots.decodeFile(bytes.subarray(0, i))).to.throw(DecodeError);
      }
    }
  });
});
