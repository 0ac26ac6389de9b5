-- For those whom the shop knows.
local promo = require "feira.promo"
local goods = promo.none { promo.category "services" }

return {
  promo.campaign {
    id = "trade",
    title = "Trade accounts: 2% off all goods",
    lane = "post",
    scope = goods,
    when = promo.customer_tag "trade",
    give = promo.percent_off { percent = 2 },
  },
  promo.campaign {
    id = "distributors",
    title = "Distributors abroad: 3% off, at most £150",
    lane = "post",
    group = "accounts",
    scope = goods,
    when = { promo.customer_tag "distributor", promo.none { promo.region "GB" } },
    give = promo.percent_off { percent = 3, cap = "150.00" },
  },
  promo.campaign {
    id = "hello-again",
    title = "Signed in: a bag for a penny with £300 of goods",
    when = { promo.customer_tag "account", promo.subtotal { at_least = "300.00", of = goods } },
    give = promo.fixed_price { price = "0.01", max_units = 1, on = promo.tag "charlotte-bag" },
  },
}
