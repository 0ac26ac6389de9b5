-- feira.provider_money: what becomes of money that a provider says came in. Whatever it says and whenever, the money ends as exactly one
-- of: paid for its order, or on its way back.
--
--   its order waits for it                        → the due is met
--   its order is paid, or the due is               → 'twice', given back
--   its order is cancelled or has expired          → 'late', given back
--   another amount or currency than was asked for  → 'mismatched', given back, once the provider, asked for it, says the same
--   another merchant's or app's                    → not ours: nothing is taken in, payment.mismatched tells of it
local attempts = require "feira.attempts"
local dues = require "feira.dues"
local events = require "feira.order_events"
local ids = require "feira.ids"
local order_payments = require "feira.order_payments"
local payments = require "feira.payments"
local provider_events = require "feira.provider_events"
local rows = require "feira.order_rows"
local states = require "feira.order_states"
local timers = require "feira.timers"

local provider_money = {}

-- What it is about is not ours, whatever else it says.
local function is_foreign(seen, expected)
  return expected.merchant and seen.merchant ~= expected.merchant or expected.app and seen.app ~= expected.app
end

---What does not fit in what the provider says, or nil: "merchant", "app", "amount" or "currency".
---@param seen table what the provider says
---@param expected { merchant: string?, app: string? } whose money is ours, by the plugin's settings
function provider_money.misfit(attempt, seen, expected)
  if is_foreign(seen, expected) then return expected.merchant and seen.merchant ~= expected.merchant and "merchant" or "app" end
  if seen.currency ~= attempt.currency then return "currency" end
  if seen.amount ~= attempt.amount then return "amount" end
end

local function give_back(order, attempt, currency, reason, now)
  local refund_id = ids.new "ref"
  attempt.given_back = reason
  attempts.move(attempt, "succeeded", now)
  order_payments.book(payments.unowned_ops(order, attempt, currency, refund_id, reason, now), order)
  events.refund("refund.requested", order, refund_id, attempt.received, now)
  return reason
end

-- With the order paid, or over, nobody should pay for it any more.
function provider_money.close_others(order, now)
  for _, attempt in ipairs(attempts.open_of(order)) do attempts.close_soon(attempt, now) end
end

local function take(order, attempt, list, due, now)
  attempts.move(attempt, "succeeded", now)
  local payment = { id = attempt.payment_id, provider = attempt.provider, amount = attempt.amount, transaction = attempt.transaction_id }
  order_payments.receive(order, payment, list, due, now)
  if order.state ~= "placed" then provider_money.close_others(order, now) end
  return "taken"
end

---The money of an attempt is in, and fits it.
---@return string what became of it: "taken", "twice", "late"
function provider_money.came_in(attempt, seen, now)
  local order = rows.by_number(attempt.order_id)
  attempt.transaction_id, attempt.received, attempt.why = seen.transaction, attempt.amount, nil
  if order.state ~= "placed" then
    return give_back(order, attempt, attempt.currency, states.is_over(order.state) and "late" or "twice", now)
  end
  local list = dues.of(order)
  local due = dues.nth(list, attempt.due)
  if attempt.amount > due.amount - due.paid then return give_back(order, attempt, attempt.currency, "twice", now) end
  return take(order, attempt, list, due, now)
end

---It came in a second time under one number: another transaction of the same payment, of whatever amount. Asked by its number, the provider
---may know of the first one only, so what it tells is believed: should it not be so, it will not give back what it does not have.
function provider_money.came_again(first, seen, now)
  local order = rows.by_number(first.order_id)
  local attempt = attempts.begin(order, {
    payment_id = ids.new "pay", number = first.number, due = first.due, provider = first.provider, amount = seen.amount,
    currency = seen.currency, expires_at = now,
  }, now)
  attempt.transaction_id, attempt.received = seen.transaction, seen.amount
  return give_back(order, attempt, seen.currency, "twice", now)
end

---With a payment settled, other money that was told of under its number, and did not fit it, can only be more of it.
function provider_money.settle_others(attempt, expected, now)
  for _, seen in ipairs(provider_events.mismatched(attempt.provider, attempt.number)) do
    if seen.kind == "payment" and not is_foreign(seen, expected) and not attempts.of_transaction(attempt.provider, seen.transaction) then
      provider_money.came_again(attempt, seen, now)
    end
  end
end

---Tells of money that does not fit.
function provider_money.tell_mismatch(attempt, seen, what, now)
  local order = rows.by_number(attempt.order_id)
  events.mismatched(order, attempt, seen, what, now)
end

---The provider, asked, says that another amount or currency came in: that is the shop's to give back.
function provider_money.came_in_wrong(attempt, seen, now)
  local order = rows.by_number(attempt.order_id)
  attempt.transaction_id, attempt.received, attempt.why = seen.transaction, seen.amount, nil
  return give_back(order, attempt, seen.currency, "mismatched", now)
end

---Nobody will pay with it any more. The order may have waited for that to end.
function provider_money.closed(attempt, now)
  if not attempts.is_open(attempt) then return end
  attempts.move(attempt, "closed", now)
  local order = rows.by_number(attempt.order_id)
  if order.state == "placed" and order.expires_at <= now then timers.set("orders.expire", order.order_id, now) end
end

return provider_money
