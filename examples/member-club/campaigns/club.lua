-- What the club brings beside prices: the new harvest first, the nano lot for those with a seat, a tenth off for newcomers.
local promo = require "feira.promo"

return {
  promo.use "member-tiers.gate" {
    id = "harvest-first", title = "The new harvest", level = "regular", tag = { "harvest" }, to = "2026-12-01 00:00", hide = true,
    reason = "Regulars can buy the new harvest now, everybody from 1 December.",
  },
  promo.use "member-tiers.beta" {
    id = "nanolot", beta = "nanolot", sku = { "NANOLOT-100" }, each = 2,
    reason = "The nano lot is for those with a seat at the tasting; cuppers can take one.",
  },
  promo.use "member-tiers.newcomer" { id = "welcome", title = "Welcome: a tenth off your first order", percent = 10, at_least = "20.00" },
  promo.use "member-tiers" { id = "gear-days", title = "Gear days for cuppers", level = "cupper", percent = 15, category = { "gear" } },
}
