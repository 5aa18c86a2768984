/**
 * The manners of every JSON file of ours: `kind` and `version` first, integers as decimal strings,
 * bytes as lower-case hex, unknown members refused.
 */
import { ascii, DecodeError, fromHex } from './bytes.ts';
import * as Json from './json.ts';

/** Takes an object apart member by member; `end` refuses what is left over. */
export class Members {
  readonly path: string;
  readonly #object: { readonly [name: string]: Json.Json };
  readonly #left: Set<string>;

  constructor(value: Json.Json, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw malformed(path, 'expected an object');
    this.path = path;
    this.#object = value as { readonly [name: string]: Json.Json };
    this.#left = new Set(Object.keys(this.#object));
  }

  has(name: string): boolean {
    return this.#left.has(name);
  }

  json(name: string): Json.Json {
    const value = this.#object[name];
    if (!this.#left.delete(name) || value === undefined) throw malformed(`${this.path}/${name}`, 'is missing');
    return value;
  }

  string(name: string): string {
    const value = this.json(name);
    if (typeof value !== 'string') throw malformed(`${this.path}/${name}`, 'expected a string');
    return value;
  }

  boolean(name: string): boolean {
    const value = this.json(name);
    if (typeof value !== 'boolean') throw malformed(`${this.path}/${name}`, 'expected true or false');
    return value;
  }

  oneOf<const T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.string(name);
    const found = allowed.find((each) => each === value);
    if (found === undefined) throw malformed(`${this.path}/${name}`, `expected one of ${allowed.join(', ')}`);
    return found;
  }

  /** An unsigned integer below `limit`, in decimal without leading zeros. */
  uint(name: string, limit: bigint): bigint {
    const text = this.string(name);
    const field = `${this.path}/${name}`;
    if (!/^(0|[1-9][0-9]{0,77})$/.test(text))
      throw malformed(field, 'expected an unsigned integer as a decimal string');
    const value = BigInt(text);
    if (value >= limit) throw new DecodeError('out-of-range', field, 0, `${text} is not below ${limit}`);
    return value;
  }

  bytes(name: string, length?: number): Uint8Array {
    return hex(this.string(name), `${this.path}/${name}`, length);
  }

  list<T>(name: string, read: (value: Json.Json, path: string) => T): readonly T[] {
    return list(this.json(name), `${this.path}/${name}`, read);
  }

  hexList(name: string, length?: number): readonly Uint8Array[] {
    return this.list(name, (value, path) => hexValue(value, path, length));
  }

  members(name: string): Members {
    return new Members(this.json(name), `${this.path}/${name}`);
  }

  end(): void {
    for (const name of this.#left) throw malformed(`${this.path}/${name}`, 'unknown member');
  }
}

/** Opens a document and checks what it says it is. */
export function open(bytes: Uint8Array, kind: string): Members {
  const members = new Members(Json.parse(bytes), '');
  if (members.string('kind') !== kind) throw new DecodeError('bad-tag', '/kind', 0, `expected ${kind}`);
  if (members.string('version') !== '1') throw new DecodeError('bad-version', '/version', 0, 'expected 1');
  return members;
}

/** Everything of ours is ASCII: names, decimal digits and hex. */
export const write = (document: Json.Json): Uint8Array => ascii(`${JSON.stringify(document, null, 2)}\n`);

export function list<T>(value: Json.Json, path: string, read: (value: Json.Json, path: string) => T): readonly T[] {
  if (!Array.isArray(value)) throw malformed(path, 'expected a list');
  return value.map((each: Json.Json, i) => read(each, `${path}/${i}`));
}

export function hexValue(value: Json.Json, path: string, length?: number): Uint8Array {
  if (typeof value !== 'string') throw malformed(path, 'expected hex in a string');
  return hex(value, path, length);
}

function hex(text: string, path: string, length?: number): Uint8Array {
  const bytes = fromHex(text, path);
  if (length !== undefined && bytes.length !== length) {
    throw new DecodeError('out-of-range', path, 0, `${bytes.length} bytes where ${length} are expected`);
  }
  return bytes;
}

const malformed = (field: string, why: string): DecodeError => new DecodeError('malformed', field, 0, why);
