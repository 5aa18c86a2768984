export const SCHEMA_VERSION = 1;

/** Integers fit 63 bits but for EVM chain ids, which are text. */
export const SCHEMA = `
  CREATE TABLE log (only INTEGER PRIMARY KEY CHECK (only = 0), evm_chain_id TEXT NOT NULL, contract BLOB NOT NULL) STRICT;
  CREATE TABLE tenants (
    slot INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    suite INTEGER NOT NULL,
    genesis_key BLOB NOT NULL,
    next_key_digest BLOB NOT NULL,
    chain_id BLOB NOT NULL UNIQUE
  ) STRICT;
  CREATE TABLE submissions (
    chain_id BLOB NOT NULL REFERENCES tenants (chain_id),
    first_event INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    receipt BLOB NOT NULL,
    PRIMARY KEY (chain_id, first_event)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE events (
    chain_id BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    submission INTEGER NOT NULL,
    id TEXT,
    hash BLOB NOT NULL,
    bytes BLOB,
    PRIMARY KEY (chain_id, sequence),
    FOREIGN KEY (chain_id, submission) REFERENCES submissions (chain_id, first_event)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX events_by_id ON events (chain_id, id) WHERE id IS NOT NULL;
  CREATE INDEX events_by_hash ON events (chain_id, hash);
  CREATE TABLE records (
    chain_id BLOB NOT NULL REFERENCES tenants (chain_id),
    height INTEGER NOT NULL,
    hash BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (chain_id, height)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE heads (
    chain_id BLOB PRIMARY KEY REFERENCES tenants (chain_id),
    height INTEGER NOT NULL,
    hash BLOB NOT NULL,
    sealed_events INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE anchors (
    number INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    slots INTEGER NOT NULL,
    log_index INTEGER UNIQUE,
    timestamp INTEGER,
    block_number INTEGER,
    block_hash BLOB
  ) STRICT;
  CREATE TABLE anchored_heads (
    slot INTEGER NOT NULL REFERENCES tenants (slot),
    number INTEGER NOT NULL REFERENCES anchors (number),
    height INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (slot, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE transactions (
    hash BLOB NOT NULL UNIQUE,
    raw BLOB NOT NULL,
    nonce INTEGER NOT NULL,
    first INTEGER NOT NULL REFERENCES anchors (number),
    anchors INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE checkpoints (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
  CREATE TABLE proven_blocks (
    checkpoint INTEGER UNIQUE REFERENCES checkpoints (number),
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    header BLOB NOT NULL,
    state_root BLOB NOT NULL,
    timestamp INTEGER NOT NULL,
    log_size INTEGER NOT NULL,
    log_root BLOB NOT NULL,
    account_proof TEXT NOT NULL,
    storage_proofs TEXT NOT NULL
  ) STRICT;
  CREATE TABLE notarizations (
    checkpoint INTEGER NOT NULL REFERENCES checkpoints (number),
    notary TEXT NOT NULL,
    state BLOB NOT NULL,
    proof BLOB,
    bitcoin_height INTEGER,
    headers TEXT NOT NULL,
    PRIMARY KEY (checkpoint, notary)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE beacon_headers (hash BLOB PRIMARY KEY, header BLOB NOT NULL) STRICT, WITHOUT ROWID;
`;
