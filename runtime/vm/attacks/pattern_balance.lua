-- quadratic balance, again and again
local s = string.rep('(', 60000)
for _ = 1, 1000 do s:gsub('%b()', '') end
