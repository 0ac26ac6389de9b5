-- Two hundred long strings become one in a single instruction.
local s = string.rep("x", 1000000)
while true do
  local r = s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s
end
