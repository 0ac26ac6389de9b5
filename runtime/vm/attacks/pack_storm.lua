local s = string.rep("x", 200000)
while true do local p = string.pack("s4zs8", s, s, s) string.unpack("s4zs8", p) end
