-- What keeps an order from being fulfilled: plugins put blocks on it ("the group is not full yet") and take them off. until_ms: NULL while
-- the block is on; ended_by: 'plugin', a caller's kind ('sk', 'operator'), or what the order became ('cancelled', 'expired', 'fulfilled').
-- Times are milliseconds UTC.
CREATE TABLE order_blocks (
  id         INTEGER PRIMARY KEY,
  order_id   INTEGER NOT NULL REFERENCES orders (id),
  plugin     TEXT NOT NULL,
  name       TEXT NOT NULL,
  reason     TEXT,
  since_ms   INTEGER NOT NULL,
  until_ms   INTEGER,
  ended_by   TEXT,
  end_reason TEXT
);
CREATE UNIQUE INDEX order_blocks_on ON order_blocks (order_id, plugin, name) WHERE until_ms IS NULL;
CREATE INDEX order_blocks_by_order ON order_blocks (order_id, id);
