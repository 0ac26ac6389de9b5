-- The collector looks at every coroutine at once at the end of a cycle.
local t = {}
while true do
  local c = coroutine.wrap(function(...) coroutine.yield(...) end)
  c(1, 2, 3)
  t[#t + 1] = c
end
