-- Of all prices that hold for a line, the lowest is taken; never one above the price it has, never one below the floor.
local money = require "feira.money"

local rules = {}

local WHOLE = 1000000 -- parts per million

local function scheduled(line, cart, settings, best)
  for _, entry in ipairs(settings.schedule) do
    if entry.sku == line.sku and cart.now >= entry.from and cart.now < entry.to then best = math.min(best, entry.price) end
  end
  return best
end

local function of_group(line, cart, settings, best)
  for _, entry in ipairs(settings.groups) do
    if (not entry.sku or entry.sku == line.sku) and cart:has_customer_tag(entry.tag) then
      if entry.price and entry.sku then best = math.min(best, entry.price) end
      if entry.off then best = math.min(best, line.list_price - money.ratio(line.list_price, entry.off, WHOLE)) end
    end
  end
  return best
end

local function by_quantity(line, settings, best)
  local reached = 0
  local price
  for _, step in ipairs(settings.steps) do
    if step.sku == line.sku and line.qty >= step.from and step.from > reached then reached, price = step.from, step.price end
  end
  return price and math.min(best, price) or best
end

function rules.unit_price(line, cart, settings)
  local before = line.unit_price
  local best = by_quantity(line, settings, of_group(line, cart, settings, scheduled(line, cart, settings, before)))
  local floor = money.ratio(line.list_price, settings.floor, WHOLE)
  best = math.max(best, floor)
  if best < before then return best end
end

return rules
