local t = {}
for i = 1, 400 do t[i] = string.rep("\0", 20000) .. i end
while true do table.sort(t, function(a, b) return a < b end) end
