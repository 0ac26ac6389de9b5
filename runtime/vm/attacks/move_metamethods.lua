-- lengths that lie
local t = setmetatable({}, { __len = function() return math.maxinteger end, __index = function() return 1 end })
table.remove(t, 1) table.insert(t, 1, 2) table.concat(t) table.unpack(t) table.sort(t) table.remove(t)
while true do table.move(t, 1, 1000000, 2) end
