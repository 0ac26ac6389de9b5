-- a metatable turns weak after it was set
local mt = {}
local t = setmetatable({}, mt)
mt.__mode = "kv"
while true do t[#t + 1] = {} mt.__newindex = {} end
