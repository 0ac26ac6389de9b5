-- What puts a mark on a table puts it on a shared one, in the place of what makes it read-only.
local json = require "feira.json"
for _, shared in ipairs { json, string, table, math, require "feira.money", require "feira.fail" } do
  assert(not pcall(json.array, shared), "a shared table took a mark")
end
assert(type(json.object) == "function" and type(string.rep) == "function")
