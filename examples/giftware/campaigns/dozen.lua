-- Retrospot by the dozen: of every full dozen of one item, one piece is free. No ready-made action does this line by
-- line, so it is a function; C still does the money.
local promo = require "feira.promo"

return promo.campaign {
  id = "retrospot-dozen",
  title = "Retrospot: one in each dozen is free",
  scope = promo.tag "retrospot",
  give = function(cart)
    for line in cart:lines() do
      local dozens = line.qty // 12
      if dozens > 0 then
        line:discount { amount = dozens * line.unit_price, reason = "one of each dozen is free" }
      end
    end
  end,
}
