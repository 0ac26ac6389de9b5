DELETE FROM journal_dead WHERE id = ?1
;;
DELETE FROM journal_events WHERE id = ?1 AND due_ms = ?2
;;
DELETE FROM journal_idempotency WHERE seq IN (SELECT seq FROM journal_idempotency WHERE seq < ?1 ORDER BY seq LIMIT ?2)
;;
DELETE FROM journal_timers WHERE id = ?1 AND due_ms = ?2
;;
DELETE FROM journal_timers WHERE procedure = ?1 AND key = ?2
;;
DELETE FROM journal_tries WHERE procedure = ?1 AND key = ?2
;;
DELETE FROM ledger_transfers WHERE seq >= ?1
;;
DELETE FROM stops WHERE campaign = ?1
;;
INSERT INTO api_keys (key_id, kind, label, scopes, hash, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
;;
INSERT INTO customer_contacts (customer, name, email, phone) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (customer) DO UPDATE SET name = excluded.name, email = excluded.email, phone = excluded.phone
;;
INSERT INTO customers (customer, tags, version, orders, created_at, updated_at) VALUES (?1, ?2, 1, ?3, ?4, ?4) ON CONFLICT DO NOTHING
;;
INSERT INTO generations (generation, revision, how, author, result, error, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
;;
INSERT INTO journal_dead (id, subscriber, event, key, payload, made_ms, died_ms, tries, why) SELECT id, subscriber, event, key, payload, made_ms, ?2, ?3, ?4 FROM journal_events WHERE id = ?1
;;
INSERT INTO journal_events (id, subscriber, event, key, payload, made_ms, due_ms, why) SELECT id, subscriber, event, key, payload, made_ms, CASE WHEN EXISTS (SELECT 1 FROM journal_events n WHERE n.subscriber = d.subscriber AND n.key = d.key AND d.key <> '' AND n.id < d.id) THEN NULL ELSE ?2 END, why FROM journal_dead d WHERE id = ?1
;;
INSERT INTO journal_events (subscriber, key, event, payload, made_ms, due_ms) VALUES (?1, ?2, ?3, ?4, ?5, CASE WHEN EXISTS (SELECT 1 FROM journal_events WHERE subscriber = ?1 AND key = ?2 AND key <> '') THEN NULL ELSE ?5 END)
;;
INSERT INTO journal_idempotency (seq, key, scope, request_hash, status, body) VALUES ( coalesce((SELECT seq FROM journal_idempotency WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq DESC LIMIT 1) + 1, ?1), ?3, ?4, ?5, ?6, ?7)
;;
INSERT INTO journal_timers (procedure, key, due_ms) VALUES (?1, ?2, ?3) ON CONFLICT (procedure, key) DO UPDATE SET due_ms = excluded.due_ms
;;
INSERT INTO journal_tries (procedure, key, tries) VALUES (?1, ?2, 1) ON CONFLICT (procedure, key) DO UPDATE SET tries = tries + 1
;;
INSERT INTO ledger_accounts (name, unit, flags) VALUES (?1, ?2, ?3) RETURNING id
;;
INSERT INTO ledger_transfers (seq, id, kind, debit, credit, amount, pending, at_ms, expires_ms, reference) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING
;;
INSERT INTO meta (name, value) VALUES ('secret', ?1)
;;
INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value
;;
INSERT INTO order_contacts (order_id, contact, address, note) VALUES (?1, ?2, ?3, ?4)
;;
INSERT INTO order_evidence (order_id, evidence) VALUES (?1, ?2)
;;
INSERT INTO order_line_refunds (order_id, line, qty, amount, restocked) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (order_id, line) DO UPDATE SET qty = qty + excluded.qty, amount = amount + excluded.amount, restocked = restocked + excluded.restocked
;;
INSERT INTO orders (order_id, state, customer, total, shipping, placed_at, expires_at, updated_at, reference, generation, holds, priced, lines) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
;;
INSERT INTO payments (order_id, n, payment_id, provider, amount, state, at) VALUES (?1, ?2, ?3, ?4, ?5, 'succeeded', ?6)
;;
INSERT INTO plugin_rule_files (rules, name, text) VALUES (?1, ?2, ?3)
;;
INSERT INTO plugin_rules (plugin, revision, version, settings, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
;;
INSERT INTO products (sku, title, price, compare_at, cost, category, tags, brand, weight_g, status, track_stock, variant_of, options, image, description, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16)
;;
INSERT INTO refunds (order_id, n, refund_id, amount, shipping, lines, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
;;
INSERT INTO revision_files (revision, path, text) VALUES (?1, ?2, ?3)
;;
INSERT INTO revisions (hash, created_at) VALUES (?1, ?2)
;;
INSERT INTO source_texts (hash, text) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING
;;
INSERT INTO stock (product, location, account) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING
;;
INSERT INTO stock_changes (change_id, product, location, delta, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
;;
INSERT INTO stops (campaign, reason, author, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (campaign) DO NOTHING
;;
SELECT * FROM products WHERE id > ?1 AND (?2 = 1 OR status = 'active') ORDER BY id LIMIT ?3
;;
SELECT * FROM products WHERE sku = ?1
;;
SELECT * FROM products WHERE variant_of = ?1 ORDER BY id LIMIT 1000
;;
SELECT * FROM products WHERE variant_of = ?4 AND id > ?1 AND (?2 = 1 OR status = 'active') ORDER BY id LIMIT ?3
;;
SELECT 1 FROM api_keys LIMIT 1
;;
SELECT 1 FROM customers WHERE customer = ?1
;;
SELECT 1 FROM journal_events WHERE due_ms >= 4503599627370496 LIMIT 1
;;
SELECT 1 FROM journal_timers WHERE due_ms >= ?1 LIMIT 1
;;
SELECT 1 FROM products p WHERE p.sku = ?1 AND EXISTS (SELECT 1 FROM stock s JOIN ledger_accounts a ON a.id = s.account WHERE s.product = p.id AND a.credits_posted - a.debits_posted - a.debits_pending > 0)
;;
SELECT c.id, c.customer, c.tags, c.orders, c.created_at, c.updated_at, p.name, p.email, p.phone FROM customers c LEFT JOIN customer_contacts p ON p.customer = c.id WHERE c.customer = ?1
;;
SELECT campaign, reason, author, at FROM stops ORDER BY campaign
;;
SELECT coalesce(max(n), 0) + 1 FROM payments WHERE order_id = ?1
;;
SELECT coalesce(max(n), 0) + 1 FROM refunds WHERE order_id = ?1
;;
SELECT contact, address, note FROM order_contacts WHERE order_id = ?1
;;
SELECT count(*) FROM (SELECT 1 FROM journal_dead LIMIT ?1)
;;
SELECT count(*) FROM (SELECT 1 FROM journal_events LIMIT ?1)
;;
SELECT count(*) FROM journal_dead WHERE died_ms <= ?1
;;
SELECT count(*) FROM journal_events WHERE due_ms < ?1
;;
SELECT count(*) FROM journal_timers WHERE due_ms < ?1
;;
SELECT count(*) FROM stops
;;
SELECT customer, version FROM customers ORDER BY rowid DESC LIMIT 1
;;
SELECT due_ms FROM journal_events WHERE due_ms < ?1 ORDER BY due_ms LIMIT 1
;;
SELECT due_ms FROM journal_timers WHERE due_ms < ?1 ORDER BY due_ms LIMIT 1
;;
SELECT due_ms, (SELECT min(n.id) FROM journal_events n WHERE n.subscriber = e.subscriber AND n.key = e.key) FROM journal_events e WHERE id = ?1
;;
SELECT f.name, t.text FROM plugin_rule_files f JOIN source_texts t ON t.id = f.text WHERE f.rules = ?1
;;
SELECT f.path, t.text FROM revision_files f JOIN source_texts t ON t.id = f.text WHERE f.revision = (SELECT revision FROM generations WHERE generation = ?1 AND revision IS NOT NULL ORDER BY id DESC LIMIT 1) ORDER BY f.path
;;
SELECT flags, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_accounts WHERE name = ?1
;;
SELECT g.generation, max(g.at) FROM revision_files f JOIN generations g ON g.revision = f.revision WHERE f.path = ?1 AND f.text = ?2 AND g.generation <> ?3 AND EXISTS (SELECT 1 FROM revision_files s JOIN source_texts t ON t.id = s.text WHERE s.revision = f.revision AND s.path = 'shop.lua' AND instr(t.text, CAST(?4 AS BLOB)) > 0) GROUP BY g.generation ORDER BY 2 DESC LIMIT ?5
;;
SELECT generation FROM generations WHERE revision IS NOT NULL AND generation <> ?1 ORDER BY id DESC LIMIT 1
;;
SELECT generation FROM generations WHERE revision IS NOT NULL ORDER BY id DESC LIMIT 1
;;
SELECT generation, result, how, author, at, error FROM generations ORDER BY id DESC LIMIT ?1
;;
SELECT hash, kind, scopes, key_id FROM api_keys WHERE revoked_at IS NULL
;;
SELECT id FROM customers WHERE customer = ?1
;;
SELECT id FROM orders WHERE order_id = ?1
;;
SELECT id FROM plugin_rules WHERE plugin = ?1 AND revision = ?2
;;
SELECT id FROM products WHERE sku = ?1
;;
SELECT id FROM revisions WHERE hash = ?1
;;
SELECT id FROM source_texts WHERE hash = ?1
;;
SELECT id, due_ms, procedure, key FROM journal_timers WHERE due_ms <= ?1 ORDER BY due_ms, id LIMIT ?2
;;
SELECT id, made_ms, died_ms, tries, subscriber, event, key, payload, why FROM journal_dead WHERE id > ?1 ORDER BY id LIMIT ?2
;;
SELECT id, made_ms, due_ms, tries, subscriber, event, key, payload, why FROM journal_events WHERE due_ms <= ?1 ORDER BY due_ms, id LIMIT ?2
;;
SELECT id, made_ms, due_ms, tries, subscriber, event, key, payload, why FROM journal_events WHERE id > ?1 ORDER BY id LIMIT ?2
;;
SELECT id, name, unit, flags, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_accounts NOT INDEXED ORDER BY id
;;
SELECT id, name, unit, flags, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_accounts WHERE id = ?1
;;
SELECT id, name, unit, flags, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_accounts WHERE name = ?1
;;
SELECT key_id, kind, label, scopes, created_at, revoked_at FROM api_keys ORDER BY id
;;
SELECT kind FROM ledger_transfers WHERE pending = ?1
;;
SELECT line, qty, amount, restocked FROM order_line_refunds WHERE order_id = ?1
;;
SELECT location, account FROM stock WHERE product = ?1 ORDER BY location <> 'main', location
;;
SELECT max(seq) FROM ledger_transfers
;;
SELECT n, provider, amount - refunded AS left_over FROM payments WHERE order_id = ?1 AND amount > refunded ORDER BY n
;;
SELECT name FROM meta WHERE name >= 'collections/' AND name < 'collections0' ORDER BY name
;;
SELECT o.id, o.order_id, o.state, o.customer AS customer_row, c.customer, o.total, o.paid, o.refunded, o.shipping, o.shipping_refunded, o.placed_at, o.expires_at, o.updated_at, o.reference, o.close_reason, o.generation, o.holds, o.priced, o.lines FROM orders o LEFT JOIN customers c ON c.id = o.customer WHERE o.customer = (SELECT id FROM customers WHERE customer = ?5) AND o.id < ?1 AND (?3 IS NULL OR o.state = ?3) AND (?4 IS NULL OR o.reference = ?4) ORDER BY o.id DESC LIMIT ?2
;;
SELECT o.id, o.order_id, o.state, o.customer AS customer_row, c.customer, o.total, o.paid, o.refunded, o.shipping, o.shipping_refunded, o.placed_at, o.expires_at, o.updated_at, o.reference, o.close_reason, o.generation, o.holds, o.priced, o.lines FROM orders o LEFT JOIN customers c ON c.id = o.customer WHERE o.id < ?1 ORDER BY o.id DESC LIMIT ?2
;;
SELECT o.id, o.order_id, o.state, o.customer AS customer_row, c.customer, o.total, o.paid, o.refunded, o.shipping, o.shipping_refunded, o.placed_at, o.expires_at, o.updated_at, o.reference, o.close_reason, o.generation, o.holds, o.priced, o.lines FROM orders o LEFT JOIN customers c ON c.id = o.customer WHERE o.order_id = ?1
;;
SELECT o.id, o.order_id, o.state, o.customer AS customer_row, c.customer, o.total, o.paid, o.refunded, o.shipping, o.shipping_refunded, o.placed_at, o.expires_at, o.updated_at, o.reference, o.close_reason, o.generation, o.holds, o.priced, o.lines FROM orders o LEFT JOIN customers c ON c.id = o.customer WHERE o.reference = ?4 AND o.id < ?1 AND (?3 IS NULL OR o.state = ?3) ORDER BY o.id DESC LIMIT ?2
;;
SELECT o.order_id FROM orders o LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM refunds GROUP BY order_id) r ON r.order_id = o.id WHERE o.refunded <> ifnull(r.amount, 0)
;;
SELECT o.order_id FROM orders o LEFT JOIN (SELECT order_id, sum(amount) AS amount, sum(refunded) AS refunded FROM payments WHERE state = 'succeeded' GROUP BY order_id) p ON p.order_id = o.id WHERE o.paid <> ifnull(p.amount, 0) OR o.refunded <> ifnull(p.refunded, 0)
;;
SELECT o.order_id FROM orders o WHERE o.state = 1 AND o.holds IS NOT NULL AND EXISTS (SELECT 1 FROM ledger_transfers t WHERE t.id = o.order_id || '/1' AND t.kind = 1 AND EXISTS (SELECT 1 FROM ledger_transfers r WHERE r.pending = t.seq))
;;
SELECT order_id FROM orders WHERE state IN (6, 7) AND paid > refunded
;;
SELECT p.sku FROM products p WHERE EXISTS (SELECT 1 FROM stock s WHERE s.product = p.id) AND NOT EXISTS (SELECT 1 FROM stock s JOIN ledger_accounts a ON a.id = s.account WHERE s.product = p.id AND a.credits_posted - a.debits_posted - a.debits_pending > 0)
;;
SELECT p.sku, coalesce(p.title, q.title, ''), p.price, coalesce(p.compare_at, 0), coalesce(p.category, q.category, ''), coalesce(p.tags, q.tags, '[]'), coalesce(p.brand, q.brand, ''), coalesce(p.weight_g, q.weight_g, 0), p.status, p.track_stock, EXISTS (SELECT 1 FROM products v WHERE v.variant_of = p.sku) FROM products p LEFT JOIN products q ON q.sku = p.variant_of
;;
SELECT p.sku, coalesce(p.title, q.title, ''), p.price, coalesce(p.compare_at, 0), coalesce(p.category, q.category, ''), coalesce(p.tags, q.tags, '[]'), coalesce(p.brand, q.brand, ''), coalesce(p.weight_g, q.weight_g, 0), p.status, p.track_stock, EXISTS (SELECT 1 FROM products v WHERE v.variant_of = p.sku) FROM products p LEFT JOIN products q ON q.sku = p.variant_of WHERE p.sku = ?1 OR p.variant_of = ?1 OR p.sku = (SELECT variant_of FROM products WHERE sku = ?1)
;;
SELECT p.track_stock, s.location, s.account FROM products p LEFT JOIN stock s ON s.product = p.id WHERE p.sku = ?1
;;
SELECT payment_id, provider, amount, state, at FROM payments WHERE order_id = ?1 ORDER BY n
;;
SELECT r.version, r.settings, (SELECT count(*) FROM plugin_rule_files f WHERE f.rules = r.id) FROM plugin_rules r WHERE r.id = ?1
;;
SELECT refund_id, amount, shipping, lines, reason, at FROM refunds WHERE order_id = ?1 ORDER BY n
;;
SELECT request_hash, status, body FROM journal_idempotency WHERE key = ?1 AND scope = ?2
;;
SELECT seq, kind, debit, credit, amount, pending, reference FROM ledger_transfers WHERE id = ?1
;;
SELECT t.id FROM ledger_transfers t LEFT JOIN orders o ON o.order_id = t.reference WHERE t.kind = 1 AND t.id LIKE 'ord\_%' ESCAPE '\' AND (o.id IS NULL OR o.state <> 1) AND NOT EXISTS (SELECT 1 FROM ledger_transfers r WHERE r.pending = t.seq)
;;
SELECT t.id, t.text FROM source_texts t WHERE t.id IN (SELECT text FROM revision_files WHERE path = ?1) ORDER BY t.id
;;
SELECT t.seq, t.kind, t.debit, t.credit, t.amount, t.pending, h.kind, h.debit, h.credit, h.amount, NOT EXISTS (SELECT 1 FROM ledger_transfers r WHERE r.pending = t.seq) FROM ledger_transfers t NOT INDEXED LEFT JOIN ledger_transfers h ON h.seq = t.pending ORDER BY t.seq
;;
SELECT tags FROM customers WHERE customer = ?1
;;
SELECT tries FROM journal_events WHERE id = ?1 AND due_ms = ?2
;;
SELECT tries FROM journal_tries WHERE procedure = ?1 AND key = ?2
;;
SELECT value FROM meta WHERE name = 'secret'
;;
SELECT value FROM meta WHERE name = ?1
;;
SELECT version, tags FROM customers WHERE customer = ?1
;;
UPDATE api_keys SET revoked_at = ?2 WHERE key_id = ?1 AND revoked_at IS NULL
;;
UPDATE customers SET orders = orders + 1, version = version + 1, updated_at = ?2 WHERE customer = ?1
;;
UPDATE customers SET orders = orders + 1, version = version + 1, updated_at = ?3 WHERE customer = ?1 AND version = ?2
;;
UPDATE customers SET orders = orders - 1, version = version + 1, updated_at = ?2 WHERE id = ?1
;;
UPDATE customers SET tags = ?2, version = version + 1, updated_at = ?3 WHERE customer = ?1
;;
UPDATE customers SET version = version + 1 WHERE customer = ?1
;;
UPDATE journal_events SET due_ms = ?2, tries = ?3, why = ?4 WHERE id = ?1
;;
UPDATE journal_events SET due_ms = ?3 WHERE id = (SELECT n.id FROM journal_events e JOIN journal_events n ON n.subscriber = e.subscriber AND n.key = e.key AND n.id > e.id WHERE e.id = ?1 AND e.due_ms = ?2 AND e.key <> '' ORDER BY n.id LIMIT 1)
;;
UPDATE journal_events SET due_ms = ?3 WHERE id = ?1 AND due_ms = ?2
;;
UPDATE journal_events SET due_ms = NULL WHERE id > ?1 AND id = (SELECT min(n.id) FROM journal_dead d JOIN journal_events n ON n.subscriber = d.subscriber AND n.key = d.key WHERE d.id = ?1 AND d.key <> '')
;;
UPDATE journal_events SET due_ms = due_ms - ?1 WHERE id IN (SELECT id FROM journal_events WHERE subscriber = ?2 AND due_ms >= 4503599627370496 ORDER BY due_ms LIMIT ?3)
;;
UPDATE ledger_accounts SET flags = ?1, debits_posted = ?2, credits_posted = ?3, debits_pending = ?4, credits_pending = ?5 WHERE id = ?6
;;
UPDATE orders SET paid = paid + ?2 WHERE id = ?1 AND paid + ?2 <= total
;;
UPDATE orders SET refunded = refunded + ?2, shipping_refunded = shipping_refunded + ?3, version = version + 1, updated_at = ?4 WHERE id = ?1 AND refunded + ?2 <= paid AND shipping_refunded + ?3 <= shipping
;;
UPDATE orders SET state = ?3, version = version + 1, updated_at = ?4, close_reason = ?5 WHERE id = ?1 AND state = ?2
;;
UPDATE payments SET refunded = refunded + ?3 WHERE order_id = ?1 AND n = ?2 AND refunded + ?3 <= amount
;;
UPDATE products SET title = ?2, price = ?3, compare_at = ?4, cost = ?5, category = ?6, tags = ?7, brand = ?8, weight_g = ?9, status = ?10, track_stock = ?11, variant_of = ?12, options = ?13, image = ?14, description = ?15, updated_at = ?16, version = version + 1 WHERE sku = ?1
