-- comparing long strings is one instruction
local a, b = string.rep('x', 1000000), string.rep('x', 1000000)
while a == b do end
