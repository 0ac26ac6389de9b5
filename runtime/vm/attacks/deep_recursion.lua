-- recursion through C and metamethods
local mt = {}
mt.__index = function(t, k) return t[k .. "x"] end
mt.__eq = function(a, b) return a == b end
mt.__tostring = function(t) return tostring(t) end
mt.__concat = function(a, b) return a .. b end
local t, u = setmetatable({}, mt), setmetatable({}, mt)
pcall(function() return t.x end) pcall(function() return t == u end) pcall(tostring, t) pcall(function() return t .. u end)
local function r(n) return 1 + r(n) end
return r(1)
