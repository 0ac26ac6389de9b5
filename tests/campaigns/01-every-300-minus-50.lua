local promo = require "feira.promo"
return promo.campaign {
  id = "man300", title = "每满300减50",
  window = { from = "2026-11-01 00:00", to = "2026-11-12 00:00" },
  scope = promo.tag "double11",
  give  = promo.amount_off { amount = "50.00", every = "300.00", cap = "200.00" },
}
