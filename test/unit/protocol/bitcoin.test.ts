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
