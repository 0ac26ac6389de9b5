-- feira.payments: money that was taken for orders, as rows and in the ledger. It moves from the provider's account to sales, and a refund
-- moves it back, so Σ over both is zero whatever happens. One provider is built in, which pays and gives back at once; the others are
-- plugins: feira.attempts, feira.refund_parts. A plugin that pays out of its own accounts (orders.pay) made no attempt; what goes back of
-- that goes back at once, too, and payment.returned tells it how much.
local events = require "feira.order_events"
local fail = require "feira.fail"
local ids = require "feira.ids"
local money = require "feira.money"
local purses = require "feira.purses"
local refund_parts = require "feira.refund_parts"
local sql = require "feira.sql"

local payments = {}

local built_in = {
  -- Takes any amount and touches no money: for trying a shop. shop.lua must say test_payments = true.
  test = {
    is_allowed = function(shop) return shop.test_payments == true end,
  },
}

local insert = sql.statement [[
  INSERT INTO payments (order_id, n, payment_id, provider, provider_reference, amount, state, at, due)
  VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM payments WHERE order_id = ?1), ?2, ?3, ?4, ?5, 'succeeded', ?6, ?7)]]
local unspent = sql.statement [[
  SELECT n, payment_id, provider, amount - refunded AS left_over FROM payments WHERE order_id = ?1 AND amount > refunded ORDER BY n]]
local give_back = sql.statement
  "UPDATE payments SET refunded = refunded + ?3 WHERE order_id = ?1 AND n = ?2 AND refunded + ?3 <= amount"
local attempt_of = sql.statement "SELECT id FROM payment_attempts WHERE payment_id = ?1"

---Fails unless the shop takes payments of this provider, which is built in.
---@param shop { test_payments: boolean? }
function payments.require(name, shop)
  local provider = built_in[name]
  if not provider or not provider.is_allowed(shop) then
    fail.invalid("/provider", ("This shop takes no payments through %q."):format(tostring(name)), "provider_unknown")
  end
end

---Records a payment; gives the operation that books it.
---@param payment { id: string?, provider: string, amount: integer, transaction: string? }
---@param due integer which of the order's dues it meets
function payments.record(order, payment, due, now)
  local id = payment.id or ids.new "pay"
  insert:run(order.id, id, payment.provider, payment.transaction, payment.amount, now, due)
  return {
    kind = "transfer", id = id, debit = purses.provider(payment.provider), credit = purses.sales(), amount = payment.amount,
    reference = order.order_id,
  }
end

-- --- giving back ----------------------------------------------------------------------------------------------------

-- One part of a refund: held until the provider has given it back, at once where nobody outside has to.
local function part_op(order, payment, amount, refund_id, now)
  local id = refund_id .. "/p" .. payment.n
  local op = {
    kind = "transfer", id = id, debit = purses.sales(), credit = purses.provider(payment.provider), amount = amount,
    reference = order.order_id,
  }
  local attempt = not built_in[payment.provider] and attempt_of:values(payment.payment_id)
  if not attempt then
    events.returned(order, payment, refund_id, amount, now)
    return op, false
  end
  op.kind = "hold"
  refund_parts.request({
    number = refund_id .. "-p" .. payment.n, refund_id = refund_id, order = order.id, attempt = attempt,
    provider = payment.provider, amount = amount, currency = (money.currency()),
  }, now)
  return op, true
end

---Gives money back through the payments it came with, oldest first. What is asked for here is counted as given back from now on, so two
---refunds can't give the same money.
---@param refund_id string
---@return table ops the operations that book it
---@return boolean waits whether a provider has yet to give some of it back
function payments.refund_ops(order, amount, refund_id, now)
  local ops, left, waits = {}, amount, false
  for _, payment in ipairs(unspent:rows(order.id)) do
    local part = math.min(payment.left_over, left)
    if part > 0 then
      if give_back:run(order.id, payment.n, part) ~= 1 then
        error("payment " .. payment.n .. " of " .. order.order_id .. " changed under its refund")
      end
      local op, later = part_op(order, payment, part, refund_id, now)
      ops[#ops + 1], waits = op, waits or later
      left = left - part
    end
  end
  if left > 0 then fail.conflict("refund_exceeds", "That is more than was paid for this order.") end
  return ops, waits
end

---Money that came in and goes straight back: it is taken in, never sold anything with, and held for its refund.
---@param attempt table of feira.attempts, with received
---@param currency string what it came in as
---@return table ops
function payments.unowned_ops(order, attempt, currency, refund_id, reason, now)
  local provider, nobodys, amount = purses.provider(attempt.provider, currency), purses.unowned(currency), attempt.received
  refund_parts.request({
    number = refund_id .. "-p1", refund_id = refund_id, order = order.id, attempt = attempt.id, provider = attempt.provider,
    amount = amount, currency = currency, reason = reason,
  }, now)
  return {
    { kind = "transfer", id = attempt.payment_id, debit = provider, credit = nobodys, amount = amount, reference = order.order_id },
    { kind = "hold", id = refund_id .. "/p1", debit = nobodys, credit = provider, amount = amount, reference = order.order_id },
  }
end

return payments
