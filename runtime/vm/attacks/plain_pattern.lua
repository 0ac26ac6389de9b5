local p = string.rep("a", 900000)
while true do string.find("a", p) end
