-- What plugins may read of the shop, under the names and in the types that they see (store.of("shop").customers ...). A view is a promise
-- to them: columns may be added, none is taken away. Which of them a plugin sees is decided where its grants are made.

CREATE VIEW shop_customers AS
  SELECT c.id, c.created_at, c.customer, p.email, p.name, c.orders, p.phone, p.phone AS phone_hash, c.tags, c.updated_at
  FROM customers c LEFT JOIN customer_contacts p ON p.customer = c.id;

CREATE VIEW shop_orders AS
  SELECT o.id, p.address, o.close_reason, p.contact, c.customer, o.expires_at, o.generation, o.lines, p.note, o.order_id AS "order", o.paid,
         o.placed_at, o.priced, o.reference, o.refunded, o.shipping, o.shipping_refunded,
         CASE o.state WHEN 1 THEN 'placed' WHEN 2 THEN 'paid' WHEN 3 THEN 'fulfilling' WHEN 4 THEN 'fulfilled' WHEN 5 THEN 'completed'
                      WHEN 6 THEN 'cancelled' ELSE 'expired' END AS state,
         o.total, o.updated_at
  FROM orders o LEFT JOIN customers c ON c.id = o.customer LEFT JOIN order_contacts p ON p.order_id = o.id;

CREATE VIEW shop_products AS
  SELECT id, brand, category, compare_at, cost, created_at, description, image, options, price, sku, status, tags, title, track_stock,
         updated_at, variant_of, weight_g
  FROM products;
