local promo = require "feira.promo"
return promo.campaign {
  id = "flash-1111-tea", title = "20:00 秒杀",
  window = { from = "2026-11-11 20:00", to = "2026-11-11 20:30" },
  scope  = promo.sku "TEA-250",
  give   = promo.fixed_price { price = "9.90", max_units = 1 },
  limits = { units = 100, units_per_customer = 1 },
  pay_within = "5m", alone = true,
}
