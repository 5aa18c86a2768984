import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import * as Evidence from '../../src/protocol/evidence.ts';
import * as Trust from '../../src/protocol/trust.ts';
import { DecodeError } from '../../src/protocol/bytes.ts';
import { verify, verifyEvidence } from '../../src/verify/verify.ts';
import { story, type World } from './world.ts';

type Node = string | boolean | readonly Node[] | { readonly [name: string]: Node };
type Step = string | number;

/** Every string in the document, by where it is. */
function* strings(node: Node, at: readonly Step[] = []): Generator<{ at: readonly Step[]; text: string }> {
  if (typeof node === 'string') yield { at, text: node };
  else if (Array.isArray(node)) for (const [i, each] of node.entries()) yield* strings(each as Node, [...at, i]);
  else if (typeof node === 'object') {
    for (const [name, each] of Object.entries(node)) yield* strings(each as Node, [...at, name]);
  }
}

function replaced(document: Node, at: readonly Step[], text: string): Uint8Array {
  const copy = structuredClone(document) as never;
  let parent: { [step: Step]: unknown } = copy;
  for (const step of at.slice(0, -1)) parent = parent[step] as typeof parent;
  parent[at.at(-1)!] = text;
  return new TextEncoder().encode(JSON.stringify(copy));
}

/** One bit of every byte that a field stands for: of hex the byte, of any other text the character. */
function* flips(text: string): Generator<string> {
  const isHex = text.length % 2 === 0 && /^[0-9a-f]{6,}$/.test(text);
  for (let i = 0; i < text.length; i += isHex ? 2 : 1) {
    const bit = 1 << (i % 7);
    const flipped = isHex
      ? (Number.parseInt(text.slice(i, i + 2), 16) ^ bit).toString(16).padStart(2, '0')
      : String.fromCharCode(text.charCodeAt(i) ^ bit);
    yield text.slice(0, i) + flipped + text.slice(i + (isHex ? 2 : 1));
  }
}

describe('evidence, from end to end', function () {
  this.timeout(240_000);
  let world: World;
  const file = (name: string): Uint8Array => readFileSync(world.path(name));
  before(async () => {
    world = await story();
  });
  after(() => world.close());

  for (const [evidence, trust] of [
    ['evidence.json', 'trust.json'],
    ['later.json', 'trust.json'],
    ['globex.json', 'globex-trust.json'],
  ] as const) {
    it(`${evidence} is notarized`, async () => {
      const verdict = await verify(file(evidence), file(trust));
      expect(verdict.findings).to.deep.equal([]);
      expect(verdict.verdict).to.equal('Included');
      expect(verdict.tier).to.equal('notarized');
      expect(verdict.notAfter?.block).to.match(/^10[0-9]$/);
    });

    it(`${evidence} with any one byte of any field changed is not`, async () => {
      const document = JSON.parse(Buffer.from(file(evidence)).toString()) as Node;
      const parsed = Trust.decode(file(trust));
      let tried = 0;
      for (const { at, text } of strings(document)) {
        for (const other of flips(text)) {
          tried += 1;
          const where = `${at.join('.')} as ${other.slice(0, 80)}`;
          let changed: Evidence.Evidence;
          try {
            changed = Evidence.decode(replaced(document, at, other));
          } catch (error) {
            expect(error, where).to.be.instanceOf(DecodeError);
            continue;
          }
          const { verdict, findings } = await verifyEvidence(changed, parsed);
          expect(verdict, where).to.be.oneOf(['Tampered', 'PolicyUnmet', 'NotIncluded']);
          if (verdict === 'Tampered') expect(findings.length, where).to.be.greaterThan(0);
        }
      }
      expect(tried).to.be.greaterThan(2000);
    });
  }

  it('a change in any member ends the command with 1 or 2 and no stack trace', () => {
    const document = JSON.parse(Buffer.from(file('evidence.json')).toString()) as { readonly [name: string]: Node };
    for (const name of Object.keys(document)) {
      const [first] = strings(document[name]!, [name]);
      if (first === undefined) continue;
      const [other] = flips(first.text);
      writeFileSync(world.path('changed.json'), replaced(document, first.at, other!));
      const ran = spawnSync(
        process.execPath,
        ['src/cli/main.ts', 'verify', world.path('changed.json'), '--trust', world.path('trust.json'), '--json'],
        { env: {}, encoding: 'utf8' },
      );
      expect(ran.status, name).to.be.oneOf([1, 2]);
      expect(ran.stderr + ran.stdout, name).not.to.match(/\n\s+at /);
    }
  });

  it('members of other evidence do not fit', async () => {
    const [one, other] = ['evidence.json', 'later.json'].map((name) => Evidence.decode(file(name))) as [
      Evidence.Evidence,
      Evidence.Evidence,
    ];
    const trust = Trust.decode(file('trust.json'));
    for (const member of Object.keys(one) as (keyof Evidence.Evidence)[]) {
      const same = Buffer.from(Evidence.encode({ ...one, [member]: other[member] })).equals(Evidence.encode(one));
      const { verdict } = await verifyEvidence({ ...one, [member]: other[member] }, trust);
      if (!same) expect(verdict, member).not.to.equal('Included');
    }
  });

  it("another tenant's trust file is WrongChain", async () => {
    const { verdict, findings } = await verify(file('evidence.json'), file('globex-trust.json'));
    expect(verdict).to.equal('Tampered');
    expect(findings[0]?.reason).to.equal('WrongChain');
  });

  it('ends at the tier of what is there, and below the policy is no success', async () => {
    const { bitcoin, ots, checkpoint, anchor, log, ...sealed } = Evidence.decode(file('evidence.json'));
    const trust = Trust.decode(file('trust.json'));
    const none = { bitcoin: undefined, ots: undefined, checkpoint: undefined, anchor: undefined, log: undefined };
    const tiers = [
      [{ ...sealed, ...none }, 'sealed'],
      // Offline an anchor without a checkpoint is a claim.
      [{ ...sealed, ...none, anchor, log }, 'sealed'],
      [{ ...sealed, ...none, anchor, log, checkpoint }, 'checkpointed'],
      [{ ...sealed, anchor, log, checkpoint, ots, bitcoin }, 'notarized'],
    ] as const;
    for (const [evidence, tier] of tiers) {
      const verdict = await verifyEvidence(evidence, trust);
      expect(verdict.tier).to.equal(tier);
      expect(verdict.verdict).to.equal(tier === 'notarized' ? 'Included' : 'PolicyUnmet');
    }
  });

  it('another event is NotIncluded', async () => {
    const trust = Trust.decode(file('trust.json'));
    const evidence = Evidence.decode(file('evidence.json'));
    const { verdict } = await verifyEvidence(evidence, trust, { event: new TextEncoder().encode('{"id":"other"}') });
    expect(verdict).to.equal('NotIncluded');
    const mine = readFileSync(world.path('event.json'));
    expect((await verifyEvidence(evidence, trust, { event: mine })).verdict).to.equal('Included');
  });

  it('a source that knows another block at the height is HeaderMismatch; one that agrees is a step', async () => {
    const evidence = Evidence.decode(file('evidence.json'));
    const trust = Trust.decode(file('trust.json'));
    const lying = { bitcoinBlock: async () => new Uint8Array(32) };
    const { verdict, findings } = await verifyEvidence(evidence, trust, { sources: lying });
    expect(verdict).to.equal('Tampered');
    expect(findings.map(({ reason }) => reason)).to.include('HeaderMismatch');
    const known = new Map(trust.bitcoin.blocks.map(({ height, hash }) => [height, hash]));
    const honest = { bitcoinBlock: async (height: number) => known.get(height), l2Block: async () => 'Final' as const };
    const agreed = await verifyEvidence(evidence, trust, { sources: honest });
    expect(agreed.verdict).to.equal('Included');
    expect(agreed.l2).to.equal('Final');
    expect(agreed.notBefore?.chain).to.equal(`evm ${trust.l2.chainId}`);
  });

  it('policies: an orphaned L2 block, too few confirmations, too little work', async () => {
    const evidence = Evidence.decode(file('evidence.json'));
    const trust = Trust.decode(file('trust.json'));
    const orphaned = await verifyEvidence(evidence, trust, { sources: { l2Block: async () => 'Orphaned' } });
    expect([orphaned.verdict, orphaned.l2, orphaned.tier]).to.deep.equal(['PolicyUnmet', 'Orphaned', 'notarized']);
    const deeper = await verifyEvidence(evidence, { ...trust, policy: { ...trust.policy, confirmations: 7 } });
    expect(deeper.verdict).to.equal('PolicyUnmet');
    const final = await verifyEvidence(evidence, { ...trust, policy: { ...trust.policy, l2Final: true } });
    expect(final.verdict).to.equal('PolicyUnmet');
    const work = await verifyEvidence(evidence, { ...trust, bitcoin: { ...trust.bitcoin, minimumWork: 1n << 70n } });
    expect(work.findings[0]?.reason).to.equal('InsufficientWork');
    const mainnet = await verifyEvidence(evidence, { ...trust, bitcoin: { ...trust.bitcoin, network: 'mainnet' } });
    expect(mainnet.verdict).to.equal('Tampered');
  });
});
