-- feira.orders: place, pay, cancel, expire, get, list. Everything an order does to stock, money, customers and timers happens in
-- one transaction with its state; see feira.order_states for its life and feira.order_refunds for what goes back.
--
-- args of every function: { principal = { kind, customer? }, params = {...}, query = {...}, body = {...},
-- shop = { pay_within_ms?, test_payments? } }, and quote while an order is placed.
local blocks = require "feira.order_blocks"
local caller = require "feira.caller"
local campaign_grants = require "feira.campaign_grants"
local campaign_limits = require "feira.campaign_limits"
local check = require "feira.check"
local checks = require "feira.checks"
local customers = require "feira.customers"
local dues = require "feira.dues"
local fail = require "feira.fail"
local fulfilments = require "feira.order_fulfilments"
local ids = require "feira.ids"
local events = require "feira.order_events"
local json = require "feira.json"
local order_payments = require "feira.order_payments"
local page = require "feira.page"
local payments = require "feira.payments"
local provider_calls = require "feira.provider_calls"
local provider_money = require "feira.provider_money"
local purchases = require "feira.purchases"
local refunds = require "feira.order_refunds"
local rows = require "feira.order_rows"
local sql = require "feira.sql"
local states = require "feira.order_states"
local stock = require "feira.stock"
local time = require "feira.time"
local timers = require "feira.timers"

local orders = {
  refund = refunds.refund, lift_block = blocks.lift, fulfil = fulfilments.fulfil, complete = fulfilments.complete,
  complete_by_itself = fulfilments.complete_by_itself,
}

local PAY_WITHIN_MS = 30 * 60 * 1000
local LOOK_AGAIN_MS = 60 * 1000
-- So that no single order can bring the sums of an account near the end of 64 bits, after which nobody could pay any more.
local TOTAL_MAX = 1000000000000000

local insert = sql.statement [[
  INSERT INTO orders (order_id, state, customer, total, shipping, placed_at, expires_at, updated_at, reference, generation, holds, priced,
                      lines, limits, channel, grants)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)]]
local insert_contact = sql.statement "INSERT INTO order_contacts (order_id, contact, address, note) VALUES (?1, ?2, ?3, ?4)"
-- The record is bytes, and names nobody: feira.customers has the one table that says whose a pseudonym is.
local insert_evidence = sql.statement "INSERT INTO order_evidence (order_id, evidence, pseudonym) VALUES (?1, CAST(?2 AS BLOB), ?3)"

-- --- place ----------------------------------------------------------------------------------------------------------

local function text_of(object, field)
  object = check.object(object, field)
  return object and json.encode(object)
end

local function check_total(quote, body)
  local expected = check.int(body.expected_total, "/expected_total", 0, math.maxinteger)
  if expected and expected ~= quote.total then
    fail.conflict("price_changed", "The total is not the one expected; see the quote.", "/expected_total")
  end
end

-- Only servers and operators name the customer, the moment or a reference of their own, or split what is to be paid.
local function check_claims(args, quote)
  if caller.is_trusted(args) then return end
  for _, name in ipairs { "placed_at", "reference", "customer", "dues" } do
    local value = args.body[name]
    if value ~= nil and value ~= json.null then fail.denied("This needs a secret key.", "/" .. name) end
  end
  if caller.customer(args) ~= quote.customer then fail.denied "The quote was made for someone else." end
end

local function placed_at(body, now)
  local text = check.text(body.placed_at, "/placed_at", 40)
  if not text then return now end
  local ms, why = time.parse(text)
  return ms or fail.invalid("/placed_at", why)
end

-- What plugins' checks say of an order before there is one. No name, address or note is shown to them.
local function ask_checks(quote, order, owed)
  if not checks.wanted "order" then return end
  local findings, blocked = checks.run {
    kind = "order", customer = quote.customer, total = quote.total, shipping = quote.shipping, placed_at = order.placed_at,
    lines = json.decode(order.lines), priced = json.decode(order.priced), dues = owed, channel = quote.channel,
  }
  if not blocked then return end
  for _, finding in ipairs(findings) do
    local todo = finding.satisfy and " " .. finding.satisfy or ""
    if finding.level == "block" then fail.conflict("refused_by_check", finding.text .. todo) end
  end
end

---Turns the quote into an order that holds its stock until it is paid; one that costs nothing is paid at once.
function orders.place(args)
  local quote, body, now = args.quote, args.body, time.now()
  check_claims(args, quote)
  check_total(quote, body)
  local customer, total = quote.customer, quote.total
  if total > TOTAL_MAX then
    fail.invalid("/lines", ("An order of more than %d minor units is not accepted; split it."):format(TOTAL_MAX))
  end
  local is_paid = total == 0
  local owed = dues.read(body.dues, total, now)
  local pay_within = args.shop and args.shop.pay_within_ms or PAY_WITHIN_MS
  pay_within = math.min(pay_within, quote.pay_within_ms or pay_within)
  local expires = owed and owed[1].deadline or not is_paid and now + pay_within or nil
  local order = {
    order_id = ids.new "ord", state = is_paid and "paid" or "placed", customer = customer, total = total, paid = 0, refunded = 0,
    placed_at = placed_at(body, now), expires_at = expires, updated_at = now, reference = check.text(body.reference, "/reference", 100),
    generation = quote.generation, priced = quote:priced_json(), lines = quote:lines_json(),
    grants = quote:grants_json(), granted = 0,
  }
  local order_id = order.order_id
  ask_checks(quote, order, owed)
  local contact = {
    contact = text_of(body.contact, "/contact"), address = text_of(body.address, "/address"), note = check.text(body.note, "/note", 2000),
  }
  local version = not quote.prices_final and quote.customer_version or nil
  local customer_row, pseudonym
  if customer then customer_row, pseudonym = customers.claim(customer, version, now) end
  local limits = campaign_limits.take(quote, order_id, is_paid and "transfer" or "hold", now)
  local holds = stock.take(quote, order_id, is_paid and "transfer" or "hold")
  local id = insert:insert(order_id, states.code(order.state), customer_row, total, quote.shipping, order.placed_at, expires, now,
    order.reference, order.generation, holds, order.priced, order.lines, limits, quote.channel, order.grants)
  insert_evidence:run(id, quote.evidence, pseudonym)
  order.id, order.customer_row = id, customer_row
  if is_paid then purchases.paid(order, now) end
  if owed then
    dues.keep(id, owed)
    order.dues = #owed
  end
  if contact.contact or contact.address or contact.note then insert_contact:run(id, contact.contact, contact.address, contact.note) end
  if expires then timers.set("orders.expire", order_id, expires) end
  local heard = events.emit("order.placed", order, now)
  if is_paid then campaign_grants.give(order, "paid", now) end
  if is_paid then heard = events.emit("order.paid", order, now) or heard end
  -- Who heard it may have done something with it.
  return { status = 201, order_id = order_id, body = heard and rows.document(rows.find(order_id)) or rows.document_of_new(order, contact) }
end

-- --- pay ------------------------------------------------------------------------------------------------------------

local function require_open(order, now)
  if order.state ~= "placed" then states.refuse(order.state, "Nothing was taken.") end
  -- The timer that expires it may be late.
  if now >= order.expires_at then states.refuse("expired", "Nothing was taken.") end
end

-- Takes an amount that is there, for the first due that is not met or the one named; with the last due met the holds become sales.
local function take(order, provider, body, now)
  local list = dues.of(order)
  local due = dues.named(list, body.due)
  local left = due.amount - due.paid
  local amount = check.int(body.amount, "/amount", 1, math.maxinteger) or left
  if amount > left then fail.invalid("/amount", ("The amount due is %d, not %d."):format(left, amount), "wrong_amount") end
  local heard = order_payments.receive(order, { provider = provider, amount = amount }, list, due, now)
  if order.state ~= "placed" then provider_money.close_others(order, now) end
  return heard
end

---Takes money through the provider that is built in. Providers that are plugins have a way of their own: feira.provider_calls.
function orders.pay(args)
  local order = rows.visible(args)
  local body, now = args.body or {}, time.now()
  require_open(order, now)
  payments.require(body.provider, args.shop or {})
  local heard = take(order, body.provider, body, now)
  if heard then order = rows.find(order.order_id) end -- who heard it may have done something with it
  return { status = 201, body = rows.document(order, nil, not heard) } -- until a moment ago it was placed, and had nothing to give back
end

---Takes what a plugin pays out of its own accounts (points, stored value), which it does in the same transaction. payment.returned tells it
---of what goes back.
---@param plugin string
---@param body { amount: integer, due: string? }
function orders.pay_from_plugin(order, plugin, body)
  local now = time.now()
  require_open(order, now)
  take(order, plugin, body, now)
end

-- --- cancel, expire -------------------------------------------------------------------------------------------------

-- An unpaid order ends: what it held is free again, what was paid of it goes back, and nobody is to pay for it any more.
local function release(order, reason, now)
  stock.settle(order, "void")
  campaign_limits.settle(order, "void")
  refunds.give_money(order, reason, now)
  provider_money.close_others(order, now)
  timers.cancel("orders.expire", order.order_id)
end

---A customer may cancel what is not paid; a server also what is paid and not yet being fulfilled: then all of it goes back.
function orders.cancel(args)
  local order = rows.visible(args)
  local now, reason = time.now(), check.text(args.body and args.body.reason, "/reason", 500)
  local was = order.state
  if was == "paid" and not caller.is_trusted(args) then
    fail.state("already_paid", "The order is paid already; ask the shop to cancel it.")
  end
  states.move(order, "cancelled", now, "It can't be cancelled.", reason)
  blocks.finish(order, now)
  if was == "placed" then
    release(order, reason or "cancelled", now)
  else
    refunds.give_all(order, reason or "cancelled", now)
    purchases.cancelled(order, now)
  end
  if order.customer_row then customers.release(order.customer_row, now) end
  events.emit("order.cancelled", order, now, { reason = reason })
  return { status = 200, body = rows.document(order) }
end

---Timer: the time to pay has passed.
---@param args { key: string, due_ms: integer }
function orders.expire(args)
  local order, now = rows.find(args.key), time.now()
  -- Paid or cancelled in the meantime, or given more time: not ours to end.
  if not order or order.state ~= "placed" then return { status = 200 } end
  if order.expires_at > now then
    timers.set("orders.expire", order.order_id, order.expires_at)
    return { status = 200 }
  end
  -- A payment that is under way is asked for first: money that is there wins over the clock.
  if provider_calls.hold_up(order, now) then
    timers.set("orders.expire", order.order_id, now + LOOK_AGAIN_MS)
    return { status = 200 }
  end
  states.move(order, "expired", now, "It can't expire.")
  blocks.finish(order, now)
  release(order, "expired", now)
  if order.customer_row then customers.release(order.customer_row, now) end
  events.emit("order.expired", order, now)
  return { status = 200, body = rows.document(order) }
end

-- --- read -----------------------------------------------------------------------------------------------------------

function orders.get(args) return { status = 200, body = rows.document(rows.visible(args)) } end

-- Newest first. Each way in has its index; the other filters look at what it finds.
local TAIL = " AND o.id < ?1 AND (?3 IS NULL OR o.state = ?3) AND (?4 IS NULL OR o.reference = ?4) ORDER BY o.id DESC LIMIT ?2"
local by_customer = sql.statement("SELECT " .. rows.COLUMNS .. " WHERE o.customer = (SELECT id FROM customers WHERE customer = ?5)" .. TAIL)
local by_reference = sql.statement("SELECT " .. rows.COLUMNS ..
  " WHERE o.reference = ?4 AND o.id < ?1 AND (?3 IS NULL OR o.state = ?3) ORDER BY o.id DESC LIMIT ?2")
local by_state = sql.statement("SELECT " .. rows.COLUMNS .. " WHERE o.state = ?3 AND o.id < ?1 ORDER BY o.id DESC LIMIT ?2")
local newest = sql.statement("SELECT " .. rows.COLUMNS .. " WHERE o.id < ?1 ORDER BY o.id DESC LIMIT ?2")

---@param args { principal: table, query: { customer: string?, state: string?, reference: string?, limit: integer?, cursor: string? } }
function orders.list(args)
  local params = args.query or {}
  local limit, before = page.read(params)
  local customer, reference = check.text(params.customer, "customer", 64), check.text(params.reference, "reference", 100)
  local state = check.text(params.state, "state", 20)
  local code = state and (states.code(state) or fail.invalid("state", ("Orders have no state %q."):format(state)))
  if not caller.is_trusted(args) then
    local own = caller.customer(args) or fail.denied "Orders are listed for their customer or with a secret key."
    if customer and customer ~= own then return page.write({}, limit) end
    customer = own
  end
  local from, found = before or math.maxinteger
  if customer then
    found = by_customer:rows(from, limit + 1, code, reference, customer)
  elseif reference then
    found = by_reference:rows(from, limit + 1, code, reference)
  elseif code then
    found = by_state:rows(from, limit + 1, code)
  else
    found = newest:rows(from, limit + 1)
  end
  return page.write(found, limit, function(row) return rows.document(rows.opened(row)) end, function(row) return #row.lines end)
end

return orders
