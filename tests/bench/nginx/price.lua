-- luacheck: globals ngx
-- Prices the cart of the bench inside nginx (LuaJIT, cjson): the same twenty goods, the same ten campaigns and the same rounding
-- as tests/bench/shop, written the way one would for speed: a catalogue and rules prepared once, integers in minor units, plain loops.
local cjson = require "cjson.safe"
local floor, min = math.floor, math.min

local catalogue = {}
do
  local cats = { "tea", "mugs", "books", "gifts" }
  for i = 0, 19 do
    local tags = { ["in-season"] = true }
    if i % 3 == 0 then
      tags.spring = true
    end
    local sku = ("B-%02d"):format(i + 1)
    local title = "Article number " .. (i + 1) .. " of the bench"
    catalogue[sku] = { sku = sku, title = title, category = cats[i % 4 + 1], tags = tags, price = 990 + 137 * i }
  end
end

-- Half away from zero; every amount here is far below 2^53, so doubles are exact.
local function share(amount, ppm)
  return floor((amount * ppm + 500000) / 1000000)
end

local function take(line, id, amount, units)
  if amount > 0 then
    line.remaining = line.remaining - amount
    line.discounts[#line.discounts + 1] = { campaign = id, amount = amount, units = units }
  end
  return amount
end

-- Largest remainder, ties to the earlier line.
local function allocate(total, weights, n)
  local sum = 0
  for i = 1, n do
    sum = sum + weights[i]
  end
  local out, rests, left = {}, {}, total
  for i = 1, n do
    local scaled = total * weights[i]
    out[i] = floor(scaled / sum)
    rests[i] = scaled - out[i] * sum
    left = left - out[i]
  end
  while left > 0 do
    local best = 1
    for i = 2, n do
      if rests[i] > rests[best] then
        best = i
      end
    end
    rests[best] = -1
    out[best] = out[best] + 1
    left = left - 1
  end
  return out
end

local function percent_off(id, set, ppm, cap)
  local shares, sum, n = {}, 0, #set
  for i = 1, n do
    shares[i] = share(set[i].remaining, ppm)
    sum = sum + shares[i]
  end
  if cap and sum > cap then
    shares, sum = allocate(cap, shares, n), cap
  end
  for i = 1, n do
    take(set[i], id, shares[i])
  end
  return sum
end

local function costs(set)
  local sum = 0
  for i = 1, #set do
    sum = sum + set[i].remaining
  end
  return sum
end

local function amount_off(id, set, amount)
  amount = min(amount, costs(set))
  if amount <= 0 then
    return 0
  end
  local weights = {}
  for i = 1, #set do
    weights[i] = set[i].remaining
  end
  local shares = allocate(amount, weights, #set)
  for i = 1, #set do
    take(set[i], id, shares[i])
  end
  return amount
end

local function buy_get(id, set, buy, get)
  local units, order = 0, {}
  for i = 1, #set do
    units = units + set[i].qty
    order[i] = { line = set[i], at = i, each = set[i].remaining / set[i].qty }
  end
  local due, sum = floor(units / (buy + get)) * get, 0
  table.sort(order, function(a, b)
    if a.each ~= b.each then
      return a.each < b.each
    end
    return a.at < b.at
  end)
  for i = 1, #order do
    if due == 0 then
      break
    end
    local line = order[i].line
    local n = min(line.qty, due)
    due = due - n
    sum = sum + take(line, id, floor((line.remaining * n * 2 + line.qty) / (line.qty * 2)), n)
  end
  return sum
end

local function in_category(name)
  return function(line)
    return line.product.category == name
  end
end
local function tagged(name)
  return function(line)
    return line.product.tags[name]
  end
end
local favourites = { ["B-03"] = true, ["B-07"] = true }

local campaigns = {
  { id = "mugs-3-for-2", title = "Mugs: three for two", scope = in_category "mugs", give = function(c, set)
    return buy_get(c.id, set, 2, 1)
  end },
  { id = "tea-20", title = "Tea: 20% off, at most 15 pounds", scope = in_category "tea", give = function(c, set)
    return percent_off(c.id, set, 200000, 1500)
  end },
  { id = "spring", title = "Spring: 10% off", scope = tagged "spring", give = function(c, set)
    return percent_off(c.id, set, 100000)
  end },
  { id = "collector", title = "Two favourites: an eighth off", scope = function(line)
    return favourites[line.sku]
  end, give = function(c, set)
    return percent_off(c.id, set, 125000)
  end },
  { id = "toys", title = "Toys: 30% off", scope = in_category "toys", give = function(c, set)
    return percent_off(c.id, set, 300000)
  end },
  { id = "bulk", title = "Forty pieces: 3% off all", when = function(_, cart)
    return cart.qty >= 40
  end, give = function(c, set)
    return percent_off(c.id, set, 30000)
  end },
  { id = "every-100", title = "5 pounds off each 100", give = function(c, set)
    return amount_off(c.id, set, min(floor(costs(set) / 10000) * 500, 2500))
  end },
  { id = "code", title = "Code: 8 pounds off", when = function(_, cart)
    return cart.codes.BENCH
  end, give = function(c, set)
    return amount_off(c.id, set, 800)
  end },
  { id = "large", title = "20 pounds off from 5,000", when = function(set)
    return costs(set) >= 500000
  end, give = function(c, set)
    return amount_off(c.id, set, 2000)
  end },
  { id = "free-delivery", title = "Free delivery from 50 pounds", when = function(set)
    return costs(set) >= 5000
  end, give = function(c, _, cart)
    local amount = cart.shipping.amount
    cart.shipping.discounts[1] = { campaign = c.id, amount = amount }
    cart.shipping.total = 0
    return amount
  end },
}

local function refuse(status, field)
  ngx.status = status
  ngx.header.content_type = "application/problem+json"
  ngx.print(cjson.encode { type = "/problems/invalid", status = status, field = field })
end

local function price()
  ngx.req.read_body()
  local body = cjson.decode(ngx.req.get_body_data() or "")
  if type(body) ~= "table" or type(body.lines) ~= "table" then
    return refuse(400)
  end
  local lines, subtotal, qty = {}, 0, 0
  for i, asked in ipairs(body.lines) do
    local product = catalogue[asked.sku]
    local n = asked.qty
    if not product then
      return refuse(422, "/lines/" .. (i - 1) .. "/sku")
    end
    if type(n) ~= "number" or n < 1 or n > 1000000 or n ~= floor(n) then
      return refuse(422, "/lines/" .. (i - 1) .. "/qty")
    end
    local amount = product.price * n
    lines[i] = { sku = product.sku, product = product, qty = n, subtotal = amount, remaining = amount, discounts = {} }
    subtotal = subtotal + amount
    qty = qty + n
  end
  local codes = {}
  for _, code in ipairs(body.codes or {}) do
    codes[code:upper()] = true
  end
  local cart = { qty = qty, codes = codes, shipping = { option = "standard", amount = 495, discounts = {}, total = 495 } }

  local applied = {}
  for _, c in ipairs(campaigns) do
    local set = lines
    if c.scope then
      set = {}
      for i = 1, #lines do
        if c.scope(lines[i]) then
          set[#set + 1] = lines[i]
        end
      end
    end
    if #set > 0 and (not c.when or c.when(set, cart)) then
      local amount = c.give(c, set, cart)
      if amount > 0 then
        applied[#applied + 1] = { id = c.id, title = c.title, applied = true, amount = amount }
      end
    end
  end

  local out, due = {}, 0
  for i = 1, #lines do
    local l = lines[i]
    due = due + l.remaining
    out[i] = {
      sku = l.sku, title = l.product.title, qty = l.qty, unit_price = l.product.price, subtotal = l.subtotal,
      discounts = l.discounts, total = l.remaining,
    }
  end
  ngx.header.content_type = "application/json"
  ngx.print(cjson.encode {
    currency = "GBP", lines = out, subtotal = subtotal, discount = subtotal - due, shipping = cart.shipping,
    total = due + cart.shipping.total, campaigns = applied,
  })
end

return { price = price }
