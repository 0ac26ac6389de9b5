-- Principal and gift: kept apart, spent together, given back as they were spent.
local t = require "feira.test"

local function top_up(customer, principal, gift, id)
  return t:call("top_up", { customer = customer, id = id or "pay-1", principal = principal, gift = gift })
end

local function spend(customer, amount, id) return t:call("spend", { customer = customer, id = id or "buy-1", amount = amount }) end
local function back(amount, id, of) return t:call("give_back", { spend = of or "buy-1", id = id, amount = amount }) end

local function balance(customer) return t:as(customer):get "/v1/x/stored-value/balance" end

local function both(value) return { value.principal, value.gift } end

t:describe("value", function()
  t:it("is paid in and given, and both are shown", function()
    t:customer { id = "ann" }
    t:expect(both(top_up("ann", 10000, 2000)), { 10000, 2000 })
    t:expect(balance("ann"), { principal = 10000, gift = 2000, total = 12000 })
    t:expect(balance(t:customer { id = "bob" }).total, 0)
  end)

  t:it("is topped up once for one payment", function()
    t:customer { id = "ann" }
    top_up("ann", 100, 10)
    top_up("ann", 100, 10)
    t:expect(balance("ann").total, 110)
    t:refused("done_otherwise", function() top_up("ann", 100, 20) end)
    t:expect(balance("ann").total, 110)
  end)

  t:it("is kept for customers who exist, in amounts that can be", function()
    t:refused("not_found", function() top_up("nobody", 100, 0) end)
    t:customer { id = "ann" }
    t:refused("invalid", function() top_up("ann", 0, 0) end)
    t:refused("invalid", function() top_up("ann", 1000001, 0) end)
  end)

  t:it("is spent in proportion, and never more than there is", function()
    t:customer { id = "ann" }
    top_up("ann", 10000, 2000)
    t:expect(both(spend("ann", 1200)), { 1000, 200 })
    t:expect(both(spend("ann", 1200)), { 1000, 200 }, "the same purchase again")
    t:expect(balance("ann").total, 10800)
    t:refused("done_otherwise", function() spend("ann", 1300) end)
    t:refused("not_enough", function() spend("ann", 10801, "buy-2") end)
    t:expect(both(spend("ann", 10800, "buy-2")), { 9000, 1800 })
    t:expect(balance("ann"), { principal = 0, gift = 0, total = 0 })
  end)

  t:it("takes what is there of both when shares do not come out even", function()
    t:customer { id = "ann" }
    top_up("ann", 1, 2)
    t:expect(both(spend("ann", 1, "a")), { 0, 1 })
    t:expect(both(spend("ann", 2, "b")), { 1, 1 })
  end)

  t:it("goes back in the shares in which it was spent, in any steps, to the unit", function()
    for steps = 1, 7 do
      local who, of = t:customer { id = "c" .. steps }, "buy-" .. steps
      top_up(who, 700, 300, "pay-" .. steps)
      local spent = spend(who, 997, of)
      local principal, gift, left = 0, 0, 997
      for i = 1, steps do
        local part = i == steps and left or 997 // steps
        local got = back(part, "r" .. i, of)
        principal, gift, left = principal + got.principal, gift + got.gift, left - part
        t:expect(got.principal >= 0 and got.gift >= 0 and got.principal + got.gift == part, true)
      end
      t:expect({ principal, gift }, both(spent))
      t:expect(balance(who), { principal = 700, gift = 300, total = 1000 })
    end
  end)

  t:it("goes back once for one return, and never more than was spent", function()
    t:customer { id = "ann" }
    top_up("ann", 600, 400)
    spend("ann", 100)
    t:expect(both(back(50, "r1")), { 30, 20 })
    t:expect(both(back(50, "r1")), { 30, 20 })
    t:refused("done_otherwise", function() back(40, "r1") end)
    t:refused("more_than_spent", function() back(51, "r2") end)
    t:expect(balance("ann").total, 950)
    t:refused("not_found", function() back(1, "r1", "buy-9") end)
  end)

  t:it("is stated to its customer alone", function()
    t:customer { id = "ann" }
    t:customer { id = "bob" }
    top_up("ann", 600, 400)
    spend("ann", 100)
    local statement = t:as("ann"):get "/v1/x/stored-value/statement/gift"
    t:expect(statement.balance, 360)
    t:expect({ statement.items[1].kind, statement.items[1].amount, statement.items[2].kind, statement.items[2].amount },
      { "top-up", 400, "spend", -40 })
    t:expect(#t:as("bob"):get("/v1/x/stored-value/statement/gift").items, 0)
  end)
end)

t:describe("what is taken first", function()
  t:it("can be the gift", function()
    t:publish { settings = { spend_first = "gift" } }
    t:customer { id = "ann" }
    top_up("ann", 600, 400)
    t:expect(both(spend("ann", 450)), { 50, 400 })
  end)

  t:it("can be the principal", function()
    t:publish { settings = { spend_first = "principal" } }
    t:customer { id = "ann" }
    top_up("ann", 600, 400)
    t:expect(both(spend("ann", 650)), { 600, 50 })
    t:expect(both(back(650, "all")), { 600, 50 })
  end)
end)
