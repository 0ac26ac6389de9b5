-- A coffee roaster with a club: levels that are earned by buying coffee, prices by the sack, a tasting that only some are asked to.
return {
  name = "Harbour Roasters",
  currency = "EUR",
  zone = "Europe/Lisbon",
  test_payments = true, -- the provider "test" takes any payment; a real shop leaves this out

  shipping = {
    {
      id = "post",
      title = "By post, 2 to 4 days",
      rates = { { over = "40.00", price = "0.00" }, { up_to_g = 2000, price = "3.90" }, { price = "7.50" } },
    },
    { id = "counter", title = "At the counter", rates = { { price = "0.00" } } },
  },

  plugins = {
    ["member-tiers"] = {
      point = "1.00", -- one point for each whole euro of coffee
      levels = {
        { id = "guest", title = "Guest" },
        { id = "regular", title = "Regular", points = 150, orders = 3, keep = 60, off = 3 },
        { id = "cupper", title = "Cupper", points = 400, certificate = "cupping", keep = 150, off = 5 },
      },
      prices = {
        { level = "regular", sku = "HOUSE-250", price = "6.50" },
        { level = "cupper", sku = "HOUSE-250", price = "6.00" },
      },
      period = "180d",
      grace = "30d",
      newcomer = "30d",
      betas = { { id = "nanolot", title = "Nano lot tasting", level = "cupper", seats = 12 } },
    },
    ["volume-pricing"] = {
      steps = {
        { sku = "HOUSE-1000", from = 5, price = "19.50" }, { sku = "HOUSE-1000", from = 20, price = "17.00" },
        { sku = "ESPRESSO-1000", from = 5, price = "21.00" }, { sku = "ESPRESSO-1000", from = 20, price = "18.50" },
      },
      groups = { { tag = "cafe", off = 12 } },
      schedule = { { sku = "MUG", price = "7.00", from = "2026-12-01 00:00", to = "2026-12-24 18:00" } },
      floor = 70,
    },
  },
}
