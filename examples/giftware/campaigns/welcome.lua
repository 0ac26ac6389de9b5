-- A code for new customers: 10 pounds off from 60 pounds, and standard delivery is free.
local promo = require "feira.promo"

return promo.campaign {
  id = "welcome",
  title = "Welcome: £10 off and free delivery",
  when = { promo.coupon "WELCOME10", promo.subtotal { at_least = "60.00" } },
  give = { promo.amount_off { amount = "10.00" }, promo.free_shipping {} },
}
