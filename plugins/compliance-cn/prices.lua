-- P6 to P10: what prices are compared with.
local law = require "feira.law"
local time = require "feira.time"

local prices = {}

local SAID_MAX = 20 -- findings of one claim; more products than that have the same trouble

local function day(ms) return time.format(ms):sub(1, 10) end

-- Direct reductions of a price, open to everybody: what is said of them is said of the price of the catalogue.
local REDUCES = { percent_off = true, fixed_price = true, amount_off = true }

local function names_one(when, word)
  if type(when) ~= "table" then return false end
  for key, value in pairs(when) do
    if key == word or (type(value) == "table" and names_one(value, word)) then return true end
  end
  return false
end

local function lowers_prices(subject)
  local d = subject.declaration
  if subject.kind ~= "campaign" or not d.give or d.codes or names_one(d.when, "coupon") or names_one(d.when, "customer_tag")
    or names_one(d.when, "subtotal") or names_one(d.when, "fact") then
    return false
  end
  for i, action in ipairs(d.give[1] and d.give or { d.give }) do
    for word, fields in pairs(action) do
      if REDUCES[word] and not (word == "amount_off" and fields.every) then return true, i end
    end
  end
  return false
end

-- What is claimed of each product: each(product, was, field). The price of the catalogue, where nothing is said.
local function each_claim(subject, each, missing)
  local known = subject.history.prices
  for i, claim in ipairs(law.declared(subject).claims or {}) do
    local field, seen = ("declares.claims[%d]"):format(i), false
    for _, p in ipairs(known and known.products or {}) do
      if claim.was and (not claim.sku or claim.sku == p.sku) then
        seen = true
        local was = claim.was == "price" and p.price or claim.was == "compare_at" and p.compare_at or nil
        if not was and claim.was ~= "compare_at" then was = law.minor(claim.was) end
        if was then each(p, was, field .. ".was", claim) end
      end
    end
    if claim.was and claim.sku and not seen and missing then missing(claim.sku, field .. ".sku") end
  end
end

local function proves(floor, days, since)
  if not floor then return "nothing was sold" end
  if since then return ("the last deal before was %s on %s (%s)"):format(law.format(floor.price), day(floor.at), floor.order) end
  return ("the lowest deal of %d days was %s on %s (%s)"):format(days, law.format(floor.price), day(floor.at), floor.order)
end

local function check_was(p, was, known, days)
  local lowest = law.lowest(p.deals, "at", known.start, days)
  local floor = lowest or p.last_deal
  if floor and was <= floor.price then return nil end
  return proves(floor, days, not lowest), floor
end

---P6
function prices.was(subject, settings)
  local rule = settings.p6
  local add, found = law.findings("P6", rule)
  local known, claims = subject.history.prices, law.declared(subject).claims
  if claims and not known then
    if subject.changed then
      add("no history", "Nobody could look up here what it was sold for.", "See feira check --compliance, where the shop's data is.",
        "declares.claims", "warn")
    end
    return found
  end
  if not known then return found end
  if not known.start_known then return found end -- it claims nothing, and nobody knows since when it is cheaper
  if claims and known.left_out > 0 then
    add(("%d products"):format(known.left_out), ("%d of %d products were not looked at."):format(known.left_out, known.in_scope),
      "Claim it of fewer products, in several campaigns.", "declares.claims", "warn")
  end
  each_claim(subject, function(p, was, field)
    local why, floor = check_was(p, was, known, rule.days)
    if why and #found < SAID_MAX then
      add(("%s: was %s"):format(p.sku, law.format(was)), ("%s is compared with %s, but %s."):format(p.sku, law.format(was), why),
        floor and ("Compare with at most %s."):format(law.format(floor.price)) or "Compare with nothing until it was sold.", field)
    end
  end, function(sku, field)
    add(sku, ("There is no product %s whose price could be compared."):format(sku), "Name a product of the catalogue.", field)
  end)
  if claims or rule.unsaid == "off" or not subject.changed or not lowers_prices(subject) then return found end
  local many, first, floor = 0, nil, nil
  for _, p in ipairs(known.products) do
    local lowest = law.lowest(p.deals, "at", known.start, rule.days)
    if lowest and p.price > lowest.price then
      many = many + 1
      if not first then first, floor = p, lowest end
    end
  end
  if first then
    add(("%s: %s"):format(first.sku, law.format(first.price)),
      ("It takes something off the price of the catalogue, which is above the lowest deal for %d of its products: %s costs %s, and %s.")
        :format(many, first.sku, law.format(first.price), proves(floor, rule.days)),
      "Say what it is compared with (declares = { claims = { { was = ... } } }), or show no crossed-out price.", "give", rule.unsaid)
  end
  return found
end

---P6 of what the catalogue compares with: the shop must show only what is borne out.
function prices.catalogue(subject, settings)
  local rule = settings.p6
  local add, found = law.findings("P6", rule)
  local compare_at = subject.declaration.compare_at
  local satisfy = ("Write compare_at = { days = %d, by = \"deals\" } in shop.lua: then only what is borne out is shown."):format(rule.days)
  if not compare_at then
    add("compare_at", "What products are compared with (compare_at) is shown whether it is borne out or not.", satisfy, "compare_at",
      "warn")
  elseif compare_at.by ~= "deals" or compare_at.days < rule.days then
    add(("%d days, by %s"):format(compare_at.days, compare_at.by), "What products are compared with goes by less than the law asks.",
      satisfy,
      "compare_at")
  end
  return found
end

---P6 for one price: { sku, was, price, deals = lowest deal of the days, last_deal }.
function prices.shown(subject, settings)
  local add, found = law.findings("P6", settings.p6)
  local floor = subject.lowest_deal or subject.last_deal
  if not floor or subject.was > floor then
    add(("%s: was %d"):format(tostring(subject.sku), subject.was),
      ("%s is shown as reduced from %s, and %s."):format(tostring(subject.sku), law.format(subject.was),
      floor and "was sold for " .. law.format(floor) or "was never sold"), "Show no such comparison.", "was")
  end
  return found
end

---P8
function prices.raised(subject, settings)
  local rule = settings.p8
  local add, found = law.findings("P8", rule)
  local known = subject.history.prices
  if not known or not known.start_known then return found end
  local function look(p, was, field)
    for _, raise in ipairs(p.raises) do
      if raise.at >= known.start - rule.days * law.DAY_MS and was > raise.from then
        if #found < SAID_MAX then
          add(("%s: %s to %s on %s"):format(p.sku, law.format(raise.from), law.format(raise.to), day(raise.at)),
            ("%s was raised from %s to %s on %s, %d days or less before it is lowered from there."):format(p.sku, law.format(raise.from),
              law.format(raise.to), day(raise.at), rule.days),
            ("Begin after %s, or compare with %s."):format(day(raise.at + rule.days * law.DAY_MS), law.format(raise.from)), field)
        end
        return
      end
    end
  end
  each_claim(subject, look)
  if not law.declared(subject).claims and subject.changed and lowers_prices(subject) then
    for _, p in ipairs(known.products) do look(p, p.price, "give") end
  end
  return found
end

---P9
function prices.gifts(subject, settings)
  local add, found = law.findings("P9", settings.p9)
  local known, costs = subject.history.prices, {}
  for _, p in ipairs(known and known.products or {}) do costs[p.sku] = p.price end
  for i, gift in ipairs(law.declared(subject).gifts or {}) do
    local field = ("declares.gifts[%d]"):format(i)
    if not gift.name then add("no name", "A gift has no name.", "Say what it is.", field .. ".name") end
    if not gift.qty then add("no quantity", "Nobody says how many pieces the gift is.", "Write qty = 1.", field .. ".qty") end
    local value, cost = law.minor(gift.value), gift.sku and costs[gift.sku]
    if value and cost and value > cost then
      add(law.format(value), ("The gift %s is said to be worth %s and costs %s."):format(gift.sku, law.format(value), law.format(cost)),
        ("Say %s at most."):format(law.format(cost)), field .. ".value")
    elseif value and not gift.sku then
      add(law.format(value), "Nobody can say what the gift costs now.", "Name its SKU, or no value.", field .. ".sku")
    end
  end
  return found
end

---P10
function prices.fees(subject, settings)
  local add, found = law.findings("P10", settings.p10)
  for i, fee in ipairs(law.declared(subject).fees or {}) do
    if not fee.shown then
      add(fee.name, ("The fee \"%s\" is not shown with the price."):format(fee.name), "Show it wherever the price stands: shown = true.",
        ("declares.fees[%d].shown"):format(i))
    end
  end
  return found
end

---P10: { sku, listing, detail, quote }, minor units, for one person at one time.
function prices.consistent(subject, settings)
  local add, found = law.findings("P10", settings.p10)
  local first = subject.listing or subject.detail or subject.quote
  for _, where in ipairs { "listing", "detail", "quote" } do
    local price = subject[where]
    if price and price ~= first then
      add(("%d, %d"):format(first, price), ("%s shows another price (%s) than where it was first seen (%s)."):format(where,
        law.format(price), law.format(first)), "Show one price everywhere.", where)
    end
  end
  return found
end

return prices
