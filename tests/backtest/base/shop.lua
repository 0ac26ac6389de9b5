-- A wholesaler of gifts whose orders are known; ../README.md.
return {
  name = "Giftware, as it was",
  currency = "GBP",
  zone = "Europe/London",
  pay_within = "2h",
  test_payments = true,
  shipping = { { id = "standard", title = "Standard", rates = { { over = "100.00", price = "0.00" }, { price = "4.95" } } } },
  tax = { prices = "include", rates = { { title = "VAT", percent = 20 } } },
}
