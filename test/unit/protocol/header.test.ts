import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { DecodeError, equal, fromHex, toHex } from '../../../src/protocol/bytes.ts';
import * as Header from '../../../src/protocol/header.ts';
import * as Rlp from '../../../src/protocol/rlp.ts';

type Vector = {
  readonly desc: string;
  readonly input: Record<string, string>;
  readonly bytes: string;
  readonly want: Record<'hash' | 'number' | 'timestamp' | 'parentHash' | 'stateRoot', string>;
};

const FOLDER = new URL('../../vectors/header/', import.meta.url);
const read = (name: string) => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as Vector;

function failureOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof DecodeError) return `${error.code} ${error.field}`;
    throw error;
  }
  return 'accepted';
}

describe('header', () => {
  for (const name of readdirSync(FOLDER)) {
    const { desc, input, bytes, want } = read(name);
    it(`reads ${desc}`, () => {
      const header = Header.decode(fromHex(bytes, 'bytes'));
      expect({
        hash: toHex(header.hash),
        number: String(header.number),
        timestamp: String(header.timestamp),
        parentHash: toHex(header.parentHash),
        stateRoot: toHex(header.stateRoot),
      }).to.deep.equal(want);
    });
    it(`makes ${desc} from a node's answer, to the hash that the chain knows`, () => {
      const rlp = Header.fromRpc(input);
      expect(toHex(rlp)).to.equal(bytes);
      expect(`0x${toHex(Header.decode(rlp).hash)}`).to.equal(input['hash']);
    });
  }

  const prague = read('op-mainnet-prague.json');
  const rlp = fromHex(prague.bytes, 'bytes');
  const items = Rlp.decode(rlp, 'header') as readonly Uint8Array[];
  const decode = (fields: readonly Rlp.Rlp[]) => Header.decode(Rlp.encode(fields));

  it('knows the field counts of the forks and refuses all others', () => {
    const counts = Array.from({ length: 22 }, (_, i) => i).filter(
      (count) => failureOf(() => decode(items.slice(0, count))) === 'accepted',
    );
    expect(counts).to.deep.equal([15, 16, 17, 20, 21]);
    for (const extra of [1, 2, 3]) {
      const fields = [...items, ...Array<Uint8Array>(extra).fill(new Uint8Array(32))];
      expect(failureOf(() => decode(fields))).to.equal('bad-version header');
    }
  });

  const HOSTILE: readonly (readonly [string, number, Rlp.Rlp, string])[] = [
    ['a parent hash of 31 bytes', 0, new Uint8Array(31), 'out-of-range parentHash'],
    ['an address of 32 bytes', 2, new Uint8Array(32), 'out-of-range miner'],
    ['an empty state root', 3, new Uint8Array(), 'out-of-range stateRoot'],
    ['a state root that is a list', 3, [], 'malformed stateRoot'],
    ['a bloom of 255 bytes', 6, new Uint8Array(255), 'out-of-range logsBloom'],
    ['a number with a leading zero', 8, Uint8Array.of(0, 1), 'malformed number'],
    ['a number that is a zero byte', 8, Uint8Array.of(0), 'malformed number'],
    ['a number of 9 bytes', 8, new Uint8Array(9).fill(1), 'out-of-range number'],
    ['a timestamp with a leading zero', 11, Uint8Array.of(0, 1), 'malformed timestamp'],
    ['a timestamp of 9 bytes', 11, new Uint8Array(9).fill(1), 'out-of-range timestamp'],
    ['extra data of 4097 bytes', 12, new Uint8Array(4097), 'too-large extraData'],
    ['a nonce of 7 bytes', 14, new Uint8Array(7), 'out-of-range nonce'],
    ['a requests hash of 33 bytes', 20, new Uint8Array(33), 'out-of-range requestsHash'],
  ];
  for (const [name, at, item, failure] of HOSTILE) {
    it(`refuses ${name}`, () => {
      expect(failureOf(() => decode((items as readonly Rlp.Rlp[]).with(at, item)))).to.equal(failure);
    });
  }

  it('refuses bytes after the header, a header that is cut and one that is no list', () => {
    expect(failureOf(() => Header.decode(Uint8Array.of(...rlp, 0)))).to.equal('trailing header');
    expect(failureOf(() => Header.decode(rlp.slice(0, -1)))).to.equal('truncated header');
    expect(failureOf(() => Header.decode(Uint8Array.of(0x80)))).to.equal('malformed header');
    expect(failureOf(() => Header.decode(new Uint8Array()))).to.equal('truncated header');
  });

  it('gives no flipped bit the same hash', () => {
    for (let bit = 0; bit < rlp.length * 8; bit += 7) {
      const flipped = rlp.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      try {
        expect(equal(Header.decode(flipped).hash, fromHex(prague.want.hash, 'hash'))).to.equal(false);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }
  });

  describe('from a node', () => {
    const change = (fields: Record<string, unknown>) => () => Header.fromRpc({ ...prague.input, ...fields });
    it('takes upper-case hex and absent fields written as null', () => {
      expect(change({ stateRoot: `0x${prague.want.stateRoot.toUpperCase()}` })()).to.deep.equal(rlp);
      const paris = read('mainnet-paris.json');
      expect(toHex(Header.fromRpc({ ...paris.input, withdrawalsRoot: null }))).to.equal(paris.bytes);
    });
    it('refuses what is no hex string', () => {
      expect(failureOf(change({ stateRoot: undefined }))).to.equal('malformed stateRoot');
      expect(failureOf(change({ number: 12 }))).to.equal('malformed number');
      expect(failureOf(change({ number: null }))).to.equal('malformed number');
      expect(failureOf(change({ number: '0x' }))).to.equal('malformed number');
      expect(failureOf(change({ number: '0x-1' }))).to.equal('malformed number');
      expect(failureOf(change({ number: '12' }))).to.equal('malformed number');
      expect(failureOf(change({ extraData: '0xabc' }))).to.equal('truncated extraData');
    });
    it('refuses a hole among the later fields', () => {
      expect(failureOf(change({ requestsHash: undefined, withdrawalsRoot: undefined }))).to.equal('bad-version header');
      expect(failureOf(change({ withdrawalsRoot: undefined }))).to.equal('out-of-range withdrawalsRoot');
    });
    it('shows a field that it does not know by another hash', () => {
      const later = Rlp.encode([...items, new Uint8Array(32), Uint8Array.of(1)]);
      expect(failureOf(() => Header.decode(later))).to.equal('bad-version header');
      expect(change({ slotNumber: '0x1' })())
        .to.deep.equal(rlp)
        .and.not.deep.equal(later);
    });
  });
});
