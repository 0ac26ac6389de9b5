local promo = require "feira.promo"
return promo.campaign {
  id = "ladder", title = "多买多折",
  scope = promo.category "tea",
  give  = promo.tiered { by = "qty", mode = "whole", steps = {
    { at = 2, give = promo.percent_off { percent = 10 } },
    { at = 3, give = promo.percent_off { percent = 20 } },
    { at = 5, give = { promo.percent_off { percent = 30 }, promo.free_shipping {} } },
  } },
}
