-- The link of a group: what a friend needs to see its price and to join it, and nothing else. It binds the group, the campaign, the rules
-- the group goes by and what is taken off; it is signed by the shop, so nobody makes up a group or a price.
local links = {}

---@param offer { percent: integer?, price: integer? } parts per million; minor units
local function offer_text(offer) return offer.percent and "p" .. offer.percent or "m" .. offer.price end

---@param group { group: string, campaign: string, rules: string }
---@param offer { percent: integer?, price: integer? }
---@return string text to be signed
function links.text(group, offer) return table.concat({ group.group, group.campaign, group.rules, offer_text(offer) }, "~") end

---@param text string|nil what plugin.verify() gave
---@return { group: string, campaign: string, rules: string, offer: { percent: integer?, price: integer? } }|nil
function links.read(text)
  local group, campaign, rules, kind, number = (text or ""):match "^([^~]+)~([^~]+)~([^~]+)~([pm])(%d+)$"
  local n = number and math.tointeger(tonumber(number))
  if not n then return nil end
  return { group = group, campaign = campaign, rules = rules, offer = kind == "p" and { percent = n } or { price = n } }
end

return links
