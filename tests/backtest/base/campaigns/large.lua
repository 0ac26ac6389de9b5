local promo = require "feira.promo"
return {
  promo.campaign { id = "over-300", title = "Ten pounds off 300", when = promo.subtotal { at_least = "300.00" },
    give = promo.amount_off { amount = "10.00" }, priority = -5 },
  promo.campaign { id = "newsletter", title = "First forty orders: one pound", when = promo.subtotal { at_least = "20.00" },
    give = promo.amount_off { amount = "1.00" }, limits = { uses = 40 }, priority = -9 },
}
