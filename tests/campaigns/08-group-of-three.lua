local promo = require "feira.promo"
return promo.use "group-buy" {
  id = "mask-3", title = "三人团五折",
  sku = "MASK-5", size = 3, percent = 50, open_for = "24h",
  per_customer = { open_groups = 1 }, limits = { units = 3000 },
  on_late_payment = "new_group",
}
