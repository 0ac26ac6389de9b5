-- much output from few instructions
local f, n = {}, {}
for i = 1, 200 do f[i] = '%99.99f' n[i] = 1e308 end
f = table.concat(f)
while true do string.format(f, table.unpack(n)) end
