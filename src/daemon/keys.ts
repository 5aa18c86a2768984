/**
 * The keystore: one file for each secret, encrypted with scrypt and AES-256-GCM, readable by its owner alone.
 *
 *     "KEDGEKEY" 8 | version 1 | salt 16 | nonce 12 | tag 16 | ciphertext 32
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ascii, concat, DecodeError, Reader, toHex, u8, type PublicKey } from '../protocol/bytes.ts';
import * as Signature from '../protocol/signature.ts';

/** A key that is missing, damaged or not to be trusted with its file's permissions. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
}

const MAGIC = ascii('KEDGEKEY');
const VERSION = 1;
/** About 50 ms and 32 MiB for each guess (RFC 7914). */
const SCRYPT = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };

export class Keystore {
  readonly #directory: string;
  readonly #passphrase: () => string;
  readonly #open = new Map<string, Uint8Array>();

  constructor(directory: string, passphrase: () => string) {
    this.#directory = directory;
    this.#passphrase = passphrase;
  }

  /** Makes a signing key and keeps its seed. */
  create(): PublicKey {
    const seed = randomBytes(32);
    const key = Signature.publicKey(seed);
    this.write(toHex(key), seed);
    return key;
  }

  seed(key: PublicKey): Uint8Array {
    const seed = this.read(toHex(key));
    if (toHex(Signature.publicKey(seed)) !== toHex(key)) {
      throw new KeyError(`${this.#path(toHex(key))} holds another key than its name says`);
    }
    return seed;
  }

  /** Written whole or not at all. */
  write(name: string, secret: Uint8Array): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const path = this.#path(name);
    const partial = `${path}.partial`;
    const file = openSync(partial, 'w', 0o600);
    try {
      writeSync(file, this.#seal(secret));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // If we crash here, the partial file is overwritten by the next attempt.
    renameSync(partial, path);
    const directory = openSync(this.#directory, 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  }

  read(name: string): Uint8Array {
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const secret = this.#unseal(this.#path(name));
    this.#open.set(name, secret);
    return secret;
  }

  #path(name: string): string {
    return join(this.#directory, `${name}.key`);
  }

  #seal(secret: Uint8Array): Uint8Array {
    const salt = randomBytes(16);
    const nonce = randomBytes(12);
    const head = concat(MAGIC, u8(VERSION), salt, nonce);
    const cipher = createCipheriv('aes-256-gcm', scryptSync(this.#passphrase(), salt, 32, SCRYPT), nonce);
    cipher.setAAD(head);
    const ciphertext = concat(cipher.update(secret), cipher.final());
    return concat(head, cipher.getAuthTag(), ciphertext);
  }

  #unseal(path: string): Uint8Array {
    const { salt, nonce, tag, head, ciphertext } = parse(path, readPrivate(path));
    const decipher = createDecipheriv('aes-256-gcm', scryptSync(this.#passphrase(), salt, 32, SCRYPT), nonce);
    decipher.setAAD(head);
    decipher.setAuthTag(tag);
    try {
      return concat(decipher.update(ciphertext), decipher.final());
    } catch {
      throw new KeyError(`${path} does not open: wrong KEDGE_PASSPHRASE, or the file is damaged`);
    }
  }
}

function readPrivate(path: string): Uint8Array {
  try {
    const { mode } = statSync(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new KeyError(`${path} can be read by others: chmod 600 it, and rotate the key if they may have`);
    }
    return readFileSync(path);
  } catch (error) {
    if (error instanceof KeyError) throw error;
    throw new KeyError(
      `${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}): restore it from a backup`,
    );
  }
}

function parse(path: string, bytes: Uint8Array) {
  try {
    const reader = new Reader(bytes);
    reader.expect(MAGIC, 'magic', 'bad-tag');
    reader.expect(u8(VERSION), 'version', 'bad-version');
    const parts = { salt: reader.take(16, 'salt'), nonce: reader.take(12, 'nonce'), tag: reader.take(16, 'tag') };
    const ciphertext = reader.take(32, 'ciphertext');
    reader.end();
    return { ...parts, ciphertext, head: bytes.subarray(0, MAGIC.length + 1 + 16 + 12) };
  } catch (error) {
    if (error instanceof DecodeError) throw new KeyError(`${path} is no key file: ${error.message}`);
    throw error;
  }
}
