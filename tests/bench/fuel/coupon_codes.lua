-- Codes such as "TEA-20-2026": taken apart, looked up, and a sentence for the buyer.
local PREFIXES = { TEA = "tea", CUP = "cups" }

return function(cart)
  local off, notes = 0, {}
  for _, code in ipairs(cart.codes) do
    local prefix, percent = string.match(string.upper(code), "^(%u+)%-(%d+)%-%d+$")
    local category = PREFIXES[prefix]
    if category then
      local sum = 0
      for _, line in ipairs(cart.lines) do
        if line.category == category then sum = sum + line.unit_price * line.qty end
      end
      local amount = sum * math.tointeger(tonumber(percent)) // 100
      off = off + amount
      notes[#notes + 1] = string.format("%s: %d.%02d off %s", code, amount // 100, amount % 100, category)
    end
  end
  return off + #table.concat(notes, ", ")
end
