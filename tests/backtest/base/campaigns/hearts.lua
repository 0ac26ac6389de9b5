local promo = require "feira.promo"
return promo.campaign { id = "hearts", title = "Hearts: a twentieth off", scope = promo.tag "heart",
  give = promo.percent_off { percent = 5 } }
