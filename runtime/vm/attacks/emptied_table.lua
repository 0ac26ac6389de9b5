-- A table that was large and is empty is walked slot by slot.
local t = {}
for i = 1, 200000 do t["k" .. i] = true end
for i = 1, 200000 do t["k" .. i] = nil end
while true do for _ in pairs(t) do end end
