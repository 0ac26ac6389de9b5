-- P31 to P38: what is known of persons, and who decides.
local law = require "feira.law"

local personal = {}

local function fields_of(subject)
  if subject.kind == "personal" then return { subject }, "" end
  return law.declared(subject).personal or {}, "declares.personal"
end

---P31
function personal.minimum(subject, settings)
  local add, found = law.findings("P31", settings.p31)
  local fields, field = fields_of(subject)
  for i, f in ipairs(fields) do
    for _, name in ipairs(subject.kind == "personal" and { "purpose" } or { "purpose", "basis", "retention" }) do
      if not f[name] or f[name] == "" then
        add(f.field, ("The personal field %s has no %s."):format(tostring(f.field), name), "Say it, or do without the field.",
          law.at(field, i, name))
      end
    end
  end
  return found
end

---P31 of the shop: who answers for personal data, and where one writes to.
function personal.controller(subject, settings)
  local add, found = law.findings("P31", settings.p31)
  local privacy = subject.declaration.privacy or {}
  for _, name in ipairs { "controller", "contact" } do
    if not privacy[name] then
      add("no " .. name, ("The notice does not say who answers for personal data (%s)."):format(name),
        ("Write privacy = { %s = \"...\" } in shop.lua."):format(name), "privacy." .. name, settings.p31.level ~= "off" and "warn" or nil)
    end
  end
  return found
end

---P34 of the shop: within how long it answers.
function personal.answers(subject, settings)
  local rule = settings.p34
  local add, found = law.findings("P34", rule)
  local privacy = subject.declaration.privacy or {}
  local days = privacy.answer_within and tonumber(privacy.answer_within:match "^(%d+)d$")
  if privacy.law ~= "cn" and not (days and days <= rule.days) then
    add(privacy.answer_within or privacy.law or "eu", "The shop takes longer to answer a person than it may.",
      ("Write privacy = { law = \"cn\" } in shop.lua, or answer_within = \"%dd\"."):format(rule.days), "privacy.law", "warn")
  end
  return found
end

---P32. At run time: { field, purpose, consent = given or not, shared_with, separate_consent, minor, guardian }.
function personal.consent(subject, settings)
  local rule = settings.p32
  local add, found = law.findings("P32", rule)
  local fields, field = fields_of(subject)
  for i, f in ipairs(fields) do
    local sensitive = f.sensitive
    for _, word in ipairs(rule.sensitive) do sensitive = sensitive or tostring(f.field):find(word, 1, true) ~= nil end
    if sensitive and f.separate_consent ~= true then
      add(f.field, ("%s is sensitive and is taken without a consent of its own."):format(tostring(f.field)),
        "Ask for it: separate_consent = true.", law.at(field, i, "separate_consent"))
    end
    local shared = type(f.shared_with) == "table" and f.shared_with[1] or type(f.shared_with) == "string" and f.shared_with
    if shared and f.separate_consent ~= true then
      add(shared, ("%s goes to %s without a consent of its own."):format(tostring(f.field), shared),
        "Ask for it: separate_consent = true.", law.at(field, i, "shared_with"))
    end
    if f.basis == "consent" and subject.kind ~= "personal" and not f.consent then
      add(f.field, ("%s is taken by consent, and nobody says which."):format(tostring(f.field)),
        "Name the purpose that is consented to: consent = \"...\".", law.at(field, i, "consent"))
    end
    if subject.kind == "personal" and subject.consent == false then
      add(f.purpose or f.field, "He did not consent, or took it back.", "Do without.", "consent")
    end
    if subject.kind == "personal" and subject.minor and not subject.guardian then
      add(f.field, "He is a minor, and no parent has agreed.", "Ask a parent.", "guardian")
    end
  end
  return found
end

local function facts_in(t, out)
  for key, value in pairs(t) do
    if key == "fact" and type(value) == "table" and value.name then out[#out + 1] = value.name end
    if type(value) == "table" then facts_in(value, out) end
  end
  return out
end

---P33
function personal.prices(subject, settings)
  local rule = settings.p33
  local add, found = law.findings("P33", rule)
  local declared = law.declared(subject)
  for _, input in ipairs(declared.price_inputs or {}) do
    if law.has(rule.forbidden, input) then
      add(input, ("The price depends on %s."):format(input), "Let everybody have one price, or one by what he can see and reach.",
        "declares.price_inputs")
    end
  end
  local d = subject.declaration
  for _, name in ipairs(type(d.when) == "table" and facts_in(d.when, {}) or {}) do
    local last = name:match "[^.]+$"
    if law.has(rule.forbidden, last) then
      add(name, ("The price depends on the fact %s."):format(name), "Let it depend on something else.", "when")
    end
  end
  local automated = declared.automated
  if automated and automated.non_personal ~= true then
    add("personal only", "What is chosen for a person can't be had without that.", "Offer it: non_personal = true.",
      "declares.automated.non_personal")
  end
  return found
end

---P34
function personal.rights(subject, settings) return law.rights(subject, "P34", settings.p34) end

---P35
function personal.retention(subject, settings)
  local rule = settings.p35
  local add, found = law.findings("P35", rule)
  local retention = law.declared(subject).retention
  for name, days in pairs(retention or {}) do
    if days < rule.days then
      add(days, ("%s are kept for %d days."):format((name:gsub("_days$", ""):gsub("_", " ")), days),
        ("Keep them for %d."):format(rule.days), "declares.retention." .. name)
    end
  end
  return found
end

---P37
function personal.licence(_, settings)
  local add, found = law.findings("P37", settings.p37)
  if not settings.license_url then
    add("no license_url", "The home page shows no business licence.",
      "Write plugins = { [\"compliance-cn\"] = { license_url = \"https://...\" } } in shop.lua.", "settings.license_url")
  end
  return found
end

---P38
function personal.minors(subject, settings)
  local rule = settings.p38
  local add, found = law.findings("P38", rule)
  local declared = law.declared(subject)
  local age = declared.age
  local what = age and age.what or declared.lottery and "lottery"
  if what and law.has(rule.what, what) and not (age and age.gate and (age.from or 0) >= rule.adult) then
    add(what, ("Nobody asks how old one is before the %s."):format(what), ("Ask: age = { gate = true, from = %d }."):format(rule.adult),
      "declares.age")
  end
  return found
end

---{ of, author, approvers = { ... }, hash, approved_hash }
function personal.approval(subject, settings)
  local add, found = law.findings("approval", settings.approval)
  local seen = {}
  local approvers = subject.approvers or { subject.by }
  for _, who in ipairs(approvers) do
    if who == subject.author then add(who, ("%s approves what he wrote himself."):format(who), "Let somebody else approve it.", "by") end
    if seen[who] then add(who, ("%s approves twice."):format(who), "Let another person approve the next step.", "by") end
    seen[who] = true
  end
  if subject.hash and subject.approved_hash and subject.hash ~= subject.approved_hash then
    add(subject.hash, "What was approved is not what is to go live.", "Have it approved again.", "hash")
  end
  return found
end

return personal
