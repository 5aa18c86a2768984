import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { toHex, type KeyDigest, type PublicKey } from '../../src/protocol/bytes.ts';
import * as Chain from '../../src/protocol/chain.ts';
import * as Rotation from '../../src/protocol/rotation.ts';
import * as Seal from '../../src/protocol/seal.ts';
import * as Signature from '../../src/protocol/signature.ts';
import { SHA2_256 } from '../../src/protocol/suite.ts';
import type { ChainVerdict } from '../../src/protocol/verdict.ts';
import { story, type World } from './world.ts';

/** acme's chain: 0 seal of 7, 1 rotation, 2 seal of 5, 3 heartbeat (anchored). */
describe('an exported chain, audited', function () {
  this.timeout(120_000);
  let world: World;
  let folder: string;
  let copies = 0;
  before(async () => {
    world = await story();
    await world.ok('export', '-t', 'acme', world.path('export'));
  });
  after(() => world.close());
  beforeEach(() => {
    folder = world.path(`copy-${copies++}`);
    cpSync(world.path('export'), folder, { recursive: true });
  });

  const record = (height: number): string => {
    const name = readdirSync(join(folder, 'records')).find((each) => Number(each.slice(0, 12)) === height);
    return join(folder, 'records', name!);
  };
  const events = (height: number): string => join(folder, 'events', `${String(height).padStart(12, '0')}.ndjson`);
  const remove = (...heights: number[]): void => heights.forEach((height) => rmSync(record(height)));
  const forgetHeads = (): void => rmSync(join(folder, 'heads.json'));

  /** Puts other bytes at a height, under their right name. */
  function replace(height: number, bytes: Uint8Array): void {
    rmSync(record(height));
    add(height, bytes);
  }

  function add(height: number, bytes: Uint8Array): void {
    const name = `${String(height).padStart(12, '0')}-${toHex(Chain.contentHash(SHA2_256, bytes))}.bin`;
    writeFileSync(join(folder, 'records', name), bytes);
  }

  async function verdict(): Promise<{ exit: number; verdict: ChainVerdict }> {
    const { exit, out } = await world.kedge('verify', folder, '--trust', world.path('trust.json'), '--json');
    return { exit, verdict: JSON.parse(out) as ChainVerdict };
  }

  async function expectVerdict(wanted: ChainVerdict['verdict'], ...findings: string[]): Promise<ChainVerdict> {
    const { exit, verdict: found } = await verdict();
    const shown = found.findings.map(({ reason, at }) => `${reason} ${at}`);
    expect(found.verdict, shown.join()).to.equal(wanted);
    for (const each of findings) expect(shown).to.include(each);
    if (findings.length > 0) expect(shown[0]).to.equal(findings[0]);
    expect(exit).to.equal(wanted === 'Verified' ? 0 : 1);
    return found;
  }

  it('is Verified as it is', async () => {
    const found = await expectVerdict('Verified');
    expect(found.findings).to.deep.equal([]);
    expect(found.notes).to.deep.equal([]);
  });

  it('the oldest records deleted: ChainTruncated', () => {
    remove(0, 1);
    return expectVerdict('ChainTruncated', 'ChainTruncated 2');
  });

  it('a middle record deleted: a link that dangles over an intact record', () => {
    remove(2);
    return expectVerdict('Tampered', 'PrevSealNotFound 3');
  });

  it('the middle rotation deleted', () => {
    remove(1);
    return expectVerdict('Tampered', 'PrevSealNotFound 2');
  });

  it('the newest records below an anchored head deleted: ChainTruncated', () => {
    remove(2, 3);
    return expectVerdict('ChainTruncated', 'ChainTruncated 3');
  });

  it('the newest records deleted and no head known: says that the tail was not checked', async () => {
    remove(3);
    forgetHeads();
    const found = await expectVerdict('Verified');
    expect(found.notes.join()).to.contain('tail');
    expect(found.steps.find(({ name }) => name === 'tail')?.ok).to.equal(false);
  });

  it('all records deleted: ChainTruncated with a known head, Empty without', async () => {
    remove(0, 1, 2, 3);
    await expectVerdict('ChainTruncated', 'ChainTruncated 3');
    forgetHeads();
    await expectVerdict('Empty');
  });

  it('an empty folder is Empty, which is no success', () => {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    return expectVerdict('Empty');
  });

  it('any bit of any record flipped: ContentHashMismatch at its height', async () => {
    for (const height of [0, 1, 2, 3]) {
      const path = record(height);
      const intact = readFileSync(path);
      for (let i = 0; i < intact.length; i += 29) {
        const changed = Uint8Array.from(intact);
        changed[i]! ^= 1 << (i % 8);
        writeFileSync(path, changed);
        await expectVerdict('Tampered', ...[`ContentHashMismatch ${height}`].filter(() => i >= 4));
      }
      writeFileSync(path, intact);
    }
  });

  it('a changed seal under its right name: SignatureInvalid at its height', () => {
    const seal = Seal.decode(readFileSync(record(2)));
    replace(2, Seal.encode({ ...seal, sealedAtMs: seal.sealedAtMs + 1n }));
    return expectVerdict('Tampered', 'SignatureInvalid 2', 'ChainLinkBroken 3');
  });

  it('a changed rotation under its right name: SignatureInvalid at its height', () => {
    const rotation = Rotation.decode(readFileSync(record(1)));
    replace(1, Rotation.encode({ ...rotation, reason: 1 }));
    return expectVerdict('Tampered', 'SignatureInvalid 1', 'ChainLinkBroken 2');
  });

  it('a rotation by the wrong key', () => {
    const rotation = Rotation.decode(readFileSync(record(1)));
    const [thief, next] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    const stolen = {
      ...rotation,
      oldKey: Signature.publicKey(thief) as PublicKey,
      newKey: Signature.publicKey(next) as PublicKey,
      nextKeyDigest: Chain.NO_KEY_DIGEST as KeyDigest,
    };
    const possessed = { ...stolen, newSignature: Signature.sign(Rotation.possessionBytes(stolen), next) };
    const oldSignature = Signature.sign(Rotation.authorityBytes(possessed), thief);
    replace(1, Rotation.encode({ ...possessed, oldSignature }));
    // Both signatures are right by themselves: it is not the key in force, nor the one that was promised.
    return expectVerdict('Tampered', 'ChainLinkBroken 1');
  });

  it('a changed, a dropped and a reordered event: MerkleRootMismatch at the seal', async () => {
    const lines = readFileSync(events(0), 'utf8').trim().split('\n');
    const [first = '', second = '', ...rest] = lines;
    for (const changed of [
      [first.replace(/(.)"}$/, (_, digit: string) => `${digit === '0' ? '1' : '0'}"}`), second, ...rest],
      [second, ...rest],
      [second, first, ...rest],
    ]) {
      writeFileSync(events(0), `${changed.join('\n')}\n`);
      await expectVerdict('Tampered', 'MerkleRootMismatch 0');
    }
  });

  it('absent events are not checked, and the verdict says so', async () => {
    rmSync(events(0));
    const found = await expectVerdict('Verified');
    expect(found.notes.join()).to.contain('events not checked at 1 heights, the first of them 0');
  });

  it('a second record at a height that the key signed too: Forked', async () => {
    const keys = join(world.env.KEDGE_DIR, 'keys');
    const { Keystore } = await import('../../src/daemon/keys.ts');
    const seal = Seal.decode(readFileSync(record(3)));
    const { newKey } = Rotation.decode(readFileSync(record(1)));
    const seed = new Keystore(keys, () => world.env.KEDGE_PASSPHRASE).seed(newKey);
    const rival = { ...seal, sealedAtMs: seal.sealedAtMs + 5n };
    add(3, Seal.encode({ ...rival, signature: Signature.sign(Seal.signedBytes(rival), seed) }));
    await expectVerdict('Tampered', 'Forked 3');
    // Without the anchored one, the rival is a clean chain that does not hold the head that is known.
    remove(3);
    const left = readdirSync(join(folder, 'records')).filter((name) => Number(name.slice(0, 12)) === 3);
    expect(left).to.have.length(1);
  });

  it('a record that nobody signed, above a gap, convicts nobody', async () => {
    remove(0, 1);
    const bytes = Uint8Array.from(readFileSync(record(2)));
    bytes[bytes.length - 1]! ^= 1;
    add(2, bytes);
    const found = await expectVerdict('ChainTruncated', 'ChainTruncated 2');
    expect(found.findings.map(({ reason }) => reason)).not.to.include('Forked');
  });

  it('a rival history instead of the anchored one: Forked at the known head', async () => {
    const { Keystore } = await import('../../src/daemon/keys.ts');
    const seal = Seal.decode(readFileSync(record(3)));
    const { newKey } = Rotation.decode(readFileSync(record(1)));
    const seed = new Keystore(join(world.env.KEDGE_DIR, 'keys'), () => world.env.KEDGE_PASSPHRASE).seed(newKey);
    const rival = { ...seal, sealedAtMs: seal.sealedAtMs + 5n };
    replace(3, Seal.encode({ ...rival, signature: Signature.sign(Seal.signedBytes(rival), seed) }));
    await expectVerdict('Tampered', 'Forked 3');
  });

  it('a chain of another name than the trust file gives: WrongChain at every height', async () => {
    const trust = readFileSync(world.path('trust.json'), 'utf8').replace('"acme"', '"acme-2"');
    writeFileSync(world.path('other-trust.json'), trust);
    const { exit, out } = await world.kedge('verify', folder, '--trust', world.path('other-trust.json'), '--json');
    expect(exit).to.equal(1);
    const found = JSON.parse(out) as ChainVerdict;
    const wrong = found.findings.filter(({ reason }) => reason === 'WrongChain').map(({ at }) => at);
    expect(wrong).to.deep.equal(['0', '1', '2', '3']);
  });

  it('a file that is no record of ours is said, not guessed', async () => {
    renameSync(record(0), join(folder, 'records', 'notes.txt'));
    const { exit, out } = await world.kedge('verify', folder, '--trust', world.path('trust.json'));
    expect(exit).to.equal(2);
    expect(out).to.contain('notes.txt');
  });
});
