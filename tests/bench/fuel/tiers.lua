-- A discount that grows with what is bought of a category: tables and whole numbers.
local TIERS = { tea = { { 3, 5 }, { 6, 10 }, { 12, 15 } }, cups = { { 2, 3 }, { 4, 8 } } }

return function(cart)
  local bought = {}
  for _, line in ipairs(cart.lines) do
    bought[line.category] = (bought[line.category] or 0) + line.qty
  end
  local off = 0
  for _, line in ipairs(cart.lines) do
    local percent = 0
    for _, tier in ipairs(TIERS[line.category] or {}) do
      if bought[line.category] >= tier[1] then percent = tier[2] end
    end
    if percent > 0 then off = off + line.unit_price * line.qty * percent // 100 end
  end
  return off
end
