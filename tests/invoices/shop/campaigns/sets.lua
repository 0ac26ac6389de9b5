-- So many for a price, and things that are bought together: the pairs and threes come from the invoices themselves.
local promo = require "feira.promo"

local function pair(id, title, skus, reward)
  local items = {}
  for i, sku in ipairs(skus) do
    items[i] = { of = promo.sku(sku) }
  end
  reward.items = items
  reward.max_sets = reward.max_sets or 12
  return promo.campaign { id = id, title = title, priority = 5, when = promo.sku(skus[1]), give = promo.bundle(reward) }
end

return {
  promo.campaign {
    id = "signs-6",
    title = "Metal signs: any six for £10",
    scope = promo.tag "metal-sign",
    give = promo.n_for { n = 6, price = "10.00", max_sets = 4 },
  },
  promo.campaign {
    id = "t-lights-12",
    title = "T-light holders: a dozen for £12",
    scope = promo.tag "t-light",
    give = promo.n_for { n = 12, price = "12.00", max_sets = 2 },
  },
  promo.campaign {
    id = "bottles-4",
    title = "Hot water bottles: four for £16",
    window = { from = "2010-12-01", to = "2011-03-01" },
    scope = promo.tag "hot-water-bottle",
    give = promo.n_for { n = 4, price = "16.00", max_sets = 3 },
  },
  promo.campaign {
    id = "doormats-3",
    title = "Doormats: three for £20",
    scope = promo.tag "doormat",
    give = promo.n_for { n = 3, price = "20.00", max_sets = 2 },
  },
  promo.campaign {
    id = "clocks-4",
    title = "Bakelike alarm clocks: four for £13.50",
    scope = promo.tag "alarm-clock",
    give = promo.n_for { n = 4, price = "13.50", max_sets = 4 },
  },
  promo.campaign {
    id = "cutters-3",
    title = "Cookie cutters: three for £3.30",
    scope = promo.tag "cookie-cutter",
    give = promo.n_for { n = 3, price = "3.30" },
  },
  pair("regency-three", "Regency teacups: green, pink and roses, a tenth off", { "22697", "22698", "22699" }, { percent = 10 }),
  pair("regency-tea", "A Regency teapot and a cup with roses, 12% off", { "23173", "22699" }, { percent = 12 }),
  pair("regency-plates", "Regency tea plates, roses and green", { "23170", "23171" }, { percent = 10 }),
  pair("party-table", "A spotty table: cups, plates and napkins for £2", { "21086", "21094", "21080" }, { price = "2.00" }),
  pair("lunch-friends", "Spaceboy and Dolly Girl go to lunch together", { "22629", "22630" }, { percent = 12 }),
  pair("playhouse", "Poppy's playhouse, bedroom and kitchen, for £3.70", { "22745", "22748" }, { price = "3.70" }),
  pair("kneelers", "Two who garden: both kneeling pads for £2.90", { "23300", "23301" }, { price = "2.90" }),
  pair("wicker-hearts", "White hearts of wicker, small and large", { "23321", "23322" }, { percent = 10 }),
  pair("apples-and-pears", "Jumbo bags: apples and pears for £3.70", { "23199", "23200" }, { price = "3.70", max_sets = 6 }),
}
