-- 1,900 tables deep in one instruction.
local t = { x = 1 }
for _ = 1, 1900 do t = setmetatable({}, { __index = t }) end
while t.x do end
