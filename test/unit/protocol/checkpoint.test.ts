import { expect } from 'chai';
import { toHex, type Root } from '../../../src/protocol/bytes.ts';
import * as Checkpoint from '../../../src/protocol/checkpoint.ts';
import { hex, isExact, known, refusesLies } from './vectors.ts';

describe('checkpoint', () => {
  const vectors = known('checkpoint');
  for (const { name, desc, input, bytes, want } of vectors) {
    it(`${name}: ${desc}`, () => {
      const checkpoint: Checkpoint.Checkpoint = {
        evmChainId: BigInt(input['evmChainId']!),
        contract: hex(input['contract']),
        blockNumber: BigInt(input['blockNumber']!),
        blockHash: hex(input['blockHash']),
        stateRoot: hex(input['stateRoot']),
        blockTimestamp: BigInt(input['blockTimestamp']!),
        logSize: BigInt(input['logSize']!),
        logRoot: hex(input['logRoot']) as Root,
        prev: hex(input['prev']),
      };
      expect(toHex(Checkpoint.encode(checkpoint))).to.equal(toHex(bytes));
      expect(Checkpoint.decode(bytes)).to.deep.equal(checkpoint);
      expect(toHex(Checkpoint.digest(bytes))).to.equal(want['digest']);
    });
  }
  refusesLies('checkpoint', Checkpoint.decode);
  isExact(vectors, Checkpoint.decode, Checkpoint.encode);

  it('a checkpoint ends in the digest of the one before it', () => {
    const [first, linked] = ['first', 'linked'].map((name) => known('checkpoint', name)[0]!);
    expect(toHex(linked!.bytes.subarray(Checkpoint.PREV_OFFSET))).to.equal(first!.want['digest']);
    expect(linked!.bytes.length).to.equal(Checkpoint.PREV_OFFSET + 32);
  });
});
