-- A wholesaler of gifts (examples/giftware/data-source/README.md) in a year with tiers and thirty campaigns, which change as it goes.
-- scripts/replay-retail --rules fills it from real sales.
return {
  name = "Giftware, a year of rules",
  currency = "GBP",
  zone = "Europe/London",
  pay_within = "2h",
  test_payments = true,
  shipping = {
    { id = "standard", title = "Standard", regions = { "GB" }, rates = { { over = "100.00", price = "0.00" }, { price = "4.95" } } },
    { id = "export", title = "Abroad", rates = { { price = "18.00" } } },
  },
  tax = { prices = "include", rates = { { title = "VAT", percent = 20 } } },
  plugins = {
    ["member-tiers"] = {
      point = "10.00",
      levels = {
        { id = "guest", title = "Guest" },
        { id = "silver", title = "Silver", points = 60, off = 1 },
        { id = "gold", title = "Gold", points = 300, off = 2 },
      },
    },
  },
}
