-- The wholesaler of gifts of examples/giftware, in a year in which it has fifty campaigns. ../run fills it from the sales.
return {
  name = "Giftware, a whole year",
  currency = "GBP",
  zone = "Europe/London",
  shipping = {
    {
      id = "standard",
      title = "Standard, 3 to 5 days",
      regions = { "GB" },
      rates = { { over = "400.00", price = "0.00" }, { price = "6.95" } },
    },
    { id = "export", title = "Abroad, 5 to 10 days", rates = { { over = "1500.00", price = "0.00" }, { price = "18.00" } } },
  },
}
