-- What levels bring: prices, discounts, what others can't buy.
local t = require "feira.test"

t:shop {
  settings = {
    newcomer = "7d",
    levels = {
      { id = "one", title = "One" },
      { id = "two", title = "Two", points = 100, off = 10 },
      { id = "three", title = "Three", points = 300 },
    },
    prices = { { level = "two", sku = "POT", price = "20" }, { level = "three", sku = "POT", price = "15" } },
    betas = {
      { id = "first-flush", title = "First flush", level = "three", seats = 2 }, { id = "none", title = "None", level = "one", seats = 0 },
    },
  },
  campaigns = {
    members = [[
      local promo = require "feira.promo"
      return {
        promo.use "member-tiers" { id = "gold-days", level = "three", percent = 12.5, tag = { "teaware" }, at_least = "30" },
        promo.use "member-tiers.gate" { id = "early", level = "two", tag = { "winter" }, to = "2026-02-01 00:00" },
        promo.use "member-tiers.gate" { id = "shown", level = "three", sku = { "RARE" }, hide = true, reason = "For Three and above." },
        promo.use "member-tiers.beta" { id = "flush", beta = "first-flush", sku = { "FLUSH" } },
        promo.use "member-tiers.newcomer" { id = "hello", amount = "5", at_least = "20" },
      }
    ]],
  },
}

local function begin()
  t:product { sku = "POT", price = "30", tags = { "teaware" } }
  t:product { sku = "CUP", price = "10" }
  t:product { sku = "SCARF", price = "10", tags = { "winter" } }
  t:product { sku = "RARE", price = "99" }
  t:product { sku = "FLUSH", price = "40" }
  t:product { sku = "OLD", price = "0.01" }
end

-- Somebody with an order behind him, so that he is no newcomer.
local function member(id, points)
  t:customer { id = id }
  t:pay(t:order { lines = { OLD = 1 }, customer = id })
  if points > 0 then t:call("add_points", { customer = id, points = points, reason = "for the test" }) end
  return id
end

local function unit_price(sku, customer)
  local line = t:quote { lines = { [sku] = 1 }, customer = customer }.lines[1]
  return line.unit_price, line.compare_at
end

t:it("prices of a level and of those below it, the lowest of them", function()
  begin()
  t:expect({ unit_price("POT", nil) }, { 3000 })
  t:expect({ unit_price("POT", member("one", 0)) }, { 3000 })
  t:expect({ unit_price("POT", member("two", 100)) }, { 2000, 3000 })
  t:expect({ unit_price("POT", member("three", 300)) }, { 1500, 3000 })
  t:expect({ unit_price("CUP", "two") }, { 900, 1000 })
  t:expect({ unit_price("CUP", "three") }, { 900, 1000 }) -- three has what two has
end)

t:it("discounts from a level on, above the price of the level", function()
  begin()
  member("two", 299)
  member("three", 300)
  t:expect(t:quote { lines = { POT = 2 }, customer = "three" }, { subtotal = 3000, discount = 375 })
  t:expect(t:quote { lines = { POT = 1 }, customer = "three" }, { subtotal = 1500, discount = 0 })
  local quote = t:quote { lines = { POT = 2 }, customer = "two" }
  t:expect(quote, { subtotal = 4000, discount = 0 })
  for _, campaign in ipairs(quote.campaigns) do
    if campaign.id == "gold-days" then t:expect(campaign.reason, { needed = 3, seen = 2 }) end
  end
end)

t:it("early access, until everybody may", function()
  begin()
  member("one", 0)
  member("two", 100)
  local problem = t:refused("gate_closed", function() t:quote { lines = { SCARF = 1 }, customer = "one" } end)
  t:expect(problem, { detail = "Only for members from Two on.", field = "/lines/0" })
  t:expect(problem.gate, { id = "early", sku = "SCARF", reason = { needed = 2, seen = 1 } })
  t:refused("gate_closed", function() t:quote { lines = { SCARF = 1 } } end)
  t:expect(t:quote { lines = { SCARF = 1 }, customer = "two" }, { total = 900 })
  t:at "2026-02-01 00:00"
  t:expect(t:quote { lines = { SCARF = 1 } }, { total = 1000 })
end)

t:it("things that others see and can't buy", function()
  begin()
  member("one", 0)
  local quote = t:quote { lines = { { sku = "RARE", qty = 1 }, { sku = "CUP", qty = 1 } }, customer = "one" }
  t:expect(quote, { total = 1000, lines = { { total = 0 }, { total = 1000 } } })
  t:expect(quote.lines[1].unavailable, { gate = "shown", because = "For Three and above." })
  t:refused("gate_closed", function() t:order { lines = { RARE = 1 }, customer = "one" } end)
end)

t:it("a price lasts as long as the quote, and then goes with the level", function()
  begin()
  local customer = member("ann", 0)
  local order = t:pay(t:order { lines = { CUP = 10 }, customer = customer })
  t:expect(order.total, 10000)
  t:expect({ unit_price("CUP", customer) }, { 900, 1000 })
  t:refund(order, { lines = { { line = 1, qty = 1 } } })
  t:expect({ unit_price("CUP", customer) }, { 1000 })
end)

t:it("a quote of before is asked again when the level has changed", function()
  begin()
  local customer = member("ann", 100)
  local quote = t:quote { lines = { CUP = 1 }, customer = customer }
  t:expect(quote.total, 900)
  t:call("add_points", { customer = customer, points = -1, reason = "for the test" })
  local problem = t:refused("facts_changed", function() t:order { quote_token = quote.token } end)
  t:expect(problem.quote, { total = 1000 })
end)

t:it("something off for newcomers, once, and not for long", function()
  begin()
  t:customer { id = "new" }
  t:expect(t:quote { lines = { CUP = 1 }, customer = "new" }, { discount = 0 })
  t:expect(t:quote { lines = { CUP = 2 } }, { discount = 0 })
  t:expect(t:quote { lines = { CUP = 2 }, customer = "new" }, { discount = 500 })
  local order = t:order { lines = { CUP = 2 }, customer = "new" }
  t:expect(order.discount, 500)
  t:expect(t:quote { lines = { CUP = 2 }, customer = "new" }, { discount = 0 }) -- not paid yet, and used
  t:cancel(order)
  t:expect(t:quote { lines = { CUP = 2 }, customer = "new" }, { discount = 500 })
  t:advance "7d"
  t:expect(t:quote { lines = { CUP = 2 }, customer = "new" }, { discount = 0 })
end)

t:it("one person is welcomed once, whatever he calls himself", function()
  begin()
  t:customer { id = "new", phone = "+44 20 7946 0000" }
  t:customer { id = "newer", phone = "0044-2079460000" }
  t:customer { id = "other", phone = "+44 20 7946 0001" }
  t:expect(t:quote { lines = { CUP = 2 }, customer = "newer" }, { discount = 0 })
  t:expect(t:quote { lines = { CUP = 2 }, customer = "new" }, { discount = 500 })
  t:expect(t:quote { lines = { CUP = 2 }, customer = "other" }, { discount = 500 })
end)

t:it("an order that expires leaves a newcomer one", function()
  begin()
  t:customer { id = "new" }
  t:order { lines = { CUP = 2 }, customer = "new" }
  t:expect(t:quote { lines = { CUP = 2 }, customer = "new" }, { discount = 0 })
  t:advance "1h"
  t:expect(t:quote { lines = { CUP = 2 }, customer = "new" }, { discount = 500 })
end)

-- Seats ------------------------------------------------------------------------------------------------------------------------

local function take(customer) return t:as(customer):request("POST", "/v1/x/member-tiers/betas/first-flush/seat", {}) end

local function left() return t:get "/v1/x/member-tiers/betas".betas[1].left end

t:it("a seat is taken once, by members of the level, while there are any", function()
  begin()
  for i = 1, 3 do member("m" .. i, 300) end
  member("two", 100)
  t:refused("gate_closed", function() t:quote { lines = { FLUSH = 1 }, customer = "m1" } end)
  t:expect(left(), 2)
  t:expect((take "two"), 403)
  t:expect((take "m1"), 200)
  t:expect((take "m1"), 200)
  t:expect(left(), 1)
  t:expect((take "m2"), 200)
  t:expect((take "m3"), 409)
  t:expect(left(), 0)
  t:expect(t:quote { lines = { FLUSH = 1 }, customer = "m1" }.lines[1].unit_price, 3600)
  t:refused("gate_closed", function() t:quote { lines = { FLUSH = 1 }, customer = "m3" } end)
  local problem = t:refused("gate_closed", function() t:quote { lines = { FLUSH = 2 }, customer = "m1" } end)
  t:expect(problem.gate.reason, { code = "qty_above", limit = 1, seen = 2 })
  t:expect((t:as("m1"):request("POST", "/v1/x/member-tiers/betas/no-such/seat", {})), 404)
  t:expect((t:as("m1"):request("POST", "/v1/x/member-tiers/betas/none/seat", {})), 409)
end)

t:it("seats can be added, and withdrawn as far as nobody has them", function()
  begin()
  for i = 1, 4 do member("m" .. i, 300) end
  local function seats(n)
    t:publish { settings = {
      levels = { { id = "one", title = "One" }, { id = "three", title = "Three", points = 300 } },
      betas = { { id = "first-flush", title = "First flush", level = "three", seats = n } },
    } }
  end
  seats(2)
  t:expect((take "m1"), 200)
  t:expect((take "m2"), 200)
  seats(1)
  t:expect(left(), 0)
  t:expect((take "m3"), 409)
  seats(3)
  t:expect(left(), 1)
  t:expect((take "m3"), 200)
  t:expect((take "m4"), 409)
end)

t:it("the levels can be read by anybody", function()
  t:expect(t:guest():get "/v1/x/member-tiers/levels".levels[2], {
    id = "two", number = 2, title = "Two", points = 100, off_ppm = 100000, prices = { { sku = "POT", price = 2000 } },
  })
end)

t:it("campaigns that name no level, or nothing to give, are refused", function()
  local wrong = {
    [ [[promo.use "member-tiers" { id = "x", level = "four", percent = 5 }]] ] = 'there is no level "four"; there are one, two, three',
    [ [[promo.use "member-tiers" { id = "x", level = "two" }]] ] = "it takes nothing off",
    [ [[promo.use "member-tiers" { id = "x", level = "two", percent = 5, amount = "5" }]] ] = "leave one out",
    [ [[promo.use "member-tiers.beta" { id = "x", beta = "no" }]] ] = 'there is no beta "no"',
  }
  local levels = { { id = "one", title = "One" }, { id = "two", title = "Two" }, { id = "three", title = "Three" } }
  for text, says in pairs(wrong) do
    local campaigns = { x = 'local promo = require "feira.promo" return ' .. text }
    local fine, why = pcall(function() t:publish { settings = { levels = levels }, campaigns = campaigns } end)
    t:expect(fine, false)
    local said = type(why) == "table" and why.text or tostring(why)
    t:expect(said:find(says, 1, true) ~= nil, true, said)
  end
end)
