-- A small shop that sells through its customers' chats: what is bought together costs less.
return {
  name = "山外茶铺",
  currency = "CNY",
  zone = "Asia/Shanghai",
  test_payments = true, -- the provider "test" takes any payment; a real shop leaves this out
  pay_within = "30m",

  shipping = {
    { id = "post", title = "快递", regions = { "CN" }, rates = { { over = "99.00", price = "0.00" }, { price = "8.00" } } },
  },

  plugins = { ["group-buy"] = {} },
}
