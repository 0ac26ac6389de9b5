local t = require "feira.test"

local CAMPAIGN = [[local promo = require "feira.promo"
return {
  promo.campaign {
    id = "friend20", coupon = { valid_for = "30d", per_customer = 2 }, when = promo.subtotal { at_least = "60.00" },
    give = promo.amount_off { amount = "20.00" },
  },
  promo.use "invite" { id = "invite3", reward = "friend20", %s },
}]]

local function shop(more)
  local text = CAMPAIGN:format(more or 'qualifies = "order.completed"')
  return { currency = "CNY", test_payments = true, settings = {}, campaigns = { invite = text } }
end

t:shop(shop())

local function setup(...)
  t:product { sku = "ROBE", price = "60.00", stock = 1000 }
  for _, name in ipairs { "ann", ... } do t:customer { id = name } end
end

local function link(who) return t:as(who or "ann"):post("/v1/x/invite/links", { campaign = "invite3" }) end
local function join(who, of) return t:as(who):post("/v1/x/invite/joins", { link = (of or link()).link }) end
local function coupons(who)
  local out = {}
  for i, coupon in ipairs(t:as(who):get("/v1/x/coupons/me").items) do out[i] = coupon.state end
  return out
end
local function paid(who, inputs)
  return t:pay(t:order { customer = who, lines = { ROBE = 1 }, inputs = inputs and { invite = inputs } })
end
local function complete(order)
  t:fulfil(order)
  t:complete(order)
  return order
end
local function far() return t:as("ann"):get("/v1/x/invite/links").items[1] end

t:describe("an invitation", function()
  t:it("earns each friend a coupon with his completed first order, and the third one the inviter, once", function()
    setup("bob", "cy", "dan", "eve")
    t:expect(link(), { campaign = "invite3", friends = 0, earned = 0, needed = 3, most = 1 })
    for i, friend in ipairs { "bob", "cy", "dan", "eve" } do
      join(friend)
      local order = paid(friend)
      t:expect(coupons(friend), {})
      complete(order)
      t:expect(coupons(friend), { "live" })
      t:expect(coupons "ann", i >= 3 and { "live" } or {})
    end
    t:expect(far(), { friends = 4, earned = 1 })
    t:expect(t:quote { customer = "bob", lines = { ROBE = 1 } }.discount, 2000)
    t:expect(t:quote { customer = "ann", lines = { ROBE = 1 } }.discount, 2000)
  end)

  t:it("is nothing for sharing, for following the link, or for an order after the first", function()
    setup("bob")
    join "bob"
    t:expect(coupons "bob", {})
    t:expect(coupons "ann", {})
    complete(paid "bob")
    complete(paid "bob")
    t:expect(#coupons "bob", 1)
    t:expect(far(), { friends = 1 })
  end)

  t:it("may come with the first order itself", function()
    setup("bob", "cy")
    local sent = { link = link().link }
    complete(paid("bob", sent))
    t:expect(coupons "bob", { "live" })
    complete(paid("cy"))
    complete(paid("cy", sent)) -- his second
    t:expect(coupons "cy", {})
  end)

  t:it("is not for oneself, nor twice, nor for those who have ordered", function()
    setup("bob", "cy", "dan")
    t:refused("own_link", function() join "ann" end)
    complete(paid("ann", { link = link().link })) -- an order does not fail for it
    t:expect(coupons "ann", {})
    join "bob"
    t:expect(join "bob", { campaign = "invite3" })
    local other = link "cy"
    t:refused("already_invited", function() join("bob", other) end)
    paid "dan"
    t:refused("not_new", function() join "dan" end)
    t:refused("link_unknown", function() join("cy", { link = "made.up" }) end)
  end)

  t:it("is undone when the order goes back: the friend's coupon and the inviter's", function()
    setup("bob", "cy", "dan")
    local orders = {}
    for i, friend in ipairs { "bob", "cy", "dan" } do
      join(friend)
      orders[i] = complete(paid(friend))
    end
    t:expect(coupons "ann", { "live" })
    t:refund(orders[1], {})
    t:expect(coupons "bob", { "revoked" })
    t:expect(coupons "cy", { "live" })
    t:expect(coupons "ann", { "revoked" })
    t:expect(far(), { friends = 2, earned = 0 })
    complete(paid "bob")
    t:expect(coupons "bob", { "revoked" }) -- his first one is over
  end)

  t:it("leaves what was used", function()
    setup("bob")
    join "bob"
    local order = complete(paid "bob")
    t:pay(t:order { customer = "bob", lines = { ROBE = 1 } })
    t:expect(coupons "bob", { "redeemed" })
    t:refund(order, {})
    t:expect(coupons "bob", { "redeemed" })
    t:expect(far(), { friends = 0 })
  end)

  t:it("knows a person by his telephone number", function()
    setup()
    t:customer { id = "ann", phone = "+8613800000001" }
    t:customer { id = "ann2", phone = "+8613800000001" }
    t:customer { id = "bob", phone = "+8613800000002" }
    t:customer { id = "bob2", phone = "+8613800000002" }
    t:refused("own_link", function() join "ann2" end)
    join "bob"
    join "bob2"
    complete(paid "bob")
    complete(paid "bob2")
    t:expect(coupons "bob", { "live" })
    t:expect(coupons "bob2", {})
    t:expect(far(), { friends = 1 })
  end)

  t:it("counts paid orders where it says so, and as many coupons as it says", function()
    setup("bob", "cy")
    t:publish(shop 'qualifies = "order.paid", friends = 1, most = 2')
    for i, friend in ipairs { "bob", "cy" } do
      join(friend)
      paid(friend)
      t:expect(#coupons "ann", i)
    end
  end)
end)
