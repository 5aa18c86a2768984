/** The trust file: what the one who verifies brings, and takes from nobody else's evidence. */
import { toHex, type ContentHash, type KeyDigest, type PublicKey } from './bytes.ts';
import * as Bitcoin from './bitcoin.ts';
import * as Chain from './chain.ts';
import * as Document from './document.ts';
import { DecodeError } from './bytes.ts';
import * as Suite from './suite.ts';
import { TIERS, type Tier } from './verdict.ts';

const KIND = 'kedge-trust';

/** A record that the verifier saw before: rotations may start from it, and every head must lead to it. */
export type KnownRecord = {
  readonly height: bigint;
  readonly hash: ContentHash;
  /** Signs the next record. */
  readonly key: PublicKey;
  readonly nextKeyDigest: KeyDigest;
};

/** A block that the verifier knows to be on the best chain; hash in wire order. */
export type KnownBlock = { readonly height: number; readonly hash: Uint8Array };

export type Trust = {
  readonly identity: Chain.Identity;
  readonly l2: {
    readonly chainId: bigint;
    /** 20 bytes. */
    readonly contract: Uint8Array;
    readonly codeHash: Uint8Array | undefined;
  };
  readonly bitcoin: {
    readonly network: Bitcoin.NetworkName;
    /** Least expected number of hashes in the block and those mined on it. */
    readonly minimumWork: bigint;
    readonly blocks: readonly KnownBlock[];
  };
  readonly policy: {
    readonly tier: Exclude<Tier, 'none'>;
    /** Least number of Bitcoin blocks, the attested one included. */
    readonly confirmations: number;
    /** Whether the L2 block must be confirmed final by the verifier's own source. */
    readonly l2Final: boolean;
  };
  readonly records: readonly KnownRecord[];
};

const U64 = 1n << 64n;

export function decode(bytes: Uint8Array): Trust {
  const document = Document.open(bytes, KIND);
  const trust: Trust = {
    identity: readIdentity(document.members('tenant')),
    l2: readL2(document.members('l2')),
    bitcoin: readBitcoin(document.members('bitcoin')),
    policy: readPolicy(document.members('policy')),
    records: document.list('records', readRecord),
  };
  document.end();
  const { width } = trust.identity.suite;
  trust.records.forEach(({ hash }, i) => {
    if (hash.length !== width) {
      throw new DecodeError(
        'out-of-range',
        `/records/${i}/hash`,
        0,
        `${hash.length} bytes where ${width} are expected`,
      );
    }
  });
  return trust;
}

export function encode(trust: Trust): Uint8Array {
  const { identity, l2, bitcoin, policy } = trust;
  return Document.write({
    kind: KIND,
    version: '1',
    tenant: {
      name: identity.tenant,
      suite: String(identity.suite.id),
      slot: String(identity.slot),
      genesisKey: toHex(identity.genesisKey),
      nextKeyDigest: toHex(identity.nextKeyDigest),
    },
    l2: {
      chainId: String(l2.chainId),
      contract: toHex(l2.contract),
      ...(l2.codeHash === undefined ? {} : { codeHash: toHex(l2.codeHash) }),
    },
    bitcoin: {
      network: bitcoin.network,
      minimumWork: String(bitcoin.minimumWork),
      blocks: bitcoin.blocks.map(({ height, hash }) => ({ height: String(height), hash: toHex(hash) })),
    },
    policy: { tier: policy.tier, confirmations: String(policy.confirmations), l2Final: policy.l2Final },
    records: trust.records.map((record) => ({
      height: String(record.height),
      hash: toHex(record.hash),
      key: toHex(record.key),
      nextKeyDigest: toHex(record.nextKeyDigest),
    })),
  });
}

function readIdentity(members: Document.Members): Chain.Identity {
  const tenant = members.string('name');
  if (!Chain.TENANT_NAME.test(tenant)) {
    throw new DecodeError('malformed', '/tenant/name', 0, `does not match ${Chain.TENANT_NAME.source}`);
  }
  const identity: Chain.Identity = {
    tenant,
    suite: members.oneOf('suite', ['1', '2']) === '1' ? Suite.SHA2_256 : Suite.BLAKE3_128,
    slot: Number(members.uint('slot', 1n << 32n)),
    genesisKey: members.bytes('genesisKey', 32) as PublicKey,
    nextKeyDigest: members.bytes('nextKeyDigest', 32) as KeyDigest,
  };
  members.end();
  return identity;
}

function readL2(members: Document.Members): Trust['l2'] {
  const l2 = {
    chainId: members.uint('chainId', U64),
    contract: members.bytes('contract', 20),
    codeHash: members.has('codeHash') ? members.bytes('codeHash', 32) : undefined,
  };
  members.end();
  return l2;
}

function readBitcoin(members: Document.Members): Trust['bitcoin'] {
  const bitcoin = {
    network: members.oneOf('network', Bitcoin.NETWORK_NAMES),
    minimumWork: members.uint('minimumWork', 1n << 256n),
    blocks: members.list('blocks', (value, path) => {
      const block = new Document.Members(value, path);
      const known = { height: Number(block.uint('height', 1n << 32n)), hash: block.bytes('hash', 32) };
      block.end();
      return known;
    }),
  };
  members.end();
  return bitcoin;
}

function readPolicy(members: Document.Members): Trust['policy'] {
  const policy = {
    tier: members.oneOf(
      'tier',
      TIERS.filter((tier) => tier !== 'none'),
    ),
    confirmations: Number(members.uint('confirmations', 1n << 32n)),
    l2Final: members.boolean('l2Final'),
  };
  members.end();
  return policy;
}

function readRecord(value: Parameters<typeof Document.hexValue>[0], path: string): KnownRecord {
  const members = new Document.Members(value, path);
  const record = {
    height: members.uint('height', U64),
    hash: members.bytes('hash') as ContentHash,
    key: members.bytes('key', 32) as PublicKey,
    nextKeyDigest: members.bytes('nextKeyDigest', 32) as KeyDigest,
  };
  members.end();
  return record;
}
