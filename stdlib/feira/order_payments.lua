-- feira.order_payments: money that comes in for an order that waits for it. One transaction books it, counts it in its due and in the
-- order, and, with the last due met, turns what was held into sales.
local campaign_grants = require "feira.campaign_grants"
local campaign_limits = require "feira.campaign_limits"
local dues = require "feira.dues"
local events = require "feira.order_events"
local ledger = require "feira.ledger"
local payments = require "feira.payments"
local prices = require "feira.prices"
local purchases = require "feira.purchases"
local sql = require "feira.sql"
local states = require "feira.order_states"
local stock = require "feira.stock"
local timers = require "feira.timers"

local order_payments = {}

local count_payment = sql.statement "UPDATE orders SET paid = paid + ?2 WHERE id = ?1 AND paid + ?2 <= total"
local go_on = sql.statement "UPDATE orders SET expires_at = ?2, version = version + 1, updated_at = ?3 WHERE id = ?1 AND state = 1"

---Moves money and goods of an order; too little somewhere is a fault of ours.
function order_payments.book(ops, order)
  local done, _, account = ledger.apply(ops)
  if not done then error(("order %s found too little in %s"):format(order.order_id, account)) end
end

-- Some of it is paid: what is left is to be paid until the next deadline.
local function wait_for_the_rest(order, list, now)
  local deadline = dues.first_open(list).deadline
  if go_on:run(order.id, deadline, now) ~= 1 then error("order " .. order.order_id .. " ended while it was paid") end
  if deadline ~= order.expires_at then timers.set("orders.expire", order.order_id, deadline) end
  order.expires_at, order.updated_at = deadline, now
end

---Takes a payment of a due of an order that is placed; the last one moves it to paid. Nothing else does.
---@param order table of order_rows, in the state placed
---@param payment { id: string?, provider: string, amount: integer, transaction: string? }
---@param list table dues.of(order)
---@param due table one of list
---@return boolean whether somebody heard of it, who may have done something with the order
function order_payments.receive(order, payment, list, due, now)
  dues.pay(order, due, payment.amount)
  local is_paid = not dues.first_open(list)
  if is_paid then
    states.move(order, "paid", now, "Nothing was taken.", nil, payment.amount)
  elseif count_payment:run(order.id, payment.amount) ~= 1 then
    error("order " .. order.order_id .. " was paid twice at once")
  end
  order.paid = order.paid + payment.amount
  if is_paid then
    stock.settle(order, "post")
    campaign_limits.settle(order, "post")
    prices.dealt(order, now)
    purchases.paid(order, now)
  end
  local booked = payments.record(order, payment, due.n, now)
  order_payments.book({ booked }, order)
  if is_paid then timers.cancel("orders.expire", order.order_id) else wait_for_the_rest(order, list, now) end
  if is_paid then campaign_grants.give(order, "paid", now) end
  local heard = events.received(order, booked.id, payment.provider, payment.amount, now)
  return is_paid and events.emit("order.paid", order, now) or heard
end

return order_payments
