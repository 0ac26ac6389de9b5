-- feira.campaign_grants: what campaigns give a customer later (promo.grant). The shop only says when: it tells the plugin that the
-- campaign names, in the transaction that pays or completes the order, and tells it to take that back in the one in which all of the order
-- went back, or it was cancelled. A refund of a part takes nothing back. What is taken back once is not granted again.
local events = require "feira.events"
local json = require "feira.json"
local sql = require "feira.sql"
local time = require "feira.time"

local grants = {}

local mark = sql.statement "UPDATE orders SET granted = ?3 WHERE id = ?1 AND granted = ?2"
local STEPS = { paid = 1, completed = 2 }
local TAKEN_BACK = -1

local function tell(event, order, n, grant, now)
  events.emit(event, {
    grant = ("%s/%d"):format(order.order_id, n), order = order.order_id, customer = order.customer, campaign = grant.campaign,
    to = grant.to, what = grant.what, amount = grant.amount, at = time.format(now),
  })
end

---@param order { id: integer, order_id: string, customer: string?, grants: string?, granted: integer }
---@param moment "paid"|"completed"
function grants.give(order, moment, now)
  if not (order.grants and order.customer) or order.granted < 0 then return end
  if mark:run(order.id, order.granted, STEPS[moment]) ~= 1 then error("order " .. order.order_id .. " was granted twice at once") end
  order.granted = STEPS[moment]
  if not events.heard "campaign.granted" then return end
  for n, grant in ipairs(json.decode(order.grants)) do
    if grant.after == moment then tell("campaign.granted", order, n, grant, now) end
  end
end

---All of it went back, or it is cancelled.
function grants.take_back(order, now)
  if not (order.grants and order.customer) or order.granted < 0 then return end
  local upto = order.granted
  if mark:run(order.id, upto, TAKEN_BACK) ~= 1 then error("order " .. order.order_id .. " was granted while it went back") end
  order.granted = TAKEN_BACK
  if not events.heard "campaign.taken_back" then return end
  for n, grant in ipairs(json.decode(order.grants)) do
    if STEPS[grant.after] <= upto then tell("campaign.taken_back", order, n, grant, now) end
  end
end

return grants
