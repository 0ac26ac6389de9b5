-- feira.person_map: every table of the shop's own, and what of a person is in it. An export gives the rows, an erasure removes them or what
-- names him, and a test fails for a table that is not here: whoever adds one says what becomes of a person in it.
--
--   rows    what an export gives. ?1 the customer's row, ?2 his id, ?3 his id as it stands in JSON
--   erase   statements, in their order. ?1 to ?3 as above, ?4 the id that nobody knows, ?5 the same in JSON, ?6 now
--   free    texts that people write: emptied of orders that have ended. ?1 the order's row
--   nobody  why there is nobody in it
--   held    what keeps it, and for how long
local map = {}

local OF_ORDERS = "SELECT id FROM orders WHERE customer = ?1"

local function of_orders(columns, table)
  return ("SELECT %s FROM %s WHERE order_id IN (%s) ORDER BY order_id"):format(columns, table, OF_ORDERS)
end

map.tables = {
  -- the person
  customers = {
    rows = "SELECT customer, tags, orders, minor, created_at, updated_at FROM customers WHERE id = ?1",
    erase = {
      [[UPDATE customers SET customer = ?4, tags = '[]', minor = 0, version = version + 1, updated_at = ?6, erased_at = ?6 WHERE id = ?1]],
    },
    held = "while orders are: without anything that says who it was",
  },
  customer_contacts = {
    rows = "SELECT name, email, phone FROM customer_contacts WHERE customer = ?1",
    erase = { "DELETE FROM customer_contacts WHERE customer = ?1" },
  },
  consents = {
    rows = [[SELECT purpose, share, version, given_by, via, given_at, withdrawn_at FROM consents WHERE customer = ?1 ORDER BY id]],
    erase = { "DELETE FROM consents WHERE customer = ?1" },
  },
  customer_pseudonyms = {
    rows = "SELECT pseudonym FROM customer_pseudonyms WHERE customer = ?1",
    erase = { "DELETE FROM customer_pseudonyms WHERE customer = ?1" },
  },
  purchases = {
    rows = "SELECT order_id, paid_at, items FROM purchases WHERE customer = ?1 ORDER BY order_id",
    erase = { "DELETE FROM purchases WHERE customer = ?1" },
  },
  person_requests = {
    rows = "SELECT request_id, kind, state, asked_by, asked_at, due_at, done_at FROM person_requests WHERE customer = ?1 ORDER BY id",
    held = "that it was asked for, and done",
  },

  -- purchases that have begun
  checkouts = {
    rows = "SELECT checkout_id, cart, created_at, updated_at, expires_at FROM checkouts WHERE customer = ?2 ORDER BY id",
    erase = {
      "DELETE FROM checkout_contacts WHERE checkout IN (SELECT id FROM checkouts WHERE customer = ?2)",
      "DELETE FROM checkouts WHERE customer = ?2",
    },
  },
  checkout_contacts = {
    rows = [[SELECT k.checkout_id, c.contact, c.address, c.note FROM checkout_contacts c JOIN checkouts k ON k.id = c.checkout
      WHERE k.customer = ?2 ORDER BY k.id]],
  },

  -- orders: the law holds them; who it was is not in them
  orders = {
    rows = "SELECT * FROM orders WHERE customer = ?1 ORDER BY id", held = "three years from completion",
    free = { "UPDATE orders SET close_reason = NULL WHERE id = ?1" },
  },
  order_contacts = {
    rows = of_orders("*", "order_contacts"), held = "until the order has ended: it is to be delivered",
  },
  order_evidence = {
    rows = of_orders("order_id, pseudonym, hex(evidence) AS evidence_hex", "order_evidence"), held = "with the order; it names nobody",
  },
  order_blocks = {
    rows = of_orders("*", "order_blocks"), free = { "UPDATE order_blocks SET reason = NULL, end_reason = NULL WHERE order_id = ?1" },
    held = "with the order",
  },
  order_dues = { rows = of_orders("*", "order_dues"), held = "with the order" },
  order_line_refunds = { rows = of_orders("*", "order_line_refunds"), held = "with the order" },
  order_line_fulfilments = { rows = of_orders("*", "order_line_fulfilments"), held = "with the order" },
  order_pieces = { rows = of_orders("*", "order_pieces"), held = "with the order" },
  fulfilments = {
    rows = of_orders("*", "fulfilments"), free = { "UPDATE fulfilments SET tracking = NULL WHERE order_id = ?1" }, held = "with the order",
  },
  payments = { rows = of_orders("*", "payments"), held = "with the order" },
  payment_attempts = {
    rows = of_orders("*", "payment_attempts"), held = "with the order",
    free = { "UPDATE payment_attempts SET client = NULL, why = NULL WHERE order_id = ?1 AND state > 2" },
  },
  provider_events = {
    rows = [[SELECT provider, event_id, kind, number, outcome, event, at FROM provider_events WHERE number IN
      (SELECT number FROM payment_attempts WHERE order_id IN (SELECT id FROM orders WHERE customer = ?1)
       UNION SELECT number FROM refund_parts WHERE order_id IN (SELECT id FROM orders WHERE customer = ?1)) ORDER BY id]],
    held = "with the order: what a provider said of its money",
  },
  refunds = {
    rows = of_orders("*", "refunds"), held = "with the order", free = { "UPDATE refunds SET reason = NULL WHERE order_id = ?1" },
  },
  refund_parts = {
    rows = of_orders("*", "refund_parts"), held = "until the money is back; then with the order",
    free = { "UPDATE refund_parts SET reason = NULL, why = NULL, by_hand = iif(by_hand IS NULL, NULL, '(erased)') WHERE order_id = ?1" },
  },

  -- what is on its way, and what is remembered for a while
  journal_timers = {
    rows = "SELECT procedure, key, due_ms FROM journal_timers WHERE key = ?2 OR instr('/' || key || '/', '/' || ?2 || '/') ORDER BY id",
    erase = {
      [[UPDATE journal_timers SET key = substr(replace('/' || key || '/', '/' || ?2 || '/', '/' || ?4 || '/'), 2,
          length(replace('/' || key || '/', '/' || ?2 || '/', '/' || ?4 || '/')) - 2)
        WHERE instr('/' || key || '/', '/' || ?2 || '/')]],
    },
  },
  journal_tries = {
    rows = "SELECT procedure, key, tries FROM journal_tries WHERE instr('/' || key || '/', '/' || ?2 || '/')",
    erase = {
      [[UPDATE journal_tries SET key = substr(replace('/' || key || '/', '/' || ?2 || '/', '/' || ?4 || '/'), 2,
          length(replace('/' || key || '/', '/' || ?2 || '/', '/' || ?4 || '/')) - 2)
        WHERE instr('/' || key || '/', '/' || ?2 || '/')]],
    },
  },
  journal_events = {
    rows = "SELECT subscriber, event, payload, made_ms FROM journal_events WHERE instr(payload, ?3) ORDER BY id",
    erase = {
      "UPDATE journal_events SET why = '' WHERE instr(payload, ?3)",
      "UPDATE journal_events SET payload = json_remove(replace(payload, ?3, ?5), '$.reason', '$.tracking') WHERE instr(payload, ?3)",
      "UPDATE journal_events SET key = 'customer ' || ?4 WHERE key = 'customer ' || ?2",
    },
  },
  journal_dead = {
    rows = "SELECT subscriber, event, payload, made_ms, why FROM journal_dead WHERE instr(payload, ?3) ORDER BY id",
    erase = {
      "UPDATE journal_dead SET why = '' WHERE instr(payload, ?3)",
      "UPDATE journal_dead SET payload = json_remove(replace(payload, ?3, ?5), '$.reason', '$.tracking') WHERE instr(payload, ?3)",
      "UPDATE journal_dead SET key = 'customer ' || ?4 WHERE key = 'customer ' || ?2",
      -- A job that was given up has its timer's key.
      "UPDATE journal_dead SET payload = ?4 WHERE event = '' AND payload = ?2",
    },
  },
  journal_idempotency = {
    rows = [[SELECT key, scope, status, CAST(body AS TEXT) AS body FROM journal_idempotency
      WHERE scope = 'ct:' || ?2 OR instr(body, CAST(?2 AS BLOB))]],
    erase = {
      "DELETE FROM journal_idempotency WHERE scope = 'ct:' || ?2",
      -- Others keep their place, so that nothing is done twice.
      [[UPDATE journal_idempotency SET body = CAST('{"erased":true}' AS BLOB) WHERE instr(body, CAST(?3 AS BLOB))]],
    },
  },
  webhook_messages = {
    rows = "SELECT message_id, event, body, made_ms FROM webhook_messages WHERE instr(body, ?3) ORDER BY id",
    erase = {
      -- What endpoints have, or were given up on, is forgotten; what they are still to have names nobody any more.
      [[DELETE FROM webhook_attempts WHERE message IN (SELECT id FROM webhook_messages WHERE instr(body, ?3))
          AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.message = webhook_attempts.message AND d.standing <= 2)]],
      [[DELETE FROM webhook_deliveries WHERE message IN (SELECT id FROM webhook_messages WHERE instr(body, ?3))
          AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.message = webhook_deliveries.message AND d.standing <= 2)]],
      [[DELETE FROM webhook_messages WHERE instr(body, ?3)
          AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.message = webhook_messages.id)]],
      [[UPDATE webhook_messages SET body = json_remove(replace(body, ?3, ?5), '$.personal', '$.data.reason', '$.data.tracking')
        WHERE instr(body, ?3)]],
    },
  },
  webhook_deliveries = {
    rows = "SELECT * FROM webhook_deliveries WHERE line = 'customer ' || ?2",
    erase = { "UPDATE webhook_deliveries SET line = 'customer ' || ?4 WHERE line = 'customer ' || ?2" },
  },

  -- accounts: renamed by the ledger itself (ledger.replace_name)
  ledger_accounts = {
    rows = [[SELECT name, unit, credits_posted - debits_posted AS balance, credits_pending - debits_pending AS held FROM ledger_accounts
      WHERE instr('/' || name || '/', '/' || ?2 || '/') ORDER BY id]],
    held = "the books, under a name that nobody knows",
  },
  ledger_transfers = {
    rows = [[SELECT t.id, t.kind, t.amount, t.at_ms, t.reference, d.name AS debit, c.name AS credit FROM ledger_transfers t
      JOIN ledger_accounts d ON d.id = t.debit JOIN ledger_accounts c ON c.id = t.credit
      WHERE t.seq IN (
        SELECT seq FROM ledger_transfers WHERE kind IN (0, 2)
          AND debit IN (SELECT id FROM ledger_accounts WHERE instr('/' || name || '/', '/' || ?2 || '/'))
        UNION SELECT seq FROM ledger_transfers WHERE kind IN (0, 2)
          AND credit IN (SELECT id FROM ledger_accounts WHERE instr('/' || name || '/', '/' || ?2 || '/')))
      ORDER BY t.seq]],
    held = "the books, under a name that nobody knows",
  },

  meta = { nobody = "small facts of the shop" },
  api_keys = { nobody = "keys of programs" },
  products = { nobody = "goods" },
  product_prices = { nobody = "what goods were offered for" },
  deal_prices = { nobody = "what goods were sold for; last_order is an order's id" },
  stock = { nobody = "goods" },
  stock_changes = { nobody = "goods" },
  source_texts = { nobody = "files of the shop" },
  revisions = { nobody = "files of the shop" },
  revision_files = { nobody = "files of the shop" },
  generations = { nobody = "which rules were live" },
  stops = { nobody = "which campaigns are stopped" },
  plugin_rules = { nobody = "files of plugins" },
  plugin_rule_files = { nobody = "files of plugins" },
  plugin_repins = { nobody = "numbers of rows; author is a key or an operator" },
  personal_access = { nobody = "how often a field was read, not whose" },
  ledger_hours = { nobody = "sums" },
  ledger_summed = { nobody = "sums" },
  ledger_expiries = { nobody = "numbers of holds" },
  ledger_flag_changes = { nobody = "who froze or closed an account, and why" },
  webhook_endpoints = { nobody = "other systems" },
  webhook_secrets = { nobody = "other systems" },
  webhook_attempts = { nobody = "how tries went; goes with its message" },
  campaign_shares = { nobody = "how large a share of customers a campaign is for, and which operator said so" },
  claim_starts = { nobody = "since when campaigns claim something" },
  drafts = { nobody = "files of the shop, and which operator wrote them" },
  draft_authors = { nobody = "operators" },
  draft_approvals = { nobody = "operators" },
  operators = { nobody = "no customers: people who run the shop; kept while they do, and their names in the audit log for ever" },
  operator_sessions = { nobody = "no customers" },
  operator_recovery_codes = { nobody = "no customers" },
  audit = { nobody = "what operators did; nothing of a customer is written into it" },
}

-- Texts in which an id may stand inside of a longer one, beside what the statements find.
map.words = {
  { "journal_events", "id", "payload" }, { "journal_dead", "id", "payload" }, { "webhook_messages", "id", "body" },
  { "payment_attempts", "id", "client" }, { "payment_attempts", "id", "why" }, { "provider_events", "id", "event" },
  { "refund_parts", "id", "why" }, { "ledger_flag_changes", "id", "reason" }, { "order_blocks", "id", "reason" },
  { "journal_idempotency", "seq", "body", blob = true, instead = '{"erased":true}' },
}

-- An order's own contact, and what still has it: ?1 the order's id as it stands in JSON.
map.contact_of_order = "DELETE FROM order_contacts WHERE order_id = ?1"
map.copies_of_order = {
  [[UPDATE journal_idempotency SET body = CAST('{"erased":true}' AS BLOB) WHERE instr(body, CAST(?1 AS BLOB))]],
  "UPDATE webhook_messages SET body = json_remove(body, '$.personal', '$.data.reason', '$.data.tracking') WHERE instr(body, ?1)",
}

-- In which order statements run: some look at what others remove.
map.order = {
  "webhook_messages", "webhook_deliveries", "journal_timers", "journal_tries", "journal_events", "journal_dead", "journal_idempotency",
  "checkouts", "consents", "customer_contacts", "customer_pseudonyms", "purchases", "customers",
}

return map
