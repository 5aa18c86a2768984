/** What a command prints, and how it ends. */
import { readFile } from 'node:fs/promises';
import { DecodeError } from '../protocol/bytes.ts';
import type { ChainVerdict, EventVerdict } from '../protocol/verdict.ts';

export const EXIT = { done: 0, badVerdict: 1, usage: 2, unreachable: 3 } as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** Input that cannot be read, or words that make no command. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const colour = (code: number, text: string): string => (process.stdout.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text);
export const good = (text: string): string => colour(32, text);
export const bad = (text: string): string => colour(31, text);
export const dim = (text: string): string => colour(2, text);

/** Control characters from outside are shown, not obeyed. */
export const printable = (text: string): string =>
  // eslint-disable-next-line no-control-regex -- they are what is taken out
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** One object for programs, lines for people. */
export function print(json: boolean | undefined, value: object, lines: readonly string[]): void {
  if (json === true) process.stdout.write(`${JSON.stringify(value, (_, each: unknown) => plain(each), 2)}\n`);
  else for (const line of lines) process.stdout.write(`${line}\n`);
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}

export function describe(verdict: EventVerdict | ChainVerdict): readonly string[] {
  const isGood = verdict.verdict === 'Included' || verdict.verdict === 'Verified';
  return [
    `${isGood ? good(verdict.verdict) : bad(verdict.verdict)}, tier ${verdict.tier}, L2 block ${verdict.l2}`,
    ...verdict.steps.map(
      ({ name, ok, detail }) => `  ${ok ? good('ok ') : bad('no ')} ${name.padEnd(12)} ${printable(detail)}`,
    ),
    ...(verdict.notBefore ? [`  not before  ${bound(verdict.notBefore)}`] : []),
    ...(verdict.notAfter ? [`  not after   ${bound(verdict.notAfter)}`] : []),
    ...verdict.findings.map(({ reason, at, detail }) => `  ${bad(reason)} at ${printable(at)}: ${printable(detail)}`),
    ...verdict.notes.map((note) => dim(`  note: ${printable(note)}`)),
  ];
}

const bound = ({ chain, block, hash, time }: NonNullable<EventVerdict['notAfter']>): string =>
  `${chain} block ${block} (${hash.slice(0, 16)}…), header time ${time}${chain.startsWith('bitcoin') ? ' ± 2 h' : ''}`;

/** Small files only: whatever is larger is not ours. */
export async function readInput(path: string, limit = 256 * 1024 * 1024): Promise<Uint8Array> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > limit) throw new UsageError(`${path} is larger than ${limit} bytes`);
    return bytes;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path} cannot be read: ${reasonOf(error)}`);
  }
}

const REASONS: { readonly [code: string]: string } = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  ENOTDIR: 'a part of the path is not a folder',
};

export function reasonOf(error: unknown): string {
  if (error instanceof DecodeError) return error.message;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}
