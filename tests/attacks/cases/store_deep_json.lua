-- A value that is deep, and one that contains itself.
local ok, store = pcall(require, "feira.store")
local deep = {}
for _ = 1, 10000 do deep = { deep } end
local round = {}
round[1] = round
while ok do
  pcall(function() store.marks:insert { text = deep } end)
  pcall(function() store.marks:insert { text = round } end)
end
