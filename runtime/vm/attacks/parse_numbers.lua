local s = string.rep("7", 900000)
while true do tonumber(s) tonumber(s, 7) end
