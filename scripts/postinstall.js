// npm leaves out optional packages whose `engines` do not fit the Node that it runs on, Hardhat's native part among
// them. Where that is an older Node than the one this project brings along, the install is completed on the latter.
import { spawnSync } from 'node:child_process';

const npm = process.env.npm_execpath;
const runsOn = /node\/v(\d+)/.exec(process.env.npm_config_user_agent ?? '')?.[1];

if (npm !== undefined && Number(runsOn) < 24) {
  // npm puts node_modules/.bin first into the path of its scripts: this is the Node of package.json.
  if (Number(process.versions.node.split('.')[0]) < 24) {
    console.error(
      `No package brings Node 24 for ${process.platform}-${process.arch}: install it, then npm install again.`,
    );
    process.exit(1);
  }
  const { status } = spawnSync(process.execPath, [npm, 'install', '--no-save', '--ignore-scripts'], {
    stdio: 'inherit',
  });
  process.exit(status ?? 1);
}
