-- P17, P18, P24 to P30: what is said and shown.
local law = require "feira.law"

local advertising = {}

local function suspicious(rule, name)
  name = tostring(name):lower()
  for _, word in ipairs(rule.names) do
    if name:find(word, 1, true) then return true end
  end
  return false
end

local function is_some(value)
  return value == true or (type(value) == "number" and value > 0) or (type(value) == "string" and value:find "[1-9]" ~= nil)
end

local function look_through(rule, add, t, field, depth)
  if depth > 4 then return end
  for key, value in pairs(t) do
    local at = field .. "." .. tostring(key)
    if type(value) == "table" then
      look_through(rule, add, value, at, depth + 1)
    elseif suspicious(rule, key) and is_some(value) then
      add(("%s = %s"):format(tostring(key), tostring(value)), ("%s makes somebody or something up."):format(tostring(key)),
        "Set it to 0, and show what is there.", at:sub(1, 200))
    end
  end
end

---P17
function advertising.made_up(subject, settings)
  local rule = settings.p17
  local add, found = law.findings("P17", rule)
  for name, number in pairs(law.declared(subject).counters or {}) do
    if number > 0 then
      add(("%s = %d"):format(name, number), ("The counter \"%s\" begins at what nobody has done."):format(name), "Begin at 0.",
        "declares.counters." .. name)
    end
  end
  if subject.kind == "plugin" then look_through(rule, add, subject.declaration.settings, "settings", 1) end
  if subject.made_by then look_through(rule, add, subject.made_by.fields, "fields", 1) end
  local more = law.declared(subject).more
  if type(more) == "table" then look_through(rule, add, more, "declares.more", 1) end
  return found
end

---P17: { group, customer, order }
function advertising.member(subject, settings)
  local add, found = law.findings("P17", settings.p17)
  if not subject.order or subject.virtual then
    add(subject.customer or "nobody", "A member of a group has no order of his own.", "Let only customers with an order be members.",
      "order")
  end
  return found
end

---P18
function advertising.reviews(subject, settings)
  local add, found = law.findings("P18", settings.p18)
  local reviews = law.declared(subject).reviews
  if not reviews then return found end
  if (reviews.reward_needs_stars or 0) > 0 then
    add(reviews.reward_needs_stars, ("Only reviews with %d stars are rewarded."):format(reviews.reward_needs_stars),
      "Reward every review, or none.", "declares.reviews.reward_needs_stars")
  end
  for _, reason in ipairs(reviews.delete_because or {}) do
    if not law.has(settings.p18.reasons, reason) then
      add(reason, ("Reviews are taken away because of \"%s\"."):format(reason), "The reasons are in the setting p18.reasons.",
        "declares.reviews.delete_because")
    end
  end
  return found
end

local SPOKEN = { review = true, experience = true, knowledge = true }

---P24
function advertising.label(subject, settings)
  local rule = settings.p24
  local add, found = law.findings("P24", rule)
  for i, c in ipairs(law.declared(subject).content or {}) do
    local field = ("declares.content[%d]"):format(i)
    local must = c.paid or c.rewarded or (SPOKEN[c.kind] and c.purchase_link)
    if must and c.label ~= rule.label then
      add(c.label or "no label", ("\"%s\" is advertising and does not say so."):format(c.name or c.kind or "content"),
        ("Label it %s."):format(rule.label), field .. ".label")
    elseif must and c.label_at ~= "first_screen" then
      add(c.label_at or "unknown", "The label is not where one sees it first.",
        "Put it on the first screen: label_at = \"first_screen\".", field .. ".label_at")
    end
  end
  return found
end

---P25
function advertising.superlatives(subject, settings)
  local rule = settings.p25
  local add, found = law.findings("P25", rule)
  for _, one in ipairs(law.texts(subject)) do
    local text = one[2]
    for _, allowed in ipairs(rule.except) do
      local from, to = text:find(allowed, 1, true)
      if from then text = text:sub(1, from - 1) .. text:sub(to + 1) end
    end
    local plain = law.plain(text)
    for _, word in ipairs(rule.words) do
      if plain:find(word, 1, true) then
        add(word, ("The text says \"%s\"."):format(word), "Say what it is, without superlatives.", one[1])
      end
    end
  end
  return found
end

local function claimed_number(rule, text)
  local plain = law.plain(text)
  for _, phrase in ipairs(rule.phrases) do
    if plain:find(phrase, 1, true) then return phrase end
  end
  return text:match "%d[%d%.]*%%" or text:match "%d[%d%.]*倍"
end

---P26
function advertising.numbers(subject, settings)
  local rule = settings.p26
  local add, found = law.findings("P26", rule)
  local sources = law.declared(subject).sources or {}
  for _, one in ipairs(law.texts(subject)) do
    local claim, sourced = claimed_number(rule, one[2]), false
    for words in pairs(sources) do
      sourced = sourced or (claim and words:find(claim, 1, true) ~= nil) or (claim and claim:find(words, 1, true) ~= nil)
    end
    if claim and not sourced then
      add(claim, ("\"%s\" is a number without a source."):format(claim),
        ("Name it: declares = { sources = { [\"%s\"] = \"...\" } }."):format(claim), one[1])
    end
  end
  return found
end

---P27
function advertising.false_claims(subject, settings)
  local add, found = law.findings("P27", settings.p27)
  local declared, limits = law.declared(subject), subject.declaration.limits
  local said = declared.limited and declared.limited.units
  local real = limits and (limits.units or limits.uses)
  if said and type(real) == "number" and said ~= real then
    add(said, ("It is said that there are %d, and %d can be had."):format(said, real), "Say the number that the campaign has.",
      "declares.limited.units")
  end
  local known, costs = subject.history.prices, {}
  for _, p in ipairs(known and known.products or {}) do costs[p.sku] = p.price end
  for i, claim in ipairs(declared.claims or {}) do
    local field, now = ("declares.claims[%d]"):format(i), law.minor(claim.now)
    local was = claim.was and claim.was ~= "price" and claim.was ~= "compare_at" and law.minor(claim.was)
      or (claim.was == "price" and claim.sku and costs[claim.sku]) or nil
    if now and was and now >= was then add(claim.now, "It is not less than before.", "Claim nothing.", field .. ".now") end
    local share = law.ppm(claim.percent)
    if now and was and was > 0 and share and share > (was - now) * 1000000 // was + 5000 then
      add(law.percent(share) .. " %", ("%s %% are said, %s %% it is."):format(law.percent(share),
        law.percent((was - now) * 1000000 // was // 10000 * 10000)), "Say what it is.", field .. ".percent")
    end
  end
  return found
end

---P28
function advertising.children(subject, settings)
  local rule = settings.p28
  local add, found = law.findings("P28", rule)
  local declared = law.declared(subject)
  local endorser, audience = declared.endorser, declared.audience
  if endorser and (endorser.age or 0) < rule.endorser_age then
    add(endorser.age or "unknown", "Who recommends it is a child.", ("Let it be somebody of %d or older."):format(rule.endorser_age),
      "declares.endorser.age")
  end
  if endorser and endorser.used_it == false then
    add("not used", "Who recommends it has not used it.", "Let somebody recommend it who has.", "declares.endorser.used_it")
  end
  if audience and (audience.from_age or 0) < rule.audience_age then
    for _, kind in ipairs(audience.goods or {}) do
      if law.has(rule.goods, kind) then
        add(kind, ("\"%s\" is advertised to children."):format(kind), ("Show it from the age of %d on."):format(rule.audience_age),
          "declares.audience.from_age")
      end
    end
  end
  return found
end

---P29
function advertising.messages(subject, settings)
  local add, found = law.findings("P29", settings.p29)
  local declared = law.declared(subject)
  local message = declared.message
  if message and message.consent ~= "marketing" then
    add(message.consent or "none", "A message goes out without consent to marketing.",
      "Send it to those who agreed: consent = \"marketing\".", "declares.message.consent")
  end
  if message and message.unsubscribe ~= true then
    add("no way out", "A message does not say how to get no more.", "Let it: unsubscribe = true.", "declares.message.unsubscribe")
  end
  for i, c in ipairs(declared.content or {}) do
    if c.kind == "popup" and c.closes ~= true then
      add("stays", "A pop-up is not closed with one touch.", "Let it: closes = true.", ("declares.content[%d].closes"):format(i))
    end
  end
  return found
end

---P29 when one is sent: { consent = whether he agreed to marketing, unsubscribe = it says how to get no more }.
function advertising.message(subject, settings)
  local add, found = law.findings("P29", settings.p29)
  if subject.consent ~= true then add("no consent", "He did not agree to marketing, or took it back.", "Send nothing.", "consent") end
  if subject.unsubscribe ~= true then add("no way out", "It does not say how to get no more.", "Add it.", "unsubscribe") end
  return found
end

---P30
function advertising.links(subject, settings)
  local add, found = law.findings("P30", settings.p30)
  for i, link in ipairs(law.declared(subject).links or {}) do
    local field = ("declares.links[%d]"):format(i)
    if not link.url:find "^https://" then
      add(link.url, "It leads to a page that anybody on the way can change.", "Use https.", field .. ".url")
    end
    if not link.sha256 or #link.sha256 ~= 64 or link.sha256:find "[^%x]" then
      add(link.url, "Nobody could say whether the page behind the link is still the one that was looked at.",
        "Write its sha256 as it was looked at.", field .. ".sha256")
    end
  end
  return found
end

return advertising
