-- Pure functions: they see what they are given, and nothing else. What has effects goes into events.lua.
local promo = require "feira.promo"

local rules = {}

---@param fields { id: string, tag: string, percent: integer } what the campaign file says; percent in parts per million
---@param settings { most: integer } what shop.lua says
---@return feira.promo.Campaign
function rules.give(fields, settings)
  local share = math.min(fields.percent, settings.most)
  return promo.campaign {
    id = fields.id,
    scope = promo.tag(fields.tag),
    give = function(cart)
      for line in cart:all():lines() do
        local off = line.remaining * share // 1000000
        if off > 0 then line:discount { amount = off } end
      end
    end,
  }
end

return rules
