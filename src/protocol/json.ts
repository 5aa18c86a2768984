/**
 * JSON in, one form out: a strict parser for I-JSON (RFC 7493) and the canonical form of RFC 8785.
 * `JSON.parse` keeps the last of two equal names, rounds integers and lets lone surrogates through, so that two
 * different texts would hash alike.
 */
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { DecodeError } from './bytes.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export const MAX_DEPTH = 64;

/** Throws `DecodeError` with a JSON pointer as its field and a UTF-16 offset into the text. */
export function parse(bytes: Uint8Array): Json {
  return new Parser(decodeUtf8(bytes)).document();
}

/** Of the Encoding Standard, in every browser and runtime. */
declare const TextDecoder: new (
  label: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string };

function decodeUtf8(bytes: Uint8Array): string {
  try {
    // A byte order mark stays in the text, where no value starts with it.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new DecodeError('malformed', 'document', 0, 'not UTF-8');
  }
}

/** RFC 8785. Throws `DecodeError` on what has no canonical form. */
export function canonicalize(value: Json): Uint8Array {
  return utf8ToBytes(text(value, '', 0));
}

function text(value: Json, path: string, depth: number): string {
  if (depth > MAX_DEPTH) throw new DecodeError('too-deep', path, 0, `nested more than ${MAX_DEPTH} levels`);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new DecodeError('out-of-range', path, 0, 'not a finite number');
    return JSON.stringify(value);
  }
  if (typeof value === 'string') return quote(value, path);
  if (value === null || typeof value === 'boolean') return String(value);
  if (isList(value)) return `[${value.map((each, i) => text(each, `${path}/${i}`, depth + 1)).join(',')}]`;
  const members = Object.keys(value)
    .sort()
    .map((name) => `${quote(name, path)}:${text(value[name]!, `${path}/${name}`, depth + 1)}`);
  return `{${members.join(',')}}`;
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

function quote(value: string, path: string): string {
  if (!value.isWellFormed()) throw new DecodeError('malformed', path, 0, 'lone surrogate');
  return JSON.stringify(value);
}

const ESCAPES: { readonly [letter: string]: string } = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// eslint-disable-next-line no-control-regex -- control characters are what ends a plain run
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const SPACE = /[ \t\n\r]*/y;

class Parser {
  readonly #text: string;
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(source: string) {
    this.#text = source;
  }

  document(): Json {
    const value = this.#value();
    this.#space();
    if (this.#at < this.#text.length) this.#fail('trailing', 'something follows the value');
    return value;
  }

  #value(): Json {
    if (this.#path.length > MAX_DEPTH) this.#fail('too-deep', `nested more than ${MAX_DEPTH} levels`);
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object();
      case '[':
        return this.#array();
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      case undefined:
        return this.#fail('truncated', 'a value is missing');
      default:
        return this.#number();
    }
  }

  #object(): Json {
    this.#at += 1;
    const members = new Map<string, Json>();
    if (this.#next() !== '}') {
      for (;;) {
        this.#space();
        if (this.#text[this.#at] !== '"') this.#fail(this.#missing(), 'a member name is missing');
        const name = this.#string();
        if (members.has(name)) this.#fail('malformed', `${JSON.stringify(name)} is named twice`);
        if (this.#next() !== ':') this.#fail(this.#missing(), '":" is missing');
        this.#at += 1;
        this.#path.push(name);
        members.set(name, this.#value());
        this.#path.pop();
        if (this.#next() === '}') break;
        if (this.#text[this.#at] !== ',') this.#fail(this.#missing(), '"," or "}" is missing');
        this.#at += 1;
      }
    }
    this.#at += 1;
    // Defines own members whatever they are called, `__proto__` too.
    return Object.fromEntries(members);
  }

  #array(): Json {
    this.#at += 1;
    const items: Json[] = [];
    if (this.#next() !== ']') {
      for (;;) {
        this.#path.push(items.length);
        items.push(this.#value());
        this.#path.pop();
        if (this.#next() === ']') break;
        if (this.#text[this.#at] !== ',') this.#fail(this.#missing(), '"," or "]" is missing');
        this.#at += 1;
      }
    }
    this.#at += 1;
    return items;
  }

  #string(): string {
    this.#at += 1;
    let value = '';
    for (;;) {
      value += this.#match(PLAIN);
      const stop = this.#text[this.#at];
      if (stop === '"') break;
      if (stop !== '\\') this.#fail(this.#missing(), 'control character or end inside a string');
      value += this.#escape();
    }
    this.#at += 1;
    if (!value.isWellFormed()) this.#fail('malformed', 'lone surrogate');
    return value;
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? '';
    if (letter === 'u') {
      const digits = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.#fail('malformed', 'four hex digits are missing');
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const value = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (value === undefined) return this.#fail('malformed', 'unknown escape');
    this.#at += 2;
    return value;
  }

  #number(): number {
    const token = this.#match(NUMBER);
    if (token === '') this.#fail('malformed', 'not a JSON value');
    const value = Number(token);
    if (!Number.isFinite(value)) this.#fail('out-of-range', `${token.slice(0, 40)} is beyond a double`);
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      this.#fail('out-of-range', `${token.slice(0, 40)} is beyond 2^53-1: write it as a string (RFC 7493, 2.2)`);
    }
    return value;
  }

  #word<T extends Json>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('malformed', 'not a JSON value');
    this.#at += word.length;
    return value;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #space(): void {
    this.#match(SPACE);
  }

  #next(): string | undefined {
    this.#space();
    return this.#text[this.#at];
  }

  #missing(): 'truncated' | 'malformed' {
    return this.#at >= this.#text.length ? 'truncated' : 'malformed';
  }

  #fail(code: DecodeError['code'], why: string): never {
    const pointer = this.#path.map((part) => `/${part}`).join('');
    throw new DecodeError(code, pointer === '' ? 'document' : pointer, this.#at, why);
  }
}
