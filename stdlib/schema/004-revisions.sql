-- What ran when. A revision is a set of sources, content-addressed and kept for ever: an order's evidence names a generation, and
-- this is where its rules can be found again. Times are milliseconds UTC.

-- The text of a file, once, however many revisions have it.
CREATE TABLE source_texts (
  id   INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  text BLOB NOT NULL
);

-- hash: 64 hex digits over paths and contents.
CREATE TABLE revisions (
  id         INTEGER PRIMARY KEY,
  hash       TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
);

CREATE TABLE revision_files (
  revision INTEGER NOT NULL REFERENCES revisions (id),
  path     TEXT NOT NULL,
  text     INTEGER NOT NULL REFERENCES source_texts (id),
  PRIMARY KEY (revision, path)
) WITHOUT ROWID;

-- One row for each attempt. how: 'start', 'publish', 'dev', 'sighup', 'rollback'. author: a key's id, or 'operator'.
-- result: 'live' or 'refused'; a refused one has no revision, its mistake is in error.
CREATE TABLE generations (
  id         INTEGER PRIMARY KEY,
  generation TEXT,
  revision   INTEGER REFERENCES revisions (id),
  how        TEXT NOT NULL,
  author     TEXT NOT NULL,
  result     TEXT NOT NULL,
  error      TEXT,
  at         INTEGER NOT NULL
);
CREATE INDEX generations_by_name ON generations (generation, id) WHERE revision IS NOT NULL;

-- Campaigns that do not apply until they are resumed, whatever is published meanwhile.
CREATE TABLE stops (
  campaign TEXT PRIMARY KEY,
  reason   TEXT,
  author   TEXT NOT NULL,
  at       INTEGER NOT NULL
) WITHOUT ROWID;
