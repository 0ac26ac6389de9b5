-- What is raised is looked at by the host: it must not run.
local e = setmetatable({}, { __tostring = function() while true do end end, __name = ("n"):rep(100000), __concat = error, __index = function() while true do end end })
pcall(error, e)
error(e)
