local promo = require "feira.promo"

return promo.campaign { id = "tea-10", title = "Tea: 10% off", scope = promo.category "tea", give = promo.percent_off { percent = 10 } }
