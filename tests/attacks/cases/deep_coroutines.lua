-- A coroutine in a coroutine in a coroutine.
local function f(n) return coroutine.wrap(function() return f(n + 1) + 1 end)() end
while true do pcall(f, 1) end
