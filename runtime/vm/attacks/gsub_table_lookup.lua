local s = string.rep("abc", 100000)
while true do s:gsub("%w", { a = "x" }) end
