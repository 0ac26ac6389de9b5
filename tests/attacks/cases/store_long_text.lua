local ok, store = pcall(require, "feira.store")
while ok do pcall(function() store.marks:insert { text = ("x"):rep(900000) } end) end
