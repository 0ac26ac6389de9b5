-- C functions that call back into Lua, which calls them again: each level takes of the C stack.
local depth
local function format() depth = depth and depth + 1 return string.format("%s%s%99s", setmetatable({}, { __tostring = format }), "x", "y") end
local function gsub() return (string.gsub(string.rep("a", 20), "((((((((((a))))))))))", gsub)) end
local function sort() table.sort({ 3, 2, 1 }, function() sort() return true end) end
local function concat() return setmetatable({}, { __concat = concat }) .. "x" end
local function index() return setmetatable({}, { __index = index }).x end
local function wrap() return coroutine.wrap(wrap)() end
local function iterate() for _ in pairs(setmetatable({}, { __pairs = iterate })) do end end
local function compare() return setmetatable({}, { __lt = compare }) < setmetatable({}, {}) end
local function protect() return pcall(protect) end
for _ = 1, 50 do
  for _, f in ipairs { format, gsub, sort, concat, index, wrap, iterate, compare, protect } do pcall(f) end
end
