-- 拼团: three of them, one of each kind.
local promo = require "feira.promo"

return {
  -- 三人成团享五折
  promo.use "group-buy" {
    id = "mask-3", title = "三人团五折",
    sku = "MASK-5", size = 3, percent = 50, open_for = "24h",
    per_customer = { open_groups = 1 }, limits = { units = 3000 },
    on_late_payment = "new_group",
  },
  -- 老带新: whoever has bought here brings a friend who has not
  promo.use "group-buy" {
    id = "tea-friend", title = "老带新两人团",
    sku = "TEA-100", kind = "old_brings_new", size = 2, price = "39.00", open_for = "48h",
    per_customer = { open_groups = 3, units = 2 },
  },
  -- 阶梯团: the more, the cheaper for all
  promo.use "group-buy" {
    id = "pears", title = "产地直发阶梯团",
    sku = "PEARS-5KG", kind = "ladder", open_for = "72h",
    steps = { { size = 5, price = "45.00" }, { size = 20, price = "39.00" }, { size = 50, price = "35.00" } },
  },
}
