-- feira.shop_calls: the shop's own procedures as plugins may call them ("orders.cancel"), when needs.procedures names them. What comes back
-- has no personal fields. args.plugin: which plugin calls; the host says it.
local blocks = require "feira.order_blocks"
local fail = require "feira.fail"
local orders = require "feira.orders"
local rows = require "feira.order_rows"
local time = require "feira.time"

local calls = {}

local SYSTEM = { kind = "system" }

local function facts_of(id)
  local order = rows.find(id)
  return { order = id, state = order.state, total = order.total, paid = order.paid, refunded = order.refunded }
end

---@param args { order: string, reason: string? }
function calls.orders_cancel(args)
  orders.cancel { principal = SYSTEM, params = { id = args.order }, body = { reason = args.reason } }
  return facts_of(args.order)
end

---@param args feira.RefundBody with order: its id
function calls.orders_refund(args)
  local body = { lines = args.lines, amount = args.amount, shipping = args.shipping, reason = args.reason, restock = args.restock }
  orders.refund { principal = SYSTEM, params = { id = args.order }, body = body }
  return facts_of(args.order)
end

---@param args { order: string, lines: { line: integer, qty: integer, location: string? }[]?, carrier: string?, tracking: string? }
function calls.orders_fulfil(args)
  local body = { lines = args.lines, carrier = args.carrier, tracking = args.tracking }
  orders.fulfil { principal = SYSTEM, params = { id = args.order }, body = body }
  return facts_of(args.order)
end

---@param args { order: string }
function calls.orders_complete(args)
  orders.complete { principal = SYSTEM, params = { id = args.order } }
  return facts_of(args.order)
end

local function order_of(args)
  return rows.find(args.order) or fail.not_found(("There is no order %q."):format(args.order))
end

---@param args { order: string, amount: integer, due: string?, plugin: string }
function calls.orders_pay(args)
  orders.pay_from_plugin(order_of(args), args.plugin, { amount = args.amount, due = args.due })
  return facts_of(args.order)
end

---@param args { order: string, name: string, reason: string?, plugin: string }
function calls.orders_block(args)
  local order = order_of(args)
  blocks.put(order, { plugin = args.plugin, name = args.name, reason = args.reason }, time.now())
  return blocks.facts(order)
end

---@param args { order: string, name: string, reason: string?, plugin: string }
function calls.orders_unblock(args)
  local order = order_of(args)
  blocks.take_off(order, { plugin = args.plugin, name = args.name }, "plugin", args.reason, time.now())
  return blocks.facts(order)
end

return calls
