-- the shared world
pcall(function() string.upper = nil end) pcall(rawset, string, "upper", 1) pcall(setmetatable, string, {}) pcall(function() getmetatable("").__index = {} end)
pcall(table.sort, string) pcall(table.insert, string, 1) pcall(function() math.floor = nil end) pcall(rawset, math, "floor", nil)
_ENV = {}
KEEP = 1
