/** Who signs for a tenant. Where the key lives is the signer's affair. */
import type { PublicKey, Signature } from '../protocol/bytes.ts';

export type Signer = { readonly publicKey: PublicKey; readonly sign: (message: Uint8Array) => Signature };

/** The signer of a key. Throws where there is none: a chain is never signed by whatever key is at hand. */
export type Keyring = (key: PublicKey) => Signer;
