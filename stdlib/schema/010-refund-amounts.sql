-- Money that goes back without units: what a line had given back, in units and in money, when that last happened. Later units of it share
-- what was left then.
ALTER TABLE order_line_refunds ADD COLUMN spread_qty INTEGER NOT NULL DEFAULT 0;
ALTER TABLE order_line_refunds ADD COLUMN spread_amount INTEGER NOT NULL DEFAULT 0;
