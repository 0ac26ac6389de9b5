-- What products were offered for, and what they were sold for: the proof of every "was" price. Times are milliseconds UTC, amounts integers in
-- the currency's minor unit.

-- The price from from_ms until the next row of the product, written in the transaction that changed it. offered: whether it could be bought.
CREATE TABLE product_prices (
  product    INTEGER NOT NULL REFERENCES products (id),
  from_ms    INTEGER NOT NULL,
  price      INTEGER NOT NULL,
  compare_at INTEGER,
  offered    INTEGER NOT NULL,
  PRIMARY KEY (product, from_ms)
) WITHOUT ROWID;
INSERT INTO product_prices SELECT id, updated_at, price, compare_at, status = 'active' FROM products;

-- Deals: what one unit came to, after all discounts of its line, in orders that were paid; at the time they were placed. One row for all deals of
-- an hour (its first millisecond) at one price through one channel ('': none that a rule knows). last_order: the one of last_at.
CREATE TABLE deal_prices (
  id         INTEGER PRIMARY KEY,
  product    INTEGER NOT NULL REFERENCES products (id),
  hour       INTEGER NOT NULL,
  channel    TEXT NOT NULL,
  price      INTEGER NOT NULL,
  units      INTEGER NOT NULL,
  first_at   INTEGER NOT NULL,
  last_at    INTEGER NOT NULL,
  last_order TEXT NOT NULL,
  UNIQUE (product, hour, channel, price)
);

-- The channel of the cart, where a rule knows it.
ALTER TABLE orders ADD COLUMN channel TEXT;
