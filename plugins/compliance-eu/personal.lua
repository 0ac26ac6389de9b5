-- P31 to P37: what is known of persons, and who runs the shop.
local law = require "feira.law"

local personal = {}

---P31
function personal.minimum(subject, settings)
  local add, found = law.findings("P31", settings.p31)
  local at_run_time = subject.kind == "personal"
  for i, f in ipairs(at_run_time and { subject } or law.declared(subject).personal or {}) do
    for _, name in ipairs(at_run_time and { "purpose" } or { "purpose", "retention" }) do
      if not f[name] or f[name] == "" then
        add(f.field, ("The personal field %s has no %s."):format(tostring(f.field), name), "Say it, or do without the field.",
          law.at(at_run_time and "" or "declares.personal", i, name))
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
  if days and days > rule.days then
    add(privacy.answer_within, "The shop takes longer to answer a person than it may.",
      ("Write answer_within = \"%dd\", or leave it out."):format(rule.days),
      "privacy.answer_within")
  end
  return found
end

---P32
function personal.basis(subject, settings)
  local rule = settings.p32
  local add, found = law.findings("P32", rule)
  for i, f in ipairs(law.declared(subject).personal or {}) do
    local function at(name) return law.at("declares.personal", i, name) end
    if not law.has(rule.bases, f.basis) then
      add(f.basis or "no basis", ("%s is had on no basis that there is."):format(f.field), "Name one of the setting p32.bases.",
        at "basis")
    elseif f.basis == "consent" and not f.consent then
      add(f.field, ("%s is had by consent, and nobody says which."):format(f.field),
        "Name the purpose that is consented to: consent = \"...\".", at "consent")
    end
    local special = f.sensitive
    for _, word in ipairs(rule.special) do special = special or f.field:find(word, 1, true) ~= nil end
    if special and f.separate_consent ~= true then
      add(f.field, ("%s is of a special kind and is had without an explicit consent."):format(f.field),
        "Ask for it: separate_consent = true.", at "separate_consent")
    end
  end
  return found
end

---P32 at run time: { field, purpose, consent = given or not, age, guardian }.
function personal.consented(subject, settings)
  local rule = settings.p32
  local add, found = law.findings("P32", rule)
  if subject.consent == false then
    add(subject.purpose or subject.field, "There is no consent, or it was taken back.", "Do without.", "consent")
  end
  local child = subject.minor or (subject.age and subject.age < rule.child_age)
  if child and not subject.guardian then
    add(subject.age or "minor", "It is a child's, and no parent has agreed.", "Ask a parent.", "guardian")
  end
  return found
end

---P33
function personal.prices(subject, settings)
  local rule = settings.p33
  local add, found = law.findings("P33", rule)
  local declared = law.declared(subject)
  for _, input in ipairs(declared.price_inputs or {}) do
    if law.has(rule.personal, input) and not (declared.automated and declared.automated.explained) then
      add(input, ("The price depends on %s, and nobody is told that it is a personal one."):format(input),
        "Say so beside the price: automated = { explained = true }; or let it depend on something else.", "declares.price_inputs")
    end
  end
  return found
end

---P34
function personal.rights(subject, settings) return law.rights(subject, "P34", settings.p34) end

---P37
function personal.imprint(_, settings)
  local add, found = law.findings("P37", settings.p37)
  if not settings.imprint_url then
    add("no imprint_url", "The shop does not say who runs it.",
      "Write plugins = { [\"compliance-eu\"] = { imprint_url = \"https://...\" } } in shop.lua.", "settings.imprint_url")
  end
  return found
end

return personal
