local link = { type = "string", min = 1, max = 300, about = "As POST /links gave it." }

return {
  name = "invite",
  version = "1.0.0",
  api = 1,
  title = "Invite friends",
  about = "A friend's first order earns him a coupon, and after so many friends the one who invited them one, too.",
  needs = {
    collections = { { name = "customers:read", why = "A friend is one who has not ordered yet." } },
    procedures = {
      { name = "coupons.grant", why = "The rewards are coupons." },
      { name = "coupons.revoke", why = "When the friend's order goes back, so do they." },
    },
    personal = { { field = "customer.phone_hash", purpose = "one reward per person" } },
  },
  inputs = { link = { type = "string", max = 300, optional = true, about = "The link that was followed." } },
  collections = {
    links = {
      fields = {
        link = { type = "string", max = 40 }, campaign = "campaign", inviter = "customer",
        friends = { type = "integer", min = 0, default = 0, about = "Whose first order has come so far, and has not gone back." },
        earned = { type = "integer", min = 0, default = 0, about = "Coupons of the inviter, without those that were taken back." },
      },
      key = "link", unique = { { "campaign", "inviter" } }, index = { "inviter" },
    },
    joins = {
      fields = {
        friend = "customer", campaign = "campaign", link = { type = "string", max = 40 }, at = "time",
        state = { type = "string", max = 12, about = "invited, rewarded, undone or same_person." },
        order = "order?",
        person = { type = "string", max = 64, optional = true, about = "A hash of the telephone number, to know a person again." },
      },
      unique = { { "friend" } }, index = { "link", "order", { "person", "state" } },
    },
    rewards = {
      fields = {
        reward = { type = "string", max = 64 }, link = { type = "string", max = 40 }, customer = "customer", order = "order",
        inviter = { type = "boolean", about = "The inviter's; otherwise the friend's." },
      },
      key = "reward", index = { { "link", "inviter" }, "order" },
    },
  },
  campaigns = {
    invite = {
      run = "rules.invite", title = "Coupons for friends and those who invite them",
      fields = {
        id = { type = "string", max = 64, about = "The campaign's id." },
        title = { type = "string", max = 200, optional = true, about = "What the shopper reads." },
        reward = { type = "campaign", about = "The coupon campaign that both sides get." },
        friends = { type = "integer", min = 1, max = 20, default = 3, about = "How many friends earn the inviter a coupon." },
        most = { type = "integer", min = 1, max = 20, default = 1, about = "How many coupons one inviter can earn in all." },
        qualifies = {
          type = "choice", choices = { "order.completed", "order.paid" }, default = "order.completed",
          about = "When the friend's first order counts. Never the sharing itself.",
        },
      },
    },
  },
  routes = {
    ["POST /links"] = {
      run = "events.create_link", auth = "customer", about = "The customer's own link; the same each time.",
      body = { campaign = { type = "string", max = 64, about = "The campaign with the invitation." } },
    },
    ["GET /links"] = { run = "events.links", auth = "customer", about = "How far the customer's links are." },
    ["POST /joins"] = {
      run = "events.join", auth = "customer", about = "A customer who has not ordered yet says who invited him; once.",
      body = { link = link },
    },
  },
  on = {
    ["order.placed"] = { run = "events.placed", when = "in_transaction" },
    ["campaign.granted"] = { run = "events.granted", when = "in_transaction" },
    ["campaign.taken_back"] = { run = "events.taken_back", when = "in_transaction" },
  },
  facts = {
    invited = {
      run = "rules.invited", type = "names", from = { collection = "joins", by = "friend" },
      about = "The campaign that the customer came by.",
    },
  },
}
