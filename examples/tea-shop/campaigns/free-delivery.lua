-- 满 199 元包邮。
local promo = require "feira.promo"

return promo.campaign {
  id = "free-delivery",
  title = "满199包邮",
  when = promo.subtotal { at_least = "199.00" },
  give = promo.free_shipping {},
}
