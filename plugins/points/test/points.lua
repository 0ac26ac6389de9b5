-- Points: earned, spent, given back, expired; never more than there are, and never free money.
local t = require "feira.test"

local AT = "/v1/x/points"
local settings = { earn_on = "paid", valid = "100d", sign_in = 5 }

local function with(more)
  local out = {}
  for key, value in pairs(settings) do out[key] = value end
  for key, value in pairs(more or {}) do out[key] = value end
  return out
end

t:shop { test_payments = true, settings = settings }

local function setup()
  t:product { sku = "MUG", price = "10.00" }
  t:product { sku = "POT", price = "80.00", tags = { "double" } }
  t:product { sku = "CARD", price = "50.00", tags = { "none", "double" } }
  return t:customer { id = "ann" }
end

local numbers = 0
local function give(points, id)
  numbers = numbers + 1
  return t:post(AT .. "/customers/ann/adjustments", { id = id or "a" .. numbers, points = points, reason = "because" })
end

local function me(who) return t:as(who or "ann"):get(AT .. "/me") end
local function balance(who) return me(who).balance end
local function order(lines) return t:order { lines = lines, customer = "ann" } end
local function spend(o, points) return t:as("ann"):post(("%s/orders/%s/spend"):format(AT, o.id), { points = points }) end
local function kinds()
  local out = {}
  for i, item in ipairs(t:as("ann"):get(AT .. "/me/statement").items) do out[i] = ("%s %d"):format(item.kind, item.points) end
  return out
end

t:describe("earned", function()
  t:it("for what is paid for goods, when it is paid", function()
    setup()
    local o = order { MUG = 3 }
    t:expect(balance(), 0)
    t:pay(o)
    t:expect(balance(), 30)
    t:expect(t:as("ann"):get(AT .. "/me/statement").items, { { kind = "earned", points = 30, balance = 30, order = o.id } })
  end)

  t:it("once it is completed, when the shop says so, for what did not go back until then", function()
    t:shop { test_payments = true, settings = with { earn_on = "completed" } }
    setup()
    local o = t:pay(order { MUG = 3 })
    t:refund(o, { lines = { { line = 1, qty = 1 } } })
    t:expect(balance(), 0)
    t:fulfil(o)
    t:complete(o)
    t:expect(balance(), 20)
    t:refund(o, { lines = { { line = 1, qty = 1 } } })
    t:expect(balance(), 10)
  end)

  t:it("more for some goods, none for others", function()
    t:shop { test_payments = true, settings = with { multipliers = { { tag = "double", percent = 200 }, { tag = "none", percent = 0 } } } }
    setup()
    t:pay(order { MUG = 1, POT = 1, CARD = 1 })
    t:expect(balance(), 10 + 160)
  end)

  t:it("more in orders of a campaign", function()
    t:shop { test_payments = true, settings = with { multipliers = { { campaign = "half", percent = 300 } } }, campaigns = { half = [[
      local promo = require "feira.promo"
      return promo.campaign { id = "half", when = promo.qty { at_least = 2 }, give = promo.percent_off { percent = 50 } }
    ]] } }
    setup()
    t:pay(order { MUG = 1 })
    t:expect(balance(), 10)
    t:pay(order { MUG = 2 })
    t:expect(balance(), 10 + 30)
  end)

  t:it("not for what points paid", function()
    setup()
    give(300)
    local o = order { MUG = 1 }
    spend(o, 300)
    t:pay(o, { amount = 700 })
    t:expect(balance(), 7)
  end)

  t:it("go back with the goods, exactly, in whatever steps", function()
    for _, steps in ipairs { { 1, 1, 1 }, { 2, 1 }, { 3 } } do
      t:shop { test_payments = true, settings = settings }
      setup()
      local o = t:pay(order { MUG = 3 })
      for _, qty in ipairs(steps) do t:refund(o, { lines = { { line = 1, qty = qty } } }) end
      t:expect(balance(), 0)
    end
  end)
end)

t:describe("spent", function()
  t:it("as a part of the payment, and taken at once", function()
    setup()
    give(500)
    local o = order { MUG = 2 }
    t:expect(t:as("ann"):get(("%s/orders/%s"):format(AT, o.id)), { most = { points = 500, amount = 500 } })
    t:expect(spend(o, 400), { points = 400, amount = 400, balance = 100 })
    t:expect(t:look(o), { state = "placed", paid = 400 })
    t:expect(t:look(o).payments[1], { provider = "points", amount = 400 })
    t:expect(t:pay(o, { amount = 1600 }), { state = "paid", paid = 2000 })
  end)

  t:it("once for an order: the same again is the same", function()
    setup()
    give(500)
    local o = order { MUG = 2 }
    spend(o, 100)
    t:expect(spend(o, 100), { points = 100, amount = 100, balance = 400 })
    t:refused("done_otherwise", function() spend(o, 200) end)
    t:expect(balance(), 400)
  end)

  t:it("up to the share that points may pay, and what there is", function()
    setup()
    give(500)
    local o = order { MUG = 1 }
    t:refused("above_share", function() spend(o, 301) end)
    t:expect(t:as("ann"):get(("%s/orders/%s"):format(AT, o.id)), { most = { points = 300, amount = 300 } })
    t:refused("not_enough_points", function() spend(order { MUG = 2 }, 501) end)
    t:expect(balance(), 500)
    t:expect(t:look(o).paid, 0)
  end)

  t:it("by their owner, on orders that wait", function()
    setup()
    give(500)
    t:customer { id = "bob" }
    local o = order { MUG = 1 }
    t:refused("not_found", function() t:as("bob"):post(("%s/orders/%s/spend"):format(AT, o.id), { points = 1 }) end)
    t:pay(o)
    t:refused("already_paid", function() spend(o, 100) end)
    t:expect(balance(), 510)
  end)

  t:it("can pay all of it, and then it is paid", function()
    t:shop { test_payments = true, settings = with { max_share = 100, worth_of_100 = "0.50" } }
    setup()
    give(2001)
    local o = order { MUG = 1 }
    t:refused("too_few_points", function() spend(o, 1) end)
    t:expect(spend(o, 2001), { points = 2000, amount = 1000, balance = 1 })
    t:expect(t:look(o).state, "paid")
    t:expect(balance(), 1)
  end)

  t:it("come back when the order is cancelled or not paid in time, once", function()
    setup()
    give(500)
    local a, b = order { MUG = 1 }, order { MUG = 1 }
    spend(a, 200)
    spend(b, 300)
    t:expect(balance(), 0)
    t:cancel(a)
    t:expect(balance(), 200)
    t:advance "2h"
    t:expect(t:look(b).state, "expired")
    t:expect(balance(), 500)
    t:expect(kinds(), { "adjusted 500", "spent -200", "spent -300", "returned 200", "returned 300" })
  end)

  t:it("come back first when goods do, then the money", function()
    setup()
    give(600)
    local o = order { MUG = 2 }
    spend(o, 600)
    t:pay(o, { amount = 1400 })
    t:expect(balance(), 14)
    t:refund(o, { amount = 100 })
    t:expect(balance(), 14 + 100 - 1)
    t:refund(o)
    t:expect(balance(), 600)
    t:expect(t:look(o).refunded, 2000)
  end)
end)

t:describe("taken back", function()
  t:it("when they were spent already, they are owed: goods and points are never both kept", function()
    setup()
    local a = t:pay(order { POT = 1, MUG = 2 }) -- 100 points
    local b = order { MUG = 1 }
    spend(b, 90)
    t:pay(b, { amount = 910 })
    t:expect(balance(), 10 + 9)
    t:refund(a)
    t:expect(balance(), 19 - 100)
    t:refused("not_enough_points", function() spend(order { MUG = 1 }, 1) end)
    give(50)
    t:expect(balance(), 19 - 100 + 50)
    give(41)
    t:expect(balance(), 10)
    t:expect(me().expiring[1].points, 10)
  end)

  t:it("and what comes back of an order is used for what is owed", function()
    setup()
    local a = t:pay(order { POT = 1 })
    local b = order { MUG = 1 }
    spend(b, 80)
    t:refund(a)
    t:expect(balance(), -80)
    t:cancel(b)
    t:expect(balance(), 0)
  end)

  t:it("not when they had expired unspent", function()
    setup()
    local a = t:pay(order { POT = 1 })
    t:advance "101d"
    give(100)
    t:refund(a)
    t:expect(balance(), 100)
  end)

  t:it("not twice from those that expired together, of which some had been spent", function()
    setup()
    local a, b, c = t:pay(order { POT = 1 }), t:pay(order { POT = 1 }), order { MUG = 1 }
    spend(c, 80)
    t:pay(c, { amount = 920 })
    t:expect(balance(), 80 + 9)
    t:advance "101d"
    t:expect(balance(), 0)
    t:refund(a)
    t:expect(balance(), 0)
    t:refund(b)
    t:expect(balance(), -71) -- 89 expired, 80 were spent
  end)
end)

t:describe("expired", function()
  t:it("lot by lot, those first that came first, and spent in that order", function()
    setup()
    give(100)
    t:advance "10d"
    give(200)
    local o = order { MUG = 2 }
    spend(o, 150)
    t:pay(o, { amount = 1850 })
    t:expect(balance(), 150 + 18)
    t:expect({ #me().expiring, me().expiring[1].points }, { 1, 168 })
    t:advance "91d"
    t:expect(balance(), 168)
    t:advance "10d"
    t:expect(balance(), 0)
    t:expect(kinds()[5], "expired -168")
  end)

  t:it("at their old day, also when they come back from an order", function()
    setup()
    give(100)
    local expires = me().expiring[1].at
    t:advance "99d"
    local o = order { MUG = 1 }
    spend(o, 100)
    t:cancel(o)
    t:expect(me().expiring, { { at = expires, points = 100 } })
    local late = order { MUG = 1 }
    spend(late, 100)
    t:pay(late, { amount = 900 })
    t:advance "2d"
    t:refund(late)
    t:expect(balance(), 0)
  end)

  t:it("later, when the shop gives time to points that come back", function()
    t:shop { test_payments = true, settings = with { returned_for = "7d" } }
    setup()
    give(100)
    t:advance "99d"
    local o = order { MUG = 1 }
    spend(o, 100)
    t:pay(o, { amount = 900 })
    t:advance "2d"
    t:refund(o)
    t:expect(balance(), 100)
    t:advance "8d"
    t:expect(balance(), 0)
  end)

  t:it("never, when the shop says nothing", function()
    t:shop { test_payments = true, settings = { earn_on = "paid" } }
    setup()
    give(100)
    t:advance "4000d"
    t:expect(me(), { balance = 100, expiring = {} })
  end)
end)

t:describe("coming by", function()
  t:it("brings points once a day of the shop's zone", function()
    t:shop { zone = "Asia/Shanghai", settings = settings }
    setup()
    t:expect(t:as("ann"):post(AT .. "/sign-ins"), { day = "2026-01-05", points = 5, first = true, balance = 5 })
    t:expect(t:as("ann"):post(AT .. "/sign-ins"), { day = "2026-01-05", first = false, balance = 5 })
    t:advance "6h"
    t:expect(t:as("ann"):post(AT .. "/sign-ins").first, false)
    t:advance "2h"
    t:expect(t:as("ann"):post(AT .. "/sign-ins"), { day = "2026-01-06", first = true, balance = 10 })
  end)

  t:it("brings nothing where the shop does not say so", function()
    t:shop { settings = {} }
    setup()
    t:refused("not_found", function() t:as("ann"):post(AT .. "/sign-ins") end)
  end)
end)

t:describe("by hand", function()
  t:it("with a reason, once for each id, and never below zero", function()
    setup()
    t:expect(give(100, "x").balance, 100)
    t:expect(give(100, "x").balance, 100)
    t:refused("done_otherwise", function() give(90, "x") end)
    t:refused("invalid", function() give(0) end)
    t:refused("not_enough_points", function() give(-101) end)
    t:expect(give(-40).balance, 60)
    local items = t:get(AT .. "/customers/ann/statement").items
    t:expect({ items[1].reason, items[2].points }, { "because", -40 })
    t:refused("not_found", function() t:get(AT .. "/customers/nobody") end)
  end)
end)

t:describe("very many", function()
  t:it("gifts are few lots, so that an order with all of them can be paid, ended and given back", function()
    for _, valid in ipairs { "3000d", "never" } do
      t:shop { test_payments = true, settings = { earn_on = "paid", max_share = 100, valid = valid ~= "never" and valid or nil } }
      setup()
      for _ = 1, 300 do
        t:advance "9d"
        give(1)
      end
      local o = order { MUG = 10 }
      spend(o, 300)
      t:cancel(o)
      t:expect(balance(), 300)
      t:advance "3031d"
      t:expect(balance(), valid == "never" and 300 or 0)
    end
  end)

  -- Whatever is bought, spent and refunded, in whatever order: when all of it went back, there is what was given by hand.
  t:it("orders that all go back leave what was there", function()
    for seed = 1, 6 do
      t:shop { test_payments = true, settings = {
        earn_on = "paid", earn_for = "0.70", worth_of_100 = "0.37", max_share = 70, multipliers = { { tag = "double", percent = 213 } },
      } }
      setup()
      give(5000)
      local state, orders = seed * 7919, {}
      local function draw(n)
        state = (state * 48271) % 2147483647
        return state % n + 1
      end
      for _ = 1, 12 do
        local o = order { MUG = draw(4), POT = draw(3) }
        local most = t:as("ann"):get(("%s/orders/%s"):format(AT, o.id)).most.points
        if most > 3 and draw(3) > 1 then spend(o, most - draw(2)) end
        if draw(4) > 1 then t:pay(o, { amount = o.total - t:look(o).paid }) end
        orders[#orders + 1] = o
        local other = t:look(orders[draw(#orders)])
        local left = other.paid - other.refunded
        if other.state == "paid" and left > 0 then t:refund(other, { amount = math.min(draw(3000), left) }) end
      end
      for _, o in ipairs(orders) do
        local now = t:look(o)
        if now.state == "placed" then t:cancel(o) elseif now.refunded < now.paid then t:refund(o) end
      end
      t:expect(balance(), 5000, "seed " .. seed)
    end
  end)
end)
