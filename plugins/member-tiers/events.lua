-- What happens to members when orders, refunds and people happen.
local fail = require "feira.fail"
local members = require "members"
local money = require "feira.money"
local plugin = require "feira.plugin"
local store = require "feira.store"
local time = require "feira.time"
local timers = require "feira.timers"

local events = {}

function events.joined(event) members.get(event.customer, time.parse(event.at)) end

-- Orders -----------------------------------------------------------------------------------------------------------------------

function events.placed(event)
  if not event.customer or store.orders:get(event.order) then return end
  local member = members.get(event.customer)
  store.orders:insert { order = event.order, customer = event.customer, at = time.now(), state = "placed" }
  member.placed = member.placed + 1
  members.keep(member)
end

-- What was to be paid for goods, and what of it went back.
local function goods_of(order)
  local row = store.of("shop").orders:get { order = order }
  return row.total - row.shipping, row.refunded - row.shipping_refunded
end

function events.paid(event)
  if not event.customer then return end
  events.placed(event) -- it may have been before the plugin was turned on
  if store.orders:get(event.order).state ~= "placed" then return end
  local member, goods = members.get(event.customer), goods_of(event.order)
  local points = goods // plugin.settings.point
  store.orders:update(event.order, { state = "paid", counted = true, points = points, period = member.period })
  member.orders = member.orders + 1
  members.move_points(member, points, { reason = "paid", order = event.order })
  members.settle(member, { reason = "paid", order = event.order }, false)
  members.keep(member)
end

local function uncount(member, row)
  if not row.counted then return end
  store.orders:update(row.order, { counted = false })
  member.orders = member.orders - 1
end

---Of the points of an order so much is back in all as of its money: parts add up exactly, in whatever order they come.
function events.refunded(event)
  local row = store.orders:get(event.order)
  if not row or row.state == "placed" then return end
  local member, goods, back = members.get(row.customer), goods_of(row.order)
  local taken = goods > 0 and money.ratio(row.points, back, goods) or 0
  store.orders:update(row.order, { taken = taken })
  members.move_points(member, row.taken - taken, { reason = "refunded", order = row.order }, row.period)
  if goods > 0 and back == goods then uncount(member, row) end
  members.settle(member, { reason = "refunded", order = row.order }, true)
  members.keep(member)
end

---A paid order that is cancelled was refunded before.
function events.cancelled(event)
  local row = store.orders:get(event.order)
  if not row or row.state == "over" then return end
  local member, was_counted = members.get(row.customer), row.counted
  uncount(member, row)
  member.placed = member.placed - 1
  if was_counted then members.settle(member, { reason = "cancelled", order = row.order }, true) end
  members.keep(member)
  if row.points == 0 then store.orders:delete(row.order) else store.orders:update(row.order, { state = "over" }) end
end

events.expired = events.cancelled

-- Periods ----------------------------------------------------------------------------------------------------------------------

---Timer, by customer.
function events.review(args)
  local member = store.members:get(args.key)
  if not member or not member.review_at then return end
  if member.review_at > time.now() then
    timers.set("review", args.key, member.review_at)
    return
  end
  members.review(member)
  members.keep(member)
end

-- By hand, and for other plugins -----------------------------------------------------------------------------------------------

local function known(customer)
  if not store.of("shop").customers:get { customer = customer } then fail.not_found(("There is no customer %q."):format(customer)) end
  return members.get(customer)
end

function events.add_points(args)
  local member = known(args.customer)
  if member.points + args.points < 0 then
    fail.conflict("not_enough_points", ("There are %d points; %d can't be taken."):format(member.points, -args.points), "/points")
  end
  members.move_points(member, args.points, { reason = "by_hand", note = args.reason })
  members.settle(member, { reason = "by_hand", note = args.reason }, args.points < 0)
  members.keep(member)
  return { customer = args.customer, points = member.points, level = member.level }
end

function events.certify(args)
  local member, granted = known(args.customer), args.granted ~= false
  local row = store.certificates:get { customer = args.customer, name = args.certificate }
  if row then
    store.certificates:update(row.id, { valid = granted, at = time.now(), note = args.reason })
  else
    store.certificates:insert { customer = args.customer, name = args.certificate, at = time.now(), valid = granted, note = args.reason }
  end
  members.settle(member, { reason = granted and "certified" or "certificate_withdrawn", note = args.reason }, not granted)
  members.keep(member)
  return { customer = args.customer, certificate = args.certificate, granted = granted, level = member.level }
end

return events
