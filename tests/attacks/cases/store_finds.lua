-- Questions without end.
local ok, store = pcall(require, "feira.store")
while ok do pcall(function() return #store.marks:find() end) end
