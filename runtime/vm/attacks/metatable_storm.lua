local mt = { __index = {}, __newindex = {}, __eq = rawequal, __lt = rawequal }
while true do setmetatable({}, mt) end
