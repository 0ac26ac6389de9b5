-- Long arrays, deep ones, and numbers of a megabyte.
local json = require "feira.json"
local wide, deep, long = "[" .. ("1,"):rep(200000) .. "1]", ("["):rep(100000), ("9"):rep(900000)
while true do
  pcall(json.decode, wide)
  pcall(json.decode, deep)
  pcall(json.decode, long)
end
