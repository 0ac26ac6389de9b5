-- The more, the more off.
local promo = require "feira.promo"

local function steps(list)
  local out = {}
  for i, s in ipairs(list) do
    out[i] = { at = s[1], give = promo.percent_off { percent = s[2] } }
  end
  return out
end

return {
  promo.campaign {
    id = "bunting",
    title = "Bunting: 5% from 6, 10% from 24",
    scope = promo.tag "bunting",
    give = promo.tiered { by = "qty", steps = steps { { 6, 5 }, { 24, 10 } } },
  },
  promo.campaign {
    id = "baking",
    title = "Baking: 4% from £40, 8% from £120",
    scope = promo.category "kitchen/baking",
    give = promo.tiered { by = "amount", steps = steps { { "40.00", 4 }, { "120.00", 8 } } },
  },
  promo.campaign {
    id = "paper",
    title = "Paper: 5% of what is above £30, 10% of what is above £80",
    scope = promo.category "paper",
    give = promo.tiered { by = "amount", mode = "each", steps = steps { { "30.00", 5 }, { "80.00", 10 } } },
  },
  promo.campaign {
    id = "toys",
    title = "Toys: from the thirteenth piece 8% off",
    scope = promo.category "toys",
    give = promo.tiered { by = "qty", mode = "each", steps = steps { { 13, 8 } } },
  },
  promo.campaign {
    id = "textiles",
    title = "Textiles: 5% from £60, 7% and £5 off delivery from £150",
    scope = promo.category "home/textiles",
    give = promo.tiered {
      by = "amount",
      steps = {
        { at = "60.00", give = promo.percent_off { percent = 5 } },
        { at = "150.00", give = { promo.percent_off { percent = 7 }, promo.shipping_off { amount = "5.00" } } },
      },
    },
  },
  promo.campaign {
    id = "christmas-early",
    title = "Christmas, ordered by the end of October: up to 10% off",
    window = { from = "2011-08-15", to = "2011-11-01" },
    scope = promo.category "seasonal/christmas",
    give = promo.tiered { by = "amount", steps = steps { { "50.00", 5 }, { "150.00", 7.5 }, { "300.00", 10 } } },
  },
}
