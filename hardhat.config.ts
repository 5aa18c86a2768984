/** Compiles with the solc that npm installed, so that a build downloads nothing; secrets come from the keystore or `.env`. */
import { createRequire } from 'node:module';
import HardhatIgnitionViem from '@nomicfoundation/hardhat-ignition-viem';
import HardhatKeystore from '@nomicfoundation/hardhat-keystore';
import HardhatMocha from '@nomicfoundation/hardhat-mocha';
import HardhatNetworkHelpers from '@nomicfoundation/hardhat-network-helpers';
import HardhatVerify from '@nomicfoundation/hardhat-verify';
import HardhatViem from '@nomicfoundation/hardhat-viem';
import { config as loadEnvironment } from 'dotenv';
import { configVariable, defineConfig } from 'hardhat/config';
import type { HardhatPlugin } from 'hardhat/types/plugins';
import type { CompilerOutputError } from 'hardhat/types/solidity';

loadEnvironment({ quiet: true });

/** Code and initcode above the size limits. Tests are never deployed to a chain that has them. */
const SIZE_WARNINGS = ['5574', '3860'];

type Found = CompilerOutputError & { readonly sourceLocation?: { readonly file: string } };

function isFatal(found: Found): boolean {
  const inTest = found.sourceLocation?.file.endsWith('.t.sol') === true;
  return found.severity === 'warning' && !(inTest && SIZE_WARNINGS.includes(found.errorCode ?? ''));
}

/** A warning fails the build, and is not cached as a success. */
const warningsAreErrors: HardhatPlugin = {
  id: 'kedge-warnings-are-errors',
  hookHandlers: {
    solidity: async () => ({
      default: async () => ({
        getCompiler: async (context, compilerConfig, next) => {
          const compiler = await next(context, compilerConfig);
          return {
            version: compiler.version,
            longVersion: compiler.longVersion,
            compilerPath: compiler.compilerPath,
            isSolcJs: compiler.isSolcJs,
            compile: async (input) => {
              const output = await compiler.compile(input);
              const errors = output.errors?.map((found) =>
                isFatal(found) ? { ...found, severity: 'error' as const, type: 'WarningAsError' } : found,
              );
              return errors === undefined ? output : { ...output, errors };
            },
          };
        },
      }),
    }),
  },
};

const solc = {
  version: '0.8.37',
  path: createRequire(import.meta.url).resolve('solc/soljson.js'),
  settings: {
    optimizer: { enabled: true, runs: 1_000_000 },
    // The newest that OP Stack chains and Arbitrum both run.
    evmVersion: 'cancun',
    // 184 gas less for an anchor than the older code generator.
    viaIR: true,
    metadata: { bytecodeHash: 'ipfs' },
  },
};

/** `KEDGE_L2_RPC_URL_<NETWORK>`: a node of that chain. The one key deploys, and needs no power afterwards. */
const l2 = (name: string, chainId: number, chainType: 'op' | 'generic') => ({
  type: 'http' as const,
  chainId,
  chainType,
  url: configVariable(`KEDGE_L2_RPC_URL_${name}`),
  accounts: [configVariable('KEDGE_L2_PRIVATE_KEY')],
});

export default defineConfig({
  plugins: [
    HardhatIgnitionViem,
    HardhatKeystore,
    HardhatMocha,
    HardhatNetworkHelpers,
    HardhatVerify,
    HardhatViem,
    warningsAreErrors,
  ],
  // The same settings in both, so that what is tested is what is deployed.
  solidity: { profiles: { default: solc, production: solc } },
  paths: { tests: { mocha: 'test', solidity: 'contracts' } },
  test: {
    mocha: { timeout: 120_000 },
    solidity: {
      // Every call is a transaction of its own, so that gas snapshots are of cold storage.
      isolate: true,
      fuzz: { runs: 128, seed: '0x6b65646765' },
      invariant: { runs: 16, depth: 48, failOnRevert: true },
    },
  },
  networks: {
    localOp: { type: 'edr-simulated', chainType: 'op' },
    devnet: {
      type: 'http',
      chainType: 'op',
      url: process.env['KEDGE_DEVNET_RPC_URL'] ?? 'http://127.0.0.1:8545',
    },
    opSepolia: l2('OP_SEPOLIA', 11155420, 'op'),
    baseSepolia: l2('BASE_SEPOLIA', 84532, 'op'),
    arbitrumSepolia: l2('ARBITRUM_SEPOLIA', 421614, 'generic'),
  },
});
