local s = string.rep("a", 100000)
while true do s:find(string.rep("(a", 30) .. string.rep(")", 30)) for _ in s:gmatch "()()()()()()()()()()()()()()()()" do end end
