local t = {}
for i = 1, 1500000 do t[i] = true end
while true do for _ in pairs(t) do break end end
