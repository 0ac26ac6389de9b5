local time = require "feira.time"
while true do for name, f in pairs(time) do pcall(f, name, ("x"):rep(1000)) pcall(f, 1, 2, 3) pcall(f, math.maxinteger) end end
