-- Prices by quantity, by group and by date, and the floor below them all.
local t = require "feira.test"

t:shop {
  settings = {
    steps = {
      { sku = "TEA", from = 50, price = "2.00" }, { sku = "TEA", from = 10, price = "9.00" }, -- the order they stand in does not matter
      { sku = "CUP", from = 5, price = "7.99" },
    },
    groups = { { tag = "wholesale", off = 15 }, { tag = "staff", sku = "MUG", price = "4.00" }, { tag = "friend", sku = "CUP", off = 33 } },
    schedule = { { sku = "POT", price = "25.00", from = "2026-03-01 00:00", to = "2026-03-08 00:00" } },
    floor = 60,
  },
  campaigns = {
    sale = [[
      local promo = require "feira.promo"
      return promo.campaign { id = "sale", scope = promo.tag "sale", give = promo.percent_off { percent = 50 } }
    ]],
  },
}

local function begin()
  t:product { sku = "TEA", price = "10.00", stock = 1000 }
  t:product { sku = "MUG", price = "6.00" }
  t:product { sku = "POT", price = "30.00" }
  t:product { sku = "CUP", price = "8.00", tags = { "sale" } }
  for _, tag in ipairs { "wholesale", "staff", "friend" } do t:customer { id = tag, tags = { tag } } end
end

local function line(sku, qty, customer)
  local found = t:quote { lines = { [sku] = qty }, customer = customer }.lines[1]
  return { found.unit_price, found.compare_at, found.subtotal }
end

t:it("from a quantity on, in one line, the largest step that is reached", function()
  begin()
  t:expect(line("TEA", 9), { 1000, nil, 9000 })
  t:expect(line("TEA", 10), { 900, 1000, 9000 })
  t:expect(line("TEA", 49), { 900, 1000, 44100 })
  t:expect(line("CUP", 5), { 799, 800, 3995 })
  -- Two lines of one product are two quantities.
  local two = t:quote { lines = { { sku = "TEA", qty = 6 }, { sku = "TEA", qty = 6 } } }
  t:expect(two, { subtotal = 12000 })
end)

t:it("never below the floor, a part of the list price", function()
  begin()
  t:expect(line("TEA", 50), { 600, 1000, 30000 })
end)

t:it("for a group, all products or one, by price or percentage", function()
  begin()
  t:expect(line("TEA", 1, "wholesale"), { 850, 1000, 850 })
  t:expect(line("MUG", 3, "wholesale"), { 510, 600, 1530 })
  t:expect(line("MUG", 1, "staff"), { 400, 600, 400 })
  t:expect(line("TEA", 1, "staff"), { 1000, nil, 1000 })
  t:expect(line("CUP", 1, "friend"), { 536, 800, 536 })
  t:expect(line("TEA", 1, "friend"), { 1000, nil, 1000 })
end)

t:it("of all that hold, the lowest", function()
  begin()
  t:expect(line("TEA", 10, "wholesale"), { 850, 1000, 8500 })
  t:expect(line("CUP", 5, "friend"), { 536, 800, 2680 })
end)

t:it("for a time, in the shop's zone, from and not to", function()
  begin()
  t:expect(line("POT", 1), { 3000, nil, 3000 })
  t:at "2026-03-01 00:00"
  t:expect(line("POT", 1), { 2500, 3000, 2500 })
  t:at "2026-03-08 00:00"
  t:expect(line("POT", 1), { 3000, nil, 3000 })
end)

t:it("campaigns come after, and are not bound by the floor", function()
  begin()
  t:expect(t:quote { lines = { CUP = 5 } }, { subtotal = 3995, discount = 1998, total = 1997 })
end)

t:it("a price that the caller gives is left alone, and one shown is the one paid", function()
  begin()
  t:expect(t:quote { lines = { { sku = "TEA", qty = 20, unit_price = 950 } } }, { total = 19000 })
  local order = t:order { lines = { TEA = 10 } }
  t:expect(order, { total = 9000, lines = { { unit_price = 900, compare_at = 1000 } } })
end)

t:it("a product without a price of its own keeps that of the catalogue", function()
  t:product { sku = "TEA", price = "1.50" }
  t:expect(line("TEA", 10), { 150, nil, 1500 }) -- the step would be dearer
end)
