-- What a rule is given, used in ways it is not meant for; in other kinds there is nothing, and it ends.
local given = ...
if type(given) ~= "userdata" and type(given) ~= "table" then return end
local odd = { math.huge, -1, 0 / 0, "", ("x"):rep(70000), {}, { {} }, true, math.mininteger }
local names = { "select", "all", "lines", "has_customer_tag", "fact", "free_shipping", "percent_off", "amount_off", "discount", "has_tag", "subtotal", "qty" }
for _, name in ipairs(names) do
  for _, a in ipairs(odd) do
    pcall(function() return given[name](given, a) end)
    pcall(function() return given[name](a, given) end)
    pcall(function() given[name] = a end)
    pcall(function() return given:all():select { any = { { tag = a }, { sku = { a, a } } } } end)
  end
end
local deep = {}
for _ = 1, 5000 do deep = { any = { deep } } end
pcall(function() given:select(deep) end)
while true do pcall(function() for line in given:lines() do line:discount { amount = 1, reason = ("r"):rep(100000) } end end) end
