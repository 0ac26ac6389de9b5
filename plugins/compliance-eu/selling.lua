-- P1, P3, P4: schemes in which one earns by bringing others in.
local law = require "feira.law"

local selling = {}

local SELLER = "seller"

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
      add(("%s: level %d"):format(who, most), ("%s earns on level %d of what a buyer pays."):format(who, most),
        ("Let nobody earn beyond level %d."):format(rule.max_levels), law.at(field, i, "payees"))
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
      add(what, ("Who wants to earn has to give %s."):format(what), "Let anybody take part without paying or buying.",
        "declares.promoters.qualify")
    end
  end
  return found
end

---P4
function selling.heads(subject, settings)
  local add, found = law.findings("P4", settings.p4)
  local rewards, field = law.rewards(subject)
  for i, reward in ipairs(rewards) do
    local by = reward.paid_on
    if law.has(settings.p4.forbidden, reward.trigger) or by == "person" or by == "entry" then
      add(by and by ~= "order_line" and by or reward.trigger, "It is paid for bringing people in, rather than for what is sold.",
        "Pay for what consumers order: paid_on = \"order_line\".", law.at(field, i, "trigger"))
    end
  end
  return found
end

return selling
