-- The shop of scripts/bench: twenty goods (catalogue.csv), ten campaigns (campaigns/ten.lua). ../nginx/price.lua prices the same.
return {
  name = "Bench",
  currency = "GBP",
  zone = "Europe/London",
  shipping = { { id = "standard", title = "Standard", rates = { { price = "4.95" } } } },
}
