/** checkpoint -> Bitcoin: the checkpoint's digest is in a block, and work was done on that block. */
import * as Bitcoin from '../protocol/bitcoin.ts';
import { equal, toHex } from '../protocol/bytes.ts';
import type { Evidence } from '../protocol/evidence.ts';
import * as Ots from '../protocol/ots.ts';
import type { Trust } from '../protocol/trust.ts';
import type { Bound } from '../protocol/verdict.ts';
import type { Ledger } from './ledger.ts';

export type Block = { readonly bound: Bound; readonly height: number; readonly confirmations: number };

/** `undefined` too where the proof is still pending: that ends the tier and is no finding. */
export function checkBitcoin(evidence: Evidence, digest: Uint8Array, trust: Trust, ledger: Ledger): Block | undefined {
  const { ots, bitcoin } = evidence;
  if (ots === undefined || bitcoin === undefined) return undefined;
  const stamp = ledger.decode('bitcoin', 'ots', () => Ots.decode(ots, digest));
  if (stamp === undefined) return undefined;
  if (bitcoin.network !== trust.bitcoin.network) {
    const detail = `${bitcoin.network} where the trust file names ${trust.bitcoin.network}`;
    return ledger.fail('bitcoin', 'BitcoinProofInvalid', 'bitcoin.network', detail);
  }
  const headers = checkHeaders(bitcoin, trust, ledger);
  const block = headers?.[0];
  if (headers === undefined || block === undefined) return undefined;

  const attestations = Ots.walk(stamp).flatMap(({ attestation, message }) =>
    attestation.kind === 'bitcoin' ? [{ height: attestation.height, message }] : [],
  );
  if (attestations.length === 0) {
    ledger.note('the OpenTimestamps proof has no Bitcoin attestation yet: pending is not notarized');
    return undefined;
  }
  const valid = attestations.filter((each) => each.height === bitcoin.height && equal(each.message, block.merkleRoot));
  if (valid.length === 0) {
    const detail = `no branch of the proof leads to the Merkle root of block ${bitcoin.height}`;
    return ledger.fail('bitcoin', 'BitcoinProofInvalid', 'ots', detail);
  }
  if (valid.length < attestations.length) {
    ledger.note(`${attestations.length - valid.length} other Bitcoin branches of the proof were not counted`);
  }
  ledger.pass('bitcoin', `block ${bitcoin.height} of ${bitcoin.network}, header time ${isoDate(block.time)}`);
  const bound = {
    chain: `bitcoin ${bitcoin.network}`,
    block: String(bitcoin.height),
    hash: toHex(block.hash.toReversed()),
    time: isoDate(block.time),
  };
  return { bound, height: bitcoin.height, confirmations: headers.length };
}

/** Headers carry their own proof of work: links, work under the network's limit, the least work asked for. */
function checkHeaders(
  bitcoin: NonNullable<Evidence['bitcoin']>,
  trust: Trust,
  ledger: Ledger,
): readonly Bitcoin.BitcoinHeader[] | undefined {
  const network = Bitcoin.networks[bitcoin.network];
  const headers: Bitcoin.BitcoinHeader[] = [];
  let work = 0n;
  for (const [i, raw] of bitcoin.headers.entries()) {
    const at = `bitcoin.headers.${i}`;
    const header = ledger.decode('work', at, () => Bitcoin.decodeHeader(raw));
    if (header === undefined) return undefined;
    const before = headers.at(-1);
    if (before !== undefined && !equal(header.prev, before.hash)) {
      return ledger.fail('work', 'HeaderMismatch', at, 'is not mined on the header before it');
    }
    if (!Bitcoin.checkWork(header, network)) {
      return ledger.fail('work', 'HeaderMismatch', at, `has no proof of work by the rules of ${bitcoin.network}`);
    }
    const known = trust.bitcoin.blocks.find(({ height }) => height === bitcoin.height + i);
    if (known !== undefined && !equal(known.hash, header.hash)) {
      return ledger.fail(
        'work',
        'HeaderMismatch',
        at,
        `is not the block that the trust file knows at height ${known.height}`,
      );
    }
    work += Bitcoin.work(header.bits);
    headers.push(header);
  }
  if (headers.length === 0) return undefined;
  if (work < trust.bitcoin.minimumWork) {
    const detail = `${work} expected hashes where the trust file asks for ${trust.bitcoin.minimumWork}`;
    return ledger.fail('work', 'InsufficientWork', 'bitcoin.headers', detail);
  }
  const known = trust.bitcoin.blocks.some(
    ({ height }) => height >= bitcoin.height && height < bitcoin.height + headers.length,
  );
  ledger.pass(
    'work',
    `forging ${headers.length} headers takes ${work} hashes${known ? '; leads to a block you know' : ''}`,
  );
  if (bitcoin.network === 'regtest') {
    ledger.note('regtest work is free: such a block proves nothing to anybody but whoever knows the chain');
  } else if (!known) {
    ledger.note('that the block is on the best chain was not checked: compare its hash with a source of yours');
  }
  return headers;
}

const isoDate = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
