-- Specs: what the shop promises, tried without a server and without its data. Run: feira test SHOP
local t = require "feira.test"

-- Each test has an empty shop, so what it sells is said in it.
local function mugs()
  t:product { sku = "BLUE", category = "mugs", price = "12", stock = 10 }
  t:product { sku = "RED", category = "mugs", price = "14", stock = 10 }
  t:product { sku = "TEA", category = "tea", price = "6" }
end

t:describe("three for two", function()
  t:it("gives the cheapest of three mugs", function()
    mugs()
    local quote = t:quote { lines = { BLUE = 1, RED = 2 } }
    t:expect(quote.discount, quote.lines[1].unit_price)
  end)

  t:it("leaves two mugs and a tea alone", function()
    mugs()
    t:expect(t:quote { lines = { BLUE = 2, TEA = 1 } }, { discount = 0 })
  end)
end)

t:it("goods that nobody pays for come back", function()
  mugs()
  local order = t:order { lines = { BLUE = 4 } }
  t:expect(t:stock "BLUE", 6)
  t:advance "31m" -- pay_within of shop.lua is 30 minutes
  t:expect(t:look(order).state, "expired")
  t:expect(t:stock "BLUE", 10)
end)

t:it("a paid order can be taken back", function()
  mugs()
  local order = t:pay(t:order { lines = { RED = 1 } })
  t:expect(order.state, "paid")
  t:expect(t:refund(order).refunded, order.total)
end)
