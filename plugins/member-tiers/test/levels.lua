-- Levels: what they ask for, keeping them, losing them, and coming back.
local t = require "feira.test"

t:shop {
  settings = {
    period = "100d", grace = "10d",
    levels = {
      { id = "one", title = "One" },
      { id = "two", title = "Two", points = 100, keep = 50 },
      { id = "three", title = "Three", points = 300, orders = 2, keep = 200 },
    },
  },
}

local function me(customer) return t:get("/v1/x/member-tiers/members/" .. (customer or "ann")) end

local function begin()
  t:product { sku = "POUND", price = "1", stock = 100000 }
  return t:customer { id = "ann" }
end

local function buy(pounds) return t:pay(t:order { lines = { POUND = pounds }, customer = "ann" }) end

t:it("ask for points and for orders", function()
  begin()
  buy(500)
  t:expect(me(), { points = 500, orders = 1, level = { id = "two" } })
  buy(1)
  t:expect(me(), { points = 501, orders = 2, level = { id = "three" } })
end)

t:it("are kept by the points of a period, which begins when they are reached", function()
  begin()
  buy(100)
  t:expect(me(), { level = { id = "two" }, period = { points = 0, needed = 50, grace = false } })
  t:advance "99d"
  buy(50)
  t:advance "2d"
  local now = me()
  t:expect(now, { level = { id = "two" }, period = { points = 0, needed = 50, grace = false } })
  t:expect(now.changes[1], { from = "two", to = "two", reason = "kept" })
end)

t:it("are lost after the grace, one at a time, and not before", function()
  begin()
  buy(150)
  buy(150)
  t:expect(me(), { level = { id = "three" } })
  t:advance "100d"
  t:expect(me(), { level = { id = "three" }, period = { grace = true, needed = 200, points = 0 } })
  t:advance "9d"
  t:expect(me(), { level = { id = "three" } })
  t:advance "1d"
  local now = me()
  t:expect(now, { level = { id = "two" }, points = 300, period = { grace = false, needed = 50 } })
  t:expect(now.changes[1], { from = "three", to = "two", reason = "not_kept" })
  t:advance "110d"
  t:expect(me(), { level = { id = "one" }, points = 300 })
  t:advance "1000d"
  t:expect(me(), { level = { id = "one" }, points = 300 })
end)

t:it("are saved by what is bought within the grace", function()
  begin()
  buy(100)
  t:advance "105d"
  buy(49)
  t:expect(me(), { level = { id = "two" }, period = { grace = true, points = 49 } })
  buy(1)
  t:expect(me(), { level = { id = "two" }, period = { grace = false, points = 0 } })
  t:advance "50d"
  t:expect(me(), { level = { id = "two" } })
end)

t:it("come back with the points that keeping them takes", function()
  begin()
  buy(100)
  t:advance "110d"
  t:expect(me(), { level = { id = "one" }, points = 100 })
  buy(49)
  t:expect(me(), { level = { id = "one" }, points = 149 })
  buy(1)
  t:expect(me(), { level = { id = "two" }, points = 150 })
end)

t:it("are lost at once when the points they were reached by go back", function()
  begin()
  local order = buy(100)
  t:refund(order, { lines = { { line = 1, qty = 1 } } })
  local now = me()
  t:expect(now, { level = { id = "one" }, points = 99 })
  t:expect(now.changes[1], { from = "two", to = "one", reason = "refunded", order = order.id })
end)

t:it("are not kept by points that went back, and a refund of long ago takes none of this period", function()
  begin()
  local old = buy(200)
  t:advance "10d"
  local new = buy(60)
  t:expect(me(), { period = { points = 60 } })
  t:refund(old, { lines = { { line = 1, qty = 100 } } })
  t:expect(me(), { points = 160, period = { points = 60 }, level = { id = "two" } })
  t:refund(new, { lines = { { line = 1, qty = 20 } } })
  t:expect(me(), { points = 140, period = { points = 40 } })
  t:advance "95d"
  t:expect(me(), { level = { id = "two" }, period = { grace = true } })
  t:advance "10d"
  t:expect(me(), { level = { id = "one" } })
end)

t:it("without grace end with the period", function()
  t:shop { settings = {
    period = "100d", levels = { { id = "one", title = "One" }, { id = "two", title = "Two", points = 100, keep = 50 } },
  } }
  begin()
  buy(100)
  t:advance "100d"
  t:expect(me(), { level = { id = "one" } })
end)

t:it("can ask for a certificate, which the shop grants and takes away", function()
  t:shop { settings = { levels = {
    { id = "one", title = "One" },
    { id = "expert", title = "Expert", points = 50, certificate = "taster" },
    { id = "insider", title = "Insider", points = 200 },
  } } }
  begin()
  buy(250)
  t:expect(me(), { level = { id = "one" }, next_level = { id = "expert", certificate = "taster" } })
  t:post("/v1/x/member-tiers/members/ann/certificates", { certificate = "taster", reason = "Passed the tasting" })
  local now = me()
  -- The conditions of the level above are met by then, too.
  t:expect(now, { level = { id = "insider" }, certificates = { "taster" } })
  t:expect(now.changes[1], { from = "one", to = "insider", reason = "certified", note = "Passed the tasting" })
  local withdrawn = t:call("certify", { customer = "ann", certificate = "taster", granted = false, reason = "It was somebody else" })
  t:expect(withdrawn, { level = "one" })
  t:expect(me(), { level = { id = "one" }, certificates = {} })
  t:call("certify", { customer = "ann", certificate = "taster" })
  t:expect(me(), { level = { id = "insider" } })
end)

t:it("stay when the shop asks for more: who buys something does not fall", function()
  begin()
  buy(100)
  t:publish { settings = { levels = { { id = "one", title = "One" }, { id = "two", title = "Two", points = 1000 } } } }
  t:expect(me(), { level = { id = "two" } })
  buy(1)
  t:expect(me(), { level = { id = "two" } })
end)

t:it("that come to be kept are, from the end of the running period", function()
  local levels = { { id = "one", title = "One" }, { id = "two", title = "Two", points = 100 } }
  t:shop { settings = { period = "100d", levels = levels } }
  begin()
  buy(100)
  t:advance "250d"
  t:expect(me(), { level = { id = "two" } })
  levels[2].keep = 10
  t:publish { settings = { period = "100d", levels = levels } }
  t:expect(me(), { level = { id = "two" }, period = { points = 0, needed = 10 } })
  t:advance "49d"
  t:expect(me(), { level = { id = "two" } })
  t:advance "1d"
  t:expect(me(), { level = { id = "one" } })
end)

t:it("are found by their name when one is put between", function()
  begin()
  buy(100)
  t:publish { settings = { levels = {
    { id = "one", title = "One" }, { id = "new", title = "New", points = 50 }, { id = "two", title = "Two", points = 100 },
  } } }
  t:expect(me(), { level = { id = "two" }, level_number = 3 })
end)

t:it("that are gone count by their conditions", function()
  begin()
  buy(100)
  t:publish { settings = { levels = { { id = "one", title = "One" }, { id = "many", title = "Many", points = 100 } } } }
  t:expect(me(), { level = { id = "many" } })
end)

t:it("begin above the first when that asks for nothing more", function()
  t:shop { settings = { levels = { { id = "one", title = "One", points = 10 }, { id = "two", title = "Two", points = 20 } } } }
  begin()
  t:expect(me(), { level_number = 0, next_level = { id = "one" } })
  buy(10)
  t:expect(me(), { level_number = 1, level = { id = "one" } })
end)

t:it("that make no sense are refused before they are live", function()
  local wrong = {
    { { { id = "a", title = "A" }, { id = "a", title = "A" } }, 'two levels "a"' },
    { { { id = "a", title = "A", points = 5 }, { id = "b", title = "B" } }, "put the lowest level first" },
    { { { id = "a b", title = "A" } }, "a character that ids can't have" },
  }
  for _, case in ipairs(wrong) do
    local fine, why = pcall(function() t:publish { settings = { levels = case[1] } } end)
    t:expect(fine, false)
    local text = type(why) == "table" and why.text or tostring(why)
    t:expect(text:find(case[2], 1, true) ~= nil, true, text)
  end
end)
