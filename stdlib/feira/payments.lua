-- feira.payments: the ways to pay. A provider takes an amount now and says so; the ledger then moves it from the provider's
-- account to sales, and a refund moves it back, so Σ over both is zero whatever happens.
local fail = require "feira.fail"
local ids = require "feira.ids"
local ledger = require "feira.ledger"
local money = require "feira.money"
local sql = require "feira.sql"

local payments = {}

local providers = {
  -- Takes any amount and touches no money: for trying a shop. shop.lua must say test_payments = true.
  test = {
    is_allowed = function(shop) return shop.test_payments == true end,
  },
}

local next_number = sql.statement "SELECT coalesce(max(n), 0) + 1 FROM payments WHERE order_id = ?1"
local insert = sql.statement
  "INSERT INTO payments (order_id, n, payment_id, provider, amount, state, at) VALUES (?1, ?2, ?3, ?4, ?5, 'succeeded', ?6)"
local unspent = sql.statement
  "SELECT n, provider, amount - refunded AS left_over FROM payments WHERE order_id = ?1 AND amount > refunded ORDER BY n"
local give_back = sql.statement
  "UPDATE payments SET refunded = refunded + ?3 WHERE order_id = ?1 AND n = ?2 AND refunded + ?3 <= amount"

-- Money moves between these two: what customers paid, and what the shop sold.
local function sales() return ledger.account("sales", (money.currency())) end
local function account_of(provider) return ledger.account("payments/" .. provider, (money.currency())) end

---Fails unless the shop takes payments of this provider.
---@param shop { test_payments: boolean? }
function payments.require(name, shop)
  local provider = providers[name]
  if not provider or not provider.is_allowed(shop) then
    fail.invalid("/provider", ("This shop takes no payments through %q."):format(tostring(name)), "provider_unknown")
  end
end

---Records a payment; gives the operation that books it.
function payments.record(order, provider, amount, now)
  local id = ids.new "pay"
  insert:run(order.id, next_number:values(order.id), id, provider, amount, now)
  return {
    kind = "transfer", id = id, debit = account_of(provider), credit = sales(), amount = amount, reference = order.order_id,
  }
end

---Gives money back through the payments it came with, oldest first; gives the operations that book it.
---@param refund_id string
function payments.refund_ops(order, amount, refund_id)
  local ops, left = {}, amount
  for _, payment in ipairs(unspent:rows(order.id)) do
    local part = math.min(payment.left_over, left)
    if part > 0 then
      if give_back:run(order.id, payment.n, part) ~= 1 then
        error("payment " .. payment.n .. " of " .. order.order_id .. " changed under its refund")
      end
      ops[#ops + 1] = {
        kind = "transfer", id = refund_id .. "/p" .. payment.n, debit = sales(), credit = account_of(payment.provider),
        amount = part, reference = order.order_id,
      }
      left = left - part
    end
  end
  if left > 0 then fail.conflict("refund_exceeds", "That is more than was paid for this order.") end
  return ops
end

return payments
