-- Much is alive and a little is thrown away again and again, so that each collection looks at all of it.
local keep = {}
for i = 1, 120000 do keep[i] = { i, {} } end
while true do local t = {} for i = 1, 1000 do t[i] = { i } end end
