-- Carts that are kept while a purchase is built step by step. They hold nothing and expire. Times are milliseconds UTC.

-- cart: JSON, the members of a quote's body. version counts every change; a token is good for the version it was shown with.
-- placed_as: the order that it became.
CREATE TABLE checkouts (
  id          INTEGER PRIMARY KEY,
  checkout_id TEXT NOT NULL UNIQUE,
  customer    TEXT,
  cart        TEXT NOT NULL,
  version     INTEGER NOT NULL DEFAULT 1,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  placed_as   INTEGER REFERENCES orders (id)
);

-- Personal data of a checkout, with the purpose delivery; gone when it is completed or has expired.
CREATE TABLE checkout_contacts (
  checkout INTEGER PRIMARY KEY REFERENCES checkouts (id),
  contact  TEXT,
  address  TEXT,
  note     TEXT
);
