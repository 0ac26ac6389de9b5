-- A number becomes text within one instruction.
local x = 0.1
while true do local s = x .. "" x = x + 0.1 end
