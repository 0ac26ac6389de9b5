local t = require "feira.test"

local function campaign(fields, more)
  return ([[local promo = require "feira.promo"
return promo.campaign {
  id = "new20", title = "新人20元券", coupon = { %s }, when = promo.subtotal { at_least = "99.00" },
  give = promo.amount_off { amount = "20.00" }, %s
}]]):format(fields, more or "")
end

local NEWCOMER = 'grant_on = "customer.joined", valid_for = "7d", per_customer = 1, total = 10000'

t:shop { currency = "CNY", test_payments = true, pay_within = "1h", campaigns = { new20 = campaign(NEWCOMER) } }

local function setup(...)
  t:product { sku = "ROBE", price = "99.00", stock = 1000 }
  t:product { sku = "SOCK", price = "98.99", stock = 1000 }
  for _, name in ipairs { ... } do t:customer { id = name } end
end

local function discount(who, sku) return t:quote { customer = who, lines = { [sku or "ROBE"] = 1 } }.discount end
local function order(who, total) return t:order { customer = who, lines = { ROBE = 1 }, expected_total = total } end
local function mine(who) return t:as(who):get("/v1/x/coupons/me").items end
local function report() return t:get "/v1/x/coupons/campaigns/new20" end

t:describe("a coupon for newcomers", function()
  t:it("is granted once, when a person joins, and takes 20 off from 99 on", function()
    setup("ann")
    t:expect(mine "ann", { { campaign = "new20", title = "新人20元券", state = "live", usable = true } })
    t:expect(discount "ann", 2000)
    t:expect(discount("ann", "SOCK"), 0)
    t:expect(report(), { total = 10000, left = 9999, out = 1, held = 0, redeemed = 0, over = 0 })
    t:customer { id = "ann", tags = { "again" } }
    t:expect(#mine "ann", 1)
  end)

  t:it("is nothing for guests, and for those who have none", function()
    setup("ann")
    t:expect(t:quote { lines = { ROBE = 1 } }.discount, 0)
  end)

  t:it("says by how much the minimum is missed", function()
    setup("ann")
    local status, answer = t:request("POST", "/v1/quotes?explain=full", { customer = "ann", lines = { { sku = "SOCK", qty = 1 } } })
    t:expect(status, 200)
    t:expect(answer.campaigns[1], { id = "new20", applied = false, reason = { code = "subtotal_below", needed = 9900, seen = 9899 } })
  end)

  t:it("is held by the order, used when it is paid, and can't be used again", function()
    setup("ann")
    local o = order("ann", 7900)
    t:expect(o, { total = 7900, state = "placed" })
    t:expect(mine "ann", { { state = "held", order = o.id, usable = false, reason = "coupon_held" } })
    t:expect(discount "ann", 0)
    t:expect(report(), { out = 0, held = 1, redeemed = 0 })
    t:pay(o)
    t:expect(mine "ann", { { state = "redeemed", reason = "coupon_used" } })
    t:expect(report(), { out = 0, held = 0, redeemed = 1 })
    t:expect(discount "ann", 0)
  end)

  t:it("comes back with the time it had when the order ends", function()
    setup("ann")
    local before = mine "ann"[1].expires_at
    local o = order("ann", 7900)
    t:advance "2h"
    t:expect(t:look(o).state, "expired")
    t:expect(mine "ann", { { state = "live", expires_at = before } })
    t:expect(discount "ann", 2000)
    local paid = t:pay(order("ann", 7900))
    t:cancel(paid)
    t:expect(mine "ann", { { state = "live", expires_at = before } })
    t:expect(report(), { left = 9999, out = 1, held = 0, redeemed = 0, over = 0 })
  end)

  t:it("is over on the eighth day, also when it comes back only then", function()
    setup("ann", "bob")
    t:advance "6d"
    t:expect(discount "ann", 2000)
    t:advance "23h"
    local o = order("bob", 7900)
    t:advance "61m"
    t:expect(t:look(o).state, "expired")
    t:expect(discount "ann", 0)
    t:expect(mine "ann", { { state = "expired", usable = false, reason = "coupon_expired" } })
    t:expect(mine "bob", { { state = "expired" } })
    t:expect(report(), { out = 0, held = 0, redeemed = 0, over = 2 })
  end)

  t:it("is left alone when the customer does not want it", function()
    setup("ann")
    local function with(use) return t:quote { customer = "ann", lines = { ROBE = 1 }, inputs = { coupons = { use = use } } }.discount end
    t:expect(with { "new20" }, 2000)
    t:expect(with(require "feira.json".array {}), 0)
  end)

  t:it("is nobody else's", function()
    setup("ann", "bob")
    local id = mine "ann"[1].id
    t:expect(t:as "ann":get("/v1/x/coupons/me/" .. id).state, "live")
    t:refused("not_found", function() t:as "bob":get("/v1/x/coupons/me/" .. id) end)
    t:refused("not_found", function() t:as "bob":get "/v1/x/coupons/me/cpn_none" end)
  end)
end)

t:describe("how many there are", function()
  t:it("ends with the total, and nobody's joining fails for it", function()
    t:shop { currency = "CNY", campaigns = { new20 = campaign 'grant_on = "customer.joined", total = 2' } }
    setup("ann", "bob", "cat")
    t:expect(#mine "bob", 1)
    t:expect(#mine "cat", 0)
    t:expect(report(), { total = 2, left = 0, out = 2 })
    t:publish { currency = "CNY", campaigns = { new20 = campaign 'grant_on = "customer.joined", total = 3' } }
    t:customer { id = "dan" }
    t:customer { id = "eve" }
    t:expect(#mine "dan", 1)
    t:expect(#mine "eve", 0)
  end)

  t:it("is per customer, and the same grant is one", function()
    t:shop { currency = "CNY", campaigns = { new20 = campaign 'valid_for = "30d", per_customer = 2' } }
    setup("ann")
    local function grant(id) return t:call("grant", { customer = "ann", campaign = "new20", id = id }) end
    local one = grant "a"
    t:expect(grant "a".id, one.id)
    grant "b"
    t:refused("already_granted", function() grant "c" end)
    t:expect(#mine "ann", 2)
    t:expect(t:call("revoke", { id = "a" }), { revoked = true, coupon = one.id })
    t:expect(t:call("revoke", { id = "a" }), { revoked = false })
    grant "c"
    t:expect(report(), { out = 2, over = 1 })
    t:refused("no_campaign", function() t:call("grant", { customer = "ann", campaign = "old20", id = "d" }) end)
  end)

  t:it("uses the coupon that ends first, one in an order", function()
    t:shop { currency = "CNY", campaigns = { new20 = campaign 'valid_for = "30d", per_customer = 2' } }
    setup("ann")
    local one = t:call("grant", { customer = "ann", campaign = "new20", id = "a" })
    t:advance "1d"
    local two = t:call("grant", { customer = "ann", campaign = "new20", id = "b" })
    t:expect(order("ann", 7900).total, 7900)
    t:expect(t:as "ann":get("/v1/x/coupons/me/" .. one.id).state, "held")
    t:expect(t:as "ann":get("/v1/x/coupons/me/" .. two.id).state, "live")
  end)
end)
