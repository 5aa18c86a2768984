/**
 * The embedded store: Node's own SQLite, write-ahead log, full synchronous. Every write is one transaction that is on
 * disk when its method returns; several processes may read and take in events at the same time.
 */
import { existsSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import {
  equal,
  toHex,
  type ChainId,
  type ContentHash,
  type EventHash,
  type KeyDigest,
  type PublicKey,
} from '../protocol/bytes.ts';
import * as Chain from '../protocol/chain.ts';
import * as Seal from '../protocol/seal.ts';
import * as Suite from '../protocol/suite.ts';
import type {
  Anchor,
  Head,
  Inclusion,
  Intake,
  NewEvent,
  Notarization,
  ProvenBlock,
  SlotHead,
  Store,
  StoredCheckpoint,
  StoredEvent,
  Submission,
  Taken,
  Tenant,
  Transaction,
} from './port.ts';
import { SCHEMA, SCHEMA_VERSION } from './schema.ts';

/** The disk did not do what it was asked to; nothing was written. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}

/** An event id was used before for another event. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError';
  readonly id: string;

  constructor(id: string) {
    super(`the event id ${JSON.stringify(id)} belongs to another event already: nothing was taken in`);
    this.id = id;
  }
}

/** Makes a new, empty store. */
export function create(path: string): SqliteStore {
  if (existsSync(path)) throw new StoreError(`${path} exists already: nothing was changed`);
  const store = connect(path);
  store.exec('PRAGMA journal_mode = WAL');
  store.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
  return new SqliteStore(store, path);
}

export function open(path: string): SqliteStore {
  if (!existsSync(path)) throw new StoreError(`there is no store at ${path}: run kedge init, or set KEDGE_DIR`);
  const database = connect(path);
  const version = translate(path, () => Number(row(database.prepare('PRAGMA user_version').get())['user_version']));
  if (version !== SCHEMA_VERSION) {
    throw new StoreError(`${path} has schema ${version} and this version of Kedge reads ${SCHEMA_VERSION}`);
  }
  return new SqliteStore(database, path);
}

function connect(path: string): DatabaseSync {
  return translate(path, () => {
    const database = new DatabaseSync(path, { timeout: 10_000, enableForeignKeyConstraints: true });
    database.exec('PRAGMA synchronous = FULL');
    return database;
  });
}

/** SQLite's faults in an operator's words. */
function translate<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = (error as { errcode?: number }).errcode;
    if (code === undefined) throw error;
    const said = error instanceof Error ? error.message : String(error);
    const hint: { readonly [primary: number]: string } = {
      5: 'another process holds it: try again',
      8: 'it cannot be written to: check its owner and the mount',
      10: 'the disk failed: stop, and check it before anything else',
      11: 'it is damaged: restore it from a backup',
      13: 'the disk is full: make room and go on, nothing acknowledged is lost',
      14: 'it cannot be opened: check the path and its permissions',
      26: 'it is not a Kedge store',
    };
    throw new StoreError(`${path}: ${said}${hint[code & 0xff] === undefined ? '' : ` (${hint[code & 0xff]})`}`);
  }
}

type Row = { readonly [column: string]: unknown };

export class SqliteStore implements Store {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql);
    known.setReadBigInts(true);
    this.#statements.set(sql, known);
    return known;
  }

  #all(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return translate(this.#path, () => this.#prepare(sql).all(...values) as Row[]);
  }

  #get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return translate(this.#path, () => this.#prepare(sql).get(...values) as Row | undefined);
  }

  #run(sql: string, ...values: SQLInputValue[]): bigint {
    return translate(this.#path, () => BigInt(this.#prepare(sql).run(...values).changes));
  }

  #transaction<T>(work: () => T): T {
    translate(this.#path, () => this.#database.exec('BEGIN IMMEDIATE'));
    try {
      const result = work();
      translate(this.#path, () => this.#database.exec('COMMIT'));
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  async bindLog(evmChainId: bigint, contract: Uint8Array): Promise<void> {
    this.#run(
      'INSERT OR IGNORE INTO log (only, evm_chain_id, contract) VALUES (0, ?, ?)',
      String(evmChainId),
      contract,
    );
    const bound = row(this.#get('SELECT evm_chain_id, contract FROM log'));
    if (bound['evm_chain_id'] === String(evmChainId) && equal(bytes(bound['contract']), contract)) return;
    throw new StoreError(
      `this deployment anchors into 0x${toHex(bytes(bound['contract']))} on chain ${String(bound['evm_chain_id'])} and not ` +
        `into 0x${toHex(contract)} on chain ${evmChainId}: check KEDGE_L2_RPC_URL and KEDGE_L2_CONTRACT`,
    );
  }

  async log(): Promise<{ readonly evmChainId: bigint; readonly contract: Uint8Array } | undefined> {
    const bound = this.#get('SELECT evm_chain_id, contract FROM log');
    return bound && { evmChainId: BigInt(String(bound['evm_chain_id'])), contract: bytes(bound['contract']) };
  }

  async addTenant(identity: Chain.Identity): Promise<Tenant> {
    const chainId = Chain.chainId(identity);
    this.#transaction(() => {
      if (this.#get('SELECT 1 FROM tenants WHERE name = ?', identity.tenant) !== undefined) {
        throw new StoreError(`there is a tenant ${identity.tenant} already`);
      }
      const next = Number(integer(row(this.#get('SELECT count(*) AS n FROM tenants'))['n']));
      if (identity.slot !== next) throw new StoreError(`slot ${identity.slot} is not the next one, ${next}`);
      this.#run(
        'INSERT INTO tenants (slot, name, suite, genesis_key, next_key_digest, chain_id) VALUES (?, ?, ?, ?, ?, ?)',
        identity.slot,
        identity.tenant,
        identity.suite.id,
        identity.genesisKey,
        identity.nextKeyDigest,
        chainId,
      );
    });
    return { ...identity, chainId };
  }

  async tenants(): Promise<readonly Tenant[]> {
    return this.#all('SELECT * FROM tenants ORDER BY slot').map((each) => ({
      tenant: String(each['name']),
      suite: Suite.byId(Number(each['suite']))!,
      slot: Number(each['slot']),
      genesisKey: bytes(each['genesis_key']) as PublicKey,
      nextKeyDigest: bytes(each['next_key_digest']) as KeyDigest,
      chainId: bytes(each['chain_id']) as ChainId,
    }));
  }

  async submit(chain: ChainId, events: readonly NewEvent[], sign: (intake: Intake) => Uint8Array): Promise<Taken> {
    if (events.length === 0) throw new StoreError('a submission holds at least one event');
    if (events.length > Seal.MAX_EVENTS) {
      throw new StoreError(`a submission holds at most ${Seal.MAX_EVENTS} events: split it`);
    }
    return this.#transaction(() => {
      const known = new Set<bigint>();
      const added: NewEvent[] = [];
      const fresh = new Map<string, NewEvent>();
      for (const event of events) {
        const before = event.id === undefined ? undefined : this.#known(chain, event.id);
        const twin = event.id === undefined ? undefined : fresh.get(event.id);
        const hash = before?.hash ?? twin?.hash;
        if (hash !== undefined && !equal(hash, event.hash)) throw new ConflictError(event.id!);
        if (before !== undefined) known.add(before.submission);
        else if (twin === undefined) {
          added.push(event);
          if (event.id !== undefined) fresh.set(event.id, event);
        }
      }
      const receipts = [...known].map((first) =>
        bytes(
          row(this.#get('SELECT receipt FROM submissions WHERE chain_id = ? AND first_event = ?', chain, first))[
            'receipt'
          ],
        ),
      );
      if (added.length > 0) receipts.push(this.#append(chain, added, sign));
      return { receipts, added: added.length, known: events.length - added.length };
    });
  }

  #known(chain: ChainId, id: string): { readonly hash: Uint8Array; readonly submission: bigint } | undefined {
    const found = this.#get('SELECT hash, submission FROM events WHERE chain_id = ? AND id = ?', chain, id);
    return found && { hash: bytes(found['hash']), submission: integer(found['submission']) };
  }

  #append(chain: ChainId, events: readonly NewEvent[], sign: (intake: Intake) => Uint8Array): Uint8Array {
    const firstEvent = this.#total(chain);
    const head = this.#head(chain);
    const receipt = sign({ height: head === undefined ? 0n : head.height + 1n, firstEvent, events });
    this.#run(
      'INSERT INTO submissions (chain_id, first_event, event_count, receipt) VALUES (?, ?, ?, ?)',
      chain,
      firstEvent,
      events.length,
      receipt,
    );
    events.forEach(({ id, hash, bytes: content }, i) => {
      this.#run(
        'INSERT INTO events (chain_id, sequence, submission, id, hash, bytes) VALUES (?, ?, ?, ?, ?, ?)',
        chain,
        firstEvent + BigInt(i),
        firstEvent,
        id ?? null,
        hash,
        content ?? null,
      );
    });
    return receipt;
  }

  #total(chain: ChainId): bigint {
    const last = this.#get(
      'SELECT first_event + event_count AS n FROM submissions WHERE chain_id = ? ORDER BY first_event DESC LIMIT 1',
      chain,
    );
    return last === undefined ? 0n : integer(last['n']);
  }

  async unsealed(chain: ChainId, maxEvents: number): Promise<readonly Submission[]> {
    const sealed = this.#sealed(chain);
    const rows = this.#all(
      'SELECT first_event, event_count FROM submissions WHERE chain_id = ? AND first_event >= ? ORDER BY first_event LIMIT ?',
      chain,
      sealed,
      maxEvents,
    );
    const taken: Submission[] = [];
    let count = 0;
    for (const each of rows) {
      const size = Number(each['event_count']);
      if (count + size > maxEvents && taken.length > 0) break;
      count += size;
      const firstEvent = integer(each['first_event']);
      taken.push({ firstEvent, events: await this.events(chain, firstEvent, size) });
      if (count >= maxEvents) break;
    }
    return taken;
  }

  #sealed(chain: ChainId): bigint {
    const found = this.#get('SELECT sealed_events FROM heads WHERE chain_id = ?', chain);
    return found === undefined ? 0n : integer(found['sealed_events']);
  }

  async countEvents(chain: ChainId): Promise<{ readonly total: bigint; readonly sealed: bigint }> {
    return { total: this.#total(chain), sealed: this.#sealed(chain) };
  }

  async events(chain: ChainId, first: bigint, count: number): Promise<readonly StoredEvent[]> {
    const sql = 'SELECT * FROM events WHERE chain_id = ? AND sequence >= ? AND sequence < ? ORDER BY sequence';
    return this.#all(sql, chain, first, first + BigInt(count)).map(storedEvent);
  }

  async findEvent(
    chain: ChainId,
    by: { readonly id: string } | { readonly hash: Uint8Array },
  ): Promise<StoredEvent | undefined> {
    const found =
      'id' in by
        ? this.#get('SELECT * FROM events WHERE chain_id = ? AND id = ?', chain, by.id)
        : this.#get('SELECT * FROM events WHERE chain_id = ? AND hash = ? ORDER BY sequence LIMIT 1', chain, by.hash);
    return found && storedEvent(found);
  }

  async head(chain: ChainId): Promise<Head | undefined> {
    return this.#head(chain);
  }

  #head(chain: ChainId): Head | undefined {
    const found = this.#get('SELECT height, hash FROM heads WHERE chain_id = ?', chain);
    return found && { height: integer(found['height']), hash: bytes(found['hash']) as ContentHash };
  }

  async putRecord(chain: ChainId, height: bigint, hash: ContentHash, record: Uint8Array): Promise<void> {
    this.#transaction(() => {
      const head = this.#head(chain);
      if (head !== undefined && height <= head.height) {
        throw new StoreError(`height ${height} is published already, the head is at ${head.height}`);
      }
      // A record staged by a run that crashed may stand at this height: the head never reached it.
      const sql = 'INSERT OR REPLACE INTO records (chain_id, height, hash, bytes) VALUES (?, ?, ?, ?)';
      this.#run(sql, chain, height, hash, record);
    });
  }

  async getRecord(chain: ChainId, height: bigint, hash: ContentHash): Promise<Uint8Array | undefined> {
    // A connection of its own has no page of this one in its cache.
    const fresh = connect(this.#path);
    try {
      const sql = 'SELECT bytes FROM records WHERE chain_id = ? AND height = ? AND hash = ?';
      const found = translate(this.#path, () => fresh.prepare(sql).get(chain, height, hash));
      return found && bytes(found['bytes']);
    } finally {
      fresh.close();
    }
  }

  async *records(
    chain: ChainId,
  ): AsyncIterable<{ readonly height: bigint; readonly hash: ContentHash; readonly bytes: Uint8Array }> {
    const head = this.#head(chain);
    const page = 1000n;
    for (let from = 0n; head !== undefined && from <= head.height; from += page) {
      const sql =
        'SELECT height, hash, bytes FROM records WHERE chain_id = ? AND height >= ? AND height < ? AND height <= ? ORDER BY height';
      for (const each of this.#all(sql, chain, from, from + page, head.height)) {
        yield {
          height: integer(each['height']),
          hash: bytes(each['hash']) as ContentHash,
          bytes: bytes(each['bytes']),
        };
      }
    }
  }

  async moveHead(chain: ChainId, from: Head | undefined, to: Head, sealedEvents: bigint): Promise<boolean> {
    if (from === undefined) {
      const sql = 'INSERT OR IGNORE INTO heads (chain_id, height, hash, sealed_events) VALUES (?, ?, ?, ?)';
      return this.#run(sql, chain, to.height, to.hash, sealedEvents) === 1n;
    }
    const sql =
      'UPDATE heads SET height = ?, hash = ?, sealed_events = ? WHERE chain_id = ? AND height = ? AND hash = ?';
    return this.#run(sql, to.height, to.hash, sealedEvents, chain, from.height, from.hash) === 1n;
  }

  async addAnchor(number: bigint, root: Uint8Array, count: number, moved: readonly SlotHead[]): Promise<void> {
    this.#transaction(() => {
      const next = integer(row(this.#get('SELECT count(*) AS n FROM anchors'))['n']);
      if (number !== next) throw new StoreError(`anchor ${number} is not the next one, ${next}`);
      this.#run('INSERT INTO anchors (number, root, slots) VALUES (?, ?, ?)', number, root, count);
      for (const { slot, height, hash } of moved) {
        this.#run(
          'INSERT INTO anchored_heads (slot, number, height, hash) VALUES (?, ?, ?, ?)',
          slot,
          number,
          height,
          hash,
        );
      }
    });
  }

  async anchors(): Promise<readonly Anchor[]> {
    return this.#all('SELECT * FROM anchors ORDER BY number').map((each) => ({
      number: integer(each['number']),
      root: bytes(each['root']),
      count: Number(each['slots']),
      included:
        each['log_index'] === null
          ? undefined
          : {
              index: integer(each['log_index']),
              timestamp: integer(each['timestamp']),
              blockNumber: integer(each['block_number']),
              blockHash: bytes(each['block_hash']),
            },
    }));
  }

  async anchoredHeads(number: bigint): Promise<readonly SlotHead[]> {
    const sql = `SELECT slot, height, hash, max(number) FROM anchored_heads WHERE number <= ? GROUP BY slot ORDER BY slot`;
    return this.#all(sql, number).map((each) => ({
      slot: Number(each['slot']),
      height: integer(each['height']),
      hash: bytes(each['hash']) as ContentHash,
    }));
  }

  async addTransaction({ hash, raw, nonce, first, count }: Transaction): Promise<void> {
    const sql = 'INSERT OR IGNORE INTO transactions (hash, raw, nonce, first, anchors) VALUES (?, ?, ?, ?, ?)';
    this.#run(sql, hash, raw, nonce, first, count);
  }

  async openTransactions(): Promise<readonly Transaction[]> {
    const sql = `SELECT * FROM transactions WHERE first + anchors > (SELECT count(*) FROM anchors WHERE log_index IS NOT NULL)
                 ORDER BY rowid`;
    return this.#all(sql).map((each) => ({
      hash: bytes(each['hash']),
      raw: bytes(each['raw']),
      nonce: integer(each['nonce']),
      first: integer(each['first']),
      count: Number(each['anchors']),
    }));
  }

  async markIncluded(number: bigint, { index, timestamp, blockNumber, blockHash }: Inclusion): Promise<void> {
    const sql = 'UPDATE anchors SET log_index = ?, timestamp = ?, block_number = ?, block_hash = ? WHERE number = ?';
    this.#run(sql, index, timestamp, blockNumber, blockHash, number);
  }

  async candidate(): Promise<ProvenBlock | undefined> {
    const found = this.#get('SELECT * FROM proven_blocks WHERE checkpoint IS NULL');
    return found && provenBlock(found);
  }

  async setCandidate(block: ProvenBlock | undefined): Promise<void> {
    this.#transaction(() => {
      this.#run('DELETE FROM proven_blocks WHERE checkpoint IS NULL');
      if (block !== undefined) {
        this.#run(
          `INSERT INTO proven_blocks (number, hash, header, state_root, timestamp, log_size, log_root, account_proof, storage_proofs)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          block.number,
          block.hash,
          block.header,
          block.stateRoot,
          block.timestamp,
          block.logSize,
          block.logRoot,
          JSON.stringify(block.accountProof.map(toHex)),
          JSON.stringify(block.storageProofs.map((nodes) => nodes.map(toHex))),
        );
      }
    });
  }

  async addCheckpoint({ number, bytes: encoded }: StoredCheckpoint): Promise<boolean> {
    return this.#transaction(() => {
      const sql = 'INSERT OR IGNORE INTO checkpoints (number, bytes) VALUES (?, ?)';
      if (this.#run(sql, number, encoded) !== 1n) return false;
      this.#run('UPDATE proven_blocks SET checkpoint = ? WHERE checkpoint IS NULL', number);
      return true;
    });
  }

  async checkpoints(): Promise<readonly StoredCheckpoint[]> {
    const sql = `SELECT c.number AS checkpoint_number, c.bytes, p.* FROM checkpoints c JOIN proven_blocks p ON p.checkpoint = c.number
                 ORDER BY c.number`;
    return this.#all(sql).map((each) => ({
      number: integer(each['checkpoint_number']),
      bytes: bytes(each['bytes']),
      block: provenBlock(each),
    }));
  }

  async putBeaconHeader(hash: Uint8Array, header: Uint8Array): Promise<void> {
    this.#run('INSERT OR IGNORE INTO beacon_headers (hash, header) VALUES (?, ?)', hash, header);
  }

  async beaconHeader(hash: Uint8Array): Promise<Uint8Array | undefined> {
    const found = this.#get('SELECT header FROM beacon_headers WHERE hash = ?', hash);
    return found && bytes(found['header']);
  }

  async putNotarization({ checkpoint, notary, state, proof, bitcoinHeight, headers }: Notarization): Promise<void> {
    this.#run(
      `INSERT OR REPLACE INTO notarizations (checkpoint, notary, state, proof, bitcoin_height, headers)
       VALUES (?, ?, ?, ?, ?, ?)`,
      checkpoint,
      notary,
      state,
      proof ?? null,
      bitcoinHeight ?? null,
      JSON.stringify(headers.map(toHex)),
    );
  }

  async notarizations(): Promise<readonly Notarization[]> {
    return this.#all('SELECT * FROM notarizations ORDER BY checkpoint, notary').map((each) => ({
      checkpoint: integer(each['checkpoint']),
      notary: String(each['notary']),
      state: bytes(each['state']),
      proof: each['proof'] === null ? undefined : bytes(each['proof']),
      bitcoinHeight: each['bitcoin_height'] === null ? undefined : integer(each['bitcoin_height']),
      headers: hexes(each['headers']),
    }));
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}

const row = (value: unknown): Row => value as Row;
const bytes = (value: unknown): Uint8Array => value as Uint8Array;
const integer = (value: unknown): bigint => BigInt(value as bigint | number);
const hexes = (value: unknown): readonly Uint8Array[] =>
  (JSON.parse(String(value)) as readonly string[]).map((each) => Uint8Array.from(Buffer.from(each, 'hex')));

const storedEvent = (each: Row): StoredEvent => ({
  sequence: integer(each['sequence']),
  id: each['id'] === null ? undefined : String(each['id']),
  hash: bytes(each['hash']) as EventHash,
  bytes: each['bytes'] === null ? undefined : bytes(each['bytes']),
});

const provenBlock = (each: Row): ProvenBlock => ({
  number: integer(each['number']),
  hash: bytes(each['hash']),
  header: bytes(each['header']),
  stateRoot: bytes(each['state_root']),
  timestamp: integer(each['timestamp']),
  logSize: integer(each['log_size']),
  logRoot: bytes(each['log_root']),
  accountProof: hexes(each['account_proof']),
  storageProofs: (JSON.parse(String(each['storage_proofs'])) as readonly (readonly string[])[]).map((nodes) =>
    nodes.map((node) => Uint8Array.from(Buffer.from(node, 'hex'))),
  ),
});
