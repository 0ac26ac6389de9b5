-- Three for two on candles and lanterns; the cheapest are free.
local promo = require "feira.promo"

return promo.campaign {
  id = "candles-3-for-2",
  title = "Candles: three for two",
  scope = promo.category "home/candles",
  give = promo.buy_get { buy = 2, get = 1 },
}
