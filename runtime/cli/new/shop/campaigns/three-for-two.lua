-- A campaign is a file of this folder that returns what promo.campaign makes. The words: plugins/README.md, or hover over them in an
-- editor that knows Lua.
local promo = require "feira.promo"

return promo.campaign {
  id = "three-for-two", -- for ever: what a campaign has given is counted under its id
  title = "Mugs: three for two", -- what the shopper reads
  scope = promo.category "mugs", -- which lines it looks at and takes money off
  give = promo.buy_get { buy = 2, get = 1 }, -- of every three the cheapest is free
}
