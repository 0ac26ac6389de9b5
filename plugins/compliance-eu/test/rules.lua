local t = require "feira.test"

local function announce(declares)
  return { case = ([[
    local promo = require "feira.promo"
    return promo.announce { id = "case", declares = { %s } }
  ]]):format(declares) }
end

local function first(declares)
  local findings = t:refused("rules_refused", function() t:publish { campaigns = announce(declares) } end).findings
  for _, f in ipairs(findings) do
    if f.level == "block" then return f end
  end
end

t:shop { settings = { imprint_url = "https://example.com/imprint" } }

t:describe("the prior price", function()
  t:it("is the lowest of thirty days, and no longer that of before", function()
    t:product { sku = "TEA", price = "14.00" }
    t:advance "60d"
    t:product { sku = "TEA", price = "20.00" }
    t:advance "29d"
    t:expect(first [[claims = { { sku = "TEA", was = "20.00", now = "15.00" } }]], { rule = "P7", value = "TEA: was 20.00",
      satisfy = "Compare with 14.00." })
    t:advance "2d"
    t:expect(first [[claims = { { sku = "TEA", was = "20.00", now = "15.00", percent = 30 } }]], { rule = "P7", satisfy = "Say 25 %." })
    t:publish { campaigns = announce [[claims = { { sku = "TEA", was = "20.00", now = "15.00", percent = 25 } }]] }
  end)

  t:it("is what was really paid, unless the merchant may leave that out", function()
    t:product { sku = "TEA", price = "20.00" }
    t:publish { campaigns = { ten = [[
      local promo = require "feira.promo"
      return promo.campaign { id = "ten", scope = promo.sku "TEA", give = promo.percent_off { percent = 10 } }
    ]] } }
    t:pay(t:order { lines = { TEA = 1 } })
    t:advance "1d"
    t:expect(first [[claims = { { sku = "TEA", was = "20.00" } }]], { satisfy = "Compare with 18.00." })
    t:publish {
      settings = { imprint_url = "https://example.com/imprint", p7 = { deals = false } },
      campaigns = announce [[claims = { { sku = "TEA", was = "20.00" } }]],
    }
  end)
end)
