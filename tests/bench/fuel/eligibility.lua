-- Who may have the price: tags, a first order, hours of the day; many small questions.
local function has(list, what)
  for _, v in ipairs(list) do
    if v == what then return true end
  end
  return false
end

return function(cart)
  local hour = cart.now // 3600000 % 24
  if has(cart.tags, "staff") or cart.orders == 0 then return 0 end
  local points = 0
  for _, line in ipairs(cart.lines) do
    if has(line.tags, "sale") and not has(line.tags, "final") then
      points = points + math.max(0, line.unit_price - 500) * line.qty
    elseif string.sub(line.sku, 1, 3) == "SET" and hour >= 9 then
      points = points + math.min(line.qty, 5)
    end
  end
  return points
end
