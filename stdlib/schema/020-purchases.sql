-- What a customer bought, paid for and kept: one row for each of his orders that was paid, so that rules may ask how much of something that was.
-- items: JSON [[sku, qty, amount], ...], less what went back; an order of which nothing is left has no row. order_id: orders.id. Written by
-- feira.purchases alone, in the transactions that pay, refund and cancel.
CREATE TABLE purchases (
  customer INTEGER NOT NULL REFERENCES customers (id),
  order_id INTEGER NOT NULL REFERENCES orders (id),
  paid_at  INTEGER NOT NULL,
  items    TEXT NOT NULL,
  PRIMARY KEY (customer, order_id)
) WITHOUT ROWID;

-- Orders that were paid before. When that was is not written down anywhere; they were placed at most the time to pay earlier.
INSERT INTO purchases (customer, order_id, paid_at, items)
SELECT o.customer, o.id, o.placed_at,
       json_group_array(json_array(json_extract(l.value, '$.sku'), json_extract(l.value, '$.qty') - coalesce(r.qty, 0),
                                   coalesce(json_extract(l.value, '$.payable'), json_extract(l.value, '$.total')) - coalesce(r.amount, 0)))
FROM orders o, json_each(o.lines) l
LEFT JOIN order_line_refunds r ON r.order_id = o.id AND r.line = json_extract(l.value, '$.line')
WHERE o.customer IS NOT NULL AND o.state BETWEEN 2 AND 5 AND json_extract(l.value, '$.qty') > coalesce(r.qty, 0)
GROUP BY o.customer, o.id;
