local promo = require "feira.promo"
return {
  promo.campaign {
    id = "friend20", title = "好友券 20 元",
    coupon = { valid_for = "30d", per_customer = 2 },
    when = promo.subtotal { at_least = "60.00" },
    give = promo.amount_off { amount = "20.00" },
  },
  promo.use "invite" { id = "invite3", friends = 3, reward = "friend20", qualifies = "order.completed" },
}
