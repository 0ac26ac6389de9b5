-- The club from a first order to a level that is lost again, with this shop's own settings.
local t = require "feira.test"

local function stock()
  t:product { sku = "HOUSE-250", category = "coffee/blend", price = "7.20", stock = 1000 }
  t:product { sku = "HOUSE-1000", category = "coffee/blend", price = "22.00", stock = 1000 }
  t:product { sku = "KENYA-AA-250", category = "coffee/single", tags = { "harvest" }, price = "13.50" }
  t:product { sku = "NANOLOT-100", category = "coffee/single", price = "29.00" }
  t:product { sku = "MUG", category = "gear", price = "9.00" }
end

local function me(customer) return t:get("/v1/x/member-tiers/members/" .. customer) end

local function unit_price(sku, qty, customer)
  return t:quote { lines = { [sku] = qty }, customer = customer }.lines[1].unit_price
end

local function buy(customer, lines) return t:pay(t:order { lines = lines, customer = customer }) end

t:describe("the club", function()
  t:it("welcomes with a tenth, once", function()
    stock()
    t:customer { id = "rosa" }
    t:expect(t:quote { lines = { ["HOUSE-1000"] = 1 }, customer = "rosa" }, { discount = 220, total = 1980 })
    buy("rosa", { ["HOUSE-1000"] = 1 })
    t:expect(t:quote { lines = { ["HOUSE-1000"] = 1 }, customer = "rosa" }, { discount = 0, total = 2200 })
  end)

  t:it("makes a regular of who has 150 points and 3 orders", function()
    stock()
    t:customer { id = "rosa" }
    buy("rosa", { ["HOUSE-1000"] = 8 })
    t:expect(me "rosa", { points = 140, level = { id = "guest" } }) -- 8 at 19.50 less the tenth
    buy("rosa", { MUG = 2 })
    t:expect(me "rosa", { points = 158, orders = 2, level = { id = "guest" } })
    buy("rosa", { MUG = 1 })
    t:expect(me "rosa", { points = 167, orders = 3, level = { id = "regular" } })
    t:expect(unit_price("HOUSE-250", 1, "rosa"), 650)
    t:expect(unit_price("MUG", 1, "rosa"), 873)
  end)

  t:it("shows the new harvest to all and sells it to regulars, until December", function()
    stock()
    t:customer { id = "rosa" }
    local line = t:quote { lines = { ["KENYA-AA-250"] = 1 }, customer = "rosa" }.lines[1]
    t:expect(line, { total = 0, unavailable = { gate = "harvest-first" } })
    t:call("member-tiers.add_points", { customer = "rosa", points = 150, reason = "for the test" })
    for _ = 1, 3 do buy("rosa", { MUG = 1 }) end
    t:expect(unit_price("KENYA-AA-250", 1, "rosa"), 1309)
    t:at "2026-12-01 00:00"
    t:expect(t:quote { lines = { ["KENYA-AA-250"] = 1 } }, { total = 1350 })
  end)

  t:it("asks cuppers to the tasting", function()
    stock()
    t:customer { id = "rosa" }
    for _ = 1, 3 do buy("rosa", { ["HOUSE-1000"] = 10 }) end
    t:expect(me "rosa", { level = { id = "regular" } })
    t:expect((t:as("rosa"):request("POST", "/v1/x/member-tiers/betas/nanolot/seat", {})), 403)
    t:post("/v1/x/member-tiers/members/rosa/certificates", { certificate = "cupping", reason = "Cupping course of May" })
    t:expect(me "rosa", { level = { id = "cupper" } })
    t:refused("gate_closed", function() t:quote { lines = { ["NANOLOT-100"] = 1 }, customer = "rosa" } end)
    t:as("rosa"):post("/v1/x/member-tiers/betas/nanolot/seat", {})
    t:expect(unit_price("NANOLOT-100", 2, "rosa"), 2755)
    t:expect(t:quote { lines = { MUG = 2 }, customer = "rosa" }, { subtotal = 1710, discount = 257 }) -- 5 % by level, then 15 %
  end)

  t:it("sees levels go when half a year brings too little", function()
    stock()
    t:customer { id = "rosa" }
    for _ = 1, 3 do buy("rosa", { ["HOUSE-250"] = 8 }) end
    t:expect(me "rosa", { level = { id = "regular" } })
    t:advance "180d"
    t:expect(me "rosa", { level = { id = "regular" }, period = { grace = true, needed = 60 } })
    t:advance "30d"
    t:expect(me "rosa", { level = { id = "guest" } })
    buy("rosa", { ["HOUSE-1000"] = 3 })
    t:expect(me "rosa", { level = { id = "regular" } })
  end)
end)

t:describe("prices by quantity", function()
  t:it("and of levels: the lower one", function()
    stock()
    t:customer { id = "cafe", tags = { "cafe" } }
    t:expect(unit_price("HOUSE-1000", 4), 2200)
    t:expect(unit_price("HOUSE-1000", 5), 1950)
    t:expect(unit_price("HOUSE-1000", 20), 1700)
    t:expect(unit_price("HOUSE-1000", 1, "cafe"), 1936)
    t:expect(unit_price("HOUSE-1000", 20, "cafe"), 1700)
  end)

  t:it("for a time", function()
    stock()
    t:expect(unit_price("MUG", 1), 900)
    t:at "2026-12-10 00:00"
    t:expect(unit_price("MUG", 1), 700)
    t:at "2026-12-24 18:00"
    t:expect(unit_price("MUG", 1), 900)
  end)
end)
