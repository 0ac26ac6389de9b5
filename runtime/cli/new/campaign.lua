-- @NAME@: say here what the offer is, in the words of whoever decided it.
local promo = require "feira.promo"

return promo.campaign {
  id = "@NAME@", -- for ever: what a campaign has given is counted under its id
  title = "@NAME@", -- what the shopper reads

  -- Which lines it looks at and takes money off. As it stands: products that carry this tag, and so none until you give it to some.
  -- Others: promo.category "tea", promo.sku { "A", "B" }, promo.brand "Acme", promo.all { ..., ... }, promo.none { ... }
  scope = promo.tag "@NAME@",

  -- When it applies; without it, always. A list means all of them.
  -- when = { promo.subtotal { at_least = "50" }, promo.coupon "WELCOME", promo.customer_tag "staff" },
  -- window = { from = "2027-01-04 00:00", to = "2027-01-11 00:00" },

  -- What it gives. Others: promo.amount_off { amount = "5" }, promo.buy_get { buy = 2, get = 1 }, promo.free_shipping {},
  -- and where the words end, function(cart) ... end.
  give = promo.percent_off { percent = 10 },
}
