-- Errors, yields and ends from inside of functions that C calls back.
local function inside() coroutine.yield(1) end
local co = coroutine.wrap(function()
  pcall(table.sort, { 3, 2, 1 }, inside)
  pcall(string.gsub, "aaa", "a", inside)
  pcall(function() return setmetatable({}, { __index = inside }).x end)
  pcall(function() for _ in pairs(setmetatable({}, { __pairs = inside })) do end end)
  pcall(tostring, setmetatable({}, { __tostring = inside }))
  return 2
end)
for _ = 1, 20 do pcall(co) end
while true do pcall(table.sort, { 3, 2, 1 }, function() error {} end) end
