local t = require "feira.test"

local function announce(declares)
  return { case = ([[
    local promo = require "feira.promo"
    return promo.announce { id = "case", declares = { %s } }
  ]]):format(declares) }
end

local function refused(declares)
  return t:refused("rules_refused", function() t:publish { campaigns = announce(declares) } end).findings
end

local function blocking(findings)
  local out = {}
  for _, f in ipairs(findings) do
    if f.level == "block" then out[#out + 1] = f end
  end
  return out
end

t:shop { settings = { license_url = "https://example.com/licence" } }

t:describe("what is declared", function()
  t:it("refuses a deposit over 20 %, and says the article, the value and what would do", function()
    local found = blocking(refused [[deposit = { kind = "earnest", amount = "21.00", price = "100.00", seller_breaks = 200 }]])
    t:expect(#found, 1)
    t:expect(found[1], { rule = "P13", article = "民法典 Art 586, 587", value = "21 %", field = "declares.deposit.amount" })
    t:publish { campaigns = announce [[deposit = { kind = "earnest", amount = "20.00", price = "100.00", seller_breaks = 200 }]] }
  end)

  t:it("goes by the merchant's settings", function()
    t:publish {
      settings = { license_url = "https://example.com/licence", p13 = { max_share = 25 } },
      campaigns = announce [[deposit = { kind = "earnest", amount = "21.00", price = "100.00", seller_breaks = 200 }]],
    }
    t:publish {
      settings = { license_url = "https://example.com/licence", p5 = { level = "off" } },
      campaigns = announce [[rewards = { { trigger = "share" } }]],
    }
  end)
end)

t:describe("was-prices", function()
  t:it("go by what was really sold, for seven days", function()
    t:product { sku = "TEA", price = "79.00" }
    t:pay(t:order { lines = { TEA = 1 } })
    t:advance "1d"
    local found = blocking(refused [[claims = { { sku = "TEA", was = "99.00" } }]])
    t:expect(found[1], { rule = "P6", value = "TEA: was 99.00", satisfy = "Compare with at most 79.00." })
    t:publish { campaigns = announce [[claims = { { sku = "TEA", was = "79.00" } }]] }
  end)

  t:it("may not be those that were raised just before", function()
    t:product { sku = "TEA", price = "79.00" }
    t:advance "30d"
    t:product { sku = "TEA", price = "99.00" }
    t:pay(t:order { lines = { TEA = 1 } })
    t:advance "2d"
    t:expect(blocking(refused [[claims = { { sku = "TEA", was = "price" } }]])[1], { rule = "P8" })
    t:advance "6d"
    t:publish { campaigns = announce [[claims = { { sku = "TEA", was = "price" } }]] }
  end)
end)
