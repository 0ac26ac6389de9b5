-- feira.order_refunds: money and goods that go back, by units of lines, by an amount of a line, or by an amount of the order.
--
-- What parts come to. A line has P, what was paid for it (with its tax, where that comes on top), and n units. k of its units are worth
-- P * k / n, rounded; a refund of units is the difference to what units gave back before, so that parts of whatever size and order add up
-- to the unit. An amount of a line is taken off the units that are still with the customer: from then on they share what is left of P, in
-- the same way. An amount of the order is spread over its lines in proportion to what is left of each (largest remainder, ties to the
-- earlier line); what goes beyond the lines comes from the shipping. So no line ever gives back more than P, the last unit of a line takes
-- all that is left of it, and everything that is left is exactly what was paid less what went back. The tax in what goes back is in
-- proportion to it, and all of it in the end. In one refund units come first, then amounts of lines, then the shipping, then the amount of
-- the order.
--
-- Which units go back: those that were not sent come first, and are not to be sent any more; with sent = true only those that were. Their
-- pieces go to the place they were taken from.
--
-- A gift is a line that cost nothing. What it was given for going back leaves it with the customer, unless all of that goes back before the
-- gift was sent.
local caller = require "feira.caller"
local campaign_grants = require "feira.campaign_grants"
local campaign_limits = require "feira.campaign_limits"
local check = require "feira.check"
local events = require "feira.order_events"
local fail = require "feira.fail"
local fulfilments = require "feira.order_fulfilments"
local ids = require "feira.ids"
local json = require "feira.json"
local ledger = require "feira.ledger"
local money = require "feira.money"
local payments = require "feira.payments"
local pieces = require "feira.order_pieces"
local purchases = require "feira.purchases"
local rows = require "feira.order_rows"
local shares = require "feira.order_shares"
local sql = require "feira.sql"
local states = require "feira.order_states"
local stock = require "feira.stock"
local time = require "feira.time"

local refunds = {}

local count_order = sql.statement [[
  UPDATE orders SET refunded = refunded + ?2, shipping_refunded = shipping_refunded + ?3, version = version + 1, updated_at = ?4
  WHERE id = ?1 AND refunded + ?2 <= paid AND shipping_refunded + ?3 <= shipping]]
local count_line = sql.statement [[
  INSERT INTO order_line_refunds (order_id, line, qty, amount, restocked, spread_qty, spread_amount, sent_qty)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
  ON CONFLICT (order_id, line) DO UPDATE
  SET qty = qty + excluded.qty, amount = amount + excluded.amount, restocked = restocked + excluded.restocked,
      spread_qty = excluded.spread_qty, spread_amount = excluded.spread_amount, sent_qty = sent_qty + excluded.sent_qty]]
local next_number = sql.statement "SELECT coalesce(max(n), 0) + 1 FROM refunds WHERE order_id = ?1"
local insert = sql.statement
  "INSERT INTO refunds (order_id, n, refund_id, amount, shipping, lines, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"

local function exceeds(field, detail) fail.conflict("refund_exceeds", detail, field) end

-- --- what goes back --------------------------------------------------------------------------------------------------

-- A refund in the making: what went back of each line before, and what it will be after.
local function plan_of(order)
  local plan = {
    lines = json.decode(order.lines), sent = rows.sent(order), before = rows.returned(order), after = {}, units = 0, shipping = 0,
    shipping_left = order.shipping - order.shipping_refunded,
  }
  for number in ipairs(plan.lines) do
    local back = plan.before[number] or shares.none()
    plan.before[number], plan.after[number] = back, {
      qty = back.qty, amount = back.amount, spread_qty = back.spread_qty, spread_amount = back.spread_amount, sent_qty = back.sent_qty,
    }
  end
  return plan
end

-- of_sent: only units that were sent. Otherwise those come first that were not, and are not sent any more then.
local function take_units(plan, number, qty, field, of_sent)
  local line, after, sent = plan.lines[number], plan.after[number], plan.sent[number] or 0
  local left, with_customer = line.qty - after.qty, sent - after.sent_qty
  if qty > left then exceeds(field, ("Line %d has %d left to refund, not %d."):format(number, left, qty)) end
  if of_sent and qty > with_customer then
    exceeds(field, ("Of line %d %d were sent and are not refunded, not %d."):format(number, with_customer, qty))
  end
  shares.take_units(line, after, qty)
  after.sent_qty = after.sent_qty + (of_sent and qty or math.max(qty - (left - with_customer), 0))
  plan.units = plan.units + qty
end

local function take_amount(plan, number, amount, field)
  local line, after = plan.lines[number], plan.after[number]
  local left = shares.left(line, after)
  if amount > left then exceeds(field, ("Of line %d %d is left to refund, not %d."):format(number, left, amount)) end
  shares.take_amount(line, after, amount)
end

-- What is asked for line by line. Units of all lines come before amounts, so that the order of the list does not matter.
local function take_lines(plan, list)
  local amounts = {}
  for i, item in ipairs(list) do
    local at = "/lines/" .. i - 1
    local number = check.required(check.int(item.line, at .. "/line", 1, #plan.lines), at .. "/line")
    local qty = check.int(item.qty, at .. "/qty", 1, plan.lines[number].qty)
    local amount = check.int(item.amount, at .. "/amount", 1, math.maxinteger)
    if qty and amount then fail.invalid(at .. "/amount", "Say either how many units go back (qty) or how much of the line (amount).") end
    if amount and item.sent ~= nil then fail.invalid(at .. "/sent", "This is said of units (qty) only.") end
    if not qty and not amount then fail.invalid(at .. "/qty", "Say how many units go back (qty) or how much of the line (amount).") end
    if qty then
      take_units(plan, number, qty, at .. "/qty", check.flag(item.sent, at .. "/sent"))
    else
      amounts[#amounts + 1] = { number, amount, at .. "/amount" }
    end
  end
  for _, item in ipairs(amounts) do take_amount(plan, item[1], item[2], item[3]) end
end

-- Gifts that were not sent are not sent any more when nothing is left of what the customer ordered. What was sent stays his; it can be
-- named in a refund as any line, and comes back for nothing.
local function take_gifts(plan)
  for number, line in ipairs(plan.lines) do
    if not line.gift and plan.after[number].qty < line.qty then return end
  end
  for number, line in ipairs(plan.lines) do
    local after = plan.after[number]
    local unsent = line.qty - after.qty - ((plan.sent[number] or 0) - after.sent_qty)
    if line.gift and unsent > 0 then take_units(plan, number, unsent) end
  end
end

local function take_shipping(plan, field)
  if plan.shipping_left == 0 then exceeds(field, "Nothing is left to refund of the shipping.") end
  plan.shipping, plan.shipping_left = plan.shipping_left, 0
end

-- Goodwill for the order as a whole.
local function spread(plan, amount)
  local lefts, sum = {}, 0
  for number, line in ipairs(plan.lines) do
    lefts[number] = shares.left(line, plan.after[number])
    sum = money.add(sum, lefts[number])
  end
  local of_lines = math.min(amount, sum)
  if amount - of_lines > plan.shipping_left then
    exceeds("/amount", ("%d is left to refund of this order, not %d."):format(sum + plan.shipping_left, amount))
  end
  if of_lines > 0 then
    for number, part in ipairs(money.allocate(of_lines, lefts)) do
      if part > 0 then shares.take_amount(plan.lines[number], plan.after[number], part) end
    end
  end
  plan.shipping, plan.shipping_left = plan.shipping + amount - of_lines, plan.shipping_left - (amount - of_lines)
end

local function take_everything(plan, with_shipping)
  for number, line in ipairs(plan.lines) do
    local left = line.qty - plan.after[number].qty
    if left > 0 then take_units(plan, number, left) end
  end
  if with_shipping and plan.shipping_left > 0 then take_shipping(plan) end
end

-- --- giving it back --------------------------------------------------------------------------------------------------

local function append(to, list)
  for _, item in ipairs(list) do to[#to + 1] = item end
end

-- Takes the pieces of the units that go back out of the order; gives the operations that put them where they came from.
local function goods_ops(order, plan, restock, refund_id)
  local places = pieces.load(order)
  for number, line in ipairs(plan.lines) do
    local before, after = plan.before[number], plan.after[number]
    local back = after.sent_qty - before.sent_qty
    pieces.drop(places, line.sku, after.qty - before.qty - back)
    pieces.take_back(places, line.sku, back)
  end
  pieces.save(order, places)
  return restock and stock.return_ops(places, refund_id, order.order_id) or {}
end

-- What the plan changes of the lines: parts for the document, and their sum.
local function count_lines(order, plan, restock)
  local parts, sum = {}, 0
  for number, line in ipairs(plan.lines) do
    local before, after = plan.before[number], plan.after[number]
    local qty, amount = after.qty - before.qty, after.amount - before.amount
    if qty > 0 or amount > 0 then
      sum = money.add(sum, amount)
      parts[#parts + 1] = json.object("line", number, "qty", qty, "amount", amount, "tax", shares.tax(line, before.amount, after.amount))
      count_line:run(order.id, number, qty, amount, restock and qty or 0, after.spread_qty, after.spread_amount,
        after.sent_qty - before.sent_qty)
    end
  end
  return parts, sum
end

-- All of its money, or every unit of it, has gone back.
local function is_whole(order, plan)
  if order.paid > 0 and order.refunded == order.paid then return true end
  for number, line in ipairs(plan.lines) do
    if plan.after[number].qty < line.qty then return false end
  end
  return true
end

-- Writes down one refund and moves money and goods.
local function give(order, plan, restock, reason, now)
  local refund_id, shipping = ids.new "ref", plan.shipping
  local goods = goods_ops(order, plan, restock, refund_id)
  local parts, of_lines = count_lines(order, plan, restock)
  local amount = money.add(of_lines, shipping)
  if #parts == 0 and shipping == 0 then exceeds(nil, "Nothing is left to refund of this order.") end
  if count_order:run(order.id, amount, shipping, now) ~= 1 then exceeds(nil, "That is more than is left of what was paid.") end
  insert:run(order.id, next_number:values(order.id), refund_id, amount, shipping, json.encode(json.array(parts)), reason, now)
  events.refund("refund.requested", order, refund_id, amount, now)
  local ops, waits = payments.refund_ops(order, amount, refund_id, now)
  append(ops, goods)
  local done, _, account = ledger.apply(ops)
  if not done then error("a refund of " .. order.order_id .. " found too little in " .. account) end
  order.refunded, order.shipping_refunded, order.updated_at = order.refunded + amount, order.shipping_refunded + shipping, now
  if is_whole(order, plan) then
    campaign_limits.give_back(order)
    campaign_grants.take_back(order, now)
  end
  purchases.refunded(order, now)
  if not waits then events.refund("refund.succeeded", order, refund_id, amount, now) end
end

---What was paid of an order that ends before all of it was: no line was ever sold, so none is named.
function refunds.give_money(order, reason, now)
  local refund_id, amount = ids.new "ref", order.paid - order.refunded
  if amount == 0 then return end
  if count_order:run(order.id, amount, 0, now) ~= 1 then error("order " .. order.order_id .. " changed under its refund") end
  insert:run(order.id, next_number:values(order.id), refund_id, amount, 0, "[]", reason, now)
  events.refund("refund.requested", order, refund_id, amount, now)
  local ops, waits = payments.refund_ops(order, amount, refund_id, now)
  local done, _, account = ledger.apply(ops)
  if not done then error("a refund of " .. order.order_id .. " found too little in " .. account) end
  order.refunded, order.updated_at = order.refunded + amount, now
  if not waits then events.refund("refund.succeeded", order, refund_id, amount, now) end
end

---Everything that is left, goods included: an order that is taken back whole.
function refunds.give_all(order, reason, now)
  local plan = plan_of(order)
  take_everything(plan, true)
  if plan.units > 0 or plan.shipping > 0 then give(order, plan, true, reason, now) end
end

---@class feira.RefundBody what goes back; without lines, amount and shipping: everything that is left
---@field lines { line: integer, qty: integer?, sent: boolean?, amount: integer? }[]?
---@field amount integer? of the order as a whole
---@field shipping boolean? true: all that is left of it
---@field restock boolean? default true
---@field reason string?

---@param args { principal: table, params: { id: string }, body: feira.RefundBody? }
function refunds.refund(args)
  local order = rows.visible(args)
  caller.require_trusted(args)
  local body, now = args.body or {}, time.now()
  if not states.is_refundable(order.state) then states.refuse(order.state, "There is nothing to refund.") end
  local list, with_shipping = body.lines, check.flag(body.shipping, "/shipping")
  if list == json.null then list = nil end
  local amount = check.int(body.amount, "/amount", 1, math.maxinteger)
  local reason, restock = check.text(body.reason, "/reason", 500), check.flag(body.restock, "/restock") ~= false
  -- Nothing named is not everything.
  if list and #list == 0 and not with_shipping and not amount then
    fail.invalid("/lines", "Name a line, or leave lines out to refund all that is left.")
  end
  local plan = plan_of(order)
  if list then
    take_lines(plan, list)
    take_gifts(plan)
  end
  if with_shipping then take_shipping(plan, "/shipping") end
  if amount then spread(plan, amount) end
  if not list and not with_shipping and not amount then take_everything(plan, with_shipping == nil) end
  give(order, plan, restock, reason, now)
  fulfilments.settle(rows.find(order.order_id), now)
  return { status = 201, body = rows.document(rows.find(order.order_id)) }
end

return refunds
