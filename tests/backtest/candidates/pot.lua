-- What runs out: a pot of money, so many orders of each customer, so many pieces in all.
local promo = require "feira.promo"
return {
  promo.campaign { id = "pot", title = "A tenth off bags while 400 pounds last", scope = promo.category "bags",
    give = promo.percent_off { percent = 10 },
    limits = { budget = "400.00", partial_budget = "take_left" } },
  promo.campaign { id = "twice", title = "Three pounds off, twice a customer", when = promo.subtotal { at_least = "50.00" },
    give = promo.amount_off { amount = "3.00" },
    limits = { per_customer = 2, uses = 500 } },
  promo.campaign { id = "pieces", title = "The first thousand retrospot pieces at half price", scope = promo.tag "retrospot",
    give = promo.percent_off { percent = 50 },
    limits = { units = 1000 }, priority = 3 },
  promo.campaign { id = "daily", title = "Ten orders a day", when = promo.subtotal { at_least = "30.00" },
    give = promo.amount_off { amount = "2.00" },
    limits = { uses = { 10, per = "day" } }, group = "day" },
}
