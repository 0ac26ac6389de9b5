-- Everything that can be required, called with what it does not expect.
local odd = { math.huge, -1, 0 / 0, "", ("x"):rep(70000), {}, { {} }, true, math.mininteger, function() error {} end, coroutine.create(function() end) }
local names = { "feira.money", "feira.json", "feira.time", "feira.ids", "feira.log", "feira.fail", "feira.store", "feira.plugin", "feira.ledger", "feira.timers",
  "feira.quote", "feira.catalogue", "feira.events", "feira.sql", "feira.http", "feira.crypto", "feira.secrets", "feira.promo", "feira.vm", "feira.bridge", "feira.test" }
local function visit(t, depth)
  for _, f in pairs(t) do
    if type(f) == "function" then
      for _, a in ipairs(odd) do
        pcall(f, a)
        pcall(f, a, a)
        pcall(f, t, a, a)
        for _, b in ipairs(odd) do pcall(f, a, b, a) end
      end
    elseif type(f) == "table" and depth < 3 then
      visit(f, depth + 1)
    end
  end
end
for _, name in ipairs(names) do
  local ok, module = pcall(require, name)
  if ok and type(module) == "table" then visit(module, 0) end
end
