-- 茶具第二件半价：每两件里，便宜的半价。
local promo = require "feira.promo"

return promo.campaign {
  id = "teaware-second",
  title = "茶具第二件半价",
  scope = promo.category "teaware",
  give = promo.buy_get { buy = 1, get = 1, percent = 50 },
}
