while true do pcall(error, string.rep("x", 500000)) pcall(error, { string.rep("y", 1000) }, 2) end
