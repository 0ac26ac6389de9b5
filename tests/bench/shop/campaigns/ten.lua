-- Ten campaigns, eight of which apply to the cart of the bench. Each kind of condition and action of the vocabulary is among them.
local promo = require "feira.promo"

return {
  promo.campaign {
    id = "mugs-3-for-2",
    title = "Mugs: three for two",
    priority = 90,
    scope = promo.category "mugs",
    give = promo.buy_get { buy = 2, get = 1 },
  },
  promo.campaign {
    id = "tea-20",
    title = "Tea: 20% off, at most 15 pounds",
    priority = 80,
    scope = promo.category "tea",
    give = promo.percent_off { percent = 20, cap = "15.00" },
  },
  promo.campaign {
    id = "spring",
    title = "Spring: 10% off",
    priority = 70,
    scope = promo.tag "spring",
    give = promo.percent_off { percent = 10 },
  },
  promo.campaign {
    id = "collector",
    title = "Two favourites: an eighth off",
    priority = 60,
    scope = promo.sku { "B-03", "B-07" },
    give = promo.percent_off { percent = 12.5 },
  },
  promo.campaign {
    id = "toys",
    title = "Toys: 30% off",
    priority = 50,
    scope = promo.category "toys", -- none in the cart
    give = promo.percent_off { percent = 30 },
  },
  promo.campaign {
    id = "bulk",
    title = "Forty pieces: 3% off all",
    priority = 40,
    when = promo.qty { at_least = 40 },
    give = promo.percent_off { percent = 3 },
  },
  promo.campaign {
    id = "every-100",
    title = "5 pounds off each 100",
    priority = 30,
    give = promo.amount_off { amount = "5.00", every = "100.00", cap = "25.00" },
  },
  promo.campaign {
    id = "code",
    title = "Code: 8 pounds off",
    priority = 20,
    when = promo.coupon "BENCH",
    give = promo.amount_off { amount = "8.00" },
  },
  promo.campaign {
    id = "large",
    title = "20 pounds off from 5,000",
    priority = 10,
    when = promo.subtotal { at_least = "5000.00" }, -- the cart costs less
    give = promo.amount_off { amount = "20.00" },
  },
  promo.campaign {
    id = "free-delivery",
    title = "Free delivery from 50 pounds",
    when = promo.subtotal { at_least = "50.00" },
    give = promo.free_shipping {},
  },
}
