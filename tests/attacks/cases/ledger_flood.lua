local ok, ledger = pcall(require, "feira.ledger")
local n = 0
while ok do
  n = n + 1
  for name, f in pairs(ledger) do pcall(f, "attack/" .. n, "attack/" .. n + 1, 1) pcall(f, { from = "attack/a", to = "attack/b", amount = 1 }, name) end
end
