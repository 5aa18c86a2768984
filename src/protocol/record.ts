/**
 * What every record of a chain starts with. `w` is the width of the chain's suite.
 *
 *     tag 4 | version 1 | suite 1 | chain_id 32 | height 8 | prev w | history_root w
 */
import {
  ascii,
  concat,
  DecodeError,
  u64,
  u8,
  type ChainId,
  type ContentHash,
  type Reader,
  type Root,
} from './bytes.ts';
import * as Suite from './suite.ts';

export const VERSION = 1;

export type RecordHeader = {
  readonly suite: Suite.Suite;
  readonly chainId: ChainId;
  /** 0 for the first record. */
  readonly height: bigint;
  /** Content hash of the record before; zeros at height 0. */
  readonly prev: ContentHash;
  /** RFC 9162 root over the content hashes of records 0 to height-1; the empty tree's hash at height 0. */
  readonly historyRoot: Root;
};

export function encodeHeader(tag: string, header: RecordHeader): Uint8Array {
  const { suite } = header;
  return concat(
    ascii(tag),
    u8(VERSION),
    u8(suite.id),
    header.chainId,
    u64(header.height),
    header.prev,
    header.historyRoot,
  );
}

export function readHeader(reader: Reader, tag: string): RecordHeader {
  reader.expect(ascii(tag), 'tag', 'bad-tag');
  reader.expect(u8(VERSION), 'version', 'bad-version');
  const suite = readSuite(reader);
  return {
    suite,
    chainId: reader.take(32, 'chain_id') as ChainId,
    height: reader.u64('height'),
    prev: reader.take(suite.width, 'prev') as ContentHash,
    historyRoot: reader.take(suite.width, 'history_root') as Root,
  };
}

export function readSuite(reader: Reader): Suite.Suite {
  const at = reader.offset;
  const id = reader.u8('suite');
  const suite = Suite.byId(id);
  if (suite === undefined) throw new DecodeError('out-of-range', 'suite', at, `unknown suite ${id}`);
  return suite;
}
