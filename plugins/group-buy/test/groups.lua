local t = require "feira.test"

local function campaign(more)
  return ([[local promo = require "feira.promo"
return promo.use "group-buy" {
  id = "mask-3", title = "三人团五折", sku = "MASK-5", size = 3, percent = 50, open_for = "24h",
  per_customer = { open_groups = 1 }, limits = { units = 3000 }, on_late_payment = "new_group", %s
}]]):format(more or "")
end

t:shop { currency = "CNY", test_payments = true, pay_within = "1h", campaigns = { mask = campaign() } }

local function setup(...)
  t:product { sku = "MASK-5", price = "198.00", stock = 100 }
  for _, name in ipairs { ... } do t:customer { id = name } end
end

local function order(who, inputs, more)
  local body = { customer = who, lines = { ["MASK-5"] = 1 }, inputs = { ["group-buy"] = inputs } }
  for name, value in pairs(more or {}) do body[name] = value end
  return t:order(body)
end

local function group_of(o) return t:get("/v1/x/group-buy/orders/" .. (o.id or o)) end

local function open(who)
  local o = t:pay(order(who, { open = "mask-3" }))
  return o, group_of(o).mine.link
end

t:describe("a group of three", function()
  t:it("pays half each, is blocked until it is full, and then goes out", function()
    setup("ann", "bob", "cat")
    local a = order("ann", { open = "mask-3" })
    t:expect(a, { total = 9900, state = "placed" })
    t:expect(group_of(a), { state = "forming", paid = 0, held = 1, left = 2, size = 3 })
    a = t:pay(a)
    t:expect(a.blocks[1], { plugin = "group-buy", name = "group" })
    local g = group_of(a)
    t:expect(g, { state = "open", paid = 1, held = 0, left = 2 })
    t:refused("order_blocked", function() t:fulfil(a) end)
    local b = t:pay(order("bob", { join = g.mine.link }))
    local c = order("cat", { join = g.mine.link })
    t:expect(group_of(c), { state = "open", paid = 2, held = 1, left = 0 })
    c = t:pay(c)
    t:expect(group_of(c), { state = "succeeded", paid = 3, left = 0 })
    for _, o in ipairs { a, b, c } do
      t:expect(t:look(o), { state = "paid", paid = 9900, refunded = 0, blocks = {} })
      t:fulfil(o)
    end
    t:advance "48h"
    t:expect(group_of(a), { state = "succeeded" })
    t:expect(t:get "/v1/x/group-buy/campaigns/mask-3/report", { groups = 1, succeeded = 1, failed = 0, running = 0, units_left = 2997 })
  end)

  t:it("gives everybody's money back, once, when it is not full in time", function()
    setup("ann", "bob", "cat")
    local a, link = open "ann"
    local b = t:pay(order("bob", { join = link }))
    t:advance "23h"
    local c = order("cat", { join = link })
    t:advance "59m"
    t:expect(group_of(a), { state = "open", paid = 2 })
    t:advance "2m"
    t:expect(group_of(a), { state = "failed", paid = 2 })
    t:expect(t:look(a), { state = "cancelled", paid = 9900, refunded = 9900, blocks = {} })
    t:expect(t:look(b), { state = "cancelled", refunded = 9900 })
    t:expect(#t:look(b).refunds, 1)
    t:expect(t:look(c).state, "cancelled")
    t:refused("order_cancelled", function() t:pay(c) end)
    t:expect(t:stock "MASK-5", 100)
    t:advance "48h"
    t:expect(t:look(a), { refunded = 9900 })
    t:expect(t:get "/v1/x/group-buy/campaigns/mask-3/report", { groups = 1, failed = 1, running = 0, units_left = 3000, units_held = 0 })
  end)

  t:it("has three seats, and a fourth order gets none", function()
    setup("ann", "bob", "cat", "dan")
    local _, link = open "ann"
    local b = order("bob", { join = link })
    order("cat", { join = link })
    t:refused("group_full", function() order("dan", { join = link }) end)
    t:cancel(b)
    t:expect(group_of(order("dan", { join = link })), { held = 2, left = 0 })
  end)

  t:it("frees a seat that is not paid in time, and gives it again when the money comes and it is free", function()
    setup("ann", "bob", "cat")
    local _, link = open "ann"
    local b = order("bob", { join = link })
    t:advance "16m"
    t:expect(group_of(b), { held = 0, left = 2 })
    t:pay(order("cat", { join = link }))
    t:expect(group_of(b), { paid = 2 })
    t:pay(b)
    t:expect(group_of(b), { state = "succeeded", paid = 3 })
  end)

  t:it("lets who pays too late for a full group lead one of his own", function()
    setup("ann", "bob", "cat", "dan", "eve")
    local a, link = open "ann"
    local b = order("bob", { join = link })
    t:advance "16m"
    t:pay(order("cat", { join = link }))
    t:pay(order("dan", { join = link }))
    t:expect(group_of(a), { state = "succeeded" })
    b = t:pay(b) -- the group has gone on without him
    t:expect(b, { state = "paid", refunded = 0 })
    t:expect(group_of(b), { state = "open", paid = 1, left = 2 })
    t:expect(group_of(a), { state = "succeeded", paid = 3 })
    t:as("bob"):post("/v1/x/group-buy/orders/" .. b.id .. "/leave")

    t:publish { currency = "CNY", test_payments = true, campaigns = { mask = campaign "seat_for = \"1m\"," } }
    a, link = open "eve"
    b = order("bob", { join = link })
    t:advance "2m"
    local c, d = order("cat", { join = link }), order("dan", { join = link })
    t:expect(group_of(a), { held = 2, left = 0 })
    b = t:pay(b)
    t:expect(b, { state = "paid", refunded = 0 })
    local own = group_of(b)
    t:expect(own, { state = "open", paid = 1, left = 2 })
    t:expect(own.mine, { leads = true })
    t:pay(c)
    t:pay(d)
    t:expect(group_of(a), { state = "succeeded", paid = 3 })
    t:expect(group_of(b), { state = "open", paid = 1 })
    t:advance "25h"
    t:expect(t:look(b), { state = "cancelled", refunded = 9900 })
  end)

  t:it("gives his money back where the merchant wants that", function()
    t:shop { currency = "CNY", test_payments = true, campaigns = { mask = campaign "seat_for = \"1m\"," :gsub("new_group", "refund") } }
    setup("ann", "bob", "cat", "dan")
    local _, link = open "ann"
    local b = order("bob", { join = link })
    t:advance "2m"
    order("cat", { join = link })
    order("dan", { join = link })
    b = t:pay(b)
    t:expect(b, { state = "cancelled", paid = 9900, refunded = 9900 })
    t:advance "25h" -- the others do not pay either: who was turned away has nothing to do with that
    t:expect(t:look(b), { state = "cancelled", refunded = 9900 })
  end)
end)

t:describe("members", function()
  t:it("lead one open group, and are in it once", function()
    setup("ann", "bob")
    local _, link = open "ann"
    t:refused("too_many_groups", function() order("ann", { open = "mask-3" }) end)
    t:refused("already_in_group", function() order("ann", { join = link }) end)
    t:refused("group_alone", function()
      t:product { sku = "TEA", price = "10.00" }
      t:order { customer = "bob", lines = { ["MASK-5"] = 1, TEA = 1 }, inputs = { ["group-buy"] = { join = link } } }
    end)
    t:refused("group_units", function()
      t:order { customer = "bob", lines = { ["MASK-5"] = 2 }, inputs = { ["group-buy"] = { join = link } } }
    end)
  end)

  t:it("can't make up a link, a group or a price", function()
    setup("ann", "bob")
    local _, link = open "ann"
    local forged = link:gsub("p500000", "p990000")
    t:expect(t:quote { customer = "bob", lines = { ["MASK-5"] = 1 }, inputs = { ["group-buy"] = { join = forged } } }, { total = 19800 })
    t:refused("link_unknown", function() order("bob", { join = forged }) end)
    t:refused("link_unknown", function() order("bob", { join = "x" }) end)
    t:refused("no_campaign", function() order("bob", { open = "mask-4" }) end)
    t:refused("denied", function()
      local inputs = { ["group-buy"] = { join = link } }
      t:guest():post("/v1/orders", { lines = { { sku = "MASK-5", qty = 1 } }, expected_total = 19800, inputs = inputs })
    end)
    t:expect(t:quote { lines = { ["MASK-5"] = 1 }, inputs = { ["group-buy"] = { join = link } } }, { total = 19800 })
    t:expect(t:as("bob"):get("/v1/x/group-buy/links/" .. link), { join = true, state = "open" })
  end)

  t:it("go before it is full, and the seat is free again", function()
    setup("ann", "bob", "cat", "dan")
    local a, link = open "ann"
    local b = t:pay(order("bob", { join = link }))
    local deadline = group_of(a).deadline
    t:advance "1h"
    t:as("ann"):post("/v1/x/group-buy/orders/" .. a.id .. "/leave")
    t:expect(t:look(a), { state = "cancelled", refunded = 9900 })
    local g = group_of(b)
    t:expect(g, { state = "open", paid = 1, left = 2, deadline = deadline })
    t:expect(g.mine, { leads = true })
    t:pay(order("cat", { join = link }))
    t:refund(b) -- the shop gives all back: he is no member any more
    t:expect(t:get("/v1/x/group-buy/groups/" .. g.group), { state = "open", paid = 1, left = 2 })
    t:pay(order("dan", { join = link }))
    t:pay(order("ann", { join = link }))
    t:expect(t:get("/v1/x/group-buy/groups/" .. g.group), { state = "succeeded", paid = 3 })
  end)

  t:it("end it when the last one goes", function()
    setup("ann", "bob")
    local a = order("ann", { open = "mask-3" })
    local id = group_of(a).group
    t:advance "2h"
    t:expect(t:look(a).state, "expired")
    t:expect(t:get("/v1/x/group-buy/groups/" .. id), { state = "dropped", held = 0, paid = 0 })
    local b, link = open "bob"
    id = group_of(b).group
    t:cancel(b)
    t:expect(t:get("/v1/x/group-buy/groups/" .. id), { state = "dropped" })
    t:refused("group_over", function() order("ann", { join = link }) end)
  end)
end)

t:describe("what is told", function()
  t:it("is every change, and the end", function()
    setup("ann", "bob", "cat")
    local a, link = open "ann"
    t:streamed()
    local b = order("bob", { join = link })
    t:pay(b)
    t:pay(order("cat", { join = link }))
    local topic = "group-buy/group/" .. group_of(a).group
    local seen = {}
    for i, one in ipairs(t:streamed()) do
      t:expect(one.topic, topic)
      seen[i] = ("%s %d+%d%s"):format(one.data.state, one.data.paid, one.data.held, one.last and "!" or "")
    end
    t:expect(table.concat(seen, ", "), "open 1+1, open 2+0, open 2+1, succeeded 3+0!")
    t:expect(t:get("/v1/x/group-buy/groups/" .. group_of(a).group .. "/progress"), { state = "succeeded" })
  end)
end)
