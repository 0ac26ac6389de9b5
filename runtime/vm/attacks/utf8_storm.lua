local s = string.rep("é", 400000)
while true do utf8.len(s) utf8.offset(s, 300000) utf8.codepoint(s, 1, 90000) end
