-- What campaigns grant (promo.grant, promo.points_multiplier): so many points, or a part more of what an order earns for some of its lines.
local money = require "feira.money"
local purse = require "purse"
local store = require "feira.store"

local granting = {}

---@param event { grant: string, order: string, customer: string, what: { points: integer?, percent: integer? }, amount: integer }
function granting.give(event)
  local points, percent = event.what.points, event.what.percent
  if math.type(points) == "integer" and points > 0 then
    purse.give(event.customer, points, "granted/" .. event.grant)
  elseif math.type(percent) == "integer" and percent > 100 then
    -- Told before order.paid, so that it is part of what the order earns, and goes back with it.
    store.boosts:insert { grant = event.grant, order = event.order, more = money.rate(event.amount, (percent - 100) * 10000, "floor") }
  end
end

---What counts as paid beside what was.
function granting.more(order)
  local sum = 0
  for _, row in ipairs(store.boosts:find({ order = order }, { limit = 100 })) do sum = money.add(sum, row.more) end
  return sum
end

---All of the order went back. What an order earned goes back with its refunds; what was spent meanwhile is owed.
function granting.take_back(event)
  local points = event.what.points
  if math.type(points) == "integer" and points > 0 then
    purse.expire(event.customer)
    purse.take_back(event.customer, points, "granted/" .. event.grant .. "/back")
  end
end

return granting
