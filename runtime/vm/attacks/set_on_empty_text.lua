-- The set is as long as a pattern may be, and there is no text to pay for.
local p = "[" .. string.rep("a", 900000) .. "]?"
while true do string.find("", p) end
