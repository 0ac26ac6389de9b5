local ok, timers = pcall(require, "feira.timers")
local n = 0
while ok do n = n + 1 pcall(timers.set, "ring", "key " .. n, 4102444800000) pcall(timers.cancel, "ring", "key " .. n) end
