-- People who run the shop, and what they did. Times are milliseconds UTC.

-- A name is for ever: whoever is removed keeps his row, so that nobody who comes later is taken for him in the log.
-- roles: ["business", "legal"], in the order of the program. password: an Argon2id hash, NULL until there is one.
-- totp_secret is set with the second factor; totp_step is the last step whose code was used. failures: wrong sign-ins since the last good one.
CREATE TABLE operators (
  id          INTEGER PRIMARY KEY,
  name        TEXT NOT NULL UNIQUE,
  roles       TEXT NOT NULL,
  password    TEXT,
  totp_secret BLOB,
  totp_on     INTEGER NOT NULL DEFAULT 0,
  totp_step   INTEGER NOT NULL DEFAULT 0,
  created_at  INTEGER NOT NULL,
  removed_at  INTEGER
);

-- hash: SHA-256 of the whole token. factors: 1 a password, 2 a one-time code beside it.
CREATE TABLE operator_sessions (
  hash       BLOB PRIMARY KEY,
  operator   INTEGER NOT NULL REFERENCES operators (id),
  factors    INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX operator_sessions_by_operator ON operator_sessions (operator);

-- Codes for whoever has lost the second factor, each good once; hash: SHA-256 of the code, which has 80 random bits.
CREATE TABLE operator_recovery_codes (
  operator INTEGER NOT NULL REFERENCES operators (id),
  hash     BLOB NOT NULL,
  PRIMARY KEY (operator, hash)
) WITHOUT ROWID;

-- What people and the shop did: entry is canonical JSON, hash is SHA-256 of the hash before (32 zero bytes for the first) and the entry.
-- Rows are only added; that none was taken out or changed is what the hashes are for.
CREATE TABLE audit (
  seq   INTEGER PRIMARY KEY,
  entry TEXT NOT NULL,
  hash  BLOB NOT NULL
);
