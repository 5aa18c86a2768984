import { expect } from 'chai';
import { toHex, type ContentHash } from '../../../src/protocol/bytes.ts';
import { BLAKE3_128 } from '../../../src/protocol/suite.ts';
import * as Trust from '../../../src/protocol/trust.ts';
import { changed, parsed, TRUST, type Node } from './documents.ts';
import { keepsItsForm } from './form.ts';
import { failureOf } from './vectors.ts';

const refusal = (bytes: Uint8Array) => failureOf(() => Trust.decode(bytes));

describe('trust', () => {
  const bytes = Trust.encode(TRUST);
  const document = parsed(bytes) as { readonly [name: string]: Node };

  it('comes back as it was written', () => {
    expect(Trust.decode(bytes)).to.deep.equal(TRUST);
    expect(toHex(Trust.encode(Trust.decode(bytes)))).to.equal(toHex(bytes));
  });

  it('comes back with the least in it', () => {
    const least: Trust.Trust = {
      ...TRUST,
      l2: { ...TRUST.l2, codeHash: undefined },
      bitcoin: { network: 'regtest', minimumWork: 0n, blocks: [] },
      policy: { tier: 'sealed', confirmations: 0, l2Final: false },
      records: [],
    };
    expect(Trust.decode(Trust.encode(least))).to.deep.equal(least);
  });

  it('comes back in suite blake3-128', () => {
    const other: Trust.Trust = {
      ...TRUST,
      identity: { ...TRUST.identity, suite: BLAKE3_128 },
      records: TRUST.records.map((record) => ({ ...record, hash: record.hash.slice(16) as ContentHash })),
    };
    expect(Trust.decode(Trust.encode(other))).to.deep.equal(other);
  });

  for (const [at, value, code] of [
    [['tenant', 'name'], 'Acme', 'malformed'],
    [['tenant', 'name'], 'acme\n', 'malformed'],
    [['tenant', 'name'], '', 'malformed'],
    [['tenant', 'name'], 'a'.repeat(64), 'malformed'],
    [['tenant', 'suite'], '0', 'malformed'],
    [['tenant', 'suite'], '3', 'malformed'],
    [['tenant', 'slot'], '4294967296', 'out-of-range'],
    [['tenant', 'genesisKey'], '00'.repeat(31), 'out-of-range'],
    [['tenant', 'nextKeyDigest'], '', 'out-of-range'],
    [['l2', 'chainId'], '18446744073709551616', 'out-of-range'],
    [['l2', 'contract'], '00'.repeat(32), 'out-of-range'],
    [['l2', 'codeHash'], '00'.repeat(20), 'out-of-range'],
    [['bitcoin', 'network'], 'testnet', 'malformed'],
    [['bitcoin', 'minimumWork'], String(1n << 256n), 'out-of-range'],
    [['bitcoin', 'minimumWork'], '9'.repeat(79), 'malformed'],
    [['bitcoin', 'blocks', 0, 'hash'], '00'.repeat(33), 'out-of-range'],
    [['bitcoin', 'blocks', 0, 'height'], '4294967296', 'out-of-range'],
    [['policy', 'tier'], 'none', 'malformed'],
    [['policy', 'tier'], 'Sealed', 'malformed'],
    [['policy', 'confirmations'], '4294967296', 'out-of-range'],
    [['policy', 'l2Final'], 'true', 'malformed'],
    [['records', 0, 'hash'], '00'.repeat(16), 'out-of-range'],
    [['records', 0, 'key'], '00'.repeat(64), 'out-of-range'],
    [['records', 0, 'height'], '18446744073709551616', 'out-of-range'],
  ] as const) {
    it(`/${at.join('/')} of ${JSON.stringify(value.slice(0, 24))} is ${code}`, () => {
      expect(refusal(changed(document, at, value))).to.include({ code, field: `/${at.join('/')}` });
    });
  }

  keepsItsForm(document, Trust.decode, (at) => at.join('/') === 'l2/codeHash');
});
