-- Each step waits for memory.
local t, n = {}, 1 << 19
for i = 1, n do t[i] = { i } end
local i = 1
while true do i = (i * 1103515245 + 12345) % n + 1 t[i][1] = i end
