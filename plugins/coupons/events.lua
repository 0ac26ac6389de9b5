-- What customers, orders and the clock do to coupons.
local coupons = require "coupons"
local fail = require "feira.fail"
local json = require "feira.json"
local plugin = require "feira.plugin"
local store = require "feira.store"
local time = require "feira.time"
local timers = require "feira.timers"
local typed = require "typed"

local events = {}

local AT_ONCE = 200 -- customers or coupons in one transaction

-- Grants that come by themselves ---------------------------------------------------------------------------------------------------

-- Nobody's order fails because there are no coupons left.
local function grant_all(event, customer, about)
  if not customer then return end
  for _, id in ipairs(plugin.campaigns()) do
    local campaign = plugin.campaign(id)
    if campaign.fields.grant_on == event then coupons.grant(customer, campaign, ("on/%s/%s"):format(about, id)) end
  end
end

function events.joined(event) grant_all("customer.joined", event.customer, "joined/" .. event.customer) end

function events.completed(event) grant_all("order.completed", event.customer, event.order) end

---A campaign gives one with an order: promo.grant { to = "coupons", what = { campaign = ID } }.
---@param event { grant: string, to: string, customer: string, what: { campaign: string } }
function events.granted(event)
  local campaign = event.to == plugin.name and plugin.campaign(tostring(event.what.campaign))
  if campaign then coupons.grant(event.customer, campaign, "grant/" .. event.grant) end
end

---All of that order went back: a coupon that was used meanwhile, or is held, stays.
function events.taken_back(event)
  local row = event.to == plugin.name and store.coupons:get { origin = "grant/" .. event.grant }
  if row then coupons.revoke(row) end
end

-- Orders -----------------------------------------------------------------------------------------------------------------------------

---What applied needs a coupon, in the same transaction: an order that was priced with one that is gone by now is not placed. What a
---customer holds is used before a code that was typed.
function events.placed(event)
  if not (event.customer or event.codes) then return end
  local order = store.of("shop").orders:get(event.order)
  for _, applied in ipairs(order and order.priced.campaigns or {}) do
    local held = event.customer and coupons.hold(event.customer, applied.id, event.order)
    local campaign = not held and plugin.campaign(applied.id)
    if campaign and not typed.take(event, campaign, plugin.settings) then
      fail.conflict("coupon_gone", ("There is no coupon for %q any more; price the cart again."):format(applied.title))
    end
  end
end

function events.paid(event)
  for _, row in ipairs(coupons.of_order(event.order)) do
    if row.state == "held" then coupons.redeem(row) end
  end
  typed.redeem(event.order)
  grant_all("order.paid", event.customer, event.order)
end

local function give_all_back(order)
  for _, row in ipairs(coupons.of_order(order)) do coupons.give_back(row, plugin.settings) end
  typed.give_back(order)
end

function events.ended(event) give_all_back(event.order) end

function events.refunded(event)
  if plugin.settings.on_refund ~= "return" then return end
  local order = store.of("shop").orders:get(event.order)
  if order and order.refunded >= order.total then give_all_back(event.order) end
end

-- The clock ----------------------------------------------------------------------------------------------------------------------------

---Timer, by the minute.
function events.expire(args)
  local over, now = {}, time.now()
  for row in store.coupons:each { index = { "state", "expires" }, where = { state = "live" }, to = now + 1, limit = AT_ONCE } do
    over[#over + 1] = row
  end
  for _, row in ipairs(over) do coupons.expire(row) end
  if #over == AT_ONCE then timers.set("expire", args.key, now) end
end

local function has_tag(customer, tag)
  for _, one in ipairs(customer.tags or {}) do
    if one == tag then return true end
  end
  return false
end

---Timer, by segment: goes on where it was.
function events.segment(args)
  local segment = store.segments:get(args.key)
  local campaign = segment and not segment.done and plugin.campaign(segment.campaign)
  if not campaign then return end
  local seen, cursor, granted, skipped = 0, segment.behind, segment.granted, segment.skipped
  for customer, at in store.of("shop").customers:each { after = cursor, limit = AT_ONCE } do
    seen, cursor = seen + 1, at
    if has_tag(customer, segment.tag) then
      local row = coupons.grant(customer.customer, campaign, ("seg/%s/%s"):format(segment.segment, customer.id))
      granted, skipped = granted + (row and 1 or 0), skipped + (row and 0 or 1)
    end
  end
  local done = seen < AT_ONCE
  store.segments:update(args.key, { behind = cursor or json.null, granted = granted, skipped = skipped, done = done })
  if not done then timers.set("segment", args.key, time.now()) end
end

-- By hand, and for other plugins ---------------------------------------------------------------------------------------------------------

function events.grant(args)
  if not store.of("shop").customers:get { customer = args.customer } then
    fail.invalid("/customer", ("There is no customer %q."):format(args.customer))
  end
  local row, reason, sentence = coupons.grant(args.customer, coupons.campaign(args.campaign), "id/" .. args.id)
  if not row then fail.conflict(reason, sentence) end
  if row.customer ~= args.customer or row.campaign ~= args.campaign then
    fail.conflict("done_otherwise", "This was granted before, to another customer or of another campaign.", "/id")
  end
  return coupons.document(row, time.now())
end

function events.revoke(args)
  local row = store.coupons:get { origin = "id/" .. args.id }
  if not row then return { revoked = false, reason = "unknown" } end
  return { revoked = coupons.revoke(row), coupon = row.coupon }
end

return events
