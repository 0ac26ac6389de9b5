-- Where a value came from is found by reading the function from its beginning.
local body = {}
for i = 1, 200 do body[i] = i end
local function f(a, b)
  local c = a.x; c = a.x; c = a.x; c = a.x; c = a.x; c = a.x
  return c.y.z
end
local t = { x = {} }
while true do pcall(f, t) end
