-- All short strings are hashed into a new place when there are too many of them.
local t = {}
for i = 1, 1e9 do t[i] = i .. "" end
