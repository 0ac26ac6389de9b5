local t = require "feira.test"

local function shop(fields, settings)
  return {
    currency = "CNY", test_payments = true,
    campaigns = { tea = ([[local promo = require "feira.promo"
return promo.use "group-buy" { id = "tea", sku = "TEA", open_for = "24h", %s }]]):format(fields) },
    settings = settings,
  }
end

local ORDINARY = 'size = 2, price = "60.00"'

local function setup(...)
  t:product { sku = "TEA", price = "100.00", stock = 1000 }
  for _, name in ipairs { ... } do t:customer { id = name } end
end

local function order(who, inputs, qty)
  return t:order { customer = who, lines = { TEA = qty or 1 }, inputs = { ["group-buy"] = inputs } }
end

local function group_of(o) return t:get("/v1/x/group-buy/orders/" .. (o.id or o)) end

local function open(who, qty)
  local o = t:pay(order(who, { open = "tea" }, qty))
  return o, group_of(o).mine.link
end

t:describe("a price instead of a percentage", function()
  t:it("is what everybody pays", function()
    t:shop(shop(ORDINARY))
    setup("ann", "bob")
    local a, link = open "ann"
    t:expect(a.total, 6000)
    t:expect(t:as("bob"):get("/v1/x/group-buy/links/" .. link), { price = 6000, join = true })
  end)
end)

t:describe("old brings new", function()
  t:it("lets in who has not bought here before", function()
    t:shop(shop(ORDINARY .. ', kind = "old_brings_new"'))
    setup("ann", "bob", "cat")
    t:pay(t:order { customer = "bob", lines = { TEA = 1 } })
    local gone = t:order { customer = "cat", lines = { TEA = 1 } }
    t:cancel(gone) -- that was no order in the end
    local _, link = open "ann"
    t:expect(t:as("bob"):get("/v1/x/group-buy/links/" .. link), { join = false, reason = "only_new_customers" })
    t:refused("only_new_customers", function() order("bob", { join = link }) end)
    t:expect(group_of(t:pay(order("cat", { join = link }))), { state = "succeeded" })
  end)
end)

local LADDER = 'kind = "ladder", steps = { { size = 2, percent = 10 }, { size = 3, percent = 20 }, { size = 5, percent = "33.33" } }, '
  .. "per_customer = { units = 3 }"

t:describe("a ladder", function()
  t:it("gives everybody the price of the step that was reached in time", function()
    t:shop(shop(LADDER))
    setup("ann", "bob", "cat", "dan")
    local a, link = open("ann", 3)
    t:expect(a.total, 27000)
    local b = t:pay(order("bob", { join = link }))
    t:expect(group_of(a), { state = "open", step = 1, paid = 2, left = 3 })
    local c = t:pay(order("cat", { join = link }))
    t:expect(group_of(a), { state = "open", step = 2 })
    local d = order("dan", { join = link })
    t:advance "25h"
    t:expect(group_of(a), { state = "succeeded", step = 2, paid = 3 })
    t:expect(t:look(a), { state = "paid", paid = 27000, refunded = 3000, blocks = {} })
    t:expect(t:look(b), { state = "paid", refunded = 1000, blocks = {} })
    t:expect(t:look(c), { refunded = 1000 })
    t:expect(t:look(d).refunded, 0)
  end)

  t:it("is over at once when nobody else can come", function()
    t:shop(shop(LADDER))
    setup("a", "b", "c", "d", "e")
    local first, link = open("a", 3)
    local last
    for _, name in ipairs { "b", "c", "d", "e" } do last = t:pay(order(name, { join = link })) end
    t:expect(group_of(last), { state = "succeeded", step = 3, paid = 5 })
    t:expect(t:look(first).refunded, 6999) -- 27000 - 20001: 33.33 % off 30000
    t:expect(t:look(last).refunded, 2333)
  end)

  t:it("fails below the first step", function()
    t:shop(shop(LADDER))
    setup "ann"
    local a = open "ann"
    t:advance "25h"
    t:expect(t:look(a), { state = "cancelled", refunded = 9000 })
  end)
end)

t:describe("limits", function()
  t:it("are pieces and groups of the campaign, and orders of a customer", function()
    t:shop(shop(ORDINARY .. ", limits = { units = 3, groups = 2 }, per_customer = { units = 2, open_groups = 2, orders = 1 }"))
    setup("ann", "bob", "cat", "dan")
    local _, link = open("ann", 2)
    t:refused("sold_out", function() order("bob", { join = link }, 2) end)
    local b = order("bob", { join = link })
    t:expect(t:get "/v1/x/group-buy/campaigns/tea/report", { units_left = 0, units_held = 1 })
    t:cancel(b)
    t:pay(order("bob", { join = link }))
    t:refused("too_many_orders", function() order("ann", { open = "tea" }) end)
    t:refused("sold_out", function() order("cat", { open = "tea" }) end)
    t:publish(shop(ORDINARY .. ", limits = { units = 10, groups = 2 }"))
    open "cat"
    t:refused("sold_out", function() order("dan", { open = "tea" }) end)
  end)

  t:it("are a time to open groups in; those that are open go on", function()
    t:shop(shop(ORDINARY .. ', from = "2026-01-05 00:00", to = "2026-01-06 00:00"'))
    setup("ann", "bob", "cat")
    t:at "2026-01-05 23:00"
    local a, link = open "ann"
    t:expect(t:get("/v1/x/group-buy/campaigns").items[1], { id = "tea", open = true, size = 2, price = 6000 })
    t:advance "2h"
    t:refused("not_now", function() order("bob", { open = "tea" }) end)
    t:expect(t:get("/v1/x/group-buy/campaigns").items[1].open, false)
    t:pay(order("bob", { join = link }))
    t:expect(group_of(a), { state = "succeeded" })
  end)
end)

t:describe("a change of the campaign", function()
  t:it("leaves open groups as they are", function()
    t:shop(shop 'size = 3, percent = 50')
    setup("ann", "bob", "cat", "dan")
    local a, link = open "ann"
    t:publish(shop 'size = 2, percent = 10, title = "less"')
    t:expect(group_of(a), { state = "open", size = 3, percent = 500000 })
    local b = t:pay(order("bob", { join = link }))
    t:expect(b.total, 5000)
    t:expect(group_of(a), { state = "open", paid = 2 })
    local d, other = open "dan"
    t:expect(d.total, 9000)
    t:expect(other ~= link, true)
    t:expect(group_of(t:pay(order("cat", { join = link }))), { state = "succeeded", paid = 3 })
  end)

  t:it("can't put other goods behind links that are out", function()
    t:shop(shop(ORDINARY))
    setup "ann"
    t:product { sku = "POT", price = "10.00" }
    open "ann"
    local changed = shop(ORDINARY)
    changed.campaigns.tea = changed.campaigns.tea:gsub('"TEA"', '"POT"')
    t:refused("rules_refused", function() t:publish(changed) end)
  end)

  t:it("that takes it away lets open groups run to their end", function()
    t:shop(shop(ORDINARY))
    setup("ann", "bob")
    local a, link = open "ann"
    t:publish { currency = "CNY", test_payments = true, campaigns = {} }
    t:refused("no_group_price", function() order("bob", { join = link }) end)
    t:refused("no_campaign", function() order("bob", { open = "tea" }) end)
    t:advance "25h"
    t:expect(t:look(a), { state = "cancelled", refunded = 6000 })
  end)
end)

t:describe("what a merchant writes", function()
  local function refused(fields, text)
    local why = t:refused("rules_refused", function() t:publish(shop(fields)) end)
    if not why.detail:find(text, 1, true) then t:expect(why.detail, text) end
  end
  t:it("is checked before it goes live", function()
    t:shop(shop(ORDINARY))
    setup()
    refused('percent = 50', "how many")
    refused('size = 1, percent = 50', "size")
    refused('size = 3', "percent or price")
    refused('size = 3, percent = 50, price = "1.00"', "percent or price")
    refused('size = 3, percent = 50, from = "tomorrow"', "tomorrow")
    refused('size = 3, percent = 50, virtual_members = 2', "virtual_members")
    refused('kind = "ladder", size = 3, percent = 50', "steps")
    refused('kind = "ladder", steps = { { size = 3, percent = 20 }, { size = 2, percent = 30 } }', "larger")
    refused('kind = "ladder", steps = { { size = 2, percent = 20 }, { size = 3, percent = 10 } }', "never pay more")
  end)
end)

t:describe("other campaigns", function()
  local TENTH = [[local promo = require "feira.promo"
return promo.campaign { id = "tenth", give = promo.percent_off { percent = 10 } }]]
  local function with_tenth(fields)
    local made = shop('size = 2, percent = 50, priority = 1, ' .. fields)
    made.campaigns.tenth = TENTH
    return made
  end

  t:it("apply beside the group's price, unless it stands alone or names them", function()
    t:shop(with_tenth "")
    setup "ann"
    t:expect(order("ann", { open = "tea" }), { total = 4500 })
    t:shop(with_tenth "alone = true")
    setup "ann"
    t:expect(order("ann", { open = "tea" }), { total = 5000 })
    t:expect(t:order { customer = "ann", lines = { TEA = 1 } }, { total = 9000 })
    t:shop(with_tenth 'not_with = { "tenth" }')
    setup "ann"
    t:expect(order("ann", { open = "tea" }), { total = 5000 })
  end)

  t:it("that take its place leave nobody waiting in a group at another price", function()
    local made = with_tenth "alone = true"
    made.campaigns.tenth = TENTH:gsub("give =", "priority = 5, alone = true, give =")
    t:shop(made)
    setup "ann"
    t:refused("no_group_price", function() order("ann", { open = "tea" }) end)
  end)
end)

t:describe("what a shop does by hand", function()
  t:it("sends an order although its group is not full: then it is not taken back", function()
    t:shop(shop 'size = 3, percent = 50')
    setup("ann", "bob")
    local a, link = open "ann"
    local b = t:pay(order("bob", { join = link }))
    t:request("DELETE", "/v1/orders/" .. a.id .. "/blocks/group-buy/group?reason=friend")
    t:fulfil(a)
    t:advance "25h"
    t:expect(group_of(a), { state = "failed" })
    t:expect(t:look(a), { state = "fulfilled", refunded = 0 })
    t:expect(t:look(b), { state = "cancelled", refunded = 5000 })
  end)

  t:it("gives some of a member's money back: the ladder gives no more than is left", function()
    t:shop(shop 'kind = "ladder", steps = { { size = 2, percent = 10 }, { size = 3, percent = 50 } }')
    setup("ann", "bob", "cat")
    local a, link = open "ann"
    t:refund(a, { amount = 8000 })
    t:expect(group_of(a), { state = "open", paid = 1 })
    t:pay(order("bob", { join = link }))
    t:pay(order("cat", { join = link }))
    t:expect(group_of(a), { state = "succeeded", step = 2 })
    t:expect(t:look(a), { paid = 9000, refunded = 9000 })
  end)

  t:it("gives all of it back: no block is left behind", function()
    t:shop(shop 'size = 3, percent = 50')
    setup "ann"
    local a = open "ann"
    a = t:refund(a)
    t:expect(a, { state = "paid", refunded = 5000, blocks = {} })
  end)
end)

t:it("for nothing is paid at once", function()
  t:shop(shop 'size = 2, percent = 100')
  setup("ann", "bob")
  local a = order("ann", { open = "tea" })
  t:expect(a, { state = "paid", total = 0 })
  local b = order("bob", { join = group_of(a).mine.link })
  t:expect(group_of(b), { state = "succeeded", paid = 2 })
end)

t:it("a price that was shown holds, and the last seat does not wait for it", function()
  t:shop(shop 'size = 2, percent = 50')
  setup("ann", "bob", "cat")
  local _, link = open "ann"
  local body = { lines = { { sku = "TEA", qty = 1 } }, inputs = { ["group-buy"] = { join = link } } }
  local shown = t:as("bob"):post("/v1/quotes", body)
  t:expect(shown.total, 5000)
  t:pay(order("cat", { join = link }))
  t:refused("group_over", function() t:as("bob"):post("/v1/orders", { quote_token = shown.token }) end)
end)

t:it("a group of a hundred is full, or all of it is given back, in one piece", function()
  t:shop(shop 'size = 100, percent = 50')
  setup()
  for round = 1, 2 do
    local link, first
    for i = 1, round == 1 and 100 or 99 do
      local name = ("c%d-%d"):format(round, i)
      t:customer { id = name }
      local o = t:pay(order(name, link and { join = link } or { open = "tea" }))
      if not link then
        first, link = o, group_of(o).mine.link
      end
    end
    t:advance "25h"
    t:expect(group_of(first), { state = round == 1 and "succeeded" or "failed" })
    t:expect(t:look(first).refunded, round == 1 and 0 or 5000)
  end
  t:expect(t:get "/v1/x/group-buy/campaigns/tea/report", { groups = 2, succeeded = 1, failed = 1, running = 0 })
end)

t:it("what is given to a member waits, and comes back, with the group", function()
  local made = shop(ORDINARY)
  made.campaigns.mug = [[local promo = require "feira.promo"
return promo.campaign { id = "mug", scope = promo.sku "TEA", give = promo.gift { sku = "MUG" } }]]
  t:shop(made)
  setup("ann")
  t:product { sku = "MUG", price = "39.00", stock = 5 }
  local a = t:pay(order("ann", { open = "tea" }))
  t:expect(a.lines[2], { sku = "MUG", total = 0, gift = true })
  t:expect(t:stock "MUG", 4)
  t:advance "25h"
  t:expect(t:look(a), { state = "cancelled", refunded = 6000 })
  t:expect(t:stock "MUG", 5)
end)
