-- What the shop is. Change it, then run: feira check SHOP
return {
  name = "@NAME@",
  currency = "@CURRENCY@", -- ISO 4217; the stored amounts are in it, so it can't change once there are orders
  zone = "@ZONE@", -- the days and hours of campaigns are local time here

  -- The provider "test" takes any payment, so that you can try the whole way to a paid order. Take this line out before you sell.
  test_payments = true,

  -- How long a price shown is good, and how long goods are kept for an order that is not paid.
  quote_ttl = "15m",
  pay_within = "30m",

  -- Of an option the first rate whose conditions hold is the price. Amounts are strings, so that nobody mistakes cents for whole money.
  shipping = {
    {
      id = "standard",
      title = "Standard delivery",
      rates = { { over = "50", price = "0" }, { up_to_g = 5000, price = "4" }, { price = "9" } },
    },
    { id = "pickup", title = "Pick it up", rates = { { price = "0" } } },
  },
}
