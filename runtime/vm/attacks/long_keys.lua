-- A long string is hashed when it becomes a key: every byte of it, in one instruction.
local t, s = {}, string.rep("k", 500000)
while true do t[s .. #t] = nil end
