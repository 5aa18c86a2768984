/** What holds for every JSON file of ours, whatever is in it. */
import { expect } from 'chai';
import { changed, nodes, pointer, written, type Node } from './documents.ts';
import { failureOf } from './vectors.ts';

const isHex = (text: string): boolean => text.length >= 6 && text.length % 2 === 0 && /^[0-9a-f]+$/.test(text);
const isNumber = (text: string): boolean => /^(0|[1-9][0-9]*)$/.test(text) && text.length < 80;

/** `isOptional`: whether a document without what is at a place is one, too. */
export function keepsItsForm(
  document: { readonly [name: string]: Node },
  decode: (bytes: Uint8Array) => unknown,
  isOptional: (at: readonly (string | number)[]) => boolean,
): void {
  const refusal = (bytes: Uint8Array) => failureOf(() => decode(bytes));
  const all = [...nodes(document)];

  it('says what it is', () => {
    for (const kind of ['kedge-other', 'KEDGE', '']) {
      expect(refusal(changed(document, ['kind'], kind)), kind).to.include({ code: 'bad-tag', field: '/kind' });
    }
    for (const version of ['0', '2', '1.0', '01', '']) {
      const failure = refusal(changed(document, ['version'], version));
      expect(failure, version).to.include({ code: 'bad-version', field: '/version' });
    }
  });

  it('has no unknown member in any object', () => {
    for (const { at, node } of all) {
      if (typeof node !== 'object' || node === null || Array.isArray(node)) continue;
      const where = `${pointer(at)}/unknown`;
      const file = changed(document, [...at, 'unknown'], '1');
      if (at.length === 0) expect(refusal(written({ ...document, unknown: '1' }))).to.include({ field: '/unknown' });
      else expect(refusal(file), where).to.include({ code: 'malformed', field: where });
    }
  });

  it('misses no member', () => {
    let tried = 0;
    for (const { at } of all) {
      if (typeof at.at(-1) !== 'string') continue;
      const failure = refusal(changed(document, at, undefined));
      if (isOptional(at)) expect(failure, pointer(at)).to.equal('accepted');
      else if (at[0] === 'event') expect(failure, pointer(at)).not.to.equal('accepted');
      else expect(failure, pointer(at)).to.include({ code: 'malformed', field: pointer(at) });
      tried += 1;
    }
    expect(tried).to.be.greaterThan(15);
  });

  it('holds a value of another kind nowhere', () => {
    for (const { at, node } of all) {
      const others: readonly Node[] = [null, 7, true, 'zz', [], {}, [[]]];
      if (pointer(at) === '/tenant/name') continue;
      for (const other of others) {
        const same = Array.isArray(other) ? Array.isArray(node) : typeof other === typeof node && other !== null;
        if (same && other !== 'zz') continue;
        const failure = refusal(changed(document, at, other));
        const where = `${pointer(at)} as ${JSON.stringify(other)}`;
        expect(failure, where).not.to.equal('accepted');
        if (failure !== 'accepted' && typeof other !== 'string' && !Array.isArray(other)) {
          expect(failure.field, where).to.equal(pointer(at));
        }
      }
    }
  });

  it('holds integers as decimal strings without leading zeros', () => {
    let tried = 0;
    for (const { at, node } of all) {
      if (typeof node !== 'string' || !isNumber(node) || at[0] === 'version' || at.at(-1) === 'suite') continue;
      if (isHex(node) && node.length > 20) continue;
      tried += 1;
      const wrong: readonly Node[] = [
        `0${node}`,
        `+${node}`,
        `-${node}`,
        `${node}.0`,
        ` ${node}`,
        `${node}n`,
        `0x${node}`,
        '',
        '1e3',
      ];
      for (const text of wrong) {
        const where = `${pointer(at)} as ${JSON.stringify(text)}`;
        expect(refusal(changed(document, at, text)), where).to.include({ code: 'malformed', field: pointer(at) });
      }
      const bare = refusal(changed(document, at, Number(node) % 1000));
      expect(bare, pointer(at)).to.include({ code: 'malformed', field: pointer(at) });
    }
    expect(tried).to.be.greaterThan(5);
  });

  it('holds bytes as lower-case hex without a prefix', () => {
    let tried = 0;
    for (const { at, node } of all) {
      if (typeof node !== 'string' || !isHex(node) || isNumber(node)) continue;
      tried += 1;
      const field = pointer(at);
      for (const text of [`0x${node}`, `AB${node.slice(2)}`, `${node.slice(0, -1)} `, `${node.slice(0, -1)}g`]) {
        expect(refusal(changed(document, at, text)), `${field} as ${text}`).to.include({ code: 'malformed', field });
      }
      const odd = refusal(changed(document, at, node.slice(0, -1)));
      expect(odd, field).to.include({ code: 'truncated', field });
    }
    expect(tried).to.be.greaterThan(3);
  });

  it('is one JSON value and nothing else', () => {
    const text = JSON.stringify(document);
    expect(refusal(Buffer.from(`${text}0`))).to.include({ code: 'trailing' });
    expect(refusal(Buffer.from(`\ufeff${text}`))).not.to.equal('accepted');
    expect(refusal(Buffer.from(text.replace('{', '{"kind":"other",')))).not.to.equal('accepted');
    for (let length = 0; length < text.length; length += 7) {
      expect(refusal(Buffer.from(text.slice(0, length))), `${length} bytes`).to.include({ code: 'truncated' });
    }
  });
}
