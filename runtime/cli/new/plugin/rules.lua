-- Pure functions: they see what they are given, and nothing else. What has effects goes into events.lua.
local rules = {}

---@param cart feira.Cart
---@param settings { percent: integer } in parts per million
function rules.give(cart, settings)
  for line in cart:lines() do
    local off = line.remaining * settings.percent // 1000000
    if off > 0 then line:discount { amount = off } end
  end
end

return rules
