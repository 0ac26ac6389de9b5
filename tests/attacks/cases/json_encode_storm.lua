local json = require "feira.json"
local t = {}
for i = 1, 20000 do t[i] = { a = i + 0.1, b = "\1\2\3" } end
while true do pcall(json.encode, t) end
