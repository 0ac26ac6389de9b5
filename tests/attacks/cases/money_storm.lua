local money = require "feira.money"
local parts = {}
for i = 1, 5000 do parts[i] = i end
while true do
  pcall(money.ratio, 999999999999, 333333, 1000000)
  pcall(money.allocate, 1000000, parts)
  pcall(money.parse, ("9"):rep(100000))
end
