/**
 * Deploys an anchor log: `npm run deploy -- --network <name> [--owner 0x..] [--anchorer 0x..] [--verify] [--reset]`.
 * The last line of output is one JSON object. Runs again where it was interrupted, since Ignition keeps a journal.
 */
import { parseArgs } from 'node:util';
import type { DeploymentResult } from '@nomicfoundation/ignition-core';
import { type Address, getAddress, isAddress, parseAbi } from 'viem';

const { values } = parseArgs({
  options: {
    network: { type: 'string' },
    owner: { type: 'string' },
    anchorer: { type: 'string' },
    verify: { type: 'boolean', default: false },
    reset: { type: 'boolean', default: false },
  },
});

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

function account(name: 'owner' | 'anchorer'): Address | undefined {
  const given = values[name];
  if (given !== undefined && !isAddress(given)) fail(`--${name} ${given} is not an address: give 0x and 40 hex digits`);
  return given === undefined ? undefined : getAddress(given);
}

const owner = account('owner');
const anchorer = account('anchorer');
const parameters = { ...(owner === undefined ? {} : { owner }), ...(anchorer === undefined ? {} : { anchorer }) };

// Hardhat reads the network from its environment when it is imported rather than run.
if (values.network !== undefined) process.env['HARDHAT_NETWORK'] = values.network;
const { default: hre } = await import('hardhat');

const networks = Object.keys(hre.userConfig.networks ?? {}).join(', ');
if (values.network === undefined) fail(`no network to deploy to: add --network with one of ${networks}`);
const network = hre.config.networks[values.network];
if (network === undefined)
  fail(`no network ${values.network} in hardhat.config.ts: --network takes one of ${networks}`);

if (network.type === 'http') {
  const settings = [network.url, ...(Array.isArray(network.accounts) ? network.accounts : [])];
  for (const setting of settings) {
    await setting.get().catch((error: unknown) => {
      fail(
        `cannot deploy to ${values.network}: ${error instanceof Error ? error.message : String(error)}\n` +
          'Set it in the environment or in .env, or keep it encrypted with: npx hardhat keystore set <NAME>',
      );
    });
  }
}

// Builds by the production profile, asks before it spends anything on a public chain, and keeps a journal.
const deployed: DeploymentResult | null = await hre.tasks
  .getTask(['ignition', 'deploy'])
  .run({
    modulePath: 'ignition/modules/AnchorLog.ts',
    parameters: JSON.stringify({ AnchorLog: parameters }),
    reset: values.reset,
    verify: values.verify,
  })
  .catch((error: unknown) => {
    fail(`not deployed to ${values.network}: ${error instanceof Error ? error.message : String(error)}`);
  });
if (deployed === null) fail('not deployed: it was not confirmed');
if (deployed.type !== 'SUCCESSFUL_DEPLOYMENT')
  fail(`not deployed to ${values.network}: run again to resume, or with --reset`);

const contract = getAddress(deployed.contracts['AnchorLog#AnchorLog']!.address);
console.log(JSON.stringify({ network: values.network, contract, ...(await read(contract)) }));

/** What the chain says, not what was asked for: an earlier deployment may have been resumed. */
async function read(address: Address) {
  if (network?.type !== 'http') return {};
  const { viem } = await hre.network.create(values.network);
  const client = await viem.getPublicClient();
  const abi = parseAbi(['function owner() view returns (address)', 'function anchorer() view returns (address)']);
  return {
    chainId: await client.getChainId(),
    owner: await client.readContract({ abi, address, functionName: 'owner' }),
    anchorer: await client.readContract({ abi, address, functionName: 'anchorer' }),
  };
}
