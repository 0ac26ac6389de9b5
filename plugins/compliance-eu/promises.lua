-- P10 to P29: what is promised, said and shown.
local law = require "feira.law"

local promises = {}

---P10
function promises.fees(subject, settings)
  local add, found = law.findings("P10", settings.p10)
  for i, fee in ipairs(law.declared(subject).fees or {}) do
    if not fee.shown then
      add(fee.name, ("The fee \"%s\" is not shown with the price."):format(fee.name), "Show it wherever the price stands: shown = true.",
        ("declares.fees[%d].shown"):format(i))
    end
  end
  return found
end

---P11
function promises.lottery(subject, settings)
  local add, found = law.findings("P11", settings.p11)
  local lottery = law.declared(subject).lottery
  if not lottery then return found end
  for _, name in ipairs { "conditions", "to", "redeem" } do
    if not lottery[name] then
      add("no " .. name, ("A prize draw does not say its %s."):format(name), ("Write lottery.%s."):format(name), "declares.lottery."
        .. name)
    end
  end
  for i, prize in ipairs(lottery.prizes or {}) do
    if (prize.qty or 0) < 1 then
      add(prize.name, ("Nobody says that any \"%s\" is awarded."):format(prize.name), "Write qty = ..., and award them.",
        ("declares.lottery.prizes[%d].qty"):format(i))
    end
  end
  if #(lottery.prizes or {}) == 0 then add("no prizes", "A prize draw names no prize.", "Name them.", "declares.lottery.prizes") end
  return found
end

---P12
function promises.limits(subject, settings)
  local add, found = law.findings("P12", settings.p12)
  local limited, d = law.declared(subject).limited, subject.declaration
  if not limited then return found end
  local real, ends = d.limits and (d.limits.units or d.limits.uses), d.window and d.window.to
  if type(real) == "number" and limited.units and limited.units ~= real then
    add(limited.units, ("It is said that there are %d, and %d can be had."):format(limited.units, real),
      "Say the number that the campaign has.", "declares.limited.units")
  end
  if subject.kind == "campaign" and limited.units and not real then
    add(limited.units, "It is said that there are only so many, and nothing limits it.",
      "Write limits = { units = ... }, or say nothing.", "declares.limited.units")
  end
  if limited.countdown_to and limited.countdown_to ~= ends then
    add(limited.countdown_to, ("The countdown ends %s, the campaign %s."):format(limited.countdown_to, ends or "never"),
      "Count down to the end of the campaign.", "declares.limited.countdown_to")
  end
  return found
end

---P15
function promises.options(subject, settings)
  local add, found = law.findings("P15", settings.p15)
  for i, option in ipairs(law.declared(subject).options or {}) do
    if option.default then
      add(option.name, ("\"%s\" is chosen unless somebody takes it out."):format(option.name),
        "Leave it out until it is chosen: default = false.", ("declares.options[%d].default"):format(i))
    end
  end
  return found
end

---P16
function promises.renewal(subject, settings)
  local add, found = law.findings("P16", settings.p16)
  local renewal = law.declared(subject).renewal
  if not renewal then return found end
  if not renewal.notice_text then
    add("no text", "It is not said at the beginning that it renews.", "Write notice_text.", "declares.renewal.notice_text")
  end
  if not renewal.cancel_steps or renewal.cancel_steps > (renewal.join_steps or 1) then
    add(renewal.cancel_steps or "unknown", "Leaving takes more steps than joining.",
      "Let it be as easy: cancel_steps at most join_steps.", "declares.renewal.cancel_steps")
  end
  return found
end

local function suspicious(rule, name)
  name = tostring(name):lower()
  for _, word in ipairs(rule.names) do
    if name:find(word, 1, true) then return true end
  end
  return false
end

local function look_through(rule, add, t, field, depth)
  for key, value in pairs(t) do
    local at = field .. "." .. tostring(key)
    if type(value) == "table" and depth < 4 then
      look_through(rule, add, value, at, depth + 1)
    elseif suspicious(rule, key) and (value == true or (type(value) == "number" and value > 0)) then
      add(("%s = %s"):format(tostring(key), tostring(value)), ("%s makes somebody or something up."):format(tostring(key)),
        "Set it to 0, and show what is there.", at:sub(1, 200))
    end
  end
end

---P17
function promises.made_up(subject, settings)
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
  return found
end

---P18
function promises.reviews(subject, settings)
  local add, found = law.findings("P18", settings.p18)
  local reviews = law.declared(subject).reviews
  if not reviews then return found end
  if (reviews.reward_needs_stars or 0) > 0 then
    add(reviews.reward_needs_stars, ("Only reviews with %d stars are rewarded."):format(reviews.reward_needs_stars),
      "Reward every review, or none.", "declares.reviews.reward_needs_stars")
  end
  if reviews.only_buyers ~= true then
    add("anybody", "Nobody makes sure that those who review have bought it.", "Let only buyers review, and say how: only_buyers = true.",
      "declares.reviews.only_buyers")
  end
  for _, reason in ipairs(reviews.delete_because or {}) do
    if not law.has(settings.p18.reasons, reason) then
      add(reason, ("Reviews are taken away because of \"%s\"."):format(reason), "The reasons are in the setting p18.reasons.",
        "declares.reviews.delete_because")
    end
  end
  return found
end

---P20
function promises.returns(subject, settings)
  local rule = settings.p20
  local add, found = law.findings("P20", rule)
  local returns = law.declared(subject).returns
  if not returns or (returns.days or 0) >= rule.days then return found end
  if #(returns.except or {}) == 0 then
    add(returns.days or "none", ("An order can be withdrawn from for %d days only."):format(returns.days or 0),
      ("Let it be %d."):format(rule.days), "declares.returns.days")
  end
  for _, kind in ipairs(returns.except or {}) do
    if not law.has(rule.except, kind) then
      add(kind, ("\"%s\" is no reason not to take goods back."):format(kind), "The reasons are in the setting p20.except.",
        "declares.returns.except")
    end
  end
  if returns.except and returns.confirmed ~= true then
    add("not told", "The buyer is not told before that these can't go back.", "Tell him: confirmed = true.", "declares.returns.confirmed")
  end
  return found
end

---P20 when a return is refused: { days = since receipt, category, confirmed }.
function promises.return_refused(subject, settings)
  local rule = settings.p20
  local add, found = law.findings("P20", rule)
  local excepted = law.has(rule.except, subject.category) and subject.confirmed == true
  if (subject.days or 0) <= rule.days and not excepted then
    add(("%d days"):format(subject.days or 0), ("The goods came %d days ago and may go back."):format(subject.days or 0),
      "Take them back.", "days")
  end
  return found
end

---P24
function promises.label(subject, settings)
  local rule = settings.p24
  local add, found = law.findings("P24", rule)
  for i, c in ipairs(law.declared(subject).content or {}) do
    local field = ("declares.content[%d]"):format(i)
    if (c.paid or c.rewarded) and not law.has(rule.labels, c.label) then
      add(c.label or "no label", ("\"%s\" is paid for and does not say so."):format(c.name or c.kind or "content"),
        ("Label it, for example \"%s\"."):format(rule.labels[1] or "Ad"), field .. ".label")
    elseif (c.paid or c.rewarded) and c.label_at == "later" then
      add(c.label_at, "The label is not where one sees it first.", "Put it on the first screen.", field .. ".label_at")
    end
  end
  return found
end

---P26
function promises.numbers(subject, settings)
  local add, found = law.findings("P26", settings.p26)
  local sources = law.declared(subject).sources or {}
  for _, one in ipairs(law.texts(subject)) do
    local claim, sourced = one[2]:match "%d[%d%.,]*%s?%%" or one[2]:match "[Nn]umber one" or one[2]:match "[Bb]est[- ]selling"
      or one[2]:match "%d+ times", false
    for words in pairs(sources) do sourced = sourced or (claim and (words:find(claim, 1, true) or claim:find(words, 1, true)) ~= nil) end
    if claim and not sourced then
      add(claim, ("\"%s\" is a claim without a source."):format(claim),
        ("Name it: declares = { sources = { [\"%s\"] = \"...\" } }."):format(claim), one[1])
    end
  end
  return found
end

---P28
function promises.children(subject, settings)
  local rule = settings.p28
  local add, found = law.findings("P28", rule)
  local declared = law.declared(subject)
  local audience, automated = declared.audience, declared.automated
  if audience and automated and (audience.from_age or 0) < rule.audience_age then
    add(audience.from_age or "any age", "Advertising that follows a person is shown to minors.",
      ("Show it from the age of %d on, or to all alike."):format(rule.audience_age), "declares.audience.from_age")
  end
  return found
end

---P29
function promises.messages(subject, settings)
  local add, found = law.findings("P29", settings.p29)
  local message = law.declared(subject).message
  if message and message.consent ~= "marketing" and message.consent ~= "existing_customer" then
    add(message.consent or "none", "A message goes out without consent to marketing.",
      "Send it to those who agreed (consent = \"marketing\"), or of similar goods to customers (\"existing_customer\").",
        "declares.message.consent")
  end
  if message and message.unsubscribe ~= true then
    add("no way out", "A message does not say how to get no more.", "Let it: unsubscribe = true.", "declares.message.unsubscribe")
  end
  return found
end

---P29 when one is sent: { consent = whether he agreed to marketing, unsubscribe = it says how to get no more }.
function promises.message(subject, settings)
  local add, found = law.findings("P29", settings.p29)
  if subject.consent ~= true then add("no consent", "He did not agree to marketing, or took it back.", "Send nothing.", "consent") end
  if subject.unsubscribe ~= true then add("no way out", "It does not say how to get no more.", "Add it.", "unsubscribe") end
  return found
end

return promises
