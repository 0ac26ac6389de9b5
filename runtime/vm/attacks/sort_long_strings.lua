local t = {}
for i = 1, 40 do t[i] = string.rep("a", 200000) .. (41 - i) end
while true do table.sort(t) end
