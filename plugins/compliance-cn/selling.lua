-- P1 to P5c: who earns by what others buy, and what may be rewarded.
local law = require "feira.law"

local selling = {}

local BUYER, SELLER = "buyer", "seller"

---P1. At run time `depth` counts, too.
function selling.levels(subject, settings)
  local rule = settings.p1
  local add, found = law.findings("P1", rule)
  local rewards, field = law.rewards(subject)
  for i, reward in ipairs(rewards) do
    local payees = type(reward.payees) == "table" and reward.payees or {}
    local far, lost = law.distances(payees)
    if not far then
      add(lost, ("Nobody can say how far %s is from the buyer."):format(lost),
        "Name of each payee the role it stands above, down to \"buyer\".", law.at(field, i, "payees"))
    end
    local most, who = reward.depth or 0, "somebody"
    for _, p in ipairs(payees) do
      if far and p.role ~= SELLER and far[p.role] > most then most, who = far[p.role], p.role end
    end
    if most > rule.max_levels then
      add(("%s: level %d"):format(who, most),
        ("%s earns on level %d of what a buyer pays; every edge counts, whatever it is called."):format(who, most),
        ("Let nobody earn beyond level %d."):format(rule.max_levels), law.at(field, i, "payees"))
    end
  end
  return found
end

---P2. At run time `rate` is parts per million of all together, or it is what the payees say.
function selling.payees(subject, settings)
  local rule = settings.p2
  local add, found = law.findings("P2", rule)
  local rewards, field = law.rewards(subject)
  for i, reward in ipairs(rewards) do
    local payees = type(reward.payees) == "table" and reward.payees or {}
    local count, sum, seen = type(reward.payees) == "number" and reward.payees or 0, subject.kind == "reward" and subject.rate or 0, {}
    for _, p in ipairs(payees) do
      if p.role ~= SELLER and not seen[p.role] then count = count + 1 end
      seen[p.role] = true
      if p.role ~= SELLER then sum = sum + (law.ppm(p.percent) or 0) end
    end
    if count > rule.max_payees then
      add(count, ("%d earn by one order."):format(count), ("Let at most %d earn."):format(rule.max_payees), law.at(field, i, "payees"))
    end
    local margin = law.ppm(reward.margin_percent)
    local most = margin and margin < rule.max_total and margin or rule.max_total
    if sum > most then
      add(law.percent(sum) .. " %", ("Together they earn %s %% of the price."):format(law.percent(sum)),
        ("Let it be at most %s %%%s."):format(law.percent(most), most == margin and ", which is what is earned" or ""),
          law.at(field, i, "payees"))
    end
  end
  return found
end

---P3
function selling.entry(subject, settings)
  local add, found = law.findings("P3", settings.p3)
  local promoters = law.declared(subject).promoters
  for _, what in ipairs(promoters and promoters.qualify or {}) do
    if law.has(settings.p3.forbidden, what) then
      add(what, ("Who wants to promote has to give %s."):format(what),
        "Let anybody take part without paying, buying or leaving a deposit.", "declares.promoters.qualify")
    end
  end
  return found
end

---P4
function selling.heads(subject, settings)
  local rule = settings.p4
  local add, found = law.findings("P4", rule)
  local rewards, field = law.rewards(subject)
  for i, reward in ipairs(rewards) do
    local by = reward.paid_on
    if law.has(rule.forbidden, reward.trigger) or by == "person" or by == "entry" then
      add(by and by ~= "order_line" and by or reward.trigger, "It is paid by how many people were brought in.",
        "Pay for what consumers order: paid_on = \"order_line\".", law.at(field, i, "trigger"))
    elseif law.has(rule.invitations, reward.trigger) and subject.kind ~= "reward" then
      local payees = type(reward.payees) == "table" and reward.payees or {}
      if not reward.per_customer then
        add("no cap", "There is no end to how often one person can earn it.", "Write per_customer = ...",
          law.at(field, i, "per_customer"))
      end
      if reward.percent then
        add(tostring(reward.percent) .. " %", "A reward for inviting a buyer grows with what he buys.", "Make it a fixed amount.",
          law.at(field, i, "percent"))
      end
      for _, p in ipairs(payees) do
        if p.of and p.of ~= BUYER then
          add(p.role, "An invitation pays somebody above the one who invited.", "Let the inviter and the invitee have it, nobody else.",
            law.at(field, i, "payees"))
        end
      end
    end
  end
  return found
end

---P4b: { depth, members } below one person.
function selling.relations(subject, settings)
  local rule = settings.p4b
  local add, found = law.findings("P4b", rule)
  local depth, members = subject.depth or 0, subject.members or 0
  local value = ("%d levels, %d members"):format(depth, members)
  if depth >= rule.depth and members >= rule.members then
    add(value, ("%s below one person is where the crime begins."):format(value), "Stop paying along these relations, and ask a lawyer.",
      "members", rule.level ~= "off" and "block" or nil)
  elseif depth >= rule.depth or members >= rule.alarm_members then
    add(value, ("%s below one person: it comes near the line of %d levels and %d members."):format(value, rule.depth, rule.members),
      "Look at these relations now.", "members")
  end
  return found
end

local function found_phrase(phrases, text)
  local plain = law.plain(text)
  for _, phrase in ipairs(phrases) do
    if plain:find(law.plain(phrase), 1, true) then return phrase end
  end
end

---P5
function selling.sharing(subject, settings)
  local rule = settings.p5
  local add, found = law.findings("P5", rule)
  if not settings.wechat then return found end
  local rewards, field = law.rewards(subject)
  for i, reward in ipairs(rewards) do
    if law.has(rule.forbidden, reward.trigger) then
      add(reward.trigger, ("Something is given for the act of sharing (%s)."):format(reward.trigger),
        "Give it for what the invited person does later: a visit and sign-up, an order.", law.at(field, i, "trigger"))
    end
  end
  if subject.kind == "reward" then return found end
  for i, step in ipairs(law.declared(subject).steps or {}) do
    for _, what in ipairs(step.requires or {}) do
      if law.has(rule.forbidden, what) then
        add(what, ("\"%s\" asks for sharing before one can go on."):format(step.name), "Let people go on without it.",
          ("declares.steps[%d].requires"):format(i))
      end
    end
  end
  for _, one in ipairs(law.texts(subject)) do
    local phrase = found_phrase(rule.phrases, one[2])
    if phrase then
      add(phrase, ("The text promises something for sharing (%s)."):format(phrase),
        "Say what is given for the invited person's own later act.", one[1], "warn")
    end
  end
  return found
end

---P5b
function selling.looking(subject, settings)
  local add, found = law.findings("P5b", settings.p5b)
  local rewards, field = law.rewards(subject)
  for i, reward in ipairs(rewards) do
    if reward.gives == "cash" and law.has(settings.p5b.triggers, reward.trigger) then
      add(reward.trigger, ("Money is paid out for \"%s\"."):format(reward.trigger), "Give points or a coupon, or leave it.",
        law.at(field, i, "gives"))
    end
  end
  return found
end

local function is_group(subject, declared)
  local by = subject.made_by
  return declared.group or (by and (by.plugin == "group-buy" or by.plugin == "bargain"))
end

---P5c
function selling.groups(subject, settings)
  local rule = settings.p5c
  local add, found = law.findings("P5c", rule)
  local declared = law.declared(subject)
  if not settings.wechat or not is_group(subject, declared) then return found end
  local group, fields = declared.group or {}, subject.made_by and subject.made_by.fields or {}
  local size = group.size or fields.size or 0
  if not group.rule_text then
    add("no rule_text", "A group shows no rules.", "Write them: declares = { group = { rule_text = \"...\" } }.",
      "declares.group.rule_text")
  end
  if not (group.skus or fields.sku) then
    add("no sku", "A group sells no product that one can see.", "Name it in declares.group.skus.", "declares.group.skus")
  end
  if not (group.expires or fields.open_for) then
    add("no end", "A group does not say when it ends.", "Write declares.group.expires.", "declares.group.expires")
  end
  if size > rule.max_people then
    add(size, ("A group needs %d people."):format(size), ("Let it need at most %d."):format(rule.max_people), "declares.group.size")
  end
  return found
end

return selling
