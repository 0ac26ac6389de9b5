-- What an order uses up of limits of campaigns: JSON [[account, amount, unit, kept], ...]; the n-th is in the ledger as ORDER_ID/limits/n.
ALTER TABLE orders ADD COLUMN limits TEXT;
