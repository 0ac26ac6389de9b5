-- Filters with a dripper: for everybody.
local promo = require "feira.promo"

return promo.campaign {
  id = "filters",
  title = "Filters at half price with a dripper",
  scope = promo.sku "FILTERS-100",
  when = promo.sku "DRIPPER",
  give = promo.percent_off { percent = 50 },
}
