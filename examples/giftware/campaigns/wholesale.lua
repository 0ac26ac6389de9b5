-- Large orders: 5 % from 500 pounds, at most 100 pounds. Services (postage, manual lines) do not count.
local promo = require "feira.promo"

return promo.campaign {
  id = "wholesale",
  title = "5% off orders from £500",
  scope = promo.none { promo.category "services" },
  when = promo.subtotal { at_least = "500.00" },
  give = promo.percent_off { percent = 5, cap = "100.00" },
  priority = -10, -- after the offers on single goods: it sees what they left
}
