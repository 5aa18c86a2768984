/**
 * Ed25519 (RFC 8032) by one strict rule, the same in every build: canonical S, A and R; A of the prime-order
 * subgroup and not the identity; the equation without cofactor. So no two verifiers disagree about a record.
 */
import * as ed25519 from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import type { PublicKey, Signature } from './bytes.ts';

ed25519.hashes.sha512 = sha512;

export const publicKey = (seed: Uint8Array): PublicKey => ed25519.getPublicKey(seed) as PublicKey;

export const sign = (message: Uint8Array, seed: Uint8Array): Signature => ed25519.sign(message, seed) as Signature;

/** Never throws: whatever is no signature is a wrong one. */
export function check(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean {
  if (signature.length !== 64 || !isValidKey(key)) return false;
  try {
    // The library's equation has a cofactor; with both points in the subgroup it decides as the one without.
    return isInSubgroup(signature.subarray(0, 32)) && ed25519.verify(signature, message, key, { zip215: false });
  } catch {
    return false;
  }
}

/** Whether a key may be used at all: canonical, of the prime-order subgroup, not the identity. */
export function isValidKey(key: Uint8Array): boolean {
  try {
    return key.length === 32 && isInSubgroup(key) && !ed25519.Point.fromBytes(key, false).is0();
  } catch {
    return false;
  }
}

const isInSubgroup = (encoded: Uint8Array): boolean => ed25519.Point.fromBytes(encoded, false).isTorsionFree();
