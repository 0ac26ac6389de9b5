local t = require "feira.test"

local CAMPAIGNS = {
  thanks = [[local promo = require "feira.promo"
return {
  promo.campaign { id = "next10", coupon = { valid_for = "30d", per_customer = 2 }, give = promo.amount_off { amount = "10.00" } },
  promo.campaign {
    id = "thanks", when = promo.subtotal { at_least = "50.00" },
    give = promo.grant { to = "coupons", what = { campaign = "next10" }, after = "%s" },
  },
}]],
}

local function shop(after) return { currency = "CNY", test_payments = true, campaigns = { thanks = CAMPAIGNS.thanks:format(after) } } end

t:shop(shop "paid")

local function setup()
  t:product { sku = "ROBE", price = "60.00", stock = 1000 }
  t:product { sku = "SOCK", price = "20.00", stock = 1000 }
  t:customer { id = "ann" }
end

local function order(sku, total) return t:order { customer = "ann", lines = { [sku] = 1 }, expected_total = total } end
local function mine()
  local out = {}
  for i, coupon in ipairs(t:as("ann"):get("/v1/x/coupons/me").items) do out[i] = coupon.state end
  return out
end

t:describe("a coupon that comes with an order", function()
  t:it("is there once the order is paid, and says so in the quote", function()
    setup()
    local quote = t:quote { customer = "ann", lines = { ROBE = 1 } }
    t:expect(quote, { discount = 0, grants = { { campaign = "thanks", to = "coupons", what = { campaign = "next10" }, after = "paid" } } })
    local o = order("ROBE", 6000)
    t:expect(mine(), {})
    t:pay(o)
    t:expect(mine(), { "live" })
    t:expect(t:quote { customer = "ann", lines = { ROBE = 1 } }.discount, 1000)
  end)

  t:it("does not come with too small an order", function()
    setup()
    t:pay(order("SOCK", 2000))
    t:expect(mine(), {})
  end)

  t:it("goes back with all of the order, not with a part, and stays when it was used", function()
    setup()
    local o = t:pay(t:order { customer = "ann", lines = { ROBE = 2 }, expected_total = 12000 })
    t:refund(o, { lines = { { line = 1, qty = 1 } } })
    t:expect(mine(), { "live" })
    t:refund(o, {})
    t:expect(mine(), { "revoked" })
    local first = t:pay(order("ROBE", 6000))
    t:pay(order("SOCK", 1000))
    t:cancel(first)
    t:expect(mine(), { "redeemed", "revoked" })
  end)

  t:it("comes after the order is completed where the campaign says so", function()
    setup()
    t:publish(shop "completed")
    local o = t:pay(order("ROBE", 6000))
    t:expect(mine(), {})
    t:fulfil(o)
    t:complete(o)
    t:expect(mine(), { "live" })
    local back = t:pay(order("ROBE", 5000))
    t:fulfil(back)
    t:refund(back, {})
    t:complete(back)
    t:expect(#mine(), 1)
  end)
end)
