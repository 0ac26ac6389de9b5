-- What a shop does with what it knows of persons. Times are milliseconds UTC.

-- Who consented to what: a purpose of shop.lua, in the version of its words. share: 1 = to its being handed to third parties, which is
-- asked for apart. given_by: 'customer' or 'guardian' (of a minor). via: where it was given, for whoever must prove it.
CREATE TABLE consents (
  id           INTEGER PRIMARY KEY,
  customer     INTEGER NOT NULL REFERENCES customers (id),
  purpose      TEXT NOT NULL,
  share        INTEGER NOT NULL CHECK (share IN (0, 1)),
  version      TEXT NOT NULL,
  given_by     TEXT NOT NULL,
  via          TEXT,
  given_at     INTEGER NOT NULL,
  withdrawn_at INTEGER
);
CREATE UNIQUE INDEX consents_on ON consents (customer, purpose, share) WHERE withdrawn_at IS NULL;
CREATE INDEX consents_by_customer ON consents (customer, id);
CREATE INDEX consents_withdrawn ON consents (withdrawn_at) WHERE withdrawn_at IS NOT NULL;

-- minor: 1 = declared to be one. erased_at: nobody knows any more who it was; the row stands for orders that the law holds.
ALTER TABLE customers ADD COLUMN minor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE customers ADD COLUMN erased_at INTEGER;

-- How often a plugin read a personal field on a day (days since 1970, UTC), and for what purpose; not whose.
CREATE TABLE personal_access (
  day     INTEGER NOT NULL,
  plugin  TEXT NOT NULL,
  field   TEXT NOT NULL,
  purpose TEXT NOT NULL,
  reads   INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  PRIMARY KEY (day, plugin, field, purpose)
) WITHOUT ROWID;

-- What persons asked for. kind: 'export' or 'erasure'. state: 'asked' (waits for somebody of the shop), 'held' (done, but for what the law
-- holds: holds, JSON), 'done', 'withdrawn'. customer: of an erasure that was done the row that stands for what is held, NULL when nothing is.
CREATE TABLE person_requests (
  id         INTEGER PRIMARY KEY,
  request_id TEXT NOT NULL UNIQUE,
  kind       TEXT NOT NULL,
  customer   INTEGER,
  state      TEXT NOT NULL,
  asked_by   TEXT NOT NULL,
  asked_at   INTEGER NOT NULL,
  due_at     INTEGER NOT NULL,
  done_at    INTEGER,
  holds      TEXT NOT NULL DEFAULT '[]',
  result     TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX person_requests_open ON person_requests (due_at) WHERE state = 'asked';
CREATE INDEX person_requests_of ON person_requests (customer, id) WHERE customer IS NOT NULL;
