local t = require "feira.test"

local AT = "/v1/x/points"

local function shop(earn_on)
  return {
    test_payments = true, settings = { earn_on = earn_on, valid = "100d" },
    campaigns = {
      points = [[local promo = require "feira.promo"
return {
  promo.campaign { id = "double", scope = promo.tag "new", give = promo.points_multiplier { times = 2 } },
  promo.campaign {
    id = "bonus", when = promo.subtotal { at_least = "100.00" }, give = promo.grant { to = "points", what = { points = 50 } },
  },
}]],
    },
  }
end

t:shop(shop "paid")

local function setup()
  t:product { sku = "MUG", price = "10.00" }
  t:product { sku = "POT", price = "40.00", tags = { "new" } }
  return t:customer { id = "ann" }
end

local function balance() return t:as("ann"):get(AT .. "/me").balance end
local function order(lines) return t:order { lines = lines, customer = "ann" } end

t:describe("a campaign that multiplies points", function()
  t:it("does it for its lines, and the points go back with the goods", function()
    setup()
    local o = t:pay(order { MUG = 1, POT = 1 })
    t:expect(balance(), 90) -- 50 are paid, and the pot counts twice
    t:refund(o, {})
    t:expect(balance(), 0)
  end)

  t:it("does it also where points come with the completed order", function()
    setup()
    t:publish(shop "completed")
    local o = t:pay(order { POT = 1 })
    t:expect(balance(), 0)
    t:fulfil(o)
    t:complete(o)
    t:expect(balance(), 80)
  end)

  t:it("says so in the quote, and a guest is asked to sign in", function()
    setup()
    local quote = t:quote { lines = { POT = 1 }, customer = "ann" }
    t:expect(quote.grants, { { campaign = "double", to = "points", what = { percent = 200 }, amount = 4000 } })
    t:expect(t:guest():quote { lines = { POT = 1 } }.grants, nil)
  end)
end)

t:describe("points that come with an order", function()
  t:it("are there when it is paid, go back with all of it, and are owed when they were spent", function()
    setup()
    local o = t:pay(order { MUG = 10 })
    t:expect(balance(), 150)
    t:refund(o, { lines = { { line = 1, qty = 1 } } })
    t:expect(balance(), 140)
    local other = order { MUG = 4 }
    t:as("ann"):post(("%s/orders/%s/spend"):format(AT, other.id), { points = 140 })
    t:expect(balance(), 0)
    t:refund(o, {})
    t:expect(balance(), -140)
  end)
end)
