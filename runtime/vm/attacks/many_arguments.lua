-- Each call copies all its arguments.
local function g() end
local function f(...) while true do g(...) end end
f(table.unpack({}, 1, 90000))
