-- 满减：茶叶每满 100 元减 15 元，最多减 60 元。
local promo = require "feira.promo"

return promo.campaign {
  id = "tea-100-15",
  title = "茶叶每满100减15",
  scope = promo.category "tea",
  give = promo.amount_off { amount = "15.00", every = "100.00", cap = "60.00" },
}
