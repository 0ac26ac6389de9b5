---@meta feira.law
-- What checks of a law share. Pure; in checks at submission and at run time.

local law = {}

law.DAY_MS = 86400000

---What `declares` of the subject says; an empty table when it says nothing.
---@param subject feira.Subject
---@return feira.promo.Declares
function law.declared(subject) end

---A function that writes a finding of a rule, and the list of them. `level` of add: another than the rule's own. With the rule's level
---"off" nothing is written.
---
---```lua
---local add, found = law.findings("P13", settings.p13)
---add("21 %", "The deposit is 21 % of the price.", "Take at most 20 %.", "declares.deposit.amount")
---return found
---```
---@param number string "P13"
---@param rule { level: string, article: string } a setting
---@return fun(value: any, text: string, satisfy: string, field: string?, level: string?) add
---@return feira.Finding[] found
function law.findings(number, rule) end

---Whether it is in the list; of words neither case nor "-" or blanks for "_" make a difference.
---@param list any[]?
---@param word any
---@return boolean
function law.has(list, word) end

---@param amount feira.promo.Money? "50.00"
---@return integer? minor units
function law.minor(amount) end

---@param minor integer
---@return string "50.00"
function law.format(minor) end

---@param percent number|string|nil 12.5, "12.5"
---@return integer? ppm parts per million
function law.ppm(percent) end

---@param ppm integer
---@return string "12.5"
function law.percent(ppm) end

---The rewards that are declared, or the one that a plugin asks about (kind "reward"); and where they stand.
---@param subject feira.Subject
---@return table[] rewards
---@return string field
function law.rewards(subject) end

---"declares.rewards[2].payees"; of what is asked at run time (field "") the name alone.
---@param field string
---@param i integer
---@param name string
---@return string
function law.at(field, i, name) end

---How far from the buyer each payee of a reward is, along the edges that are declared. nil, role: nobody knows whom that one stands above
---(of several, each says it), or it goes round.
---@param payees feira.promo.Payee[]
---@return table<string, integer>? by_role
---@return string? role
function law.distances(payees) end

---Every text that people read: { where, text }.
---@param subject feira.Subject
---@return string[][]
function law.texts(subject) end

---A text without blanks and punctuation.
---@param text string
---@return string
function law.plain(text) end

---The lowest of the steps of `history.prices` within so many days before the start.
---@param steps table[] offers or deals of a product
---@param key "at"|"until" "at" of deals, "until" of offers
---@param start integer ms
---@param days integer
---@return table? step nil: none
function law.lowest(steps, key, start, days) end

---What a person may ask for (declares.rights) is not refused, and is answered within rule.days.
---@param subject table
---@param number string the number of the rule, like "P34"
---@param rule { days: integer } a setting of the plugin
---@return table[] findings
function law.rights(subject, number, rule) end

return law
