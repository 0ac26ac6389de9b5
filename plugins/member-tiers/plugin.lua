return {
  name = "member-tiers",
  version = "1.0.0",
  api = 1,
  title = "Member tiers",
  about = "Growth points from paid orders, the levels they lead to, and what each brings: prices, discounts, first access.",
  needs = {
    collections = {
      { name = "customers:read", why = "Points and certificates go to customers who exist." },
      { name = "orders:read", why = "What was paid for goods, and what of it went back." },
    },
    personal = { { field = "customer.phone_hash", purpose = "one welcome per person" } },
  },
  settings = {
    point = { type = "money", min = "0.01", default = "1", about = "How much has to be paid for goods, shipping left out, for one point." },
    after = {
      type = "duration", max = "365d", optional = true,
      about = "How long after the payment points count, so that goods can come back before; left out: at once.",
    },
    levels = {
      type = "list", min = 1, max = 20,
      default = {
        { id = "bronze", title = "Bronze" },
        { id = "silver", title = "Silver", points = 500, keep = 200 },
        { id = "gold", title = "Gold", points = 2000, keep = 1000 },
      },
      about = "The levels, the lowest first. Whoever is on one has met the conditions of those below it, and has what they bring.",
      of = { type = "record", fields = {
        id = { type = "string", max = 24, about = "Its short name, in campaigns and in what the shop keeps. Don't change it later." },
        title = { type = "string", max = 60, about = "What the customer reads." },
        points = { type = "integer", min = 0, max = 1000000000, default = 0, about = "How many points it takes." },
        orders = { type = "integer", min = 0, max = 1000000, default = 0, about = "And how many paid orders that cost something." },
        certificate = { type = "string", max = 40, optional = true, about = "And which certificate, granted by the shop." },
        keep = {
          type = "integer", min = 0, max = 1000000000, default = 0,
          about = "How many points a period must bring to stay there. 0: once reached it stays.",
        },
        off = { type = "percent", max = 100, default = 0, about = "So much off every list price." },
      } },
    },
    prices = {
      type = "list", max = 1000, default = {}, about = "Prices of products from a level on.",
      of = { type = "record", fields = {
        level = { type = "string", max = 24, about = "From which level on." },
        sku = { type = "sku", about = "The product." },
        price = { type = "money", about = "The price of each piece." },
      } },
    },
    period = {
      type = "duration", min = "1d", max = "3650d", default = "365d",
      about = "How long a period lasts; it begins when a level is reached.",
    },
    grace = {
      type = "duration", max = "365d", optional = true,
      about = "How long after a period that brought too little a customer can still make up for it; left out: not at all.",
    },
    newcomer = {
      type = "duration", min = "1h", max = "365d", default = "30d",
      about = "How long after joining somebody without an order is a newcomer.",
    },
    betas = {
      type = "list", max = 7, default = {}, about = "Things that only some can buy, before all others.",
      of = { type = "record", fields = {
        id = { type = "string", max = 24, about = "Its short name, in campaigns and in what the shop keeps. Don't change it later." },
        title = { type = "string", max = 60, about = "What the customer reads." },
        level = { type = "string", max = 24, about = "From which level on a customer can take a seat." },
        seats = { type = "integer", min = 0, max = 1000000, about = "How many seats there are." },
      } },
    },
  },
  collections = {
    members = {
      fields = {
        customer = "customer",
        level = { type = "string", max = 24, default = "", about = "The id of the level; empty below the first." },
        since = "time",
        points = { type = "integer", default = 0, about = "What the ledger says, for rules." },
        waiting = { type = "integer", default = 0, about = "Points of paid orders that do not count yet." },
        orders = { type = "integer", default = 0, about = "Paid ones that cost something and were not taken back." },
        placed = { type = "integer", default = 0, about = "Orders that were neither cancelled nor left to expire." },
        joined = "time?",
        period = { type = "integer", default = 0, about = "Number of the running period." },
        earned = { type = "integer", default = 0, about = "Points of the running period." },
        review_at = "time?",
        grace = { type = "boolean", default = false, about = "The period has ended, and there is still time." },
        lost = {
          type = "string", max = 24, optional = true, about = "A level that was not kept: it is reached again by the points of a period.",
        },
      },
      key = "customer",
    },
    orders = {
      fields = {
        order = "order", customer = "customer", at = "time",
        state = { type = "string", max = 10, about = "placed, waiting, paid or over: what is heard twice counts once." },
        counted = { type = "boolean", default = false, about = "It counts as a paid order." },
        points = { type = "integer", default = 0, about = "Given for it." },
        taken = { type = "integer", default = 0, about = "Taken back of them." },
        period = { type = "integer", default = 0, about = "The customer's period that they count in." },
      },
      key = "order", index = { "customer" },
    },
    phones = { fields = { hash = { type = "string", max = 64 }, customer = "customer" }, key = "hash", erase = true },
    movements = {
      fields = {
        customer = "customer", at = "time", points = "integer", reason = { type = "string", max = 40 }, order = "order?",
        note = { type = "string", max = 500, optional = true, personal = "why your points or level were changed by hand" },
      },
      index = { "customer" },
    },
    changes = {
      fields = {
        customer = "customer", at = "time",
        from = { type = "string", max = 24, default = "" }, to = { type = "string", max = 24, default = "" },
        reason = { type = "string", max = 40 }, order = "order?",
        note = { type = "string", max = 500, optional = true, personal = "why your points or level were changed by hand" },
      },
      index = { "customer" },
    },
    certificates = {
      fields = {
        customer = "customer", name = { type = "string", max = 40 }, at = "time", valid = { type = "boolean", default = true },
        note = { type = "string", max = 500, optional = true, personal = "why your points or level were changed by hand" },
      },
      unique = { { "customer", "name" } }, index = { "customer" },
    },
    pools = {
      fields = {
        beta = { type = "string", max = 24 }, seats = { type = "integer", default = 0 }, changes = { type = "integer", default = 0 },
      },
      key = "beta",
    },
    seats = {
      fields = { beta = { type = "string", max = 24 }, customer = "customer", at = "time" },
      unique = { { "beta", "customer" } }, index = { "customer" },
    },
  },
  facts = {
    level = {
      run = "rules.level", type = "integer", from = { collection = "members", by = "customer" }, about = "1 is the lowest level, 0 none.",
    },
    points = { run = "rules.points", type = "integer", from = { collection = "members", by = "customer" }, about = "Growth points." },
    newcomer = {
      run = "rules.newcomer", type = "boolean", from = { collection = "members", by = "customer" },
      about = "Joined lately, and no order yet.",
    },
    betas = {
      run = "rules.betas", type = "string", from = { collection = "seats", by = "customer" }, about = "Where a seat was taken: \" a b \".",
    },
  },
  -- Without it the price of the catalogue holds: a shop that stops the plugin sells on.
  pricing = { price = { run = "rules.price", on_failure = "skip" } },
  campaigns = {
    ["member-tiers"] = {
      run = "rules.discount", title = "Something off from a level on",
      fields = {
        id = { type = "string", max = 64, about = "The campaign's id." },
        title = { type = "string", max = 200, optional = true, about = "What the shopper reads." },
        level = { type = "string", max = 24, about = "From which level on." },
        percent = { type = "percent", max = 100, optional = true, about = "So much off." },
        amount = { type = "money", optional = true, about = "Or such an amount off." },
        at_least = { type = "money", optional = true, about = "If the goods come to so much." },
        sku = { type = "list", of = { type = "sku" }, optional = true, about = "These products only." },
        tag = { type = "list", of = { type = "string", max = 64 }, optional = true, about = "Products with one of these tags only." },
        category = { type = "list", of = { type = "string", max = 200 }, optional = true, about = "These categories only." },
        from = { type = "string", max = 20, optional = true, about = "When it begins: \"2026-11-20 00:00\"." },
        to = { type = "string", max = 20, optional = true, about = "When it ends." },
        priority = { type = "integer", default = 0, about = "Higher is applied earlier." },
      },
    },
    gate = {
      run = "rules.gate", title = "Only from a level on, for ever or for a time",
      fields = {
        id = { type = "string", max = 64, about = "The gate's id." },
        title = { type = "string", max = 200, optional = true, about = "What the gate is called." },
        level = { type = "string", max = 24, about = "From which level on it can be bought." },
        reason = { type = "string", max = 150, optional = true, about = "What everybody else reads." },
        hide = { type = "boolean", default = false, about = "Shows the line as not for sale, instead of refusing the cart." },
        sku = { type = "list", of = { type = "sku" }, optional = true, about = "These products." },
        tag = { type = "list", of = { type = "string", max = 64 }, optional = true, about = "Products with one of these tags." },
        category = { type = "list", of = { type = "string", max = 200 }, optional = true, about = "These categories." },
        from = { type = "string", max = 20, optional = true, about = "Before that anybody can buy it." },
        to = { type = "string", max = 20, optional = true, about = "From then on anybody can buy it." },
      },
    },
    beta = {
      run = "rules.beta", title = "Only for those who took a seat",
      fields = {
        id = { type = "string", max = 64, about = "The gate's id." },
        title = { type = "string", max = 200, optional = true, about = "What the gate is called." },
        beta = { type = "string", max = 24, about = "Which of the betas in the settings." },
        each = { type = "integer", min = 1, max = 1000000, default = 1, about = "How many pieces an order may have of it." },
        reason = { type = "string", max = 150, optional = true, about = "What everybody else reads." },
        hide = { type = "boolean", default = false, about = "Shows the line as not for sale, instead of refusing the cart." },
        sku = { type = "list", of = { type = "sku" }, optional = true, about = "These products." },
        tag = { type = "list", of = { type = "string", max = 64 }, optional = true, about = "Products with one of these tags." },
        category = { type = "list", of = { type = "string", max = 200 }, optional = true, about = "These categories." },
      },
    },
    newcomer = {
      run = "rules.welcome", title = "Something off the first order",
      fields = {
        id = { type = "string", max = 64, about = "The campaign's id." },
        title = { type = "string", max = 200, optional = true, about = "What the shopper reads." },
        percent = { type = "percent", max = 100, optional = true, about = "So much off." },
        amount = { type = "money", optional = true, about = "Or such an amount off." },
        at_least = { type = "money", optional = true, about = "If the goods come to so much." },
      },
    },
  },
  events = {
    level_changed = {
      about = "A customer is on another level.",
      payload = {
        customer = "customer", from = { type = "string", max = 24, optional = true }, to = { type = "string", max = 24, optional = true },
        reason = { type = "string", max = 40 }, at = "time",
      },
    },
    at_risk = {
      about = "A period brought too few points; there is time until then to make up for it.",
      payload = { customer = "customer", level = { type = "string", max = 24 }, missing = "integer", ["until"] = "time" },
    },
  },
  on = {
    ["customer.joined"] = { run = "events.joined", when = "in_transaction" },
    ["order.placed"] = { run = "events.placed", when = "in_transaction" },
    ["order.paid"] = { run = "events.paid", when = "in_transaction" },
    ["order.cancelled"] = { run = "events.cancelled", when = "in_transaction" },
    ["order.expired"] = { run = "events.expired", when = "in_transaction" },
    ["refund.succeeded"] = { run = "events.refunded", when = "in_transaction" },
  },
  timers = { review = "events.review", ripen = "events.ripen" },
  procedures = {
    add_points = {
      run = "events.add_points", about = "Gives points, or takes them (a negative number), with a reason.",
      args = {
        customer = "customer", points = { type = "integer", min = -1000000000, max = 1000000000 },
        reason = { type = "string", min = 1, max = 500 },
      },
    },
    certify = {
      run = "events.certify", about = "Grants a certificate, or takes it away.",
      args = {
        customer = "customer", certificate = { type = "string", min = 1, max = 40 },
        granted = { type = "boolean", optional = true }, reason = { type = "string", min = 1, max = 500, optional = true },
      },
    },
  },
  routes = {
    ["GET /levels"] = { run = "routes.levels", auth = "anyone", about = "The levels, what they ask for and what they bring." },
    ["GET /me"] = { run = "routes.me", auth = "customer", about = "The customer's own level, points and history." },
    ["GET /members/{customer}"] = { run = "routes.member", auth = "server", about = "A customer's level, points and history." },
    ["POST /members/{customer}/points"] = {
      run = "routes.adjust", auth = "operator", about = "Gives or takes points, with a reason.",
      body = {
        points = { type = "integer", min = -1000000000, max = 1000000000 }, reason = { type = "string", min = 1, max = 500 },
      },
    },
    ["POST /members/{customer}/certificates"] = {
      run = "routes.certify", auth = "server", about = "Grants a certificate, or takes it away.",
      body = {
        certificate = { type = "string", min = 1, max = 40 }, granted = { type = "boolean", optional = true },
        reason = { type = "string", min = 1, max = 500, optional = true },
      },
    },
    ["GET /betas"] = { run = "routes.betas", auth = "anyone", about = "What only some can buy, and how many seats are left." },
    ["POST /betas/{beta}/seat"] = {
      run = "routes.take_seat", auth = "customer", about = "Takes a seat; a second time it is the same one.",
    },
  },
}
