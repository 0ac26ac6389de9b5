-- 新客券：输入 XINCHA，满 99 元打九折，最多减 30 元。
local promo = require "feira.promo"

return promo.campaign {
  id = "newcomer",
  title = "新客满99打九折",
  when = { promo.coupon "XINCHA", promo.subtotal { at_least = "99.00" } },
  give = promo.percent_off { percent = 10, cap = "30.00" },
  priority = -10, -- 在其他优惠之后算
}
