/** Reads the frozen vectors and holds decoders against bytes that nobody would send by mistake. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { DecodeError, fromHex, toHex } from '../../../src/protocol/bytes.ts';

export type Value = string | readonly Value[] | { readonly [name: string]: Value };
export type Fields = { readonly [name: string]: string };
export type Failure = { readonly code: string; readonly field: string; readonly offset: number };
export type Known<Input = Fields> = {
  readonly name: string;
  readonly desc: string;
  readonly input: Input;
  readonly bytes: Uint8Array;
  readonly want: Fields;
};
type Hostile = { readonly name: string; readonly desc: string; readonly bytes: Uint8Array; readonly want: Failure };

const FOLDER = new URL('../../vectors/', import.meta.url);

function read(noun: string): readonly { name: string; desc: string; input?: Value; bytes: Uint8Array; want: never }[] {
  return readdirSync(new URL(`${noun}/`, FOLDER)).map((file) => {
    const vector = JSON.parse(readFileSync(new URL(`${noun}/${file}`, FOLDER), 'utf8')) as never;
    const { desc, input, bytes, want } = vector as { desc: string; input?: Value; bytes: string; want: never };
    return { name: file.replace(/\.json$/, ''), desc, ...(input && { input }), bytes: fromHex(bytes, file), want };
  });
}

/** Those whose names start as `prefix` says; `Input` is what the caller knows of them. */
export const known = <Input = Fields>(noun: string, prefix = ''): readonly Known<Input>[] =>
  read(noun).filter(
    ({ name, input }) => input !== undefined && name.startsWith(prefix),
  ) as unknown as readonly Known<Input>[];

export const hostile = (noun: string): readonly Hostile[] => read(noun).filter(({ input }) => input === undefined);

export const hex = (text: string | undefined): Uint8Array => fromHex(text ?? '', 'vector');

/** What a decoder says of bytes that it must not accept; every other error passes on. */
export function failureOf(decode: () => unknown): Failure | 'accepted' {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { code: error.code, field: error.field, offset: error.offset };
  }
  return 'accepted';
}

export function refusesLies(noun: string, decode: (bytes: Uint8Array) => unknown): void {
  for (const { name, desc, bytes, want } of hostile(noun)) {
    it(`refuses ${noun}/${name}: ${desc}`, () => {
      expect(failureOf(() => decode(bytes))).to.deep.equal(want);
    });
  }
}

/** A decoder accepts exactly the bytes that its encoder writes. */
export function isExact<T>(
  vectors: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  decode: (bytes: Uint8Array) => T,
  encode: (value: T) => Uint8Array,
): void {
  for (const { name, bytes } of vectors) {
    it(`${name} cut short anywhere is truncated`, () => {
      for (let length = 0; length < bytes.length; length++) {
        expect(
          failureOf(() => decode(bytes.subarray(0, length))),
          `${length} bytes`,
        ).to.include({ code: 'truncated' });
      }
    });
    it(`${name} with any byte after it is trailing`, () => {
      for (let byte = 0; byte < 256; byte++) {
        const longer = Uint8Array.of(...bytes, byte);
        expect(failureOf(() => decode(longer))).to.deep.equal({ code: 'trailing', field: 'end', offset: bytes.length });
      }
    });
    it(`${name} with any byte changed is refused or is what the encoder writes`, () => {
      let accepted = 0;
      for (let at = 0; at < bytes.length; at++) {
        for (let by = 1; by < 256; by = by < 16 ? by + 1 : by + 13) {
          const changed = bytes.slice();
          changed[at]! ^= by;
          let value: T;
          try {
            value = decode(changed);
          } catch (error) {
            if (!(error instanceof DecodeError)) throw error;
            continue;
          }
          accepted += 1;
          const again = encode(value);
          if (toHex(again) !== toHex(changed)) expect.fail(`byte ${at} ^ ${by} decodes and encodes to other bytes`);
        }
      }
      expect(accepted).to.be.greaterThan(0);
    }).timeout(60_000);
  }
}
