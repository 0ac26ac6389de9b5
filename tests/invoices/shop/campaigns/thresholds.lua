-- What an order must come to. Postage and lines that were typed by hand are no goods: they neither count nor get cheaper.
local promo = require "feira.promo"
local goods = promo.none { promo.category "services" }

return {
  promo.campaign {
    id = "wholesale-500",
    title = "5% off orders from £500, at most £60",
    group = "wholesale",
    priority = -20,
    scope = goods,
    when = promo.subtotal { at_least = "500.00" },
    give = promo.percent_off { percent = 5, cap = "60.00" },
  },
  promo.campaign {
    id = "wholesale-1500",
    title = "8% off orders from £1,500, at most £250",
    group = "wholesale",
    priority = -10,
    scope = goods,
    when = promo.subtotal { at_least = "1500.00" },
    give = promo.percent_off { percent = 8, cap = "250.00" },
  },
  promo.campaign {
    id = "january-250",
    title = "January: £10 off each £250",
    window = { from = "2011-01-01", to = "2011-02-01" },
    not_with = "group:wholesale",
    priority = -5,
    scope = goods,
    when = promo.subtotal { at_least = "250.00" },
    give = promo.amount_off { amount = "10.00", every = "250.00", cap = "60.00" },
  },
  promo.campaign {
    id = "neighbours-300",
    title = "To Ireland, France, Belgium and the Netherlands: £12 off each £300",
    not_with = "group:wholesale",
    priority = -15,
    scope = goods,
    when = { promo.region { "IE", "FR", "BE", "NL" }, promo.subtotal { at_least = "300.00" } },
    give = promo.amount_off { amount = "12.00", every = "300.00", cap = "48.00" },
  },
  promo.campaign {
    id = "quiet-sunday",
    title = "Sundays: £5 off from £120",
    priority = -30,
    scope = goods,
    when = { promo.weekday "sunday", promo.subtotal { at_least = "120.00" } },
    give = promo.amount_off { amount = "5.00" },
  },
  promo.campaign {
    id = "early-bird",
    title = "Before nine in the morning: 2% off",
    priority = -31,
    scope = goods,
    when = promo.time_of_day { from = "06:00", to = "09:00" },
    give = promo.percent_off { percent = 2, cap = "20.00" },
  },
  promo.campaign {
    id = "delivery-gb",
    title = "Delivered free from £200",
    when = { promo.region "GB", promo.subtotal { at_least = "200.00", of = goods } },
    give = promo.free_shipping(),
  },
  promo.campaign {
    id = "delivery-abroad",
    title = "Half the postage abroad from £500",
    when = { promo.none { promo.region "GB" }, promo.subtotal { at_least = "500.00", of = goods } },
    give = promo.shipping_off { percent = 50 },
  },
}
