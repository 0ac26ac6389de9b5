-- WeChat Pay, API v3: mini-programs and official accounts (jsapi), codes to scan (native).
return {
  name = "wechat-pay", version = "1.0.0", api = 1, title = "WeChat Pay",
  about = "Takes payments through WeChat Pay, API v3, and gives them back.",
  needs = {
    http = { { host = "api.mch.weixin.qq.com", why = "WeChat Pay: payments are begun, asked about, closed and given back there." } },
  },
  settings = {
    merchant = { type = "string", min = 1, max = 32, about = "The merchant's number with WeChat Pay (mchid)." },
    app = { type = "string", min = 1, max = 32, about = "The app that payments are made in (appid)." },
    serial = { type = "string", min = 8, max = 64, about = "The serial number of the merchant's certificate." },
    key = { type = "secret", about = "The merchant's private key, in PEM: signs what is asked." },
    api_key = { type = "secret", about = "The APIv3 key, 32 bytes: opens what WeChat Pay tells." },
    platform_keys = {
      type = "list", min = 1, max = 8, about = "The public keys of WeChat Pay; several while they change.",
      of = { type = "record", fields = {
        id = { type = "string", min = 8, max = 80, about = "The serial number of its certificate, or PUB_KEY_ID_..." },
        pem = { type = "string", min = 100, max = 8000, about = "The public key, or the certificate, in PEM." },
      } },
    },
    notify_url = {
      type = "string", min = 12, max = 255, about = "Where WeChat Pay tells of payments: https://SHOP/v1/payments/wechat-pay/notify",
    },
    description = { type = "string", min = 1, max = 100, default = "Order {order}", about = "What the payer reads; {order} is its id." },
  },
  payments = {
    create = "pay.create", query = "pay.query", close = "pay.close", refund = "pay.refund", notify = "pay.notify", reply = "pay.reply",
    merchant = "merchant", app = "app",
  },
}
