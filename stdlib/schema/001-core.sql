-- The core tables of a shop. Times are milliseconds UTC, amounts integers in the currency's minor unit, booleans 0 or 1.
-- Keys are small integers; text ids that grow with time are unique beside them, so that an index only grows at its end.
-- Lists and objects that are never searched are JSON text. Stock, money and limits are accounts of the ledger, not columns.

-- Small facts of the shop itself that must survive (secrets of tokens, markers of finished jobs).
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- kind: 'pk' or 'sk'. hash: SHA-256 of the key, which is stored nowhere.
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

-- NULL in title, category, tags, brand, image, description, weight_g: not stated; a variant then takes its parent's.
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
CREATE INDEX products_by_parent ON products (variant_of, id) WHERE variant_of IS NOT NULL;

-- Where a product is or was stocked, and the ledger account that counts it ("stock/SKU/LOCATION", pieces).
CREATE TABLE stock (
  product  INTEGER NOT NULL REFERENCES products (id),
  location TEXT NOT NULL,
  account  INTEGER NOT NULL,
  PRIMARY KEY (product, location)
) WITHOUT ROWID;

-- Why stock was changed by hand; the pieces themselves moved in the ledger under change_id.
CREATE TABLE stock_changes (
  id        INTEGER PRIMARY KEY,
  change_id TEXT NOT NULL,
  product   INTEGER NOT NULL,
  location  TEXT NOT NULL,
  delta     INTEGER NOT NULL,
  reason    TEXT NOT NULL,
  at        INTEGER NOT NULL
);
CREATE INDEX stock_changes_by_product ON stock_changes (product, id);

-- customer: the pseudonymous id. version counts every change of what rules may know of this customer; a quote remembers
-- the version it read. orders: how many were placed and neither cancelled nor expired.
CREATE TABLE customers (
  id         INTEGER PRIMARY KEY,
  customer   TEXT NOT NULL UNIQUE,
  tags       TEXT NOT NULL DEFAULT '[]',
  version    INTEGER NOT NULL,
  orders     INTEGER NOT NULL DEFAULT 0 CHECK (orders >= 0),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);

-- Personal data of a customer, apart so that erasing a person is deleting a row.
CREATE TABLE customer_contacts (
  customer INTEGER PRIMARY KEY REFERENCES customers (id),
  name     TEXT,
  email    TEXT,
  phone    TEXT
);

-- lines, priced: what was agreed, JSON, never changed. lines is the array of the order document as it was placed; priced holds
-- its members currency, subtotal, discount, shipping and campaigns.
-- holds: JSON [[sku, location, qty], ...]; the n-th was held in the ledger as ORDER_ID/n.
-- state: 1 placed, 2 paid, 3 fulfilling, 4 fulfilled, 5 completed, 6 cancelled, 7 expired (feira.order_states is the only gate).
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
CREATE INDEX orders_by_state ON orders (state, id);
CREATE INDEX orders_by_customer ON orders (customer, id) WHERE customer IS NOT NULL;
CREATE INDEX orders_by_reference ON orders (reference, id) WHERE reference IS NOT NULL;

-- Personal data of an order, with the purpose delivery; erasing a person deletes the row and leaves the order.
CREATE TABLE order_contacts (
  order_id INTEGER PRIMARY KEY REFERENCES orders (id),
  contact  TEXT,
  address  TEXT,
  note     TEXT
);

-- What the quote saw, enough to price the order again.
CREATE TABLE order_evidence (
  order_id INTEGER PRIMARY KEY REFERENCES orders (id),
  evidence TEXT NOT NULL
);

-- refunded: how much of this payment went back. state: 'succeeded'.
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

-- lines: JSON [{"line", "qty", "amount"}, ...].
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

-- What went back of each line so far, in all refunds together; a line without a row has had none.
CREATE TABLE order_line_refunds (
  order_id  INTEGER NOT NULL REFERENCES orders (id),
  line      INTEGER NOT NULL,
  qty       INTEGER NOT NULL,
  amount    INTEGER NOT NULL,
  restocked INTEGER NOT NULL CHECK (restocked BETWEEN 0 AND qty),
  PRIMARY KEY (order_id, line)
) WITHOUT ROWID;
