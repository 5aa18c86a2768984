import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as Evidence from '../../src/protocol/evidence.ts';
import { decodeHeader } from '../../src/protocol/bitcoin.ts';
import { toHex } from '../../src/protocol/bytes.ts';
import * as Ots from '../../src/protocol/ots.ts';
import { story, type World } from './world.ts';

/** Debian's python3-opentimestamps belongs to the system's own interpreter. */
const PYTHON = '/usr/bin/python3';
const REFERENCE = `
import sys
from opentimestamps.core.timestamp import DetachedTimestampFile
from opentimestamps.core.serialize import StreamDeserializationContext, BytesDeserializationContext, BytesSerializationContext
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation
from bitcoin.core import CBlockHeader
data = open(sys.argv[1], 'rb').read()
proof = DetachedTimestampFile.deserialize(BytesDeserializationContext(data))
again = BytesSerializationContext(); proof.serialize(again)
assert again.getbytes() == data, 'serializes otherwise'
digest = proof.file_hash_op.hash_fd(open(sys.argv[2], 'rb'))
assert digest == proof.file_digest, 'not the file of this proof'
header = CBlockHeader.deserialize(bytes.fromhex(sys.argv[3]))
found = [(m, a) for m, a in proof.timestamp.all_attestations() if isinstance(a, BitcoinBlockHeaderAttestation)]
assert len(found) == 1
message, attestation = found[0]
print(attestation.height, attestation.verify_against_blockheader(message, header))
`;

describe('an event as a plain OpenTimestamps file', function () {
  this.timeout(120_000);
  let world: World;
  before(async () => {
    world = await story();
  });
  after(() => world.close());

  it("leads from the event's own bytes to the block of the evidence", () => {
    const { bitcoin } = Evidence.decode(readFileSync(world.path('evidence.json')));
    const { stamp } = Ots.decodeFile(readFileSync(world.path('event.json.ots')));
    const [attested] = Ots.walk(stamp);
    expect(attested?.attestation).to.deep.equal({ kind: 'bitcoin', height: bitcoin?.height });
    expect(toHex(attested!.message)).to.equal(toHex(decodeHeader(bitcoin!.headers[0]!).merkleRoot));
  });

  it('the reference implementation (Debian python3-opentimestamps) verifies it against the block header', function () {
    if (spawnSync(PYTHON, ['-c', 'import opentimestamps, bitcoin']).status !== 0) this.skip();
    const { bitcoin } = Evidence.decode(readFileSync(world.path('evidence.json')));
    const header = toHex(bitcoin!.headers[0]!);
    const args = ['-c', REFERENCE, world.path('event.json.ots'), world.path('event.json'), header];
    const { stdout, stderr, status } = spawnSync(PYTHON, args, { encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
    const time = decodeHeader(bitcoin!.headers[0]!).time;
    expect(stdout.trim()).to.equal(`${bitcoin!.height} ${time}`);
  });

  it('is refused for a suite that OpenTimestamps has no operation for', async () => {
    const { exit, out } = await world.kedge('prove', 'event-101', '-t', 'globex', '--ots', world.path('no.ots'));
    expect(exit).to.equal(2);
    expect(out).to.contain('blake3-128');
  });
});
