-- Something new beside what is live.
local promo = require "feira.promo"
return promo.campaign { id = "kitchen-week", title = "Kitchen: 12.5% off, at most 25 pounds", scope = promo.category "kitchen",
  give = promo.percent_off { percent = "12.5", cap = "25.00" } }
