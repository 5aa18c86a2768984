/** Chain ids and key digests. */
import {
  type Value,
  hex,
  sha256,
  u8,
  seedOf,
  publicKey,
  type Identity,
  chainPreimage,
  ACME,
  GLOBEX,
  good,
} from './naive.ts';

const identityInput = (of: Identity): Value => ({
  tenant: of.tenant,
  suite: String(of.suite),
  slot: String(of.slot),
  genesisKey: hex(of.genesisKey),
  nextKeyDigest: hex(of.nextKeyDigest),
});
export const idOf = (of: Identity): Buffer => sha256(chainPreimage(of));
for (const [name, desc, of] of [
  ['id-with-next-key', 'a chain that promised its second key', ACME],
  ['id-blake3-128', 'suite 2, no next key', GLOBEX],
  [
    'id-of-last-slot',
    'the largest slot and the longest name',
    { ...ACME, slot: 0xffffffff, tenant: '0'.padEnd(63, '-') },
  ],
] as const) {
  good(`chain/${name}`, desc, identityInput(of), chainPreimage(of), { chainId: hex(idOf(of)) });
}
for (const n of [1, 2]) {
  const preimage = Buffer.concat([Buffer.from('kedge/key/v1\0'), u8(1), publicKey(n)]);
  good(
    `chain/key-digest-${n}`,
    `key digest of the key whose seed is 32 times ${n}`,
    { seed: hex(seedOf(n)), key: hex(publicKey(n)) },
    preimage,
    { keyDigest: hex(sha256(preimage)) },
  );
}
