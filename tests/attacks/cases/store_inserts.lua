-- Rows without end, in one transaction.
local ok, store = pcall(require, "feira.store")
while ok do store.marks:insert { text = "one more" } end
