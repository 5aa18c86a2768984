/** Headers and state proofs of real nodes: what they give verifies, and nothing damaged passes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { network } from 'hardhat';
import { concat, fromHex, toHex, u8 } from '../../src/protocol/bytes.ts';
import * as Header from '../../src/protocol/header.ts';
import * as Rlp from '../../src/protocol/rlp.ts';
import * as Trie from '../../src/protocol/trie.ts';
import { mutate, seeded } from '../property/mutation.ts';

type Rpc = (method: string, params: readonly unknown[]) => Promise<unknown>;
type Chain = { readonly rpc: Rpc; readonly close: () => Promise<void> };
type RpcProof = {
  readonly accountProof: readonly string[];
  readonly storageHash: string;
  readonly codeHash: string;
  readonly balance: string;
  readonly nonce: string;
  readonly storageProof: readonly { readonly key: string; readonly value: string; readonly proof: readonly string[] }[];
};
/** A proof that a node gave, what it is of, and what it must say. */
type Case = {
  readonly root: Uint8Array;
  readonly path: Uint8Array;
  readonly nodes: readonly Uint8Array[];
  readonly isPresent: boolean;
};

const MUTATIONS_PER_PROOF = 50;
const SLOTS = 24;
const bytes = (hex: string) => fromHex(hex.slice(2), 'rpc');
const hex = (raw: Uint8Array) => `0x${toHex(raw)}`;

async function hardhat(chainType: 'op' | 'l1', hardfork?: string): Promise<Chain> {
  const override = hardfork === undefined ? {} : { hardfork };
  const connection = await network.create({ network: chainType === 'op' ? 'localOp' : 'default', chainType, override });
  return {
    rpc: (method, params) => connection.provider.request({ method, params: [...params] }),
    close: () => connection.close(),
  };
}

const ANVIL = fileURLToPath(new URL('../../node_modules/@foundry-rs/anvil/bin.mjs', import.meta.url));

/** `undefined` where npm installed no anvil for this machine. */
async function anvil(...options: readonly string[]): Promise<Chain | undefined> {
  if (!existsSync(ANVIL)) return undefined;
  const child = spawn(process.execPath, [ANVIL, '--host', '127.0.0.1', '--port', '0', ...options]);
  const ended = new Promise<undefined>((resolve) => child.once('exit', () => resolve(undefined)));
  const url = await Promise.race([listening(child), ended]);
  if (url === undefined) return undefined;
  const rpc: Rpc = async (method, params) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const answer = (await response.json()) as { result?: unknown; error?: { message: string } };
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result;
  };
  const close = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  return { rpc, close };
}

const listening = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    let printed = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      const port = /Listening on 127\.0\.0\.1:(\d+)/.exec(printed)?.[1];
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
    });
  });

/** One byte in odd slots, a word in even ones; every fourth word has leading zeros, which storage tries leave out. */
function word(slot: number): Uint8Array {
  const pick = seeded(slot);
  const value = Uint8Array.from({ length: 32 }, () => 1 + pick(255));
  if (slot % 2 === 1) value.fill(0, 0, 31);
  else if (slot % 4 === 2) value.fill(0, 0, 5);
  return value;
}

/** A constructor that stores `word(i)` in slot i and leaves STOP as code. */
function initCode(): Uint8Array {
  const [PUSH1, PUSH32, SSTORE, RETURN] = [0x60, 0x7f, 0x55, 0xf3].map(u8) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const stores = Array.from({ length: SLOTS }, (_, slot) => concat(PUSH32, word(slot), PUSH1, u8(slot), SSTORE));
  return concat(...stores, PUSH1, u8(1), PUSH1, u8(0), RETURN);
}

async function send(rpc: Rpc, transaction: Record<string, string>): Promise<{ contractAddress: string | null }> {
  const hash = await rpc('eth_sendTransaction', [transaction]);
  for (let attempt = 0; attempt < 200; attempt++) {
    const receipt = (await rpc('eth_getTransactionReceipt', [hash])) as { contractAddress: string | null } | null;
    if (receipt !== null) return receipt;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`no receipt for ${String(hash)}`);
}

async function headerAt(rpc: Rpc, number: string): Promise<Header.Header> {
  const block = (await rpc('eth_getBlockByNumber', [number, false])) as Header.RpcBlock;
  const header = Header.decode(Header.fromRpc(block));
  expect(hex(header.hash)).to.equal(block['hash']);
  expect([header.number, header.timestamp]).to.deep.equal(
    [block['number'], block['timestamp']].map((each) => BigInt(each as string)),
  );
  expect(hex(header.parentHash)).to.equal(block['parentHash']);
  return header;
}

function checkAccount(given: RpcProof, address: string, stateRoot: Uint8Array, isPresent: boolean): Case {
  const path = Trie.accountKey(bytes(address));
  const nodes = given.accountProof.map(bytes);
  const found = Trie.checkProof(stateRoot, path, nodes);
  expect(found.kind).to.equal(isPresent ? 'present' : 'absent');
  if (found.kind === 'present') {
    const { nonce, balance, storageRoot, codeHash } = Trie.decodeAccount(found.value);
    expect([nonce, balance]).to.deep.equal([BigInt(given.nonce), BigInt(given.balance)]);
    expect([hex(storageRoot), hex(codeHash)]).to.deep.equal([given.storageHash, given.codeHash]);
  }
  return { root: stateRoot, path, nodes, isPresent };
}

function checkSlot(given: RpcProof, slot: number): Case {
  const root = bytes(given.storageHash);
  const path = Trie.storageKey(BigInt(slot));
  const nodes = given.storageProof[slot]!.proof.map(bytes);
  const found = Trie.checkProof(root, path, nodes);
  const isPresent = slot < SLOTS;
  expect(found.kind, `slot ${slot}`).to.equal(isPresent ? 'present' : 'absent');
  if (found.kind === 'present') expect(Trie.decodeStorageValue(found.value)).to.deep.equal(word(slot));
  return { root, path, nodes, isPresent };
}

/** Deploys, then takes every proof at one block: of the contract, its slots and as many empty ones, and other accounts. */
async function proofsOf(rpc: Rpc): Promise<Case[]> {
  const accounts = (await rpc('eth_accounts', [])) as string[];
  const [from, to] = accounts as [string, string];
  for (let i = 1; i <= 3; i++) await send(rpc, { from, to, value: `0x${i}` });
  const contract = (await send(rpc, { from, data: hex(initCode()) })).contractAddress!;
  const number = (await rpc('eth_blockNumber', [])) as string;
  for (let height = 0n; height < BigInt(number); height++) await headerAt(rpc, `0x${height.toString(16)}`);
  const { stateRoot } = await headerAt(rpc, number);

  const prove = (address: string, slots: readonly number[]) =>
    rpc('eth_getProof', [address, slots.map((slot) => hex(Trie.slotBytes(BigInt(slot)))), number]) as Promise<RpcProof>;
  const ofContract = await prove(
    contract,
    Array.from({ length: 2 * SLOTS }, (_, slot) => slot),
  );
  const cases = [checkAccount(ofContract, contract, stateRoot, true)];
  for (let slot = 0; slot < 2 * SLOTS; slot++) cases.push(checkSlot(ofContract, slot));
  for (const address of accounts.slice(0, 4)) {
    const given = await prove(address, [0]);
    cases.push(checkAccount(given, address, stateRoot, true));
    // An account without storage: the proof is of the empty trie.
    const empty = Trie.checkProof(
      bytes(given.storageHash),
      Trie.storageKey(0n),
      given.storageProof[0]!.proof.map(bytes),
    );
    expect(empty).to.deep.equal({ kind: 'absent' });
  }
  for (let i = 1; i <= 4; i++) {
    const address = hex(new Uint8Array(20).fill(0x10 + i));
    cases.push(checkAccount(await prove(address, []), address, stateRoot, false));
  }
  return cases;
}

/** How many damaged proofs were tried; none may say present or absent, whichever is true. */
function damage(cases: readonly Case[], seed: number): number {
  let tried = 0;
  const pick = seeded(seed);
  for (const { root, path, nodes } of cases) {
    for (let done = 0; done < MUTATIONS_PER_PROOF;) {
      const damaged = mutate(nodes, pick);
      if (damaged === undefined) continue;
      expect(Trie.checkProof(root, path, damaged).kind, damaged.map(hex).join()).to.equal('invalid');
      done += 1;
      tried += 1;
    }
  }
  return tried;
}

/** No proof, given for another one's path, says what is not so. */
function exchange(cases: readonly Case[]): void {
  for (const wanted of cases) {
    for (const other of cases) {
      const found = Trie.checkProof(wanted.root, wanted.path, other.nodes);
      if (found.kind !== 'invalid') expect(found.kind === 'present').to.equal(wanted.isPresent);
    }
  }
}

type Row = readonly [title: string, fields: number, open: () => Promise<Chain | undefined>];
const CHAINS: readonly Row[] = [
  ["Hardhat's simulated OP chain", 21, () => hardhat('op')],
  ["Hardhat's simulated OP chain, Ecotone", 20, () => hardhat('op', 'ecotone')],
  ["Hardhat's simulated OP chain, Canyon", 17, () => hardhat('op', 'canyon')],
  ["Hardhat's simulated OP chain, Bedrock", 16, () => hardhat('op', 'bedrock')],
  ["Hardhat's simulated L1, Berlin", 15, () => hardhat('l1', 'berlin')],
  ['anvil (npm: @foundry-rs/anvil)', 21, () => anvil()],
  ['anvil --optimism (npm: @foundry-rs/anvil)', 21, () => anvil('--optimism')],
  ['anvil --hardfork cancun (npm: @foundry-rs/anvil)', 20, () => anvil('--hardfork', 'cancun')],
];

describe('headers and proofs of real nodes', function () {
  this.timeout(120_000);
  for (const [seed, [title, fields, open]] of CHAINS.entries()) {
    it(`${title}: headers hash to their blocks, proofs hold, damaged ones are invalid`, async function () {
      const chain = await open();
      if (chain === undefined) return this.skip();
      try {
        const block = (await chain.rpc('eth_getBlockByNumber', ['latest', false])) as Header.RpcBlock;
        expect(Rlp.list(Rlp.decode(Header.fromRpc(block), 'header'), 'header')).to.have.length(fields);
        const cases = await proofsOf(chain.rpc);
        expect(cases.filter(({ isPresent }) => isPresent)).to.have.length(SLOTS + 5);
        expect(cases.filter(({ isPresent }) => !isPresent)).to.have.length(SLOTS + 4);
        expect(damage(cases, seed)).to.equal(cases.length * MUTATIONS_PER_PROOF);
        exchange(cases);
      } finally {
        await chain.close();
      }
    });
  }
});
