-- Points that pay a part of an order, and come back when the order, or a part of it, does.
local fail = require "feira.fail"
local money = require "feira.money"
local plugin = require "feira.plugin"
local purse = require "purse"
local store = require "feira.store"
local time = require "feira.time"

local spending = {}

local settings = plugin.settings

local function order_of(id) return store.of("shop").orders:get { order = id } or fail.not_found(("There is no order %q."):format(id)) end

-- What so many points pay, and the fewest points that pay it.
local function paid_by(points)
  local amount = money.ratio(points, settings.worth_of_100, 100, "floor")
  return amount, money.ratio(amount, 100, settings.worth_of_100, "ceiling")
end

---How much of an order points may pay, and how many of the customer's that takes at most.
---@param order table of store.of("shop").orders
---@return integer amount
---@return integer points
function spending.most(order)
  if order.state ~= "placed" or store.spends:get(order.order) then return 0, 0 end
  local cap = math.min(money.rate(order.total, settings.max_share, "floor"), order.total - order.paid)
  local for_cap = money.ratio(cap, 100, settings.worth_of_100, "ceiling")
  local amount, points = paid_by(math.max(0, math.min(for_cap, purse.summary(order.customer).balance)))
  if amount > cap then amount, points = paid_by(for_cap - 1) end -- a point is worth more than a minor unit
  if points < settings.min_spend then return 0, 0 end
  return amount, points
end

local function result(row) return { order = row.order, points = row.points, amount = row.amount } end

-- No more than what makes a whole minor unit is taken.
local function checked(order, asked)
  local amount, points = paid_by(asked)
  if points < settings.min_spend or amount == 0 then
    local least = math.max(settings.min_spend, money.ratio(1, 100, settings.worth_of_100, "ceiling"))
    fail.invalid("/points", ("An order takes %d points or more."):format(least), "too_few_points")
  end
  local cap = money.rate(order.total, settings.max_share, "floor")
  if amount > cap then
    fail.invalid("/points", ("Points pay at most %s of this order, not %s."):format(money.format(cap), money.format(amount)), "above_share")
  end
  return amount, points
end

---Once for each order; the same again is the same answer.
---@param args { order: string, points: integer }
function spending.spend(args)
  local order = order_of(args.order)
  if not order.customer then fail.conflict("no_customer", "The order is nobody's, so it has no points.") end
  local before = store.spends:get(args.order)
  if before then
    if select(2, paid_by(args.points)) ~= before.points then
      fail.conflict("done_otherwise", ("%d points were spent on this order before."):format(before.points), "/points")
    end
    return result(before)
  end
  local amount, points = checked(order, args.points)
  local parts = purse.spend(order.customer, points, "spent/" .. order.order)
  local row = { order = order.order, customer = order.customer, at = time.now(), points = points, amount = amount }
  store.spends:insert(row)
  for _, part in ipairs(parts) do
    store.parts:insert { order = order.order, expires = part.expires, points = part.points }
  end
  plugin.call("orders.pay", { order = order.order, amount = amount })
  return result(row)
end

-- Points that come back are those that live longest.
local function parts_back(order, points)
  local back, left = {}, points
  for row in store.parts:each { where = { order = order }, reverse = true } do
    if left == 0 then break end
    local part = math.min(row.points - row.back, left)
    if part > 0 then
      store.parts:update(row.id, { back = row.back + part })
      back[#back + 1], left = { expires = row.expires, points = part }, left - part
    end
  end
  return back
end

---Some of what points paid went back: the points are in proportion to it, and all of them in the end.
---@param event { order: string, refund: string, amount: integer }
function spending.give_back(event)
  local row = store.spends:get(event.order)
  if not row or not store.returns:insert { order = event.order, refund = event.refund, at = time.now() } then return end
  local amount_back = row.amount_back + event.amount
  local back = money.ratio(amount_back, row.points, row.amount, "floor")
  store.spends:update(row.order, { back = back, amount_back = amount_back })
  purse.give_back(row.customer, parts_back(row.order, back - row.back), ("returned/%s/%s"):format(row.order, event.refund))
end

return spending
