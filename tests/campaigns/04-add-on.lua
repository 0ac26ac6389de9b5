local promo = require "feira.promo"
return promo.campaign {
  id = "mug-addon", title = "加9.9元得马克杯",
  scope = promo.category "tea",
  when  = promo.subtotal { at_least = "99.00" },
  give  = promo.add_on_price { sku = "MUG-01", price = "9.90", max_units = 1 },
}
