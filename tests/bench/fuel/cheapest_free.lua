-- Of each three units the cheapest is free: units are gathered and sorted.
return function(cart)
  local units = {}
  for _, line in ipairs(cart.lines) do
    if line.category == "tea" then
      for _ = 1, line.qty do units[#units + 1] = line.unit_price end
    end
  end
  table.sort(units, function(a, b) return a > b end)
  local off = 0
  for i = 3, #units, 3 do off = off + units[i] end
  return off
end
