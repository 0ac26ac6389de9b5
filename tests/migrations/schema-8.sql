-- What a program with 8 migrations made of an empty file.
CREATE TABLE api_keys (
  id         INTEGER PRIMARY KEY,
  key_id     TEXT NOT NULL UNIQUE,
  kind       TEXT NOT NULL,
  label      TEXT NOT NULL,
  scopes     TEXT NOT NULL DEFAULT '[]',
  hash       BLOB NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
);
CREATE TABLE customer_contacts (
  customer INTEGER PRIMARY KEY REFERENCES customers (id),
  name     TEXT,
  email    TEXT,
  phone    TEXT
);
CREATE TABLE customers (
  id         INTEGER PRIMARY KEY,
  customer   TEXT NOT NULL UNIQUE,
  tags       TEXT NOT NULL DEFAULT '[]',
  version    INTEGER NOT NULL,
  orders     INTEGER NOT NULL DEFAULT 0 CHECK (orders >= 0),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
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
CREATE TABLE journal_dead ( id INTEGER PRIMARY KEY, subscriber TEXT NOT NULL, event TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL, made_ms INTEGER NOT NULL, died_ms INTEGER NOT NULL, tries INTEGER NOT NULL, why TEXT NOT NULL);
CREATE TABLE journal_events ( id INTEGER PRIMARY KEY AUTOINCREMENT, subscriber TEXT NOT NULL, event TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL, made_ms INTEGER NOT NULL, due_ms INTEGER, tries INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT '');
CREATE TABLE journal_idempotency ( seq INTEGER PRIMARY KEY, key TEXT NOT NULL, scope TEXT NOT NULL, request_hash BLOB NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (key, scope));
CREATE TABLE journal_timers ( id INTEGER PRIMARY KEY AUTOINCREMENT, procedure TEXT NOT NULL, key TEXT NOT NULL, due_ms INTEGER NOT NULL, UNIQUE (procedure, key));
CREATE TABLE journal_tries ( procedure TEXT NOT NULL, key TEXT NOT NULL, tries INTEGER NOT NULL, PRIMARY KEY (procedure, key)) WITHOUT ROWID;
CREATE TABLE ledger_accounts ( id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, unit TEXT NOT NULL, flags INTEGER NOT NULL, debits_posted INTEGER NOT NULL DEFAULT 0, credits_posted INTEGER NOT NULL DEFAULT 0, debits_pending INTEGER NOT NULL DEFAULT 0, credits_pending INTEGER NOT NULL DEFAULT 0);
CREATE TABLE ledger_transfers ( seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL, debit INTEGER NOT NULL, credit INTEGER NOT NULL, amount INTEGER NOT NULL, pending INTEGER, at_ms INTEGER NOT NULL, expires_ms INTEGER, reference TEXT);
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE order_contacts (
  order_id INTEGER PRIMARY KEY REFERENCES orders (id),
  contact  TEXT,
  address  TEXT,
  note     TEXT
);
CREATE TABLE order_evidence (
  order_id INTEGER PRIMARY KEY REFERENCES orders (id),
  evidence TEXT NOT NULL
);
CREATE TABLE order_line_refunds (
  order_id  INTEGER NOT NULL REFERENCES orders (id),
  line      INTEGER NOT NULL,
  qty       INTEGER NOT NULL,
  amount    INTEGER NOT NULL,
  restocked INTEGER NOT NULL CHECK (restocked BETWEEN 0 AND qty),
  PRIMARY KEY (order_id, line)
) WITHOUT ROWID;
CREATE TABLE orders (
  id                INTEGER PRIMARY KEY,
  order_id          TEXT NOT NULL UNIQUE,
  state             INTEGER NOT NULL CHECK (state BETWEEN 1 AND 7),
  customer          INTEGER REFERENCES customers (id),
  total             INTEGER NOT NULL CHECK (total >= 0),
  paid              INTEGER NOT NULL DEFAULT 0 CHECK (paid BETWEEN 0 AND total),
  refunded          INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND paid),
  shipping          INTEGER NOT NULL DEFAULT 0,
  shipping_refunded INTEGER NOT NULL DEFAULT 0 CHECK (shipping_refunded BETWEEN 0 AND shipping),
  version           INTEGER NOT NULL DEFAULT 1,
  placed_at         INTEGER NOT NULL,
  expires_at        INTEGER,
  updated_at        INTEGER NOT NULL,
  reference         TEXT,
  close_reason      TEXT,
  generation        TEXT NOT NULL,
  holds             TEXT,
  priced            TEXT NOT NULL,
  lines             TEXT NOT NULL
);
CREATE TABLE payments (
  order_id           INTEGER NOT NULL REFERENCES orders (id),
  n                  INTEGER NOT NULL,
  payment_id         TEXT NOT NULL,
  provider           TEXT NOT NULL,
  provider_reference TEXT,
  amount             INTEGER NOT NULL CHECK (amount > 0),
  refunded           INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount),
  state              TEXT NOT NULL,
  at                 INTEGER NOT NULL,
  PRIMARY KEY (order_id, n)
) WITHOUT ROWID;
CREATE TABLE plugin_repins (
  id            INTEGER PRIMARY KEY,
  plugin        TEXT NOT NULL,
  collection    TEXT NOT NULL,
  row           INTEGER NOT NULL,
  field         TEXT NOT NULL,
  from_revision TEXT NOT NULL,
  to_revision   TEXT NOT NULL,
  author        TEXT NOT NULL,
  at            INTEGER NOT NULL
);
CREATE TABLE plugin_rule_files (
  rules INTEGER NOT NULL REFERENCES plugin_rules (id),
  name  TEXT NOT NULL,
  text  INTEGER NOT NULL REFERENCES source_texts (id),
  PRIMARY KEY (rules, name)
) WITHOUT ROWID;
CREATE TABLE plugin_rules (
  id         INTEGER PRIMARY KEY,
  plugin     TEXT NOT NULL,
  revision   TEXT NOT NULL,
  version    TEXT NOT NULL,
  settings   TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (plugin, revision)
);
CREATE TABLE products (
  id          INTEGER PRIMARY KEY,
  sku         TEXT NOT NULL UNIQUE,
  title       TEXT,
  price       INTEGER NOT NULL CHECK (price >= 0),
  compare_at  INTEGER CHECK (compare_at >= 0),
  cost        INTEGER CHECK (cost >= 0),
  category    TEXT,
  tags        TEXT,
  brand       TEXT,
  weight_g    INTEGER CHECK (weight_g >= 0),
  status      TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'draft', 'archived')),
  track_stock INTEGER NOT NULL DEFAULT 1,
  variant_of  TEXT,
  options     TEXT,
  image       TEXT,
  description TEXT,
  version     INTEGER NOT NULL DEFAULT 1,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
);
CREATE TABLE refunds (
  order_id  INTEGER NOT NULL REFERENCES orders (id),
  n         INTEGER NOT NULL,
  refund_id TEXT NOT NULL,
  amount    INTEGER NOT NULL CHECK (amount >= 0),
  shipping  INTEGER NOT NULL CHECK (shipping >= 0),
  lines     TEXT NOT NULL,
  reason    TEXT,
  at        INTEGER NOT NULL,
  PRIMARY KEY (order_id, n)
) WITHOUT ROWID;
CREATE TABLE revision_files (
  revision INTEGER NOT NULL REFERENCES revisions (id),
  path     TEXT NOT NULL,
  text     INTEGER NOT NULL REFERENCES source_texts (id),
  PRIMARY KEY (revision, path)
) WITHOUT ROWID;
CREATE TABLE revisions (
  id         INTEGER PRIMARY KEY,
  hash       TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
);
CREATE TABLE source_texts (
  id   INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  text BLOB NOT NULL
);
CREATE TABLE stock (
  product  INTEGER NOT NULL REFERENCES products (id),
  location TEXT NOT NULL,
  account  INTEGER NOT NULL,
  PRIMARY KEY (product, location)
) WITHOUT ROWID;
CREATE TABLE stock_changes (
  id        INTEGER PRIMARY KEY,
  change_id TEXT NOT NULL,
  product   INTEGER NOT NULL,
  location  TEXT NOT NULL,
  delta     INTEGER NOT NULL,
  reason    TEXT NOT NULL,
  at        INTEGER NOT NULL
);
CREATE TABLE stops (
  campaign TEXT PRIMARY KEY,
  reason   TEXT,
  author   TEXT NOT NULL,
  at       INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX generations_by_name ON generations (generation, id) WHERE revision IS NOT NULL;
CREATE INDEX journal_events_due ON journal_events(due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX journal_events_line ON journal_events(subscriber, key);
CREATE INDEX journal_events_parked ON journal_events(subscriber, due_ms) WHERE due_ms >= 4503599627370496;
CREATE INDEX journal_timers_due ON journal_timers(due_ms);
CREATE UNIQUE INDEX ledger_resolutions ON ledger_transfers(pending) WHERE pending IS NOT NULL;
CREATE INDEX orders_by_customer ON orders (customer, id) WHERE customer IS NOT NULL;
CREATE INDEX orders_by_reference ON orders (reference, id) WHERE reference IS NOT NULL;
CREATE INDEX orders_by_state ON orders (state, id);
CREATE INDEX plugin_repins_by_row ON plugin_repins (plugin, collection, row);
CREATE INDEX products_by_parent ON products (variant_of, id) WHERE variant_of IS NOT NULL;
CREATE INDEX stock_changes_by_product ON stock_changes (product, id);
