-- Evidence of an order names nobody: the customer is a random number, and this is the one place that says whose it is. Erasing a person
-- deletes the row; the orders can be computed again all the same.
CREATE TABLE customer_pseudonyms (
  customer  INTEGER PRIMARY KEY REFERENCES customers (id),
  pseudonym INTEGER NOT NULL UNIQUE
);

-- NULL: a guest's. evidence is a packed record from here on (host/past/README.md); older ones stay JSON of the cart.
ALTER TABLE order_evidence ADD COLUMN pseudonym INTEGER;

INSERT INTO customer_pseudonyms (customer, pseudonym)
  SELECT id, random() & 9223372036854775807 FROM customers WHERE id IN (SELECT customer FROM orders);

UPDATE order_evidence SET pseudonym =
  (SELECT p.pseudonym FROM orders o JOIN customer_pseudonyms p ON p.customer = o.customer WHERE o.id = order_evidence.order_id);

-- The customer's own name is in older evidence, also at the end of names of accounts.
UPDATE order_evidence
  SET evidence = json_set(replace(evidence, '/' || json_extract(evidence, '$.cust') || '"', '/~"'), '$.cust', '~')
  WHERE json_extract(evidence, '$.cust') IS NOT NULL;
