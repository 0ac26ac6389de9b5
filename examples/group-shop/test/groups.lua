local t = require "feira.test"

local function buy(who, sku, inputs)
  t:customer { id = who }
  return t:pay(t:order { customer = who, lines = { [sku] = 1 }, inputs = { ["group-buy"] = inputs } })
end

local function group_of(order) return t:get("/v1/x/group-buy/orders/" .. order.id) end

t:it("sells three masks at half the price", function()
  t:product { sku = "MASK-5", price = "198.00", stock = 10 }
  local first = buy("an", "MASK-5", { open = "mask-3" })
  local link = group_of(first).mine.link
  buy("bo", "MASK-5", { join = link })
  local last = buy("cai", "MASK-5", { join = link })
  t:expect(last, { total = 9900, blocks = {} })
  t:expect(group_of(first), { state = "succeeded", paid = 3 })
end)

t:it("gives both their money back when the third does not come", function()
  t:product { sku = "MASK-5", price = "198.00", stock = 10 }
  local first = buy("an", "MASK-5", { open = "mask-3" })
  local second = buy("bo", "MASK-5", { join = group_of(first).mine.link })
  t:advance "25h"
  t:expect(t:look(first), { state = "cancelled", refunded = 9900 })
  t:expect(t:look(second), { state = "cancelled", refunded = 9900 })
end)

t:it("brings somebody new for tea", function()
  t:product { sku = "TEA-100", price = "58.00", stock = 10 }
  local first = buy("an", "TEA-100", { open = "tea-friend" })
  local second = buy("bo", "TEA-100", { join = group_of(first).mine.link })
  t:expect({ first.total, second.total }, { 3900, 3900 })
end)

t:it("sends pears at the price of as many as there are", function()
  t:product { sku = "PEARS-5KG", price = "52.00", stock = 100 }
  local first = buy("c1", "PEARS-5KG", { open = "pears" })
  local link = group_of(first).mine.link
  for i = 2, 20 do buy("c" .. i, "PEARS-5KG", { join = link }) end
  t:advance "73h"
  t:expect(group_of(first), { state = "succeeded", step = 2 })
  t:expect(t:look(first), { paid = 4500, refunded = 600 })
end)
