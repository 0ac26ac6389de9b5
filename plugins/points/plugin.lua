return {
  name = "points",
  version = "1.0.0",
  api = 1,
  title = "Points",
  about = "Points for what was bought and for coming by, which pay a part of an order, expire day by day, and go back with refunds.",
  needs = {
    collections = {
      { name = "customers:read", why = "Points are kept for customers who exist." },
      { name = "orders:read", why = "What was paid for goods, whose order it is, and what of it went back." },
      { name = "products:read", why = "Tags that bring more points, or none." },
    },
    procedures = { { name = "orders.pay", why = "Points pay a part of an order." } },
  },
  settings = {
    earn_on = {
      type = "choice", choices = { "completed", "paid" }, default = "completed",
      about = "When an order brings its points: once it is completed and the time for returns is over, or as soon as it is paid.",
    },
    earn_for = {
      type = "money", min = "0.01", default = "1",
      about = "How much has to be paid for goods, in money and without shipping, for one point.",
    },
    multipliers = {
      type = "list", max = 100, default = {},
      about = "More points, or none, for some goods: of all that fit a line the highest counts, but 0 beats every other.",
      of = { type = "record", fields = {
        tag = { type = "string", max = 64, optional = true, about = "For products with this tag." },
        campaign = { type = "campaign", optional = true, about = "For all goods of orders that this campaign took something off." },
        percent = { type = "percent", min = 0, max = 10000, about = "200 is twice as many points, 0 none." },
      } },
    },
    valid = { type = "duration", min = "1h", max = "3650d", optional = true, about = "How long points live; left out: for ever." },
    returned_for = {
      type = "duration", min = "1h", max = "365d", optional = true,
      about = "How long points live at least that come back from an order; left out: no longer than they would have without it.",
    },
    worth_of_100 = { type = "money", min = "0.01", default = "1", about = "What 100 points pay." },
    max_share = { type = "percent", min = 0, max = 100, default = 30, about = "How much of an order's total points may pay." },
    min_spend = { type = "integer", min = 1, max = 1000000000, default = 1, about = "The fewest points an order takes." },
    sign_in = {
      type = "integer", min = 0, max = 1000000, default = 0, about = "Points for coming by, once a day of the shop's zone; 0: none.",
    },
  },
  collections = {
    lots = {
      fields = {
        customer = "customer", expires = "time",
        open = { type = "boolean", default = true, about = "Something is left of it." },
        left = { type = "integer", min = 0, about = "All that is left of a customer's lots is the balance of the account." },
        expired = { type = "integer", default = 0, about = "What was left when its time was over." },
        lapsed = { type = "integer", default = 0, about = "What of that was to be taken back later, with refunds, and was gone." },
      },
      unique = { { "customer", "expires" } }, index = { { "customer", "open", "expires" } },
    },
    earnings = {
      fields = {
        order = "order", customer = "customer", at = "time",
        points = { type = "integer", about = "What the order brings when nothing goes back." },
        given = { type = "boolean", default = false, about = "The points are with the customer; until then they wait." },
        lot = { type = "integer", optional = true },
        taken = { type = "integer", default = 0, about = "What of them was taken back, or never given, because goods went back." },
      },
      key = "order", index = { "customer" },
    },
    -- What campaigns add to what an order earns: so much more counts as paid.
    boosts = { fields = { grant = { type = "string", max = 100 }, order = "order", more = "money" }, key = "grant", index = { "order" } },
    spends = {
      fields = {
        order = "order", customer = "customer", at = "time", points = "integer", amount = "money",
        back = { type = "integer", default = 0, about = "Points that came back." },
        amount_back = { type = "money", default = 0 },
      },
      key = "order", index = { "customer" },
    },
    parts = {
      fields = {
        order = "order", expires = "time", points = "integer",
        back = { type = "integer", default = 0, about = "What of it came back." },
      },
      index = { "order" },
    },
    returns = { fields = { order = "order", refund = { type = "string", max = 64 }, at = "time" }, unique = { { "order", "refund" } } },
    sign_ins = {
      fields = { customer = "customer", day = { type = "string", max = 10 }, at = "time", points = "integer" },
      unique = { { "customer", "day" } }, erase = true,
    },
    adjustments = {
      fields = {
        customer = "customer", number = { type = "string", max = 64, about = "Chosen by whoever adjusts: the same one twice is one." },
        points = "integer", reason = { type = "string", max = 500 }, at = "time",
      },
      unique = { { "customer", "number" } },
    },
  },
  on = {
    ["campaign.granted"] = { run = "events.granted", when = "in_transaction" },
    ["campaign.taken_back"] = { run = "events.taken_back", when = "in_transaction" },
    ["order.paid"] = { run = "events.paid", when = "in_transaction" },
    ["order.completed"] = { run = "events.completed", when = "in_transaction" },
    ["refund.requested"] = { run = "events.refunded", when = "in_transaction" },
    ["payment.returned"] = { run = "events.returned", when = "in_transaction" },
  },
  timers = { expire = "events.expire" },
  procedures = {
    adjust = {
      run = "purse.adjust", about = "Gives points, or takes them (a negative number), with a reason.",
      args = {
        customer = "customer", id = { type = "string", min = 1, max = 64, about = "The same one twice is one." },
        points = { type = "integer", min = -1000000000, max = 1000000000 }, reason = { type = "string", min = 1, max = 500 },
      },
    },
    spend = {
      run = "spending.spend", about = "Pays a part of an order with points of its customer.",
      args = { order = "order", points = { type = "integer", min = 1, max = 1000000000 } },
    },
  },
  routes = {
    ["GET /me"] = { run = "routes.me", auth = "customer", about = "The customer's points, and when they expire." },
    ["GET /me/statement"] = {
      run = "routes.my_statement", auth = "customer", about = "What moved of the customer's points, the earliest first.",
      query = { after = { type = "string", max = 60, optional = true, about = "next of the page before." } },
    },
    ["GET /orders/{order}"] = { run = "routes.offer", auth = "customer", about = "How many points an order of the customer's can take." },
    ["POST /orders/{order}/spend"] = {
      run = "routes.spend", auth = "customer", about = "Pays a part of an order that waits for its payment with points.",
      body = { points = { type = "integer", min = 1, max = 1000000000, about = "How many points." } },
    },
    ["POST /sign-ins"] = { run = "routes.sign_in", auth = "customer", about = "Points for coming by, once a day." },
    ["GET /customers/{customer}"] = { run = "routes.of_customer", auth = "server", about = "A customer's points, and when they expire." },
    ["GET /customers/{customer}/statement"] = {
      run = "routes.statement", auth = "server", about = "What moved of a customer's points, the earliest first.",
      query = { after = { type = "string", max = 60, optional = true, about = "next of the page before." } },
    },
    ["POST /customers/{customer}/adjustments"] = {
      run = "routes.adjust", auth = "operator", about = "Gives points, or takes them (a negative number), with a reason.",
      body = {
        id = { type = "string", min = 1, max = 64, about = "Chosen by the caller: the same one twice is one." },
        points = { type = "integer", min = -1000000000, max = 1000000000 }, reason = { type = "string", min = 1, max = 500 },
      },
    },
  },
}
