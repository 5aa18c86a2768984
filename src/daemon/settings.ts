/** What an operator sets, from the environment or an `.env` file; `.env.example` documents each. Parsed once, here. */
import { NETWORK_NAMES, type NetworkName } from '../protocol/bitcoin.ts';
import { fromHex } from '../protocol/bytes.ts';

/** A setting that is missing or wrong: the user's to mend. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

export type L2Settings = { readonly rpcUrl: string; readonly contract: Uint8Array };

export type Settings = {
  /** Holds the store and the encrypted keys. */
  readonly directory: string;
  readonly passphrase: () => string;
  readonly l2: () => L2Settings;
  /** 32 bytes in hex with 0x; asked for only where something is sent. */
  readonly l2PrivateKey: () => `0x${string}`;
  readonly bitcoin: {
    readonly network: NetworkName;
    /** Directory of the development chain; `undefined` where there is none. */
    readonly devchain: string | undefined;
    /** 32 bytes. */
    readonly privateKey: () => Uint8Array;
    readonly confirmations: number;
    readonly maxFeeRate: number;
    readonly maxFee: number;
  };
  readonly seal: { readonly periodMs: number; readonly maxEvents: number };
  readonly anchorPeriodMs: number;
  readonly checkpointPeriodMs: number;
};

type Environment = { readonly [name: string]: string | undefined };

export function read(env: Environment): Settings {
  const text = (name: string): string | undefined =>
    env[name] === undefined || env[name] === '' ? undefined : env[name];
  const required = (name: string, what: string): string => {
    const value = text(name);
    if (value === undefined) throw new SettingError(`${name} is not set: ${what} (see .env.example)`);
    return value;
  };
  const number = (name: string, fallback: number, least: number, most: number): number => {
    const value = text(name);
    if (value === undefined) return fallback;
    const parsed = /^[0-9]+$/.test(value) ? Number(value) : Number.NaN;
    if (!(parsed >= least && parsed <= most)) {
      throw new SettingError(
        `${name} is ${JSON.stringify(value)}: a whole number from ${least} to ${most} is expected`,
      );
    }
    return parsed;
  };
  const secretHex = (name: string, what: string): string => {
    const value = required(name, what).replace(/^0x/, '').toLowerCase();
    // The value itself stays out of the message: it may be a key with a typing error.
    if (!/^[0-9a-f]{64}$/.test(value)) throw new SettingError(`${name} is not 32 bytes in hex`);
    return value;
  };
  return {
    directory: text('KEDGE_DIR') ?? 'kedge-data',
    passphrase: () => required('KEDGE_PASSPHRASE', 'it encrypts the keys in KEDGE_DIR'),
    l2: () => ({
      rpcUrl: rpcUrl(required('KEDGE_L2_RPC_URL', 'the JSON-RPC address of an L2 node')),
      contract: address(required('KEDGE_L2_CONTRACT', 'the address that npm run deploy printed')),
    }),
    l2PrivateKey: () => `0x${secretHex('KEDGE_L2_PRIVATE_KEY', "the anchorer's key")}`,
    bitcoin: {
      network: network(text('KEDGE_BITCOIN_NETWORK') ?? 'regtest'),
      devchain: text('KEDGE_BITCOIN_DEVCHAIN'),
      privateKey: () => fromHex(secretHex('KEDGE_BITCOIN_PRIVATE_KEY', 'it pays for OP_RETURN transactions'), 'key'),
      confirmations: number('KEDGE_BITCOIN_CONFIRMATIONS', 6, 1, 1000),
      maxFeeRate: number('KEDGE_BITCOIN_MAX_FEE_RATE', 100, 1, 10_000),
      maxFee: number('KEDGE_BITCOIN_MAX_FEE', 50_000, 200, 10_000_000),
    },
    seal: {
      periodMs: number('KEDGE_SEAL_PERIOD', 60, 1, 86_400) * 1000,
      maxEvents: number('KEDGE_SEAL_EVENTS', 65_536, 1, 65_536),
    },
    anchorPeriodMs: number('KEDGE_ANCHOR_PERIOD', 60, 1, 86_400) * 1000,
    checkpointPeriodMs: number('KEDGE_CHECKPOINT_PERIOD', 86_400, 1, 604_800) * 1000,
  };
}

function rpcUrl(value: string): string {
  if (!URL.canParse(value) || !/^https?:/.test(value)) {
    throw new SettingError('KEDGE_L2_RPC_URL is not an http or https address');
  }
  return value;
}

function address(value: string): Uint8Array {
  if (!/^0x[0-9a-fA-F]{40}$/.test(value)) {
    throw new SettingError(`KEDGE_L2_CONTRACT is ${JSON.stringify(value)}: an address of 20 bytes in hex is expected`);
  }
  return fromHex(value.slice(2).toLowerCase(), 'KEDGE_L2_CONTRACT');
}

function network(value: string): NetworkName {
  const found = NETWORK_NAMES.find((name) => name === value);
  if (found === undefined) {
    throw new SettingError(`KEDGE_BITCOIN_NETWORK is ${JSON.stringify(value)}: one of ${NETWORK_NAMES.join(', ')}`);
  }
  return found;
}
