local t = setmetatable({}, { __index = function(self, k) rawset(self, k, k) return self[k .. "x"] end })
while true do pcall(string.gsub, ("ab"):rep(1000), "%w+", t) end
