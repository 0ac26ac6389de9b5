-- a result too deep to walk
local t = {} local c = t
for i = 1, 100000 do c.x = {} c = c.x end
return t
