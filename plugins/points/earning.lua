-- Points for what was paid: how many an order brings, when they are given, and how they go back with its goods.
local granting = require "granting"
local json = require "feira.json"
local money = require "feira.money"
local plugin = require "feira.plugin"
local purse = require "purse"
local store = require "feira.store"
local time = require "feira.time"

local earning = {}

local settings = plugin.settings
local WHOLE = 1000000 -- parts per million

local function set_of(list, key)
  local out = {}
  for _, item in ipairs(list or {}) do out[key and item[key] or item] = true end
  return out
end

-- Of the multipliers that fit the highest, but 0 beats all.
local function factor(sku, campaigns)
  local product = store.of("shop").products:get { sku = sku }
  local tags, best = set_of(product and product.tags), nil
  for _, m in ipairs(settings.multipliers) do
    if (not m.tag or tags[m.tag]) and (not m.campaign or campaigns[m.campaign]) then
      if m.percent == 0 then return 0 end
      best = math.max(best or 0, m.percent)
    end
  end
  return best or WHOLE
end

-- What the order brings when nothing goes back. What points paid brings none.
local function points_of(order)
  if order.total == 0 then return 0 end
  local spent, sum = store.spends:get(order.order), 0
  local campaigns = set_of(order.priced.campaigns, "id")
  for _, line in ipairs(order.lines) do
    local percent = #settings.multipliers > 0 and factor(line.sku, campaigns) or WHOLE
    sum = money.add(sum, money.rate(line.payable or line.total, percent, "floor"))
  end
  sum = money.add(sum, granting.more(order.order))
  local in_money = order.total - (spent and spent.amount or 0)
  return money.ratio(sum, in_money, order.total, "floor") // settings.earn_for
end

-- As much of the points goes back as of what was to be paid for goods. Rounded up, so that parts never leave more than was earned.
local function taken_of(row)
  local order = store.of("shop").orders:get { order = row.order }
  local goods, back = order.total - order.shipping, order.refunded - order.shipping_refunded
  return goods > 0 and money.ratio(row.points, math.min(back, goods), goods, "ceiling") or 0
end

local function give(row)
  local taken = taken_of(row)
  local lot = purse.give(row.customer, row.points - taken, "earned/" .. row.order)
  store.earnings:update(row.order, { given = true, taken = taken, lot = lot or json.null })
end

---@param event { order: string, customer: string? }
function earning.paid(event)
  if not event.customer or store.earnings:get(event.order) then return end
  local points = points_of(store.of("shop").orders:get { order = event.order })
  store.earnings:insert { order = event.order, customer = event.customer, at = time.now(), points = points }
  if settings.earn_on == "paid" then give(store.earnings:get(event.order)) end
end

function earning.completed(event)
  local row = store.earnings:get(event.order)
  if row and not row.given then give(row) end
end

---@param event { order: string, refund: string }
function earning.refunded(event)
  local row = store.earnings:get(event.order)
  if not row or not row.given then return end
  purse.expire(row.customer)
  local taken = taken_of(row)
  local gone = purse.lapse(row.lot, taken - row.taken)
  purse.take_back(row.customer, taken - row.taken - gone, ("taken/%s/%s"):format(row.order, event.refund), row.lot)
  store.earnings:update(row.order, { taken = taken })
end

return earning
