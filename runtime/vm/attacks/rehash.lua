-- each insertion into a full table rehashes all of it
local t = {}
for i = 1, 1 << 15 do t['k' .. i] = i end
local n = 1 << 15
while true do t['k' .. n - (1 << 15) + 1] = nil n = n + 1 t['k' .. n] = n end
