-- feira.order_refunds: money and goods that go back. What a line gave back after k of its n units is always what was paid for it times
-- k / n, rounded; a refund is the difference to what went back before. So parts add up to the unit, in whatever order they come.
local caller = require "feira.caller"
local check = require "feira.check"
local events = require "feira.order_events"
local fail = require "feira.fail"
local ids = require "feira.ids"
local json = require "feira.json"
local ledger = require "feira.ledger"
local money = require "feira.money"
local payments = require "feira.payments"
local rows = require "feira.order_rows"
local sql = require "feira.sql"
local states = require "feira.order_states"
local stock = require "feira.stock"
local time = require "feira.time"

local refunds = {}

local count_order = sql.statement [[
  UPDATE orders SET refunded = refunded + ?2, shipping_refunded = shipping_refunded + ?3, version = version + 1, updated_at = ?4
  WHERE id = ?1 AND refunded + ?2 <= paid AND shipping_refunded + ?3 <= shipping]]
local count_line = sql.statement [[
  INSERT INTO order_line_refunds (order_id, line, qty, amount, restocked) VALUES (?1, ?2, ?3, ?4, ?5)
  ON CONFLICT (order_id, line) DO UPDATE
  SET qty = qty + excluded.qty, amount = amount + excluded.amount, restocked = restocked + excluded.restocked]]
local next_number = sql.statement "SELECT coalesce(max(n), 0) + 1 FROM refunds WHERE order_id = ?1"
local insert = sql.statement
  "INSERT INTO refunds (order_id, n, refund_id, amount, shipping, lines, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"

local NONE = { qty = 0, amount = 0, restocked = 0 }

local function exceeds(field, detail) fail.conflict("refund_exceeds", detail, field) end

-- What is asked for, as { [line] = qty }; every line once, in the order's own numbers.
local function wanted(list, lines, returned)
  local qty_of = {}
  for i, item in ipairs(list) do
    local at = "/lines/" .. i - 1
    local number = check.required(check.int(item.line, at .. "/line", 1, #lines), at .. "/line")
    local qty = check.required(check.int(item.qty, at .. "/qty", 1, lines[number].qty), at .. "/qty")
    qty_of[number] = (qty_of[number] or 0) + qty
    local left = lines[number].qty - (returned[number] or NONE).qty
    if qty_of[number] > left then
      exceeds(at .. "/qty", ("Line %d has %d left to refund, not %d."):format(number, left, qty_of[number]))
    end
  end
  return qty_of
end

local function everything(lines, returned)
  local qty_of = {}
  for number, line in ipairs(lines) do
    local left = line.qty - (returned[number] or NONE).qty
    if left > 0 then qty_of[number] = left end
  end
  return qty_of
end

-- What `qty` more units of a line are worth. Where tax is added to prices, it goes back with them.
local function share(line, before, qty)
  return money.sub(money.ratio(line.payable or line.total, before.qty + qty, line.qty), before.amount)
end

-- Pieces of each SKU that came back before; lines may share one.
local function came_back(lines, returned)
  local pieces = {}
  for number, line in ipairs(lines) do
    pieces[line.sku] = (pieces[line.sku] or 0) + (returned[number] or NONE).restocked
  end
  return pieces
end

local function append(to, list)
  for _, item in ipairs(list) do to[#to + 1] = item end
end

local function restock_ops(order, lines, returned, qty_of, refund_id)
  if not order.holds then return {} end
  local pieces = {}
  for number, line in ipairs(lines) do
    if qty_of[number] then pieces[line.sku] = (pieces[line.sku] or 0) + qty_of[number] end
  end
  return stock.return_ops(json.decode(order.holds), came_back(lines, returned), pieces, refund_id, order.order_id)
end

-- Writes down one refund and moves money and goods. qty_of: units by line.
local function give(order, lines, returned, qty_of, shipping, restock, reason, now)
  local refund_id, amount, parts = ids.new "ref", shipping, {}
  for number, line in ipairs(lines) do
    local qty = qty_of[number]
    if qty then
      local before = returned[number] or NONE
      local part = share(line, before, qty)
      amount = money.add(amount, part)
      parts[#parts + 1] = json.object("line", number, "qty", qty, "amount", part)
      count_line:run(order.id, number, qty, part, restock and qty or 0)
    end
  end
  if #parts == 0 and shipping == 0 then exceeds(nil, "Nothing is left to refund of this order.") end
  if count_order:run(order.id, amount, shipping, now) ~= 1 then exceeds(nil, "That is more than is left of what was paid.") end
  insert:run(order.id, next_number:values(order.id), refund_id, amount, shipping, json.encode(json.array(parts)), reason, now)
  events.refund("refund.requested", order, refund_id, amount, now)
  local ops = payments.refund_ops(order, amount, refund_id)
  if restock then append(ops, restock_ops(order, lines, returned, qty_of, refund_id)) end
  local done, _, account = ledger.apply(ops)
  if not done then error("a refund of " .. order.order_id .. " found too little in " .. account) end
  order.refunded, order.shipping_refunded, order.updated_at = order.refunded + amount, order.shipping_refunded + shipping, now
  events.refund("refund.succeeded", order, refund_id, amount, now) -- every provider there is gives back at once
end

---Everything that is left, goods included: an order that is taken back whole.
function refunds.give_all(order, reason, now)
  local lines, returned = json.decode(order.lines), rows.returned(order)
  local qty_of = everything(lines, returned)
  local shipping, units = order.shipping - order.shipping_refunded, 0
  for _, qty in pairs(qty_of) do units = units + qty end
  if units > 0 or shipping > 0 then give(order, lines, returned, qty_of, shipping, true, reason, now) end
end

---@param args { principal: table, params: { id: string }, body: { lines: table?, shipping: boolean?, reason: string?, restock: boolean? } }
function refunds.refund(args)
  local order = rows.visible(args)
  caller.require_trusted(args)
  local body, now = args.body or {}, time.now()
  if not states.is_refundable(order.state) then states.refuse(order.state, "There is nothing to refund.") end
  local list, with_shipping = body.lines, check.flag(body.shipping, "/shipping")
  if list == json.null then list = nil end
  local reason, restock = check.text(body.reason, "/reason", 500), check.flag(body.restock, "/restock") ~= false
  local lines, returned = json.decode(order.lines), rows.returned(order)
  local shipping_left = order.shipping - order.shipping_refunded
  local qty_of = {}
  if list then
    -- Nothing named is not everything.
    if #list == 0 and not with_shipping then fail.invalid("/lines", "Name a line, or leave lines out to refund all that is left.") end
    qty_of = wanted(list, lines, returned)
  elseif not with_shipping then
    qty_of = everything(lines, returned)
  end
  if with_shipping and shipping_left == 0 then exceeds("/shipping", "Nothing is left to refund of the shipping.") end
  local shipping = (with_shipping or (not list and with_shipping == nil)) and shipping_left or 0
  give(order, lines, returned, qty_of, shipping, restock, reason, now)
  return { status = 201, body = rows.document(rows.find(order.order_id)) }
end

return refunds
