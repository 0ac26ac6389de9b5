-- sizes out of nowhere
pcall(string.pack, 'c' .. (1 << 40), 'x') pcall(string.unpack, 's8', ('\xff'):rep(8)) pcall(string.packsize, ('c1073741824'):rep(50))
while true do string.pack('c1000000', '') end
