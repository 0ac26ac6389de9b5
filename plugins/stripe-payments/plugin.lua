-- Stripe: one PaymentIntent for each payment; the client confirms it with Stripe's own elements.
return {
  name = "stripe-payments", version = "1.0.0", api = 1, title = "Stripe",
  about = "Takes payments through Stripe's PaymentIntents, and gives them back.",
  needs = { http = { { host = "api.stripe.com", why = "Stripe: payments are begun, asked about, closed and given back there." } } },
  settings = {
    key = { type = "secret", about = "The secret key, sk_...: asks Stripe." },
    webhook_key = { type = "secret", about = "The signing secret of the endpoint, whsec_...: shows that Stripe tells it." },
    version = { type = "string", min = 10, max = 40, default = "2024-06-20", about = "The version of Stripe's API that is spoken." },
  },
  payments = { create = "pay.create", query = "pay.query", close = "pay.close", refund = "pay.refund", notify = "pay.notify" },
}
