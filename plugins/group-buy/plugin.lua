local offer = {
  percent = { type = "percent", min = 0.0001, max = 100, optional = true, about = "So much off." },
  price = { type = "money", optional = true, about = "Or this price of each piece." },
}

return {
  name = "group-buy",
  version = "1.0.0",
  api = 1,
  title = "Group buying",
  about = "A lower price for those who buy together: one opens a group, others join by his link, and if it is full in time all get it.",
  needs = {
    collections = {
      { name = "orders:read", why = "Who is in a group, and what became of his order." },
      { name = "customers:read", why = "Whether somebody is new, where a campaign is for those." },
    },
    procedures = {
      { name = "orders.block", why = "Nothing is sent before the group is full." },
      { name = "orders.unblock", why = "And then it is." },
      { name = "orders.cancel", why = "The money of a group that was not full in time goes back." },
      { name = "orders.refund", why = "On a ladder the difference to the step that was reached goes back." },
    },
  },
  inputs = {
    open = { type = "string", max = 64, optional = true, about = "The campaign in which the order opens a group." },
    join = { type = "string", max = 300, optional = true, about = "The link of the group that the order joins." },
  },
  collections = {
    groups = {
      fields = {
        group = { type = "string", max = 64 },
        campaign = "campaign",
        rules = "revision",
        terms = { type = "json", about = "What the campaign said when the group began. It goes by that until it ends." },
        state = { type = "string", max = 10, about = "forming, open, succeeded, failed or dropped." },
        leader = "customer?",
        link = { type = "string", max = 300 },
        paid = { type = "integer", min = 0, default = 0, about = "As the ledger says, for those who look." },
        held = { type = "integer", min = 0, default = 0 },
        begun = "time",
        deadline = "time?",
        ended = "time?",
        step = { type = "integer", min = 0, default = 0, about = "Of a ladder: which one was reached." },
      },
      key = "group", index = { { "campaign", "state" } },
    },
    seats = {
      fields = {
        order = "order", group = { type = "string", max = 64 }, campaign = "campaign", customer = "customer",
        state = { type = "string", max = 10, about = "held, lapsed, paid or over." },
        running = { type = "boolean", default = true, about = "Its group has not ended." },
        units = { type = "integer", min = 1 },
        counted = { type = "boolean", default = false, about = "Its units are held of the campaign's." },
        at = "time",
        paid_at = "time?",
      },
      key = "order", unique = { { "group", "customer" } }, index = { "group", "customer", { "campaign", "customer", "running" } },
    },
    pools = {
      fields = {
        campaign = "campaign",
        units = { type = "integer", min = 0, default = 0, about = "How many were given to be sold in groups." },
        groups = { type = "integer", min = 0, default = 0, about = "How many groups began and were not dropped." },
        succeeded = { type = "integer", min = 0, default = 0 },
        failed = { type = "integer", min = 0, default = 0 },
      },
      key = "campaign",
    },
  },
  campaigns = {
    ["group-buy"] = {
      run = "rules.group", title = "A price for a group",
      fields = {
        id = { type = "string", max = 64, about = "The campaign's id." },
        title = { type = "string", max = 200, optional = true, about = "What the shopper reads." },
        sku = { type = "sku", about = "What the group buys. Another product is another campaign, with another id." },
        kind = {
          type = "choice", choices = { "ordinary", "old_brings_new", "ladder" }, default = "ordinary",
          about = "old_brings_new: only customers without an order may join. ladder: the more there are, the lower the price for all.",
        },
        size = { type = "integer", min = 2, max = 200, optional = true, about = "How many make a group; on a ladder the steps say it." },
        percent = offer.percent, price = offer.price,
        steps = {
          type = "list", min = 2, max = 10, optional = true, about = "Of a ladder, from the lowest: from how many on what holds for all.",
          of = { type = "record", fields = {
            size = { type = "integer", min = 2, max = 200, about = "From how many on." },
            percent = offer.percent, price = offer.price,
          } },
        },
        open_for = { type = "duration", min = "1s", max = "30d", about = "How long a group has to become full, once its leader has paid." },
        seat_for = {
          type = "duration", min = "1s", max = "24h", default = "15m",
          about = "How long a seat waits for its payment. The order can be paid longer, and gets a seat if one is free.",
        },
        per_customer = {
          type = "record", default = {}, about = "What one customer may do.",
          fields = {
            open_groups = { type = "integer", min = 1, max = 100, default = 1, about = "How many groups at once." },
            units = { type = "integer", min = 1, max = 1000, default = 1, about = "Pieces in one order." },
            orders = { type = "integer", min = 1, max = 10000, optional = true, about = "Orders in its groups, over all time." },
          },
        },
        limits = {
          type = "record", default = {}, about = "What the campaign may come to.",
          fields = {
            units = { type = "integer", min = 1, max = 1000000000, optional = true, about = "Pieces sold in groups." },
            groups = { type = "integer", min = 1, max = 1000000000, optional = true, about = "Groups." },
          },
        },
        on_late_payment = {
          type = "choice", choices = { "refund", "new_group" }, default = "refund",
          about = "Who pays after his seat has lapsed and the group is full: his money goes back, or he leads a new group.",
        },
        may_leave = { type = "boolean", default = true, about = "Whether a member can go, with all his money, before the group is full." },
        from = { type = "string", max = 20, optional = true, about = "From when on groups can be opened: \"2026-11-20 00:00\"." },
        to = { type = "string", max = 20, optional = true, about = "Until when. Groups that are open then go on." },
        priority = { type = "integer", default = 0, about = "Higher is applied earlier." },
        alone = { type = "boolean", default = false, about = "No other campaign applies to an order in a group." },
        not_with = {
          type = "list", of = { type = "string", max = 64 }, default = {},
          about = "Ids of campaigns, or group:NAME, that do not apply to an order in a group.",
        },
      },
    },
  },
  checks = {
    same_goods = { run = "rules.same_goods", of = { "campaign" }, about = "A campaign that runs does not change what it sells." },
  },
  events = {
    opened = { about = "Its leader has paid: others can join.", payload = { group = "string", campaign = "campaign" }, key = "group" },
    succeeded = {
      about = "A group is full, and all of it will be sent.",
      payload = { group = "string", campaign = "campaign", paid = "integer" }, key = "group",
    },
    failed = {
      about = "A group was not full in time; its money goes back.",
      payload = { group = "string", campaign = "campaign", paid = "integer" }, key = "group",
    },
  },
  on = {
    ["order.placed"] = { run = "events.placed", when = "in_transaction" },
    ["order.paid"] = { run = "events.paid", when = "in_transaction" },
    ["order.cancelled"] = { run = "events.ended", when = "in_transaction" },
    ["order.expired"] = { run = "events.ended", when = "in_transaction" },
    ["refund.requested"] = { run = "events.refunded", when = "in_transaction" },
  },
  timers = { expire = "events.expire", lapse = "events.lapse" },
  procedures = {
    leave = { run = "events.leave", args = { order = "order", customer = "customer" }, about = "A member goes before the group is full." },
  },
  routes = {
    ["GET /campaigns"] = { run = "routes.campaigns", auth = "anyone", about = "What can be bought in a group now, and on which terms." },
    ["GET /campaigns/{campaign}/report"] = { run = "routes.report", auth = "server", about = "What has become of its groups." },
    ["GET /groups/{group}"] = { run = "routes.group", auth = "anyone", about = "How a group stands." },
    ["GET /groups/{group}/progress"] = {
      run = "routes.progress", auth = "anyone", stream = true, about = "How a group stands, and every change of it.",
    },
    ["GET /links/{link}"] = { run = "routes.link", auth = "anyone", about = "The group behind a link, and whether the caller can join." },
    ["GET /orders/{order}"] = { run = "routes.order", auth = "anyone", about = "The group of an order, with its link; for its customer." },
    ["GET /me"] = { run = "routes.me", auth = "customer", about = "The groups the customer is in." },
    ["POST /orders/{order}/leave"] = { run = "routes.leave", auth = "customer", about = "Leaves a group before it is full." },
  },
}
