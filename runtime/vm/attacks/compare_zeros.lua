-- Each zero byte is a call of strcoll() inside one instruction.
local a, b = string.rep("\0", 1 << 20) .. "a", string.rep("\0", 1 << 20) .. "b"
while a < b do end
