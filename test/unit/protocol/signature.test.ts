import { createPublicKey, verify } from 'node:crypto';
import * as ed25519 from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { expect } from 'chai';
import { concat, fromHex } from '../../../src/protocol/bytes.ts';
import * as Signature from '../../../src/protocol/signature.ts';

const hex = (text: string): Uint8Array => fromHex(text, 'test');
const ORDER = (1n << 252n) + 27742317777372353535851937790883648493n;

const littleEndian = (value: bigint): Uint8Array => {
  const out = new Uint8Array(32);
  for (let i = 0, rest = value; i < 32; i++, rest >>= 8n) out[i] = Number(rest & 255n);
  return out;
};
const scalar = (bytes: Uint8Array): bigint => bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

/** Points of order 8, 4, 2 and 1: canonical encodings (Chalkias et al., "Taming the many EdDSAs", table 6a). */
const SMALL_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '0000000000000000000000000000000000000000000000000000000000000000',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
].map(hex);

describe('signature', function () {
  this.timeout(60_000);

  it('RFC 8032, 7.1: TEST 1, 2, 3 and SHA(abc)', () => {
    const vectors = [
      [
        '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
        'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
        '',
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
      ],
      [
        '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
        '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
        '72',
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
      ],
      [
        'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
        'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
        'af82',
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
      ],
    ] as const;
    for (const [seed, key, message, signature] of vectors) {
      expect(Buffer.from(Signature.publicKey(hex(seed))).toString('hex')).to.equal(key);
      expect(Buffer.from(Signature.sign(hex(message), hex(seed))).toString('hex')).to.equal(signature);
      expect(Signature.check(hex(signature), hex(message), hex(key))).to.equal(true);
    }
  });

  const seed = new Uint8Array(32).fill(3);
  const message = new TextEncoder().encode('kedge');
  const key = Signature.publicKey(seed);
  const signature = Signature.sign(message, seed);

  it('refuses every flipped bit and every other length', () => {
    for (let i = 0; i < 64; i++) {
      const changed = Uint8Array.from(signature);
      changed[i]! ^= 1 << (i % 8);
      expect(Signature.check(changed, message, key)).to.equal(false);
    }
    for (const other of [signature.subarray(0, 63), concat(signature, Uint8Array.of(0)), new Uint8Array()]) {
      expect(Signature.check(other, message, key)).to.equal(false);
    }
    expect(Signature.check(signature, message, key.subarray(0, 31))).to.equal(false);
  });

  it('refuses S + L', () => {
    for (let i = 0; i < 50; i++) {
      const text = Uint8Array.of(i);
      const made = Signature.sign(text, seed);
      const s = scalar(made.subarray(32)) + ORDER;
      expect(Signature.check(concat(made.subarray(0, 32), littleEndian(s)), text, key)).to.equal(false);
    }
  });

  it('refuses keys of small order, of mixed order and not in canonical form', () => {
    for (const point of SMALL_ORDER) {
      expect(Signature.isValidKey(point)).to.equal(false);
      expect(Signature.check(concat(point, new Uint8Array(32)), message, point)).to.equal(false);
      if (point === SMALL_ORDER[0]) continue;
      const mixed = ed25519.Point.fromBytes(key).add(ed25519.Point.fromBytes(point)).toBytes();
      expect(Signature.isValidKey(mixed)).to.equal(false);
    }
    expect(Signature.isValidKey(hex('eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'))).to.equal(
      false,
    );
    expect(Signature.isValidKey(key)).to.equal(true);
  });

  it('of 512 torsion combinations exactly the 8 with A and R in the subgroup pass', () => {
    // A + T1, R + T2, for eight messages: k is computed over what is shown, s = r + k a.
    const extended = sha512(seed);
    extended[0]! &= 248;
    extended[31]! &= 127;
    extended[31]! |= 64;
    const a = scalar(extended.subarray(0, 32)) % ORDER;
    let passed = 0;
    for (let n = 0; n < 8; n++) {
      const text = Uint8Array.of(n);
      const r = BigInt(n + 12345);
      for (const t1 of SMALL_ORDER) {
        for (const t2 of SMALL_ORDER) {
          const shownKey = ed25519.Point.fromBytes(key).add(ed25519.Point.fromBytes(t1)).toBytes();
          const shownR = ed25519.Point.BASE.multiply(r).add(ed25519.Point.fromBytes(t2)).toBytes();
          const k = scalar(sha512(concat(shownR, shownKey, text))) % ORDER;
          const s = littleEndian((r + k * a) % ORDER);
          if (Signature.check(concat(shownR, s), text, shownKey)) passed += 1;
        }
      }
    }
    expect(passed).to.equal(8);
  });

  it('decides as OpenSSL does for a key in the subgroup', () => {
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]);
    const openssl = createPublicKey({ key: der, format: 'der', type: 'spki' });
    for (const point of SMALL_ORDER) {
      const shown = concat(
        ed25519.Point.fromBytes(signature.subarray(0, 32)).add(ed25519.Point.fromBytes(point)).toBytes(),
        signature.subarray(32),
      );
      expect(Signature.check(shown, message, key)).to.equal(verify(null, message, openssl, shown));
    }
  });
});
