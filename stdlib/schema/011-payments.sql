-- Several payments of an order, through plugins that are providers; refunds that take their time. Times are milliseconds UTC, amounts
-- integers in the currency's minor unit.

-- What an order owes when that is more than its total within the usual time: deposit and balance. An order without rows here owes its
-- total until expires_at.
CREATE TABLE order_dues (
  order_id INTEGER NOT NULL REFERENCES orders (id),
  n        INTEGER NOT NULL,
  label    TEXT NOT NULL,
  amount   INTEGER NOT NULL CHECK (amount > 0),
  paid     INTEGER NOT NULL DEFAULT 0 CHECK (paid BETWEEN 0 AND amount),
  deadline INTEGER NOT NULL,
  PRIMARY KEY (order_id, n)
) WITHOUT ROWID;

-- How many rows an order has in order_dues and payment_attempts: most have none, and are not asked for them.
ALTER TABLE orders ADD COLUMN dues INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN due INTEGER NOT NULL DEFAULT 1;

-- An attempt to pay through a plugin. number: what the provider knows it by, never given twice; two rows have one when the provider took
-- money twice under it. state: 1 created (the provider may know it), 2 pending (it does), 3 succeeded (the money is in), 4 closed,
-- 5 failed; feira.attempts is the only gate. A succeeded one has its row in payments, or says in given_back why its money goes straight
-- back ('late', 'twice', 'mismatched') and has one in refund_parts. received, currency: what came in.
CREATE TABLE payment_attempts (
  id             INTEGER PRIMARY KEY,
  payment_id     TEXT NOT NULL UNIQUE,
  number         TEXT NOT NULL,
  order_id       INTEGER NOT NULL REFERENCES orders (id),
  due            INTEGER NOT NULL,
  provider       TEXT NOT NULL,
  amount         INTEGER NOT NULL CHECK (amount > 0),
  currency       TEXT NOT NULL,
  state          INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
  given_back     TEXT,
  received       INTEGER,
  transaction_id TEXT,
  reference      TEXT,
  client         TEXT,
  why            TEXT,
  asked          INTEGER NOT NULL DEFAULT 0,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL,
  updated_at     INTEGER NOT NULL
);
CREATE INDEX payment_attempts_by_number ON payment_attempts (number);
CREATE INDEX payment_attempts_by_order ON payment_attempts (order_id, id);
CREATE INDEX payment_attempts_open ON payment_attempts (expires_at) WHERE state IN (1, 2);
CREATE UNIQUE INDEX payment_attempts_by_transaction ON payment_attempts (provider, transaction_id) WHERE transaction_id IS NOT NULL;

-- What providers told of their own accord, each once. outcome 'unknown': there was no such payment or refund; told again, it is looked at
-- again. All others are final.
CREATE TABLE provider_events (
  id       INTEGER PRIMARY KEY,
  provider TEXT NOT NULL,
  event_id TEXT NOT NULL,
  kind     TEXT NOT NULL,
  number   TEXT,
  outcome  TEXT NOT NULL,
  event    TEXT NOT NULL,
  at       INTEGER NOT NULL,
  UNIQUE (provider, event_id)
);
CREATE INDEX provider_events_odd ON provider_events (outcome) WHERE outcome IN ('unknown', 'given_twice');

-- A refund is given back in parts, one for each payment that the money came with; here are those that a plugin gives back. number: what
-- the provider knows it by, the same however often it is sent. attempt: the payment. refund_id: of refunds, or, for money that goes straight
-- back (given_back of its attempt), in no other table. state: 1 requested, 2 processing (the provider works on it), 3 succeeded, 4 manual (waits for a
-- person); feira.refund_parts is the only gate. by_hand: what the person said who gave it back.
CREATE TABLE refund_parts (
  id         INTEGER PRIMARY KEY,
  number     TEXT NOT NULL UNIQUE,
  refund_id  TEXT NOT NULL,
  order_id   INTEGER NOT NULL REFERENCES orders (id),
  attempt    INTEGER NOT NULL REFERENCES payment_attempts (id),
  provider   TEXT NOT NULL,
  amount     INTEGER NOT NULL CHECK (amount > 0),
  currency   TEXT NOT NULL,
  state      INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
  tries      INTEGER NOT NULL DEFAULT 0,
  asked      INTEGER NOT NULL DEFAULT 0,
  reference  TEXT,
  reason     TEXT,
  why        TEXT,
  by_hand    TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX refund_parts_by_order ON refund_parts (order_id, id);
CREATE INDEX refund_parts_by_refund ON refund_parts (refund_id);
CREATE INDEX refund_parts_by_attempt ON refund_parts (attempt);
CREATE INDEX refund_parts_open ON refund_parts (state, id) WHERE state <> 3;
