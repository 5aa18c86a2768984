import { expect } from 'chai';
import fc from 'fast-check';
import hre from 'hardhat';
import { bytesToHex, getAddress, type Hex, keccak256, stringToBytes, toEventSelector, toFunctionSelector } from 'viem';
import { concat } from '../../src/protocol/bytes.ts';
import * as Log from '../../src/protocol/log.ts';
import { ABI, type AnchoredLog, type Chain, deploy, head, naiveRoot, revertOf, rootsOf, start } from './log.ts';
import module from '../../ignition/modules/AnchorLog.ts';

/** Each run deploys a log and sends it up to 300 roots, so it counts for ten. */
const RUNS = Math.ceil(Number(process.env['KEDGE_PROPERTY_RUNS'] ?? 100) / 10);
const TARGET_GAS = 38_500;

const batches = fc
  .array(fc.oneof({ weight: 2, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 48 })), {
    minLength: 1,
    maxLength: 24,
  })
  .map((sizes) => {
    let left = 300;
    return sizes.map((size) => Math.min(size, (left -= size) + size)).filter((size) => size > 0);
  });

const flip = (value: Hex, bit: number): Hex =>
  `0x${(BigInt(value) ^ (1n << BigInt(bit))).toString(16).padStart(value.length - 2, '0')}`;

describe('AnchorLog', () => {
  let chain: Chain;
  let log: AnchoredLog;

  before(async () => {
    chain = await start();
  });
  beforeEach(async () => {
    log = await deploy(chain);
  });
  after(async () => {
    await chain.connection.close();
  });

  async function checkAgainstTree(): Promise<void> {
    const size = log.leaves.length;
    expect(await log.read.size()).to.equal(BigInt(size));
    const logRoot = await log.read.logRoot();
    expect(logRoot).to.equal(log.root());
    expect(logRoot).to.equal(bytesToHex(naiveRoot(log.leaves)));
    expect(await log.read.peaks()).to.deep.equal(log.range.peaks.map((peak) => bytesToHex(peak)));
    expect(await log.slot(0n)).to.deep.equal(head(chain.operator.account.address, size));
    const live = [...log.range.peaks];
    for (let height = 0n; BigInt(size) >> height !== 0n; height++) {
      if ((BigInt(size) >> height) % 2n === 0n) continue;
      expect(await log.slot(1n + height), `peak of height ${height}`).to.deep.equal(Uint8Array.from(live.pop()!));
    }
    expect(live).to.be.empty;
  }

  describe('against the TypeScript tree', () => {
    it('starts as the empty tree', checkAgainstTree);

    it('keeps its root, peaks and storage over random batches, and proves random leaves', async () => {
      const property = fc.asyncProperty(batches, fc.nat(), fc.infiniteStream(fc.nat()), async (sizes, seed, random) => {
        log = await deploy(chain);
        const roots = rootsOf(seed, 300);
        for (const size of sizes) {
          const index = log.leaves.length;
          await log.append(roots.slice(index, index + size));
          await checkAgainstTree();
        }
        for (let i = 0; i < 4; i++) await checkLeaf(random.next().value % log.leaves.length, random);
      });
      await fc.assert(property, { numRuns: RUNS });
    });

    async function checkLeaf(at: number, random: fc.Stream<number>): Promise<void> {
      const [entry, index, size, path, root] = [
        log.entries[at]!,
        BigInt(at),
        BigInt(log.leaves.length),
        log.path(at),
        log.root(),
      ];
      const { root: value, timestamp } = log.anchored[at]!;
      expect(await log.verifyInclusion(entry, index, size, path, root)).to.equal(true);
      expect(await log.isAnchored(value, timestamp, index, path)).to.equal(true);

      const bit = random.next().value % 256;
      const mutated = entry.with(bit % entry.length, entry[bit % entry.length]! ^ 1);
      expect(await log.verifyInclusion(mutated, index, size, path, root), 'entry').to.equal(false);
      expect(await log.verifyInclusion(entry, index ^ 1n, size, path, root), 'index').to.equal(false);
      expect(await log.verifyInclusion(entry, index + size, size, path, root), 'index beyond').to.equal(false);
      expect(await log.verifyInclusion(entry, index, size, path, flip(root, bit)), 'root').to.equal(false);
      expect(await log.verifyInclusion(entry, index, size, [...path, root], root), 'longer path').to.equal(false);
      expect(await log.isAnchored(flip(value, bit), timestamp, index, path), 'anchored value').to.equal(false);
      expect(await log.isAnchored(value, timestamp + 1n, index, path), 'time').to.equal(false);
      expect(await log.isAnchored(value, timestamp, index ^ 1n, path), 'index').to.equal(false);
      if (path.length === 0) return;
      const lie = path.with(bit % path.length, flip(path[bit % path.length]!, bit));
      expect(await log.verifyInclusion(entry, index, size, lie, root), 'path').to.equal(false);
      expect(await log.isAnchored(value, timestamp, index, lie), 'path').to.equal(false);
      expect(await log.verifyInclusion(entry, index, size, path.slice(1), root), 'shorter path').to.equal(false);
    }

    it('refuses an inner node as an entry', async () => {
      await log.append(rootsOf(1, 8));
      const node = concat(log.leaves[2]!, log.leaves[3]!);
      expect(await log.verifyInclusion(node, 1n, 4n, log.path(2).slice(1), log.root())).to.equal(false);
    });

    it('has its storage where the format says', () => {
      const inner = BigInt(keccak256(stringToBytes('kedge.anchorlog.v1'))) - 1n;
      const slot = BigInt(keccak256(`0x${inner.toString(16).padStart(64, '0')}`)) & ~0xffn;
      expect(slot).to.equal(Log.BASE_SLOT);
    });
  });

  describe('anchor', () => {
    it('emits the index, the root and the time of the block', async () => {
      const [root] = rootsOf(2, 1) as [Hex];
      const { receipt } = await log.append([root]);
      const { timestamp } = await chain.client.getBlock({ blockHash: receipt.blockHash });
      expect(receipt.logs).to.have.length(1);
      expect(receipt.logs[0]!.topics).to.deep.equal([
        toEventSelector('Anchored(uint256,bytes32,uint256)'),
        `0x${'0'.repeat(64)}`,
        root,
      ]);
      expect(BigInt(receipt.logs[0]!.data)).to.equal(timestamp);
    });

    it('never appends twice when the same transaction is sent again, in the same block too', async () => {
      const { connection, operator, client } = chain;
      const args = [rootsOf(3, 1)[0]!, 0n] as const;
      await connection.provider.request({ method: 'evm_setAutomine', params: [false] });
      try {
        const nonce = await client.getTransactionCount({ address: operator.account.address });
        const call = { ...log.contract, functionName: 'anchor', args, gas: 200_000n } as const;
        const first = await operator.writeContract({ ...call, nonce });
        const second = await operator.writeContract({ ...call, nonce: nonce + 1 });
        await connection.provider.request({ method: 'evm_mine' });
        expect((await client.getTransactionReceipt({ hash: first })).status).to.equal('success');
        expect((await client.getTransactionReceipt({ hash: second })).status).to.equal('reverted');
      } finally {
        await connection.provider.request({ method: 'evm_setAutomine', params: [true] });
      }
      expect(await log.read.size()).to.equal(1n);
    });

    it('reverts by name on a wrong index, a zero root, an empty batch and a wrong sender', async () => {
      await log.append(rootsOf(4, 2));
      const [root] = rootsOf(5, 1) as [Hex];
      const zero = `0x${'0'.repeat(64)}` as const;
      const { address } = chain.stranger.account;
      const anchor = (value: Hex, index: bigint, account = chain.operator.account) =>
        revertOf(
          chain.client.simulateContract({ ...log.contract, functionName: 'anchor', args: [value, index], account }),
        );
      const anchorMany = (values: Hex[], index: bigint, account = chain.operator.account) =>
        revertOf(
          chain.client.simulateContract({
            ...log.contract,
            functionName: 'anchorMany',
            args: [values, index],
            account,
          }),
        );

      expect(await anchor(root, 2n)).to.equal(undefined);
      expect(await anchor(root, 1n)).to.equal('AnchorLogUnexpectedIndex(1, 2)');
      expect(await anchor(root, 3n)).to.equal('AnchorLogUnexpectedIndex(3, 2)');
      expect(await anchorMany([root], 0n)).to.equal('AnchorLogUnexpectedIndex(0, 2)');
      expect(await anchor(zero, 2n)).to.equal('AnchorLogZeroRoot()');
      expect(await anchorMany([root, zero], 2n)).to.equal('AnchorLogZeroRoot()');
      expect(await anchorMany([], 2n)).to.equal('AnchorLogEmptyBatch()');
      expect(await anchor(root, 2n, chain.stranger.account)).to.equal(
        `AnchorLogUnauthorizedAnchorer(${getAddress(address)})`,
      );
      expect(await anchorMany([root], 2n, chain.stranger.account)).to.equal(
        `AnchorLogUnauthorizedAnchorer(${getAddress(address)})`,
      );
    });

    it(`costs at most ${TARGET_GAS} gas on average over 256`, async () => {
      let total = 0n;
      for (const root of rootsOf(6, 256)) total += (await log.append([root])).receipt.gasUsed;
      expect(Number(total) / 256).to.be.at.most(TARGET_GAS);
      await checkAgainstTree();
    });
  });

  describe('owner', () => {
    it('replaces the anchorer, and the log stays as it is', async () => {
      await log.append(rootsOf(7, 5));
      const { address } = chain.stranger.account;
      await chain.operator.writeContract({ ...log.contract, functionName: 'setAnchorer', args: [address] });
      expect(await log.read.anchorer()).to.equal(getAddress(address));
      expect(await log.slot(0n)).to.deep.equal(head(address, 5));
      expect(await log.read.logRoot()).to.equal(log.root());
      const args = [rootsOf(8, 1)[0]!, 5n] as const;
      const [was, is] = [chain.operator.account, chain.stranger.account].map((account) =>
        revertOf(chain.client.simulateContract({ ...log.contract, functionName: 'anchor', args, account })),
      );
      expect(await was).to.equal(`AnchorLogUnauthorizedAnchorer(${getAddress(chain.operator.account.address)})`);
      expect(await is).to.equal(undefined);
    });

    it('is replaced in two steps and cannot be given up', async () => {
      const { stranger, third, operator, client } = chain;
      await operator.writeContract({
        ...log.contract,
        functionName: 'transferOwnership',
        args: [stranger.account.address],
      });
      expect(await log.read.owner()).to.equal(getAddress(operator.account.address));
      const accept = (account: typeof stranger.account) =>
        revertOf(client.simulateContract({ ...log.contract, functionName: 'acceptOwnership', account }));
      expect(await accept(third.account)).to.equal(`OwnableUnauthorizedAccount(${getAddress(third.account.address)})`);
      await stranger.writeContract({ ...log.contract, functionName: 'acceptOwnership' });
      expect(await log.read.owner()).to.equal(getAddress(stranger.account.address));
      const renounce = { ...log.contract, functionName: 'renounceOwnership', account: stranger.account } as const;
      expect(await revertOf(client.readContract(renounce))).to.equal('AnchorLogOwnershipNotRenounceable()');
      const args = [operator.account.address] as const;
      const set = { ...log.contract, functionName: 'setAnchorer', args, account: operator.account } as const;
      expect(await revertOf(client.simulateContract(set))).to.equal(
        `OwnableUnauthorizedAccount(${getAddress(args[0])})`,
      );
    });
  });

  describe('deployment', () => {
    it('is by a module whose owner and anchorer are parameters, the deployer by default', async () => {
      const { operator, stranger, third } = chain;
      const at = (address: Hex, functionName: 'owner' | 'anchorer') =>
        chain.client.readContract({ abi: ABI, address, functionName });

      const byDefault = await deployModule({});
      expect(await at(byDefault, 'owner')).to.equal(getAddress(operator.account.address));
      expect(await at(byDefault, 'anchorer')).to.equal(getAddress(operator.account.address));
      const given = await deployModule({ owner: stranger.account.address, anchorer: third.account.address });
      expect(await at(given, 'owner')).to.equal(getAddress(stranger.account.address));
      expect(await at(given, 'anchorer')).to.equal(getAddress(third.account.address));
    });

    async function deployModule(parameters: Record<string, Hex>): Promise<Hex> {
      const deployed: { readonly anchorLog: { readonly address: Hex } } = await chain.connection.ignition.deploy(
        module,
        {
          parameters: { AnchorLog: parameters },
        },
      );
      return deployed.anchorLog.address;
    }

    it('has the interface that is written down here, and nothing else', async () => {
      const { abi } = await hre.artifacts.readArtifact('AnchorLog');
      const names = (items: readonly { readonly type: string; readonly name?: string }[]) =>
        items.map(({ type, name }) => `${type} ${name ?? ''}`).sort();
      expect(names(abi)).to.deep.equal(names(ABI));
      for (const item of ABI) {
        if (item.type !== 'function') continue;
        const compiled = abi.find((other) => other.type === 'function' && other.name === item.name);
        expect(compiled?.type === 'function' && toFunctionSelector(compiled)).to.equal(toFunctionSelector(item));
      }
    });
  });
});
