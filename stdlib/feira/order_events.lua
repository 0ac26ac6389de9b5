-- feira.order_events: tells plugins what happens to orders and customers, in the transaction in which it happens. `feira help events` lists
-- them with their payloads.
local events = require "feira.events"
local time = require "feira.time"

local order_events = {}

---@param name string "order.paid"
---@param order { order_id: string, customer: string?, total: integer }
---@param at integer ms UTC
---@param more table? further members
---@return boolean whether anybody heard it; the order may have changed then
function order_events.emit(name, order, at, more)
  if not events.heard(name) then return false end
  local payload = { order = order.order_id, customer = order.customer, total = order.total, at = time.format(at) }
  for key, value in pairs(more or {}) do payload[key] = value end
  events.emit(name, payload)
  return true
end

---@param name string "refund.requested", "refund.succeeded", "refund.failed"
---@param more table? further members
function order_events.refund(name, order, refund_id, amount, at, more)
  if not events.heard(name) then return end
  local payload = { order = order.order_id, customer = order.customer, refund = refund_id, amount = amount, at = time.format(at) }
  for key, value in pairs(more or {}) do payload[key] = value end
  events.emit(name, payload)
end

---A provider tells of money that does not fit. what: "merchant", "app", "amount", "currency".
function order_events.mismatched(order, attempt, seen, what, at)
  if not events.heard "payment.mismatched" then return end
  events.emit("payment.mismatched", {
    order = order.order_id, payment = attempt.payment_id, provider = attempt.provider, amount = seen.amount, expected = attempt.amount,
    what = what, at = time.format(at),
  })
end

---Money came in.
---@return boolean whether anybody heard it
function order_events.received(order, payment_id, provider, amount, at)
  if not events.heard "payment.received" then return false end
  events.emit("payment.received", {
    order = order.order_id, customer = order.customer, payment = payment_id, provider = provider, amount = amount, at = time.format(at),
  })
  return true
end

---Some of a payment went back at once.
---@param payment { payment_id: string, provider: string }
function order_events.returned(order, payment, refund_id, amount, at)
  if not events.heard "payment.returned" then return end
  events.emit("payment.returned", {
    order = order.order_id, customer = order.customer, payment = payment.payment_id, provider = payment.provider, refund = refund_id,
    amount = amount, at = time.format(at),
  })
end

function order_events.joined(customer, at)
  if events.heard "customer.joined" then events.emit("customer.joined", { customer = customer, at = time.format(at) }) end
end

return order_events
