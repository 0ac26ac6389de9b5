local id_text = { type = "string", max = 64, about = "Chosen by whoever asks: the same one twice is one." }

return {
  name = "coupons",
  version = "1.0.0",
  api = 1,
  title = "Coupons",
  about = "Campaigns for those who hold a coupon: granted, claimed with a code, held by an order, used once, and given back.",
  needs = {
    collections = {
      { name = "customers:read", why = "Coupons are given to customers who exist, also to all with a tag." },
      { name = "orders:read", why = "Which coupons an order uses, and what of it was refunded." },
    },
  },
  settings = {
    code_case = {
      type = "choice", choices = { "ignore", "exact" }, default = "ignore",
      about = "Whether small and capital letters are the same in codes that the merchant chose. In codes made here they always are.",
    },
    guesses = {
      type = "integer", min = 1, max = 1000, default = 10,
      about = "How many unknown codes a customer may try within guess_window before no more are looked at. Typing errors do not count.",
    },
    guess_window = { type = "duration", min = "1m", max = "30d", default = "1h", about = "The time in which guesses are counted." },
    on_refund = {
      type = "choice", choices = { "keep", "return" }, default = "keep",
      about = "When all money of a paid order went back: the coupon stays used, or returns. A cancelled order always returns it.",
    },
    grace = {
      type = "duration", max = "365d", optional = true,
      about = "How long a coupon that comes back can be used at least; left out: its own time goes on, and may be over.",
    },
  },
  inputs = {
    use = {
      type = "list", of = { type = "campaign" }, max = 50, optional = true,
      about = "The campaigns whose coupons the customer wants to use; none of them: []. Left out: whatever applies.",
    },
  },
  collections = {
    coupons = {
      fields = {
        coupon = { type = "string", max = 40 },
        campaign = "campaign",
        customer = "customer",
        state = { type = "string", max = 10, about = "live, held, redeemed, expired or revoked." },
        at = "time",
        expires = "time?",
        origin = { type = "string", max = 120, optional = true, about = "What it was given for: the same thing gives one." },
        order = "order?",
      },
      key = "coupon", unique = { "origin" }, index = { { "customer", "campaign" }, "order", { "state", "expires" } },
    },
    -- What rules may know: only coupons that can be used now, so that it stays small.
    held = {
      fields = { coupon = { type = "string", max = 40 }, campaign = "campaign", customer = "customer", expires = "time?" },
      key = "coupon", index = { { "customer", "campaign" } },
    },
    totals = {
      fields = { campaign = "campaign", total = { type = "integer", about = "How many the ledger was given to be granted." } },
      key = "campaign",
    },
    words = {
      fields = {
        code = { type = "string", max = 40 }, campaign = "campaign", at = "time",
        limited = { type = "boolean", default = false, about = "Its uses are an account." },
        from = "time?", to = "time?",
      },
      key = "code",
    },
    batches = {
      fields = {
        batch = { type = "integer", min = 0, max = 32767 }, campaign = "campaign", count = "integer", at = "time",
        secret = { type = "string", max = 64, about = "Its codes are made of this; without it nobody makes one." },
        origin = { type = "string", max = 64 },
        from = "time?", to = "time?",
      },
      key = "batch", unique = { "origin" },
    },
    taken = {
      fields = { batch = "integer", n = "integer", coupon = { type = "string", max = 40 }, customer = "customer" },
      unique = { { "batch", "n" } },
    },
    -- Codes that guests typed, while an order uses them.
    guests = {
      fields = {
        coupon = { type = "string", max = 40 }, campaign = "campaign", order = "order", state = { type = "string", max = 10 },
        word = { type = "string", max = 40, optional = true }, single = { type = "string", max = 20, optional = true },
      },
      key = "coupon", unique = { "single" }, index = { "order" },
    },
    guesses = { fields = { customer = "customer", count = "integer", since = "time" }, key = "customer", erase = true },
    segments = {
      fields = {
        segment = { type = "string", max = 64 }, campaign = "campaign", tag = { type = "string", max = 100 },
        behind = { type = "string", max = 200, optional = true },
        granted = { type = "integer", default = 0 }, skipped = { type = "integer", default = 0 },
        done = { type = "boolean", default = false },
      },
      key = "segment",
    },
  },
  facts = {
    held = {
      run = "rules.held", type = "names", from = { collection = "held", by = "customer" },
      about = "The campaigns of which the customer has a coupon that can be used now.",
    },
    typed = { run = "typed.look", type = "codes", about = "The campaigns that codes in the cart stand for." },
  },
  campaigns = {
    coupon = {
      run = "rules.coupon", title = "Only for those who hold a coupon of it: the key `coupon` of a campaign",
      fields = {
        id = { type = "string", max = 64, about = "The campaign's id." },
        title = { type = "string", max = 200, optional = true, about = "What the shopper reads." },
        grant_on = {
          type = "choice", choices = { "customer.joined", "order.paid", "order.completed" }, optional = true,
          about = "What gives a customer one by itself.",
        },
        valid_for = {
          type = "duration", min = "1m", max = "3650d", optional = true,
          about = "How long a coupon can be used, from its grant; left out: as long as the campaign lives.",
        },
        per_customer = { type = "integer", min = 1, max = 900, default = 1, about = "How many one customer can get in all." },
        total = { type = "integer", min = 0, max = 1000000000, optional = true, about = "How many there are for all." },
        typed = {
          type = "choice", choices = { "customers", "anyone" }, optional = true,
          about = "Whose codes can be typed into a cart, without a claim before; anyone: guests', too. Left out: nobody's.",
        },
        claim = { type = "boolean", default = false, about = "Whether customers may take one themselves, without a code." },
      },
    },
  },
  events = {
    granted = {
      about = "A customer has got a coupon.", key = "coupon",
      payload = { coupon = "string", campaign = "campaign", customer = "customer", expires = { type = "time", optional = true } },
    },
    redeemed = {
      about = "An order that a coupon was used for is paid.", key = "coupon",
      payload = { coupon = "string", campaign = "campaign", customer = "customer", order = "order" },
    },
    returned = {
      about = "A coupon came back from an order that ended, and can be used again.", key = "coupon",
      payload = { coupon = "string", campaign = "campaign", customer = "customer", order = "order" },
    },
    expired = {
      about = "The time of a coupon is over.", key = "coupon",
      payload = { coupon = "string", campaign = "campaign", customer = "customer" },
    },
  },
  on = {
    ["customer.joined"] = { run = "events.joined", when = "in_transaction" },
    ["order.placed"] = { run = "events.placed", when = "in_transaction" },
    ["order.paid"] = { run = "events.paid", when = "in_transaction" },
    ["order.completed"] = { run = "events.completed", when = "in_transaction" },
    ["order.cancelled"] = { run = "events.ended", when = "in_transaction" },
    ["order.expired"] = { run = "events.ended", when = "in_transaction" },
    ["campaign.granted"] = { run = "events.granted", when = "in_transaction" },
    ["campaign.taken_back"] = { run = "events.taken_back", when = "in_transaction" },
    ["refund.succeeded"] = { run = "events.refunded", when = "in_transaction" },
  },
  timers = { expire = "events.expire", segment = "events.segment" },
  procedures = {
    claim = {
      run = "claims.claim", about = "Turns a code that a customer typed into a coupon, or says why not.",
      args = { customer = "customer", code = { type = "string", min = 1, max = 60 } },
    },
    grant = {
      run = "events.grant", about = "Gives a customer a coupon of a campaign.",
      args = { customer = "customer", campaign = { type = "string", max = 64 }, id = id_text },
    },
    revoke = {
      run = "events.revoke", about = "Takes a coupon back that was not used, by what it was granted for.",
      args = { id = id_text },
    },
  },
  routes = {
    ["GET /me"] = { run = "routes.mine", auth = "customer", about = "The customer's coupons, the newest first." },
    ["GET /me/{coupon}"] = { run = "routes.one", auth = "customer", about = "One of them, and why it can't be used." },
    ["POST /claims"] = {
      run = "routes.claim", auth = "customer", as = "handler", about = "Turns a code into a coupon.",
      body = { code = { type = "string", min = 1, max = 60, about = "As it was typed." } },
    },
    ["POST /campaigns/{campaign}/claim"] = {
      run = "routes.take", auth = "customer", unless_exhausted = "coupons/left/{campaign}",
      about = "Takes a coupon of a campaign that lets everybody.",
    },
    ["GET /campaigns/{campaign}"] = { run = "routes.report", auth = "server", about = "How many coupons are out, used and left." },
    ["POST /grants"] = {
      run = "routes.grant", auth = "server", about = "Gives a customer a coupon.",
      body = { customer = "customer", campaign = { type = "string", max = 64 }, id = id_text },
    },
    ["POST /segments"] = {
      run = "routes.segment", auth = "server", about = "Gives a coupon to every customer with a tag, some hundred at a time.",
      body = { campaign = { type = "string", max = 64 }, tag = { type = "string", min = 1, max = 100 }, id = id_text },
    },
    ["GET /segments/{segment}"] = { run = "routes.segment_state", auth = "server", about = "How far that is." },
    ["POST /words"] = {
      run = "routes.word", auth = "server", about = "A code that many may use, chosen by the merchant.",
      body = {
        code = { type = "string", min = 3, max = 40, about = "Letters, digits, _ and -." },
        campaign = { type = "string", max = 64 },
        uses = {
          type = "integer", min = 1, max = 1000000000, optional = true, about = "How often in all; left out: as the campaign allows.",
        },
        from = { type = "time", optional = true }, to = { type = "time", optional = true },
      },
    },
    ["POST /batches"] = {
      run = "routes.batch", auth = "server", about = "Codes that nobody can guess, each for one coupon.",
      body = {
        campaign = { type = "string", max = 64 }, count = { type = "integer", min = 1, max = 1000000 }, id = id_text,
        from = { type = "time", optional = true }, to = { type = "time", optional = true },
      },
    },
    ["GET /batches/{batch}/codes"] = {
      run = "routes.codes", auth = "server", about = "The codes of a batch, a page at a time.",
      query = {
        after = { type = "integer", min = 0, max = 1000000, optional = true, about = "next of the page before." },
        limit = { type = "integer", min = 1, max = 5000, optional = true },
      },
    },
  },
}
