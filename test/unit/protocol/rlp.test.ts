import { expect } from 'chai';
import fc from 'fast-check';
import { toRlp, type Hex } from 'viem';
import { ascii, DecodeError, fromHex, toHex } from '../../../src/protocol/bytes.ts';
import * as Rlp from '../../../src/protocol/rlp.ts';

const bytes = (hex: string) => fromHex(hex, 'test');

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof DecodeError) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('rlp', () => {
  const LOREM = 'Lorem ipsum dolor sit amet, consectetur adipisicing elit';
  // The examples of Ethereum's page on RLP.
  const KNOWN: readonly (readonly [string, Rlp.Rlp, string])[] = [
    ['dog', ascii('dog'), '83646f67'],
    ['a list of cat and dog', [ascii('cat'), ascii('dog')], 'c88363617483646f67'],
    ['the empty string', new Uint8Array(), '80'],
    ['the empty list', [], 'c0'],
    ['the byte 0x00', Uint8Array.of(0), '00'],
    ['the byte 0x0f', Uint8Array.of(15), '0f'],
    ['1024', Uint8Array.of(4, 0), '820400'],
    ['the set of three', [[], [[]], [[], [[]]]], 'c7c0c1c0c3c0c1c0'],
    ['56 characters', ascii(LOREM), `b838${toHex(ascii(LOREM))}`],
  ];
  for (const [name, item, hex] of KNOWN) {
    it(`reads and writes ${name}`, () => {
      expect(toHex(Rlp.encode(item))).to.equal(hex);
      expect(Rlp.decode(bytes(hex), 'item')).to.deep.equal(item);
    });
  }

  const HOSTILE: readonly (readonly [string, string, string])[] = [
    ['nothing at all', '', 'truncated'],
    ['a byte after the item', '83646f6700', 'trailing'],
    ['a string that is cut', '83646f', 'truncated'],
    ['a list that is cut', 'c883636174', 'truncated'],
    ['an item that runs out of its list', 'c283646f67', 'truncated'],
    ['a length that is cut', 'b9', 'truncated'],
    ['one byte in long form', '8105', 'malformed'],
    ['a short string with a long length', 'b803646f67', 'malformed'],
    ['a short list with a long length', 'f8026162', 'malformed'],
    ['a length with a leading zero', `b90038${'61'.repeat(56)}`, 'malformed'],
    ['a list length with a leading zero', `f90038${'61'.repeat(56)}`, 'malformed'],
    ['a length of eight bytes', 'bfffffffffffffffff', 'too-large'],
    ['a length beyond the input', 'bbffffffff', 'truncated'],
    ['five nested lists', 'c4c3c2c1c0', 'too-deep'],
    ['more than is ever needed', `b94001${'00'.repeat(16_385)}`, 'too-large'],
  ];
  for (const [name, hex, code] of HOSTILE) {
    it(`refuses ${name}`, () => expect(codeOf(() => Rlp.decode(bytes(hex), 'item'))).to.equal(code));
  }

  it('reads integers without leading zeros only', () => {
    expect(Rlp.uint(bytes(''), 'n', 8)).to.equal(0n);
    expect(Rlp.uint(bytes('ffffffffffffffff'), 'n', 8)).to.equal(2n ** 64n - 1n);
    expect(codeOf(() => Rlp.uint(bytes('00'), 'n', 8))).to.equal('malformed');
    expect(codeOf(() => Rlp.uint(bytes('0001'), 'n', 8))).to.equal('malformed');
    expect(codeOf(() => Rlp.uint(bytes('010000000000000000'), 'n', 8))).to.equal('out-of-range');
    expect(codeOf(() => Rlp.uint([], 'n', 8))).to.equal('malformed');
    expect(codeOf(() => Rlp.uint(undefined, 'n', 8))).to.equal('malformed');
    expect(codeOf(() => Rlp.list(bytes('00'), 'l'))).to.equal('malformed');
    expect(codeOf(() => Rlp.string(bytes('00'), 's', 2))).to.equal('out-of-range');
  });

  it('writes integers in their shortest form', () => {
    expect([0n, 1n, 255n, 256n, 4096n].map((n) => toHex(Rlp.encodeUint(n)))).to.deep.equal([
      '',
      '01',
      'ff',
      '0100',
      '1000',
    ]);
  });

  it("agrees with viem's encoder, and reads what it writes", () => {
    const { item } = fc.letrec<{ item: Rlp.Rlp }>((tie) => ({
      item: fc.oneof(
        { maxDepth: 3, depthSize: 'small' },
        fc.uint8Array({ maxLength: 70 }),
        fc.array(tie('item'), { maxLength: 6 }),
      ),
    }));
    type Nested = Hex | readonly Nested[];
    const hex = (each: Rlp.Rlp): Nested => (each instanceof Uint8Array ? `0x${toHex(each)}` : each.map(hex));
    fc.assert(
      fc.property(item, (each) => {
        const encoded = Rlp.encode(each);
        expect(`0x${toHex(encoded)}`).to.equal(toRlp(hex(each) as Hex));
        expect(Rlp.decode(encoded, 'item')).to.deep.equal(each);
      }),
    );
  });

  it('has one encoding for each item: what it reads, it writes back', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc.array(fc.constantFrom(0, 1, 0x7f, 0x80, 0x81, 0x82, 0xb8, 0xc0, 0xc1, 0xc2, 0xf8), { maxLength: 8 }),
    );
    fc.assert(
      fc.property(anyBytes, (input) => {
        const raw = Uint8Array.from(input);
        let item: Rlp.Rlp;
        try {
          item = Rlp.decode(raw, 'item');
        } catch (error) {
          expect(error).to.be.instanceOf(DecodeError);
          return;
        }
        expect(Rlp.encode(item)).to.deep.equal(raw);
      }),
      { numRuns: 2_000 },
    );
  });
});
