-- a comparator that swallows the end of its budget and lies
local t = {}
for i = 1, 50000 do t[i] = i end
while true do pcall(table.sort, t, function() pcall(function() while true do end end) return true end) end
