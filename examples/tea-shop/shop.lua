-- 一家小茶铺：人民币，上海时间。
return {
  name = "云间茶铺",
  currency = "CNY",
  zone = "Asia/Shanghai",
  test_payments = true, -- "test" 支付方式什么都收，正式开店请删去这一行

  shipping = {
    {
      id = "express",
      title = "快递，一般两三天送到",
      rates = { { up_to_g = 1000, price = "8.00" }, { up_to_g = 5000, price = "15.00" }, { price = "30.00" } },
    },
    { id = "pickup", title = "到店自提", rates = { { price = "0.00" } } },
  },
}
