-- The shop of scripts/bench orders, payments and timers: as many products as it is asked for, one campaign, a plugin that sets timers.
return {
  name = "Bench",
  currency = "GBP",
  zone = "Europe/London",
  pay_within = "60d", -- orders that wait to be paid must not expire under a bench
  test_payments = true,
  plugins = { reminders = {} },
}
