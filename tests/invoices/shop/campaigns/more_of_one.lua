-- Buy some, get one; the second at half price; many at once. What sells by the dozen anyway is rewarded from a little above that.
local promo = require "feira.promo"

return {
  promo.campaign {
    id = "candles-3-for-2",
    title = "Candles: three for two, twice an order",
    scope = promo.all { promo.category "home/candles", promo.none { promo.tag "t-light" } },
    give = promo.buy_get { buy = 2, get = 1, max_sets = 2 },
  },
  promo.campaign {
    id = "jumbo-10-1",
    title = "Jumbo bags: ten and one",
    scope = promo.tag "jumbo-bag",
    give = promo.buy_get { buy = 10, get = 1, max_sets = 5 },
  },
  promo.campaign {
    id = "charlotte-10-1",
    title = "Charlotte bags: ten and one",
    scope = promo.tag "charlotte-bag",
    give = promo.buy_get { buy = 10, get = 1, max_sets = 5 },
  },
  promo.campaign {
    id = "lunch-bags-half",
    title = "Lunch bags: each tenth at half price",
    scope = promo.tag "lunch-bag",
    give = promo.nth_unit { n = 10, percent = 50, among = "scope" },
  },
  promo.campaign {
    id = "plasters-6-1",
    title = "Plasters in tins: six and one",
    scope = promo.tag "plasters",
    give = promo.buy_get { buy = 6, get = 1, max_sets = 4 },
  },
  promo.campaign {
    id = "mugs-second",
    title = "Mugs: every second of a kind a fifth off",
    scope = promo.tag "mug",
    give = promo.nth_unit { n = 2, percent = 20 },
  },
  promo.campaign {
    id = "jewellery-cheapest",
    title = "Jewellery: of six pieces the cheapest is free",
    scope = promo.category "jewellery",
    when = promo.qty { at_least = 6 },
    give = promo.cheapest_free {},
  },
  promo.campaign {
    id = "notebooks-fourth",
    title = "Notebooks: each fourth at half price",
    scope = promo.tag "notebook",
    give = promo.nth_unit { n = 4, percent = 50, among = "scope" },
  },
  promo.campaign {
    id = "wrap-12-2",
    title = "Gift wrap: twelve and two",
    scope = promo.tag "wrap",
    give = promo.buy_get { buy = 12, get = 2, max_sets = 3, per = "line" },
  },
  promo.campaign {
    id = "retrospot-gross",
    title = "Retrospot: of each gross of one kind one dozen is free",
    scope = promo.tag "retrospot",
    -- Line by line and by the gross: no ready-made action does that.
    give = function(cart)
      for line in cart:lines() do
        local grosses = line.qty // 144
        if grosses > 0 then
          line:discount { amount = math.min(line.remaining, 12 * grosses * line.unit_price), reason = "a dozen of each gross" }
        end
      end
    end,
  },
}
