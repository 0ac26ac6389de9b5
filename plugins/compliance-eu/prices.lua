-- P7: a reduction is announced from the lowest price of the days before it.
local law = require "feira.law"
local time = require "feira.time"

local prices = {}

local SAID_MAX = 20

local function day(ms) return time.format(ms):sub(1, 10) end

-- The lowest of what was asked and, where that counts, of what was paid; with what it was, for a person. nil: neither is known.
local function prior_of(p, known, rule, days)
  local offer = law.lowest(p.offers, "until", known.start, days)
  local deal = rule.deals and law.lowest(p.deals, "at", known.start, days)
  if deal and (not offer or deal.price < offer.price) then
    return deal.price, "was sold for " .. law.format(deal.price) .. " on " .. day(deal.at)
  end
  if offer then return offer.price, "cost " .. law.format(offer.price) .. " until " .. day(offer["until"]) end
end

local function days_for(p, known, rule, claim)
  local on_sale = (known.start - p.known_since) // law.DAY_MS
  if claim and claim.because == "new" and on_sale < rule.new_days then return math.max(on_sale, 1) end
  return rule.days
end

local function round_percent(was, now) return (200 * (was - now) + was) // (2 * was) end

local function check_exception(add, rule, claim, field)
  if claim.because == "perishable" and rule.perishable then return true end
  if claim.because == "perishable" or (claim.because == "progressive" and not rule.progressive) then
    add(claim.because, ("This member state makes no exception for what is %s."):format(claim.because),
      "Compare with the lowest price of these days.", field .. ".because")
  end
  return false
end

local function check_percent(add, claim, p, prior, what, field)
  if not claim.percent then return end
  local now = law.minor(claim.now)
  local said = law.ppm(claim.percent)
  if now then
    local is = round_percent(prior, now)
    if said > is * 10000 + 5000 then
      add(law.percent(said) .. " %", ("%s is said to be %s %% less; from the prior price it is %d %% (%s)."):format(p.sku,
        law.percent(said), is, what), ("Say %d %%."):format(is), field .. ".percent")
    end
  elseif p.price > prior then
    add(law.percent(said) .. " %", ("%s %% are taken off the price of today; %s %s before."):format(law.percent(said), p.sku, what),
      "Work the percentage out from the prior price.", field .. ".percent")
  end
end

local function check_claim(add, claim, p, known, rule, field)
  if check_exception(add, rule, claim, field) then return end
  local days = days_for(p, known, rule, claim)
  local prior, what = prior_of(p, known, rule, days)
  if not prior then
    add(p.sku, ("Nobody knows what %s cost before."):format(p.sku), "Announce no reduction of it yet.", field .. ".was")
    return
  end
  local was = claim.was == "price" and p.price or claim.was == "compare_at" and p.compare_at or nil
  if not was and claim.was and claim.was ~= "compare_at" then was = law.minor(claim.was) end
  if was and was > prior then
    add(("%s: was %s"):format(p.sku, law.format(was)), ("%s is compared with %s, but %s within %d days."):format(p.sku, law.format(was),
      what, days),
      ("Compare with %s."):format(law.format(prior)), field .. ".was")
  elseif was and was < prior and not claim.because then
    add(("%s: was %s"):format(p.sku, law.format(was)), ("%s is compared with %s, which is not its prior price (%s)."):format(p.sku,
      law.format(was), law.format(prior)),
      ("Compare with %s."):format(law.format(prior)), field .. ".was", "warn")
  end
  local now = law.minor(claim.now)
  if now and now >= prior then
    add(("%s: now %s"):format(p.sku, law.format(now)), ("%s is announced as reduced to %s, and %s before."):format(p.sku, law.format(now),
      what), "Announce no reduction.", field .. ".now")
  else
    check_percent(add, claim, p, prior, what, field)
  end
end

local REDUCES = { percent_off = true, fixed_price = true, amount_off = true }

local function for_everybody(d)
  if d.codes or type(d.give) ~= "table" then return false end
  local when = type(d.when) == "table" and d.when or {}
  if #when == 0 then when = { when } end
  for _, condition in ipairs(when) do
    if condition.coupon or condition.customer_tag or condition.subtotal or condition.fact or condition.qty then return false end
  end
  for _, action in ipairs(d.give[1] and d.give or { d.give }) do
    for word in pairs(action) do
      if REDUCES[word] then return true end
    end
  end
  return false
end

local function check_unsaid(add, subject, known, rule)
  local many, first, what = 0, nil, nil
  for _, p in ipairs(known.products) do
    local prior, how = prior_of(p, known, rule, rule.days)
    if prior and p.price > prior then
      many = many + 1
      if not first then first, what = p, how end
    end
  end
  if first then
    add(("%s: %s"):format(first.sku, law.format(first.price)),
      ("It is taken off a price above the lowest of %d days, for %d of its products: %s costs %s and %s."):format(rule.days, many,
        first.sku, law.format(first.price), what),
      "Say what it is compared with: declares = { claims = { { was = ... } } }.", subject.declaration.give and "give" or "declares",
        rule.unsaid)
  end
end

---P7
function prices.prior(subject, settings)
  local rule = settings.p7
  local add, found = law.findings("P7", rule)
  local known, claims = subject.history.prices, law.declared(subject).claims
  if not known then
    if claims and subject.changed then
      add("no history", "Nobody could look up here what it cost before.", "See feira check --compliance, where the shop's data is.",
        "declares.claims", "warn")
    end
    return found
  end
  if not known.start_known then return found end -- it claims nothing, and nobody knows since when it is cheaper
  if claims and known.left_out > 0 then
    add(("%d products"):format(known.left_out), ("%d of %d products were not looked at."):format(known.left_out, known.in_scope),
      "Claim it of fewer products, in several campaigns.", "declares.claims", "warn")
  end
  for i, claim in ipairs(claims or {}) do
    for _, p in ipairs(known.products) do
      if (not claim.sku or claim.sku == p.sku) and #found < SAID_MAX then
        check_claim(add, claim, p, known, rule, ("declares.claims[%d]"):format(i))
      end
    end
  end
  if not claims and rule.unsaid ~= "off" and subject.changed and subject.kind == "campaign" and for_everybody(subject.declaration) then
    check_unsaid(add, subject, known, rule)
  end
  return found
end

---P7 of what the catalogue compares with: the shop must show only what is borne out.
function prices.catalogue(subject, settings)
  local rule = settings.p7
  local add, found = law.findings("P7", rule)
  local compare_at = subject.declaration.compare_at
  local satisfy = ("Write compare_at = { days = %d, by = \"offers\" } in shop.lua: then only what is borne out is shown."):format(rule.days)
  if not compare_at then
    add("compare_at", "What products are compared with is shown whether it is borne out or not.", satisfy, "compare_at", "warn")
  elseif compare_at.days < rule.days then
    add(("%d days"):format(compare_at.days), "What products are compared with goes by fewer days than the law asks.", satisfy, "compare_at")
  end
  return found
end

---P7 for one price: { sku, was, price, lowest = lowest price of the days before }.
function prices.shown(subject, settings)
  local add, found = law.findings("P7", settings.p7)
  local prior = subject.lowest or subject.lowest_deal
  if not prior or subject.was > prior then
    add(("%s: was %d"):format(tostring(subject.sku), subject.was),
      ("%s is shown as reduced from %s, and %s."):format(tostring(subject.sku), law.format(subject.was),
      prior and "cost " .. law.format(prior) or "nobody knows what it cost"), "Show no such comparison.", "was")
  end
  return found
end

return prices
