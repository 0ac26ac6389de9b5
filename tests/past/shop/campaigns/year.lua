-- Thirty campaigns of every kind. What they give depends on the turn, which is counted up to publish rules that are other rules.
local promo = require "feira.promo"
local turn = 0

local goods = promo.none { promo.category "services" }
local list = {}

local function add(campaign)
  list[#list + 1] = promo.campaign(campaign)
end

local function percent(n) return n + turn % 4 end
local function pounds(n) return ("%d.%02d"):format(n + turn % 3, turn * 7 % 100) end

-- By category and by tag.
for i, category in ipairs { "home/candles", "kitchen", "paper", "toys", "garden", "jewellery", "bags", "seasonal/christmas" } do
  add { id = "category-" .. i, scope = promo.category(category), give = promo.percent_off { percent = percent(3 + i % 5) } }
end
add { id = "hearts", scope = promo.tag "heart", give = promo.percent_off { percent = "7.5", cap = pounds(20) }, group = "mood" }
add { id = "retrospot", scope = promo.tag "retrospot", give = promo.buy_get { buy = 11 + turn % 2, get = 1, max_sets = 3 }, group = "mood" }
add { id = "mugs", scope = promo.tag "mug", give = promo.nth_unit { n = 2, percent = 20 + turn } }
add { id = "signs", scope = promo.tag "metal-sign", give = promo.n_for { n = 6, price = pounds(9), max_sets = 4 } }
add { id = "wrap", scope = promo.tag "wrap", give = promo.cheapest_free {}, when = promo.qty { at_least = 24 } }
add { id = "roses", scope = promo.tag "rose", give = promo.tiered { by = "qty", mode = "each",
  steps = { { at = 6, give = promo.percent_off { percent = 4 } }, { at = 24, give = promo.percent_off { percent = percent(8) } } } } }

-- By what the order comes to.
add { id = "over-100", scope = goods, when = promo.subtotal { at_least = "100.00" }, give = promo.amount_off { amount = pounds(3) } }
add { id = "every-300", scope = goods, when = promo.subtotal { at_least = "300.00" },
  give = promo.amount_off { amount = "4.00", every = "300.00", cap = pounds(40) } }
add { id = "wholesale", scope = goods, priority = -10, when = promo.subtotal { at_least = "500.00" },
  give = promo.percent_off { percent = percent(2), cap = "100.00" } }
add { id = "free-export", when = { promo.subtotal { at_least = "400.00" }, promo.region "abroad" },
  give = promo.shipping_off { percent = 50 } }
add { id = "free-standard", when = promo.subtotal { at_least = pounds(60) }, give = promo.free_shipping {} }

-- With a time.
add { id = "weekend", scope = goods, when = promo.weekday { "saturday", "sunday" }, give = promo.percent_off { percent = 1 } }
add { id = "lunch", scope = goods, when = promo.time_of_day { from = "12:00", to = "13:00" }, give = promo.amount_off { amount = "0.99" } }
add { id = "spring", window = { from = "2011-03-20", to = "2011-05-01" }, scope = promo.category "garden",
  give = promo.percent_off { percent = percent(10) } }
add { id = "advent", window = { from = "2010-12-01", to = "2010-12-24" }, scope = promo.category "seasonal/christmas",
  give = promo.percent_off { percent = 12 } }

-- With limits.
add { id = "first-thousand", scope = goods, when = promo.subtotal { at_least = "50.00" }, give = promo.amount_off { amount = "1.50" },
  limits = { uses = 1000, round = "turn-" .. turn } }
add { id = "thrice-each", scope = promo.tag "jumbo-bag", give = promo.percent_off { percent = 15 },
  limits = { per_customer = { 3, per = "month" } } }
add { id = "pot", scope = promo.category "kitchen", give = promo.percent_off { percent = 5 },
  limits = { budget = "900.00", partial_budget = "take_left" } }

-- By who buys.
add { id = "silver", scope = goods, when = promo.fact("member-tiers.level", { at_least = 2 }),
  give = promo.percent_off { percent = percent(1) } }
add { id = "gold", scope = goods, when = promo.fact("member-tiers.level", { at_least = 3 }),
  give = promo.amount_off { amount = pounds(2) } }

-- With code: C does the money, Lua decides.
add { id = "dozen", scope = promo.tag "charlotte-bag", give = function(cart)
  for line in cart:lines() do
    if line.qty >= 12 then line:discount { amount = line.unit_price, reason = "a dozen" } end
  end
end }
add { id = "lucky", scope = goods, when = promo.subtotal { at_least = "20.00" }, give = function(cart)
  if math.random(20) == 7 then cart:all():percent_off(3) end
end }

assert(#list == 30)
return list
