-- Points: one for each pound of goods that is paid, and back again with the money.
local t = require "feira.test"

t:shop {
  shipping = { { id = "post", title = "By post", rates = { { price = "4.99" } } } },
  settings = { levels = {
    { id = "one", title = "One" }, { id = "two", title = "Two", points = 100 }, { id = "three", title = "Three", points = 300 },
  } },
}

local function me(customer) return t:get("/v1/x/member-tiers/members/" .. customer) end

local function ann()
  t:product { sku = "MUG", price = "33.33" }
  t:product { sku = "POT", price = "10.01" }
  return t:customer { id = "ann" }
end

t:it("come with a paid order, for whole pounds of goods, shipping left out", function()
  local customer = ann()
  t:expect(me(customer), { points = 0, level_number = 1, orders = 0 })
  local order = t:order { lines = { MUG = 2 }, customer = customer, shipping = { option = "post" } }
  t:expect(me(customer), { points = 0, orders = 0 })
  t:pay(order)
  t:expect(me(customer), { points = 66, orders = 1, level = { id = "one" }, next_level = { id = "two", points = 100 } })
  t:expect(me(customer).movements, { { points = 66, reason = "paid", order = order.id } })
end)

t:it("are not given to guests, and an order that costs nothing gives none", function()
  t:product { sku = "FREE", price = "0" }
  t:product { sku = "MUG", price = "50" }
  t:customer { id = "ann" }
  t:pay(t:order { lines = { MUG = 1 } })
  t:order { lines = { FREE = 1 }, customer = "ann" }
  t:expect(me "ann", { points = 0, orders = 0, movements = {} })
end)

t:it("lead up the levels, and each change says why", function()
  local customer = ann()
  local first = t:pay(t:order { lines = { MUG = 3, POT = 1 }, customer = customer })
  t:expect(me(customer), { points = 110, level = { id = "two" } })
  local second = t:pay(t:order { lines = { MUG = 6 }, customer = customer })
  local now = me(customer)
  t:expect(now, { points = 309, level = { id = "three" }, level_number = 3 })
  t:expect(now.changes, {
    { from = "two", to = "three", reason = "paid", order = second.id },
    { from = "one", to = "two", reason = "paid", order = first.id },
    { to = "one", reason = "joined" },
  })
end)

-- 3 mugs and 1 pot make 110.00, so 110 points. Whatever goes back first, the parts are 110 in the end, and never more on the way.
local function refund_in_order(steps)
  local customer = ann()
  local order = t:pay(t:order { lines = { { sku = "MUG", qty = 3 }, { sku = "POT", qty = 1 } }, customer = customer })
  t:expect(me(customer), { points = 110, level = { id = "two" } })
  local refunded = 0
  for _, step in ipairs(steps) do
    t:refund(order, { lines = { step } })
    refunded = t:look(order).refunded
    local taken = 110 - me(customer).points
    -- Half a point is rounded away from zero; by no more than that may the points be ahead of the money.
    if taken < 0 or taken > 110 or math.abs(taken * 11000 - refunded * 110) * 2 > 11000 then
      t:expect(taken, refunded * 110 / 11000, "points taken back")
    end
  end
  t:expect(refunded, 11000)
  t:expect(me(customer), { points = 0, orders = 0, level = { id = "one" } })
  t:expect(me(customer).changes[1], { from = "two", to = "one", reason = "refunded" })
end

local mug, pot = { line = 1, qty = 1 }, { line = 2, qty = 1 }
for _, steps in ipairs { { mug, mug, mug, pot }, { pot, mug, mug, mug }, { mug, pot, mug, mug }, { { line = 1, qty = 2 }, pot, mug } } do
  t:it("go back with the money, exactly, in any order", function() refund_in_order(steps) end)
end

t:it("go back once when shipping is refunded apart, and when a paid order is cancelled", function()
  local customer = ann()
  local order = t:pay(t:order { lines = { MUG = 3 }, customer = customer, shipping = { option = "post" } })
  t:refund(order, { shipping = true })
  t:expect(me(customer), { points = 99, orders = 1 })
  t:cancel(order)
  t:expect(me(customer), { points = 0, orders = 0 })
end)

t:it("go back as they were given, though they were given at another rate", function()
  local customer = ann()
  local order = t:pay(t:order { lines = { MUG = 3 }, customer = customer })
  t:publish { settings = { point = "10" } }
  t:expect(me(customer), { points = 99 })
  t:refund(order, { lines = { { line = 1, qty = 1 } } })
  t:expect(me(customer), { points = 66 })
  t:pay(t:order { lines = { POT = 1 }, customer = customer })
  t:expect(me(customer), { points = 67 })
end)

t:it("can wait until goods can't come back any more", function()
  t:shop { settings = { after = "7d", levels = { { id = "one", title = "One" }, { id = "two", title = "Two", points = 60 } } } }
  local customer = ann()
  local order = t:pay(t:order { lines = { MUG = 3 }, customer = customer })
  local cancelled = t:pay(t:order { lines = { MUG = 1 }, customer = customer })
  local whole = t:pay(t:order { lines = { MUG = 1 }, customer = customer })
  t:expect(me(customer), { points = 0, waiting = 165, orders = 0, movements = {} })
  t:refund(order, { lines = { { line = 1, qty = 1 } } })
  t:cancel(cancelled)
  t:refund(whole)
  t:expect(me(customer), { points = 0, waiting = 66, orders = 0 })
  t:advance "6d"
  t:expect(me(customer), { points = 0, waiting = 66 })
  t:advance "1d"
  t:expect(me(customer), { points = 66, waiting = 0, orders = 1, level = { id = "two" }, movements = { { points = 66, reason = "paid" } } })
  t:refund(order, { lines = { { line = 1, qty = 2 } } })
  t:expect(me(customer), { points = 0, waiting = 0, orders = 0, level = { id = "one" } })
end)

t:it("may be owed: what was taken by hand is not given back by a refund", function()
  local customer = ann()
  local order = t:pay(t:order { lines = { MUG = 3 }, customer = customer })
  t:post("/v1/x/member-tiers/members/ann/points", { points = -60, reason = "a mistake" })
  t:refund(order)
  t:expect(me(customer), { points = -60 })
end)

t:it("can be given by hand with a reason, and not taken below zero", function()
  local customer = ann()
  t:post("/v1/x/member-tiers/members/ann/points", { points = 300, reason = "Winner of the photo contest" })
  local now = me(customer)
  t:expect(now, { points = 300, level = { id = "three" } })
  t:expect(now.changes[1], { reason = "by_hand", note = "Winner of the photo contest", from = "one", to = "three" })
  t:refused("not_enough_points", function() t:post("/v1/x/member-tiers/members/ann/points", { points = -301, reason = "Too much" }) end)
  t:post("/v1/x/member-tiers/members/ann/points", { points = -1, reason = "One too many" })
  t:expect(me(customer), { points = 299, level = { id = "two" } })
  t:refused("not_found", function() t:post("/v1/x/member-tiers/members/nobody/points", { points = 1, reason = "Who?" }) end)
end)

t:it("can be given by other plugins", function()
  ann()
  t:expect(t:call("add_points", { customer = "ann", points = 100, reason = "A good review" }), { points = 100, level = "two" })
end)

t:it("are shown to their customer, to the shop, and to nobody else", function()
  ann()
  t:customer { id = "bob" }
  t:expect(t:as "ann":get "/v1/x/member-tiers/me", { customer = "ann", points = 0 })
  t:expect((t:as("bob"):request("GET", "/v1/x/member-tiers/members/ann")), 403)
  t:expect((t:guest():request("GET", "/v1/x/member-tiers/me")), 403)
  t:expect((t:as("ann"):request("POST", "/v1/x/member-tiers/members/ann/points", { points = 1, reason = "me" })), 403)
  t:expect((t:request("GET", "/v1/x/member-tiers/members/nobody")), 404)
end)
