/**
 * The whole way on one machine: real events, a local OP-type L2, the development Bitcoin chain, evidence, and a
 * verifier in a process of its own that has nothing but the files.
 *
 *     npm run demo [-- more.ndjson …]
 */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { network, tasks } from 'hardhat';
import AnchorLog from '../ignition/modules/AnchorLog.ts';
import { DevelopmentChain } from '../src/checkpoint/devchain.ts';
import { scriptOf } from '../src/checkpoint/opreturn.ts';
import { main } from '../src/cli/main.ts';
import { REAL } from '../src/daemon/deployment.ts';

const OUT = resolve('demo-out');
const CLI = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
/** Hardhat's first well-known account: its key is public. */
const ANCHORER = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

const say = (text: string): void => void process.stdout.write(`\n${text}\n`);

/** Every commit of the repository that this runs in, oldest first, one JSON event each. */
function commits(): string[] {
  const format = '%H%x00%T%x00%P%x00%an%x00%aI%x00%s';
  const git = spawnSync('git', ['log', '--reverse', `--format=${format}`], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (git.status !== 0) return [];
  return git.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [commit = '', tree, parents = '', author, time, subject] = line.split('\0');
      return JSON.stringify({
        id: commit,
        type: 'git.commit',
        tree,
        parents: parents.split(' '),
        author,
        time,
        subject,
      });
    });
}

async function demo(files: readonly string[]): Promise<void> {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });

  say('1. A local OP-type L2 and the development Bitcoin chain (regtest rules, proves nothing to strangers)');
  const connection = await network.create({ network: 'localOp', chainType: 'op' });
  const bitcoinKey = createHash('sha256').update('kedge demo').digest();
  const devchain = new DevelopmentChain(join(OUT, 'devchain'));
  const mine = (blocks: number): void =>
    devchain.mine(blocks, scriptOf(bitcoinKey, 'regtest'), Math.floor(Date.now() / 1000));
  mine(101);
  console.log(`   L2 chain ${connection.networkConfig.chainId}; Bitcoin at height ${await devchain.tip()}`);

  say('2. The anchor contract, deployed with Ignition');
  await tasks.getTask('build').run({ quiet: true, noTests: true });
  const deployed: { readonly anchorLog: object } = await connection.ignition.deploy(AnchorLog);
  const { address } = deployed.anchorLog as { readonly address: string };
  console.log(`   AnchorLog at ${address}`);

  const env = {
    KEDGE_DIR: join(OUT, 'operator'),
    KEDGE_PASSPHRASE: randomBytes(16).toString('hex'),
    KEDGE_L2_RPC_URL: 'http://in.process',
    KEDGE_L2_CONTRACT: address,
    KEDGE_L2_PRIVATE_KEY: ANCHORER,
    KEDGE_BITCOIN_NETWORK: 'regtest',
    KEDGE_BITCOIN_DEVCHAIN: join(OUT, 'devchain'),
    KEDGE_BITCOIN_PRIVATE_KEY: bitcoinKey.toString('hex'),
  };
  const outside = { ...REAL, l2Node: connection.provider };
  const kedge = async (...args: string[]): Promise<void> => {
    console.log(`   $ kedge ${args.join(' ')}`);
    const exit = await main(args, env, outside);
    if (exit !== 0) throw new Error(`kedge ${args[0]} ended with ${exit}`);
  };

  say('3. Two tenants');
  await kedge('init');
  await kedge('tenant', 'add', 'git-history');
  await kedge('tenant', 'add', 'visitors');

  say('4. Real events: every commit of this repository, and any NDJSON file that was named');
  const events = commits();
  if (events.length === 0) {
    console.log('   this is no git repository: its package.json stands in');
    events.push(
      JSON.stringify({ id: 'package', content: JSON.parse(readFileSync('package.json', 'utf8')) as unknown }),
    );
  }
  const half = Math.ceil(events.length / 2);
  const earlier = join(OUT, 'commits-earlier.ndjson');
  const later = join(OUT, 'commits-later.ndjson');
  writeFileSync(earlier, `${events.slice(0, half).join('\n')}\n`);
  writeFileSync(later, `${events.slice(half).join('\n')}\n`);
  await kedge('ingest', '-t', 'git-history', earlier);
  await kedge('stamp', '-t', 'visitors', 'README.md');

  say('5. Sealed, the first tenant handed over to its next key, sealed again, and anchored on the L2 as one root');
  await kedge('seal');
  await kedge('rotate', '-t', 'git-history', '--reason', 'scheduled');
  await kedge('ingest', '-t', 'git-history', later, ...files);
  await kedge('seal');
  await kedge('anchor');

  say('6. Checkpointed: an L2 block is proven, and written into Bitcoin once it is final (this L2 has no others)');
  await kedge('checkpoint');
  mine(6);
  await kedge('upgrade');
  await kedge('status');

  say('7. Evidence for one event, and the same event as a plain OpenTimestamps file');
  const { id } = JSON.parse(events[half - 1]!) as { id: string };
  const files_ = {
    evidence: join(OUT, 'evidence.json'),
    trust: join(OUT, 'trust.json'),
    ots: join(OUT, 'event.json.ots'),
  };
  await kedge('prove', id, '-t', 'git-history', '--out', files_.evidence, '--ots', files_.ots);
  await kedge('tenant', 'trust', 'git-history', '--out', files_.trust);

  say('8. Verified by another process, which has these files and nothing else');
  const verified = verify(files_.evidence, files_.trust);
  if (verified !== 0) throw new Error(`the verifier ended with ${verified}`);

  say('9. One bit of the sealed event flipped');
  const tampered = join(OUT, 'tampered.json');
  writeFileSync(tampered, flipOneBit(readFileSync(files_.evidence, 'utf8')));
  const refused = verify(tampered, files_.trust);
  if (refused !== 1) throw new Error(`the verifier ended with ${refused} on tampered evidence`);

  say(`Done. Look at ${OUT}: evidence.json, trust.json, event.json and event.json.ots.`);
  await connection.close();
}

/** An empty environment: no store, no keys, no network. */
function verify(evidence: string, trust: string): number | null {
  const { status } = spawnSync(process.execPath, [CLI, 'verify', evidence, '--trust', trust], {
    stdio: 'inherit',
    env: {},
    cwd: OUT,
  });
  return status;
}

function flipOneBit(evidence: string): string {
  const document = JSON.parse(evidence) as { event: { bytes: string } };
  const bytes = Buffer.from(document.event.bytes, 'hex');
  bytes[bytes.length >> 1]! ^= 1;
  document.event.bytes = bytes.toString('hex');
  return `${JSON.stringify(document, null, 2)}\n`;
}

await demo(process.argv.slice(2).map((file) => resolve(file)));
