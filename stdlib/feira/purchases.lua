-- feira.purchases: what customers bought, paid for and kept, so that campaigns may ask (promo.bought). One small row for each order,
-- written in the transactions that pay it, refund some of it, or cancel it; and each changes the customer's version, because what was
-- quoted before may not hold any more.
local customers = require "feira.customers"
local json = require "feira.json"
local rows = require "feira.order_rows"
local shares = require "feira.order_shares"
local sql = require "feira.sql"

local purchases = {}

local insert = sql.statement "INSERT INTO purchases (customer, order_id, paid_at, items) VALUES (?1, ?2, ?3, ?4)"
local update = sql.statement "UPDATE purchases SET items = ?3 WHERE customer = ?1 AND order_id = ?2"
local delete = sql.statement "DELETE FROM purchases WHERE customer = ?1 AND order_id = ?2"

-- Units that are still with the customer, and what is left of what was paid for them. A gift was not bought.
local function items_of(order, returned)
  local items = {}
  for number, line in ipairs(json.decode(order.lines)) do
    local back = returned[number] or shares.none()
    if line.qty > back.qty and not line.gift then items[#items + 1] = { line.sku, line.qty - back.qty, shares.left(line, back) } end
  end
  return items
end

---The order is paid. When it was is by the order's own clock: one that was sold elsewhere, and is written down here later, was placed then.
---@param order { id: integer, customer_row: integer?, lines: string }
function purchases.paid(order, now)
  if not order.customer_row then return end
  insert:run(order.customer_row, order.id, math.min(now, order.placed_at), json.encode(json.array(items_of(order, {}))))
  customers.changed(order.customer_row, now)
end

---Some of it went back.
function purchases.refunded(order, now)
  if not order.customer_row then return end
  local items = items_of(order, rows.returned(order))
  if #items > 0 then
    update:run(order.customer_row, order.id, json.encode(json.array(items)))
  else
    delete:run(order.customer_row, order.id)
  end
  customers.changed(order.customer_row, now)
end

---It was paid, and is cancelled.
function purchases.cancelled(order, now)
  if not order.customer_row then return end
  if delete:run(order.customer_row, order.id) > 0 then customers.changed(order.customer_row, now) end
end

return purchases
