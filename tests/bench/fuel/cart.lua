-- The cart that all of them price: twenty lines.
local cart = {
  now = 1763820000000, orders = 3, tags = { "newsletter", "b2c" }, codes = { "TEA-20-2026", "cup-5-2026", "OTHER" }, lines = {},
}
local categories, brands = { "tea", "cups", "cans", "tea" }, { "Alba", "Brisa", "Ceres", "Duna", "Ermo" }
for i = 1, 20 do
  cart.lines[i] = {
    sku = (i % 4 == 0 and "SET-" or "TEA-") .. i, qty = i % 5 + 1, unit_price = 350 + 137 * i % 2100,
    category = categories[i % 4 + 1], brand = brands[i % 5 + 1], tags = i % 3 == 0 and { "new", "sale" } or { "new" },
  }
end
return cart
