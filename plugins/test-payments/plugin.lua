-- A provider of payments whose gateway is a small program of the tests, which misbehaves when it is told to.
return {
  name = "test-payments", version = "1.0.0", api = 1, title = "Payments to try a shop with",
  about = "Pays through a gateway that touches no money: what a provider does, well and badly. Read it before you write one.",
  needs = {
    http = { { host = "gateway.test-payments.example:8421", why = "The gateway that stands for a payment provider." } },
  },
  settings = {
    merchant = { type = "string", max = 64, default = "m-test", about = "The shop's number with the gateway: whose money is the shop's." },
    app = { type = "string", max = 64, default = "app-test", about = "The app that payments are made for." },
    key = { type = "secret", about = "The key that both sides sign with." },
  },
  payments = {
    create = "pay.create", query = "pay.query", close = "pay.close", refund = "pay.refund", notify = "pay.notify", reply = "pay.reply",
    merchant = "merchant", app = "app",
  },
}
