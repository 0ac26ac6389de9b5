-- The brand with the largest sum gets the discount: a table that is walked by its keys.
return function(cart)
  local sums = {}
  for _, line in ipairs(cart.lines) do
    sums[line.brand] = (sums[line.brand] or 0) + line.unit_price * line.qty
  end
  local best, most = "", 0
  for brand, sum in pairs(sums) do
    if sum > most or sum == most and brand < best then best, most = brand, sum end
  end
  local off = 0
  for _, line in ipairs(cart.lines) do
    if line.brand == best then off = off + line.unit_price * line.qty // 10 end
  end
  return off
end
