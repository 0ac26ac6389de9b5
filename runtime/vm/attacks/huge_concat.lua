-- many long operands in one concatenation
local s = string.rep('x', 8000000)
while true do local t = s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s end
