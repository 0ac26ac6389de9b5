-- feira.campaign_limits: what orders use up of the limits of campaigns. Accounts "campaign/ID/uses" and so on count down from zero: -3 is
-- three used. How much may be used is said by the rules that priced the order, so a limit that is raised or lowered holds at once and moves
-- nothing; what is asked here, on the writer, is asked before it is taken, and nobody comes between. Held when the order is placed, posted
-- when it is paid, voided when it ends before, and given back when all of it is refunded, unless the campaign says "keep": after_cancel of
-- orders that are cancelled or expire, paid or not, after_refund of those whose money went back, cancelled or not.
local events = require "feira.events"
local fail = require "feira.fail"
local json = require "feira.json"
local ledger = require "feira.ledger"
local time = require "feira.time"

local limits = {}

local PUBLISHED = { published = true }

-- Where all that was used went. Only money has a unit of several letters' choice: the shop's currency.
local function used(unit)
  local name = (unit == "uses" or unit == "units") and unit or "budget"
  return ledger.account("campaigns-" .. name, unit)
end

local function refuse(take, left)
  if take.of_customer then
    fail.conflict("customer_limit_reached", ("%q can't be had more often by this customer; see the fresh quote."):format(take.campaign))
  end
  fail.conflict("limit_used_up", ("Of %q only %d (%s) is left, not %d; see the fresh quote."):format(take.campaign, math.max(left, 0),
    take.limit, take.amount))
end

local function tell(take, now)
  if events.heard "campaign.exhausted" then
    events.emit("campaign.exhausted", { campaign = take.campaign, limit = take.limit, at = time.format(now) })
  end
end

---Takes what the quote uses up; nil when that is nothing.
---@param kind "hold"|"transfer"
---@return string|nil for orders.limits
function limits.take(quote, order_id, kind, now)
  local takes = quote:takes()
  if not takes then return nil end
  local ops, kept, gone = {}, {}, {}
  for n, take in ipairs(takes) do
    local account = ledger.account(take.account, take.unit, not take.of_customer and PUBLISHED or nil)
    local _, _, balance = ledger.balance(account)
    local left = take.max + balance
    if left < take.amount then refuse(take, left) end
    if left == take.amount and not take.of_customer then gone[#gone + 1] = take end
    ops[n] = {
      kind = kind, id = order_id .. "/limits/" .. n, debit = account, credit = used(take.unit), amount = take.amount, reference = order_id,
    }
    kept[n] = { take.account, take.amount, take.unit, take.kept, take.kept_when_cancelled }
  end
  local done, _, account = ledger.apply(ops)
  if not done then error("the limit " .. account .. " refused what it had") end
  for _, take in ipairs(gone) do tell(take, now) end
  return json.encode(kept)
end

-- An unpaid order ends, and some of what it holds stays used.
local function ending_ops(order, id)
  local ops = {}
  for n, item in ipairs(json.decode(order.limits)) do
    local kind, hold = item[5] and "post" or "void", id .. "/" .. n
    ops[n] = { kind = kind, id = hold .. "/" .. kind, pending = hold, reference = order.order_id }
  end
  return ops
end

---The order is paid ("post"), or ended before it was ("void").
---@param order { order_id: string, limits: string? }
---@param kind "post"|"void"
function limits.settle(order, kind)
  if not order.limits then return end
  local id = order.order_id .. "/limits"
  local done, _, account
  if kind == "void" and order.limits:find("true", 1, true) then
    done, _, account = ledger.apply(ending_ops(order, id))
  else
    done, _, account = ledger.settle(order.limits, id, kind)
  end
  if not done then error(("order %s found too little in %s"):format(order.order_id, account)) end
end

---A paid order went back whole. Once, however often it is said.
---@param order { order_id: string, state: string, limits: string? }
function limits.give_back(order)
  if not order.limits then return end
  local ops = {}
  for n, item in ipairs(json.decode(order.limits)) do
    local account, amount, unit = item[1], item[2], item[3]
    if not (item[4] or (item[5] and order.state == "cancelled")) then
      ops[#ops + 1] = {
        kind = "transfer", id = order.order_id .. "/limits/" .. n .. "/back", debit = used(unit), credit = ledger.account(account, unit),
        amount = amount, reference = order.order_id,
      }
    end
  end
  local done, _, account = ledger.apply(ops)
  if not done then error(("the limits of %s are not in %s"):format(order.order_id, account)) end
end

return limits
