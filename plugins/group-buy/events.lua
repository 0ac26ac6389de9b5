-- What orders and the clock do to groups. Everything here may be heard late, when the plugin was stopped meanwhile: then it goes by what
-- the event says, and by what the order is now.
local fail = require "feira.fail"
local groups = require "groups"
local links = require "links"
local plugin = require "feira.plugin"
local rules = require "rules"
local store = require "feira.store"
local time = require "feira.time"

local events = {}

local function order_of(id) return store.of("shop").orders:get(id) end

local function has_bought(customer, than)
  local row = store.of("shop").customers:get(customer)
  return row ~= nil and row.orders > than
end

-- An order is placed ---------------------------------------------------------------------------------------------------------------

local function got_price(order, campaign)
  for _, line in ipairs(order.lines) do
    for _, discount in ipairs(line.discounts or {}) do
      if discount.campaign == campaign then return true end
    end
  end
  return false
end

local function require_price(order, campaign)
  if got_price(order, campaign) then return end
  fail.conflict("no_group_price", "The price of the group does not hold for this order; price it again.")
end

-- One order is one member: nothing else is in it that would wait, or come back, with the group. Gifts do.
local function units_of(order, terms)
  local units = 0
  for _, line in ipairs(order.lines) do
    if line.sku ~= terms.sku and not line.gift then
      fail.invalid("/lines", "In a group only what it buys is ordered; order the rest by itself.", "group_alone")
    end
    if not line.gift then units = units + line.qty end
  end
  local most = terms.per_customer.units
  if units > most then
    fail.invalid("/lines", ("In this group one order has at most %d pieces."):format(most), "group_units")
  end
  return units
end

local function require_seat(group, order, customer, units)
  local reason = groups.take_seat(group, order.order, customer, units, time.now())
  if reason == "group_full" then fail.conflict(reason, "This group is full; open one of your own.") end
  if reason then fail.conflict(reason, "The offer is sold out.") end
end

---Whether a campaign takes new groups.
---@return string|nil reason, string? sentence
function events.closed(campaign, now)
  local terms = campaign.fields
  if not rules.is_time(terms, now) then return "not_now", "Groups of this offer can't be opened now." end
  if terms.limits.groups and groups.begun(campaign.id) >= terms.limits.groups then return "sold_out", "The offer is sold out." end
end

local function open(order, customer, id)
  local campaign = plugin.campaign(id) or fail.invalid("/inputs/group-buy/open", "There is no such offer now.", "no_campaign")
  local now, terms = time.now(), campaign.fields
  local reason, sentence = events.closed(campaign, now)
  if not reason then reason, sentence = rules.limits_customer(terms, groups.of_customer(id, customer)) end
  if reason then fail.conflict(reason, sentence) end
  local units = units_of(order, terms)
  require_price(order, id)
  require_seat(groups.begin(id, terms, plugin.revision(), rules.offer(terms), customer, now), order, customer, units)
end

---What the rules ask of somebody who wants to join.
---@param bought integer how many orders one has who has not bought here before
function events.facts_of(group, customer, bought)
  local facts = groups.of_customer(group.campaign, customer)
  facts.now = time.now()
  facts.member = store.seats:get { group = group.group, customer = customer } ~= nil
  facts.is_new = not has_bought(customer, bought)
  return facts
end

local function join(order, customer, text)
  local link = links.read(plugin.verify(text))
  local group = link and groups.find(link.group)
  if not group or group.link ~= text then fail.invalid("/inputs/group-buy/join", "This is no link of a group of ours.", "link_unknown") end
  local reason, sentence = groups.rules(group).refuses(group, group.terms, events.facts_of(group, customer, 1))
  if reason then fail.conflict(reason, sentence) end
  local units = units_of(order, group.terms)
  require_price(order, group.campaign)
  require_seat(group, order, customer, units)
end

function events.placed(event)
  local inputs = event.inputs
  if not inputs or not (inputs.open or inputs.join) then return end
  local order = order_of(event.order)
  local id = inputs.open or (links.read(plugin.verify(inputs.join)) or {}).campaign
  -- Heard late: the plugin was stopped when it was placed, and so the order has the usual price and is none of ours.
  if not order or event.at ~= time.format(time.now()) and not (id and got_price(order, id)) then return end
  if inputs.open and inputs.join then fail.invalid("/inputs/group-buy", "An order opens a group or joins one, not both.") end
  if not event.customer then fail.denied "Sign in to buy in a group: the others must be able to count on you." end
  if inputs.open then open(order, event.customer, inputs.open) else join(order, event.customer, inputs.join) end
end

-- It is paid, or ends ----------------------------------------------------------------------------------------------------------------

-- Paid after the seat had lapsed, with nothing free any more.
local function too_late(group, seat, at)
  local wants = group.terms.on_late_payment == "new_group"
  if wants and plugin.campaign(group.campaign) and not events.closed(plugin.campaign(group.campaign), time.now()) then
    groups.tell(groups.begin_with(group, seat, at))
    return
  end
  groups.turn_away(seat)
  plugin.call("orders.cancel", { order = seat.order, reason = "the group was full when the payment came" })
end

-- Those whose payments this plugin has not heard of yet, because it was stopped.
local function catch_up(group)
  for _, seat in ipairs(groups.seats(group)) do
    local order = seat.state ~= "paid" and order_of(seat.order)
    if order and order.state == "paid" and order.updated_at < group.deadline then groups.confirm(group, seat, order.updated_at) end
  end
end

local function time_is_over(group)
  catch_up(group)
  if groups.rules(group).is_enough(group.terms, group.paid) then
    groups.succeed(group, time.now())
  else
    groups.fail(group, time.now())
  end
end

function events.paid(event)
  local seat = groups.seat_of(event.order)
  local group = seat and seat.running and seat.state ~= "paid" and groups.find(seat.group)
  if not group then return end
  local at = time.parse(event.at)
  if group.state == "open" and at >= group.deadline then
    time_is_over(group) -- its timer has not come yet
  elseif group.ended or not groups.confirm(group, seat, at) then
    too_late(group, seat, at)
  elseif groups.rules(group).is_full(group.terms, group.paid) then
    groups.succeed(group, time.now())
  else
    groups.tell(group)
  end
end

function events.ended(event)
  local seat = groups.seat_of(event.order)
  local group = seat and seat.running and groups.find(seat.group)
  if not group then return end
  if group.ended then groups.turn_away(seat) else groups.leave(group, seat, time.now()) end
end

---All of a member's money goes back before the group is full: he is no member any more, and nothing is to be sent to him.
function events.refunded(event)
  local seat = groups.seat_of(event.order)
  local order = seat and seat.running and seat.state == "paid" and order_of(event.order)
  if not order or order.state ~= "paid" or order.refunded < order.paid then return end
  groups.leave(groups.find(seat.group), seat, time.now())
  plugin.call("orders.unblock", { order = seat.order, name = groups.BLOCK, reason = "no member any more" })
end

-- The clock ---------------------------------------------------------------------------------------------------------------------------

function events.expire(args)
  local group = groups.find(args.key)
  if group and group.state == "open" then time_is_over(group) end
end

function events.lapse(args)
  local seat = groups.seat_of(args.key)
  local group = seat and seat.state == "held" and groups.find(seat.group)
  if not group then return end
  local order = order_of(seat.order)
  if order and order.state == "paid" then return end -- what tells of it is on its way
  groups.lapse(group, seat)
end

-- A member goes -------------------------------------------------------------------------------------------------------------------------

function events.leave(args)
  local seat = groups.seat_of(args.order)
  local group = seat and seat.customer == args.customer and groups.find(seat.group)
  if not group then fail.not_found(("There is no order %q in a group."):format(args.order)) end
  if not seat.running then fail.state("group_over", "The group has ended.") end
  if not group.terms.may_leave then
    fail.state("may_not_leave", "One can't leave this group; if it is not full in time the money goes back.")
  end
  plugin.call("orders.cancel", { order = seat.order, reason = "left the group" })
  return groups.document(groups.find(group.group))
end

return events
