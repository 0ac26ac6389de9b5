-- In the place of the live file of this name.
local promo = require "feira.promo"
return {
  promo.campaign { id = "every-200", title = "Seven pounds off each 200", when = promo.subtotal { at_least = "200.00" },
    give = promo.amount_off { amount = "7.00", every = "200.00", cap = "70.00" }, group = "large" },
  promo.campaign { id = "signs-6", title = "Any six metal signs for ten pounds", scope = promo.tag "metal-sign",
    give = promo.n_for { n = 6, price = "10.00" } },
  promo.campaign { id = "mugs-second", title = "Every second mug at half price", scope = promo.tag "mug",
    give = promo.nth_unit { n = 2, percent = 50 } },
  promo.campaign { id = "free-post", title = "Nothing for the post from 60", when = promo.subtotal { at_least = "60.00" },
    give = promo.free_shipping {} },
  -- The live one asks what is left with every order, this one with some: it must not begin with what the others have used.
  promo.campaign { id = "newsletter", title = "First forty orders with mugs: one pound", scope = promo.tag "mug",
    give = promo.amount_off { amount = "1.00" }, limits = { uses = 40 }, priority = -9 },
}
