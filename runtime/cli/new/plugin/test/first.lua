-- Specs: what the plugin promises, tried in a shop made up for it. Run: feira test FOLDER
local t = require "feira.test"

-- What the shop of the tests is, beyond that it has this plugin: settings, other keys of shop.lua, campaigns.
t:shop {
  settings = { most = 20 },
  campaigns = {
    spring = [[
      local promo = require "feira.promo"
      return promo.use "@NAME@" { id = "spring", tag = "spring", percent = 10 }
    ]],
    summer = [[
      local promo = require "feira.promo"
      return promo.use "@NAME@" { id = "summer", tag = "summer", percent = 50 }
    ]],
  },
}

t:it("takes the percentage off what has the tag", function()
  t:product { sku = "TULIP", tags = { "spring" }, price = "10" }
  t:product { sku = "MUG", price = "10" }
  t:expect(t:quote { lines = { TULIP = 2, MUG = 1 } }, { subtotal = 3000, discount = 200 })
end)

t:it("never takes more off than the settings allow", function()
  t:product { sku = "HAT", tags = { "summer" }, price = "10" }
  t:expect(t:quote { lines = { HAT = 1 } }, { discount = 200 })
end)
