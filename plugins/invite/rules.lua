-- Which orders count: the first one of a friend. What follows from that is told when it is paid or completed (promo.grant), and undone when
-- it goes back. One level only: nobody earns by the friends of his friends, and nothing is earned by sharing.
local plugin = require "feira.plugin"
local promo = require "feira.promo"

local rules = {}

---The campaign and the link's id, of a link that this shop has signed.
---@param signed string
---@return string? campaign
---@return string? link
function rules.read(signed)
  local text = plugin.verify(signed)
  if text then return text:match "^([^~]+)~([^~]+)$" end
end

function rules.invited(rows)
  local names = {}
  for i, row in ipairs(rows) do names[i] = row.campaign end
  return names
end

function rules.invite(fields)
  local id = fields.id
  return promo.campaign {
    id = id,
    title = fields.title,
    when = {
      promo.first_order(),
      promo.any {
        promo.fact("invite.invited", { has = id }),
        function(cart)
          local link = cart:input "link"
          return link ~= nil and rules.read(link) == id
        end,
      },
    },
    give = promo.grant {
      to = "invite", what = { reward = fields.reward }, after = fields.qualifies == "order.paid" and "paid" or "completed",
    },
    declares = {
      rewards = {
        { trigger = "invitee_first_order", gives = "coupon", per_customer = 1, paid_on = "order_line", payees = { { role = "buyer" } } },
        {
          trigger = "invitee_first_order", gives = "coupon", per_customer = fields.most, paid_on = "order_line",
          payees = { { role = "inviter", of = "buyer" } },
        },
      },
    },
  }
end

return rules
