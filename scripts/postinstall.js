// npm leaves out optional packages whose `engines` do not fit the Node that runs it, Hardhat's native part among them.
// Where that Node is older than the one this project brings along, the install is completed under the latter.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const major = Number(process.versions.node.split('.')[0]);
const npm = process.env.npm_execpath;

if (major < 24 && npm !== undefined) {
  const names = [`node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`];
  names.push(names[0].replace('node-', 'node-bin-'));
  const node = names.map(locate).find((path) => path !== undefined);
  if (node === undefined) {
    console.error(`Kedge needs Node 24, and there is no package of it for ${process.platform}-${process.arch}: install it.`);
    process.exit(1);
  }
  const { status } = spawnSync(node, [npm, 'install', '--no-save', '--ignore-scripts'], { stdio: 'inherit' });
  process.exit(status ?? 1);
}

function locate(name) {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  } catch {
    return undefined;
  }
}
