local promo = require "feira.promo"
return promo.campaign {
  id = "half-2nd", title = "第二件半价",
  scope = promo.category "tea",
  give  = promo.nth_unit { n = 2, percent = 50, among = "same_sku" },
}
