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

-- Of the points of an order so much is back in all as of its money: parts add up exactly, in whatever order they come.
local function taken_of(row)
  local goods, back = goods_of(row.order)
  return goods > 0 and money.ratio(row.points, back, goods) or 0, goods > back
end

-- The points of a paid order, as far as its money is still there. What costs nothing is no order: levels would be had for nothing.
local function grant(member, row)
  local taken, counts = taken_of(row)
  store.orders:update(row.order, { state = "paid", counted = counts, taken = taken, period = member.period })
  if counts then member.orders = member.orders + 1 end
  members.move_points(member, row.points - taken, { reason = "paid", order = row.order })
  members.settle(member, { reason = "paid", order = row.order }, false)
end

function events.paid(event)
  if not event.customer then return end
  events.placed(event) -- it may have been before the plugin was turned on
  if store.orders:get(event.order).state ~= "placed" then return end
  local member, after = members.get(event.customer), plugin.settings.after
  store.orders:update(event.order, { state = "waiting", points = (goods_of(event.order)) // plugin.settings.point })
  local row = store.orders:get(event.order)
  if after then
    member.waiting = member.waiting + row.points
    timers.set("ripen", event.order, time.now() + after)
  else
    grant(member, row)
  end
  members.keep(member)
end

-- Points that were waiting do so no longer.
local function stop_waiting(member, row)
  member.waiting = member.waiting - (row.points - row.taken)
  timers.cancel("ripen", row.order)
end

---Timer, by order: its points have waited long enough.
function events.ripen(args)
  local row = store.orders:get(args.key)
  if not row or row.state ~= "waiting" then return end
  local member = members.get(row.customer)
  stop_waiting(member, row)
  grant(member, row)
  members.keep(member)
end

local function uncount(member, row)
  if not row.counted then return end
  store.orders:update(row.order, { counted = false })
  member.orders = member.orders - 1
end

function events.refunded(event)
  local row = store.orders:get(event.order)
  if not row or row.state == "placed" then return end
  local member, taken, counts = members.get(row.customer), taken_of(row)
  store.orders:update(row.order, { taken = taken })
  if row.state == "waiting" then
    member.waiting = member.waiting - (taken - row.taken)
  else
    members.move_points(member, row.taken - taken, { reason = "refunded", order = row.order }, row.period)
    if not counts then uncount(member, row) end
    members.settle(member, { reason = "refunded", order = row.order }, true)
  end
  members.keep(member)
end

---A paid order that is cancelled was refunded before.
function events.cancelled(event)
  local row = store.orders:get(event.order)
  if not row or row.state == "over" then return end
  local member, was_counted = members.get(row.customer), row.counted
  if row.state == "waiting" then stop_waiting(member, row) end
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
