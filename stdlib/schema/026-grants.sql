-- What campaigns give the customer once the order is paid or completed: JSON [{campaign, to, what, after, amount}, ...]. granted: how far that
-- is: 1 after paid, 2 after completed; taken back: below zero.
ALTER TABLE orders ADD COLUMN grants TEXT;
ALTER TABLE orders ADD COLUMN granted INTEGER NOT NULL DEFAULT 0;
