return {
  name = "stored-value",
  version = "1.0.0",
  api = 1,
  title = "Stored value",
  about = "Money that customers have paid in, and what the shop gave on top: kept apart, spent together, given back as it was spent.",
  needs = {
    collections = { { name = "customers:read", why = "Value is kept for customers who exist." } },
  },
  settings = {
    spend_first = {
      type = "choice", choices = { "both", "principal", "gift" }, default = "both",
      about = "What a purchase takes first: both in proportion to what is there, what was paid in, or what was given.",
    },
    top_up_max = { type = "money", min = "0.01", default = "10000", about = "The most that can be paid in at once." },
  },
  collections = {
    spends = {
      fields = {
        spend = { type = "string", max = 40, about = "Chosen by whoever spends: the same one twice is one." },
        customer = "customer",
        at = "time",
        principal = { type = "money", about = "Of what was paid in." },
        gift = { type = "money", about = "Of what was given." },
        back = { type = "money", default = 0, about = "What of both went back." },
      },
      key = "spend", index = { "customer" },
    },
    top_ups = {
      fields = {
        id_of_payment = { type = "string", max = 40, about = "Chosen by whoever tops up: the same one twice is one." },
        customer = "customer", at = "time", principal = "money", gift = "money",
      },
      key = "id_of_payment", index = { "customer" },
    },
    returns = {
      fields = {
        spend = { type = "string", max = 40 }, return_id = { type = "string", max = 40 }, at = "time", principal = "money", gift = "money",
      },
      unique = { { "spend", "return_id" } },
    },
  },
  procedures = {
    top_up = {
      run = "wallet.top_up", about = "What a customer pays in, and what the shop gives on top.",
      args = {
        customer = "customer", id = { type = "string", max = 40, about = "Of the payment: the same one twice is one." },
        principal = { type = "money", min = 0, about = "Paid in." },
        gift = { type = "money", min = 0, optional = true, about = "Given on top." },
      },
    },
    spend = {
      run = "wallet.spend", about = "Takes an amount of a customer's value.",
      args = {
        customer = "customer", id = { type = "string", max = 40, about = "Of the purchase." },
        amount = { type = "money", min = 1, about = "How much." },
      },
    },
    give_back = {
      run = "wallet.give_back", about = "Gives back what was spent, or a part of it, as principal and gift in the shares they were spent.",
      args = {
        spend = { type = "string", max = 40, about = "The purchase." }, id = { type = "string", max = 40, about = "Of the return." },
        amount = { type = "money", min = 1, about = "How much." },
      },
    },
  },
  routes = {
    ["POST /top-ups"] = {
      run = "routes.top_up", auth = "server", about = "What a customer pays in, and what the shop gives on top.",
      body = {
        customer = "customer", id = { type = "string", max = 40, about = "Of the payment: the same one twice is one." },
        principal = { type = "money", min = 0, about = "Paid in." },
        gift = { type = "money", min = 0, optional = true, about = "Given on top." },
      },
    },
    ["POST /spends"] = {
      run = "routes.spend", auth = "server", about = "Takes an amount of a customer's value: a till, a server.",
      body = {
        customer = "customer", id = { type = "string", max = 40, about = "Of the purchase." },
        amount = { type = "money", min = 1, about = "How much." },
      },
    },
    ["POST /spends/{spend}/returns"] = {
      run = "routes.give_back", auth = "server", about = "Gives back what was spent, or a part of it.",
      body = {
        id = { type = "string", max = 40, about = "Of the return: the same one twice is one." },
        amount = { type = "money", min = 1, about = "How much." },
      },
    },
    ["GET /balance"] = { run = "routes.balance", auth = "customer", about = "What the customer has." },
    ["GET /statement/{part}"] = {
      run = "routes.statement", auth = "customer", about = "What moved of the customer's principal or gift, the earliest first.",
      query = { after = { type = "string", max = 60, optional = true, about = "next of the page before." } },
    },
  },
}
