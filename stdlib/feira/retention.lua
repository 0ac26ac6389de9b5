-- feira.retention: what is kept for a purpose goes when the purpose has ended. Once a day, by a timer that survives a restart, a little at
-- a time; the periods are those of the field catalogue (privacy.keep of shop.lua, keep of a collection). What went is counted in meta
-- ("retention"), for /metrics and `feira doctor`.
--
--   contacts       contact, address, note, and texts that people wrote, of orders that have ended          keep.contact
--   accounts       customers without an order or a change: erased as if they had asked (feira.persons)     keep.account
--   transactions   orders that have ended: nobody's any more                                               keep.transactions
--   consents       those that were taken back, and requests that were carried out                          keep.consents
--   PLUGIN.NAME    rows of a collection with `keep`
--
-- What an unpaid refund or an open order needs stays, whatever the period. Whom the shop owes money is not erased by itself.
local json = require "feira.json"
local log = require "feira.log"
local persons = require "feira.persons"
local shop = require "feira.shop"
local sql = require "feira.sql"
local time = require "feira.time"
local timers = require "feira.timers"

local retention = {}

local DAY_MS = 86400000
local AT_ONCE, CUSTOMERS_AT_ONCE, ERASED_AT_ONCE = 200, 2000, 5
local AGAIN_MS = 1000

local remembered = sql.statement "SELECT value FROM meta WHERE name = 'retention'"
local remember = sql.statement [[
  INSERT INTO meta (name, value) VALUES ('retention', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value]]
local contacts = sql.statement [[
  SELECT o.id, o.order_id FROM order_contacts c JOIN orders o ON o.id = c.order_id
  WHERE o.state >= 5 AND o.updated_at < ?1 AND NOT EXISTS (SELECT 1 FROM refund_parts r WHERE r.order_id = o.id AND r.state <> 3)
  LIMIT ?2]]
local transactions = sql.statement [[
  SELECT o.id, o.customer FROM orders o WHERE o.state >= 5 AND o.customer IS NOT NULL AND o.updated_at < ?1
    AND NOT EXISTS (SELECT 1 FROM refund_parts r WHERE r.order_id = o.id AND r.state <> 3)
  ORDER BY o.updated_at LIMIT ?2]]
local drop_purchase = sql.statement "DELETE FROM purchases WHERE customer = ?1 AND order_id = ?2"
local change = sql.statement "UPDATE customers SET version = version + 1 WHERE id = ?1"
local customers_after = sql.statement [[
  SELECT id, customer, updated_at, erased_at FROM customers WHERE id > ?1 ORDER BY id LIMIT ?2]]
local has_open = sql.statement "SELECT 1 FROM orders WHERE customer = ?1 AND state < 5 LIMIT 1"
local consents = sql.statement "DELETE FROM consents WHERE id IN (SELECT id FROM consents WHERE withdrawn_at < ?1 LIMIT ?2)"
local requests = sql.statement [[
  DELETE FROM person_requests WHERE id IN
    (SELECT id FROM person_requests WHERE state IN ('done', 'withdrawn') AND done_at < ?1 LIMIT ?2)]]

-- --- the kinds: each takes what may go before a moment, and gives how many went, and whether there may be more ---------------------------

local function take_contacts(before)
  local found = contacts:rows(before, AT_ONCE)
  persons.forget(found)
  return #found, #found == AT_ONCE
end

local function take_transactions(before)
  local found = transactions:rows(before, AT_ONCE)
  for _, order in ipairs(found) do
    persons.unlink(order.id)
    drop_purchase:run(order.customer, order.id)
    change:run(order.customer)
  end
  return #found, #found == AT_ONCE
end

local function take_consents(before)
  local n = consents:run(before, AT_ONCE)
  local more = requests:run(before, AT_ONCE)
  return n + more, n == AT_ONCE or more == AT_ONCE
end

-- All customers are looked at, some at a time: an index by their last change would be written with every order.
local function take_accounts(before, state, currency)
  local found, erased = customers_after:rows(state.customers_after or 0, CUSTOMERS_AT_ONCE), 0
  for _, row in ipairs(found) do
    if erased == ERASED_AT_ONCE then return erased, true end
    state.customers_after = row.id
    local is_stale = not row.erased_at and row.updated_at < before and not has_open:row(row.id)
    if is_stale and persons.let_lapse(row, currency) then erased = erased + 1 end
  end
  local more = #found == CUSTOMERS_AT_ONCE
  if not more then state.customers_after = 0 end
  return erased, more
end

local function quote(name) return '"' .. name .. '"' end

-- A fact may be made of such a row, so its customer is another one from then on.
local function take_rows(collection, before)
  local t, f = quote(collection.table), quote(collection.keep.field)
  local which = ("SELECT id FROM %s WHERE %s < ?1 ORDER BY id LIMIT ?2"):format(t, f)
  for _, field in ipairs(collection.fields) do
    if field.type == "customer" then
      sql.statement(("UPDATE customers SET version = version + 1 WHERE customer IN (SELECT %s FROM %s WHERE id IN (%s))")
        :format(quote(field.name), t, which)):run(before, AT_ONCE)
    end
  end
  local n = sql.statement(("DELETE FROM %s WHERE id IN (%s)"):format(t, which)):run(before, AT_ONCE)
  return n, n == AT_ONCE
end

-- --- the timer ----------------------------------------------------------------------------------------------------------------------

local function round(state, currency, now)
  local catalogue = shop.privacy()
  local keep, removed, more = catalogue.keep, state.removed, false
  local function add(what, n, again)
    if n > 0 then removed[what] = (removed[what] or 0) + n end
    more = more or again
    return n
  end
  local n = add("contacts", take_contacts(now - keep.contact_ms)) + add("transactions", take_transactions(now - keep.transactions_ms))
    + add("consents", take_consents(now - keep.consents_ms)) + add("accounts", take_accounts(now - keep.account_ms, state, currency))
  for _, plugin in ipairs(catalogue.plugins) do
    for _, c in ipairs(plugin.collections) do
      if c.keep then n = n + add(plugin.plugin .. "." .. c.name, take_rows(c, now - c.keep.ms)) end
    end
  end
  return n, more
end

---Timer: a day has gone by, or there was more than could be done at once.
---@param args { key: string }
function retention.run(args)
  local now = time.now()
  local state = json.decode(remembered:values() or "{}")
  state.removed = state.removed or { contacts = 0 } -- an empty table would be a list
  local n, more = round(state, shop.currency(), now)
  if not more then state.last_run = now end
  remember:run(json.encode(json.object("last_run", state.last_run, "customers_after", state.customers_after, "removed", state.removed)))
  if n > 0 then
    persons.cut_log()
    log.info("retention.removed", "What was kept for a purpose that has ended is gone.", { rows = n })
  end
  timers.set("retention.run", args.key, now + (more and AGAIN_MS or DAY_MS))
  return { status = 200 }
end

return retention
