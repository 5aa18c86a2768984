import { expect } from 'chai';
import { DecodeError, toHex } from '../../../src/protocol/bytes.ts';
import * as Evidence from '../../../src/protocol/evidence.ts';
import { changed, EVIDENCE, parsed, written, type Node } from './documents.ts';
import { keepsItsForm } from './form.ts';
import { failureOf } from './vectors.ts';

const OPTIONAL = ['anchor', 'log', 'checkpoint', 'ots', 'bitcoin'] as const;
const refusal = (bytes: Uint8Array) => failureOf(() => Evidence.decode(bytes));

describe('evidence', () => {
  const bytes = Evidence.encode(EVIDENCE);
  const document = parsed(bytes) as { readonly [name: string]: Node };

  it('comes back as it was written', () => {
    expect(Evidence.decode(bytes)).to.deep.equal(EVIDENCE);
    expect(toHex(Evidence.encode(Evidence.decode(bytes)))).to.equal(toHex(bytes));
  });

  for (const name of OPTIONAL) {
    it(`comes back without ${name}`, () => {
      const without = { ...EVIDENCE, [name]: undefined };
      expect(Evidence.decode(Evidence.encode(without))).to.deep.equal(without);
    });
  }

  it('comes back with a hash instead of bytes, and without a path', () => {
    const { path } = EVIDENCE.event;
    for (const content of [
      { hash: new Uint8Array(32).fill(3) },
      { hash: new Uint8Array(16) },
      { bytes: new Uint8Array() },
    ]) {
      for (const event of [
        { content, path },
        { content, path: undefined },
      ]) {
        expect(Evidence.decode(Evidence.encode({ ...EVIDENCE, event })).event).to.deep.equal(event);
      }
    }
  });

  it('is about either bytes or a hash', () => {
    const both = { ...(document['event'] as object), hash: '00' } as Node;
    const neither = changed(document, ['event', 'bytes'], undefined);
    for (const file of [changed(document, ['event'], both), neither]) {
      expect(refusal(file)).to.include({ code: 'malformed', field: '/event' });
    }
  });

  it('takes no index without a path', () => {
    const file = changed(document, ['event', 'path'], undefined);
    expect(refusal(file)).to.include({ code: 'malformed', field: '/event/index' });
  });

  for (const [at, value] of [
    [['anchor', 'salt'], '00'.repeat(15)],
    [['anchor', 'path', 0], '00'.repeat(33)],
    [['log', 'path', 0], '00'.repeat(16)],
    [['bitcoin', 'headers', 1], '00'.repeat(79)],
    [['anchor', 'count'], '4294967296'],
    [['bitcoin', 'height'], '4294967296'],
    [['known', 0, 'height'], '18446744073709551616'],
    [['event', 'index'], '18446744073709551616'],
  ] as const) {
    it(`/${at.join('/')} of ${value.slice(0, 20)} is out of range`, () => {
      const file = changed(document, at, value);
      expect(refusal(file)).to.include({ code: 'out-of-range', field: `/${at.join('/')}` });
    });
  }

  it('knows the networks and no other', () => {
    for (const name of ['main', 'Mainnet', 'testnet3', '']) {
      const file = changed(document, ['bitcoin', 'network'], name);
      expect(refusal(file), name).to.include({ code: 'malformed', field: '/bitcoin/network' });
    }
  });

  it('is not read through the prototype', () => {
    const text = JSON.stringify(document);
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const file = Buffer.from(text.replace('{', `{"${name}":{},`));
      expect(refusal(file), name).to.include({ code: 'malformed', field: `/${name}` });
    }
    const head = Buffer.from(text.replace('"head":', '"__proto__":{"head":"00"},"other":'));
    expect(() => Evidence.decode(head)).to.throw(DecodeError);
  });

  keepsItsForm(document, Evidence.decode, (at) => {
    const [name] = at;
    const isOptional = at.length === 1 && OPTIONAL.some((each) => each === name);
    return isOptional || (at.at(-1) === 'path' && (name === 'seal' || name === 'rotations'));
  });

  it('reads white space and any order of members', () => {
    const reversed = Object.fromEntries(Object.entries(document).toReversed()) as Node;
    expect(Evidence.decode(written(reversed))).to.deep.equal(EVIDENCE);
  });
});
