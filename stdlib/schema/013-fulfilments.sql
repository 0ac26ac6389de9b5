-- What was sent of orders. Times are milliseconds UTC.

-- lines: JSON [{"line", "sku", "qty", "from": [{"location", "qty"}, ...]}, ...]; from is missing where the pieces are not counted.
CREATE TABLE fulfilments (
  order_id      INTEGER NOT NULL REFERENCES orders (id),
  n             INTEGER NOT NULL,
  fulfilment_id TEXT NOT NULL,
  lines         TEXT NOT NULL,
  carrier       TEXT,
  tracking      TEXT,
  at            INTEGER NOT NULL,
  PRIMARY KEY (order_id, n)
) WITHOUT ROWID;

-- Units of each line that were sent so far; a line without a row has had none.
CREATE TABLE order_line_fulfilments (
  order_id INTEGER NOT NULL REFERENCES orders (id),
  line     INTEGER NOT NULL,
  qty      INTEGER NOT NULL,
  PRIMARY KEY (order_id, line)
) WITHOUT ROWID;

-- Of the units that were refunded, those that had been sent.
ALTER TABLE order_line_refunds ADD COLUMN sent_qty INTEGER NOT NULL DEFAULT 0;

-- n: of the order's `holds`. An order without rows had nothing sent yet, and what was refunded of it was dropped, first place first.
CREATE TABLE order_pieces (
  order_id INTEGER NOT NULL REFERENCES orders (id),
  n        INTEGER NOT NULL,
  sent     INTEGER NOT NULL CHECK (sent >= 0),
  dropped  INTEGER NOT NULL CHECK (dropped >= 0),
  returned INTEGER NOT NULL CHECK (returned BETWEEN 0 AND sent),
  PRIMARY KEY (order_id, n)
) WITHOUT ROWID;
