-- A wholesaler of gifts in London. Its catalogue comes from real sales: data-source/README.md.
return {
  name = "Giftware",
  currency = "GBP",
  zone = "Europe/London",
  pay_within = "2h",
  test_payments = true, -- the provider "test" takes any payment; a real shop leaves this out

  shipping = {
    {
      id = "standard",
      title = "Standard, 3 to 5 days",
      regions = { "GB" },
      rates = { { over = "100.00", price = "0.00" }, { price = "4.95" } },
    },
    {
      id = "export",
      title = "Abroad, 5 to 10 days",
      rates = { { up_to_g = 2000, price = "12.50" }, { price = "29.00" } },
    },
  },
}
