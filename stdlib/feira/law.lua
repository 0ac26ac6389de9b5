-- feira.law: what checks of a law share, whichever it is: what a merchant declared, how a finding is written, what a price was. Plugins
-- may require it.
local money = require "feira.money"

local law = {}

local FINDINGS_MAX = 100 -- of one rule and one subject; who has so many knows what to do

local DAY_MS = 24 * 3600 * 1000
law.DAY_MS = DAY_MS

---What is declared of this subject; empty when nothing is. Of what is asked at run time, the subject itself is the one thing.
function law.declared(subject)
  return subject.declaration and subject.declaration.declares or {}
end

---{ add, list }: add(value, text, satisfy, field, level) writes a finding of a rule, unless the merchant turned it off. level: another
---than the rule's own.
---@param number string "P6"
---@param rule table its settings
function law.findings(number, rule)
  local list = {}
  local function add(value, text, satisfy, field, level)
    level = level or rule.level
    if rule.level == "off" or level == "off" or #list >= FINDINGS_MAX then return end
    list[#list + 1] = { rule = number, level = level, article = rule.article, value = tostring(value):sub(1, 190), text = text,
      satisfy = satisfy, field = field }
  end
  return add, list
end

-- "Share-to group" and "share_to_group" are one word.
local function same_word(word) return type(word) == "string" and (word:lower():gsub("[%s%-]+", "_")) or word end

function law.has(list, word)
  word = same_word(word)
  for _, one in ipairs(list or {}) do
    if same_word(one) == word then return true end
  end
  return false
end

---A declared amount in minor units, or nil.
function law.minor(amount) return amount and money.parse(amount) or nil end

law.format = money.format

---12.5, "12.5" -> parts per million, exact to four decimals.
function law.ppm(percent)
  if type(percent) == "number" then return math.floor(percent * 10000 + 0.5) // 1 end
  if type(percent) ~= "string" then return nil end
  local whole, rest = percent:match "^(%d+)%.?(%d*)$"
  if not whole then return nil end
  return (math.tointeger(tonumber(whole)) * 10000) + math.tointeger(tonumber((rest .. "0000"):sub(1, 4)))
end

---"20", "12.5"
function law.percent(ppm)
  if ppm % 10000 == 0 then return tostring(ppm // 10000) end
  return (("%d.%04d"):format(ppm // 10000, ppm % 10000):gsub("0+$", ""))
end

---Rewards of a campaign, or the one that is being paid.
function law.rewards(subject)
  if subject.kind == "reward" then return { subject }, "" end
  return law.declared(subject).rewards or {}, "declares.rewards"
end

function law.at(field, i, name)
  if field == "" then return name end
  return ("%s[%d].%s"):format(field, i, name)
end

---Every text that people read, by where it stands: { { where, text } ... }
function law.texts(subject)
  if subject.kind == "text" then return { { subject.where or "text", subject.text } } end
  local out, d = {}, subject.declaration
  local declared = law.declared(subject)
  if d.title then out[1] = { "title", d.title } end
  for where, text in pairs(declared.texts or {}) do out[#out + 1] = { "declares.texts." .. where, text } end
  for i, claim in ipairs(declared.claims or {}) do
    if claim.text then out[#out + 1] = { ("declares.claims[%d].text"):format(i), claim.text } end
  end
  if declared.group and declared.group.rule_text then out[#out + 1] = { "declares.group.rule_text", declared.group.rule_text } end
  return out
end

---How far from the buyer each payee of a reward is, along the edges that are declared: { [role] = 1, ... }. nil, role: nobody knows whom
---that one stands above (of several, each says it), or it goes round.
function law.distances(payees)
  local above, out, first = {}, {}, true
  for _, p in ipairs(payees) do
    local of = p.of or "buyer"
    if (not p.of and not first) or (above[p.role] and above[p.role] ~= of) then return nil, p.role end
    above[p.role], first = of, first and p.of ~= nil
  end
  for _, p in ipairs(payees) do
    local n, at = 0, p.role
    while at ~= "buyer" do
      at, n = above[at], n + 1
      if not at or n > #payees then return nil, p.role end
    end
    out[p.role] = n
  end
  return out
end

-- Between letters nobody sees these: "最 佳", "最-佳".
function law.plain(text)
  text = text:gsub("[%s%p]", "")
  for _, mark in ipairs { "　", "·", "，", "。", "、", "！", "？", "：", "；", "“", "”", "\u{200B}", "\u{200C}", "\u{200D}", "\u{FEFF}" } do
    text = text:gsub(mark, "")
  end
  return text
end

---The lowest price of the steps within so many days before the start; key: "at" of deals, "until" of offers. nil: none.
function law.lowest(steps, key, start, days)
  local from, found = start - days * DAY_MS, nil
  for _, step in ipairs(steps) do
    if step[key] > from or (key == "at" and step[key] == from) then found = step end
  end
  return found
end

---What a person may ask for is not refused, and is answered in time.
---@param rule { days: integer } a setting of the law's plugin
function law.rights(subject, number, rule)
  local add, found = law.findings(number, rule)
  local rights = law.declared(subject).rights
  if not rights then return found end
  for _, name in ipairs { "export", "erase" } do
    if rights[name] ~= true then
      add("no " .. name, ("Nobody can ask for %s of what is known of him."):format(name), ("Let him: rights.%s = true."):format(name),
        "declares.rights." .. name)
    end
  end
  if (rights.days or 1000) > rule.days then
    add(rights.days or "unknown", "Who asks waits too long.", ("Answer within %d days."):format(rule.days), "declares.rights.days")
  end
  return found
end

return law
