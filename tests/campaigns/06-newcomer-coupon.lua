local promo = require "feira.promo"
return promo.campaign {
  id = "new20", title = "新人20元券",
  coupon = { grant_on = "customer.joined", valid_for = "7d", per_customer = 1, total = 10000 },
  when   = promo.subtotal { at_least = "99.00" },
  give   = promo.amount_off { amount = "20.00" },
  limits = { budget = "200000.00" },
}
