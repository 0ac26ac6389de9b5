-- A table that grows and shrinks while it is walked.
local t = {}
for i = 1, 1000 do t[i] = i t["k" .. i] = i end
while true do for k in pairs(t) do t[tostring(k) .. "x"] = 1 t[k] = nil end end
