local promo = require "feira.promo"
return promo.campaign {
  id = "pick3-99", title = "任选3件99元",
  scope = promo.tag "pick3",
  give  = promo.n_for { n = 3, price = "99.00" },
}
