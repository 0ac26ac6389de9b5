local promo = require "feira.promo"
return {
  promo.gate {
    id = "tribute-early", title = "三级会员优先购",
    scope  = promo.sku "TRIBUTE-2026",
    window = { from = "2026-04-01 10:00", to = "2026-04-02 10:00" },
    unless = promo.fact("member-tiers.level", { at_least = 3 }),
    reason = "此商品 4 月 2 日 10:00 起全员开售",
  },
  promo.purchase_limit { id = "tribute-one", scope = promo.sku "TRIBUTE-2026", units_per_customer = 1 },
}
