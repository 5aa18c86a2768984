/** What went wrong between us and an L2 node, in words that may be shown. */
import { BaseError, decodeErrorResult, HttpRequestError, RpcRequestError, type Hex } from 'viem';
import { anchorLogAbi } from './abi.ts';

export class L2Error extends Error {
  override readonly name = 'L2Error';
  /** Whether the same may work later. */
  readonly retryable: boolean;

  constructor(message: string, retryable: boolean) {
    super(message);
    this.retryable = retryable;
  }
}

export type Fault = {
  /** What the node said, without its address; one line. */
  readonly said: string;
  /** The contract's own error, where it reverted with one. */
  readonly revert: string | undefined;
  readonly isRevert: boolean;
  /** The node may answer in a moment: it could not be reached, was too busy, or broke. */
  readonly isBusy: boolean;
  /** It was reached and answered by an error of its own. */
  readonly isAnswer: boolean;
  readonly retryAfterMs: number | undefined;
};

const MAX_SAID = 300;
const BUSY = [403, 408, 429, 500, 502, 503, 504];
/** JSON-RPC's internal error, its limits, and what providers answer in place of HTTP 429. */
const BUSY_CODES = [-32603, -32005, -32007, 429];

/** `secrets` are the parts of the node's address that are never shown: an answer may repeat them. */
export function read(error: unknown, secrets: readonly string[]): Fault {
  const chain = causes(error);
  const answer = chain.find((each) => each instanceof RpcRequestError);
  const http = chain.find((each) => each instanceof HttpRequestError);
  const data = revertData(chain);
  const code = chain.map((each) => (each as { code?: unknown }).code).find((each) => typeof each === 'number');
  const isRevert = data !== undefined || /revert/i.test(spoken(answer ?? chain.at(-1)));
  const status = http?.status;
  const retryAfter = http?.headers?.get('retry-after');
  return {
    said: shown(http === undefined ? spoken(answer ?? chain.at(-1)) : httpSpoken(http), secrets),
    revert: data === undefined ? undefined : contractError(data),
    isRevert,
    isBusy:
      !isRevert && (code === undefined ? status === undefined || BUSY.includes(status) : BUSY_CODES.includes(code)),
    isAnswer: typeof code === 'number',
    retryAfterMs: retryAfter && /^[0-9]+$/.test(retryAfter) ? Number(retryAfter) * 1000 : undefined,
  };
}

/** From the outermost error to the innermost. */
function causes(error: unknown): readonly unknown[] {
  const found: unknown[] = [];
  for (let at = error; at !== undefined && at !== null && found.length < 16; at = (at as { cause?: unknown }).cause) {
    found.push(at);
  }
  return found;
}

/** viem's own messages name the whole address and the request: only what stands below them. */
function spoken(error: unknown): string {
  if (error instanceof BaseError) return error.details || error.shortMessage;
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return String(error);
}

function httpSpoken(error: HttpRequestError): string {
  if (error.status === undefined) {
    const innermost = causes(error).at(-1);
    const { code } = innermost as { code?: unknown };
    return typeof code === 'string' ? `${error.details} (${code})` : spoken(innermost);
  }
  // A proxy's error page is no answer of the node's.
  const isPage = /<html|<!doctype/i.test(error.details);
  return `HTTP ${error.status}${isPage || error.details === '' ? '' : ` ${error.details}`}`;
}

function shown(text: string, secrets: readonly string[]): string {
  let said = text;
  for (const secret of secrets) said = said.replaceAll(secret, '…');
  // Control characters could write into a terminal or forge a line of a log.
  // eslint-disable-next-line no-control-regex
  said = said.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return said.length > MAX_SAID ? `${said.slice(0, MAX_SAID)}…` : said;
}

/** Nodes put it into `data`, as hex or in an object. */
function revertData(chain: readonly unknown[]): Hex | undefined {
  for (const each of chain) {
    const { data } = each as { data?: unknown };
    for (const candidate of [data, (data as { data?: unknown } | undefined)?.data]) {
      if (typeof candidate === 'string' && /^0x[0-9a-f]{8}/i.test(candidate)) return candidate as Hex;
    }
  }
  return undefined;
}

function contractError(data: Hex): string | undefined {
  try {
    return decodeErrorResult({ abi: anchorLogAbi, data }).errorName;
  } catch {
    return undefined;
  }
}

/** Everything of an address but its host: providers put keys into paths, queries and user names. */
export function secretsOf(address: URL): readonly string[] {
  const { href, pathname, search, username, password } = address;
  const parts = [
    href,
    `${pathname}${search}`,
    ...pathname.split('/'),
    ...address.searchParams.values(),
    username,
    password,
  ];
  const all = parts.flatMap((part) => [part, decoded(part)]);
  // Short words like "v2" or "rpc" are no secrets, and would tear holes into every message.
  return [...new Set(all.filter((part) => part.length >= 6))].sort((a, b) => b.length - a.length);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
