-- What shoppers and the merchant can ask. Of others in a group nobody is told anything but how many there are.
local events = require "events"
local fail = require "feira.fail"
local groups = require "groups"
local json = require "feira.json"
local ledger = require "feira.ledger"
local links = require "links"
local plugin = require "feira.plugin"
local rules = require "rules"
local store = require "feira.store"
local time = require "feira.time"

local routes = {}

local function offer_of(campaign)
  local terms = campaign.fields
  local offer = rules.offer(terms)
  return {
    id = campaign.id, title = terms.title or campaign.id, sku = terms.sku, kind = terms.kind, size = rules.seats(terms),
    least = rules.least(terms), percent = offer.percent, price = offer.price, steps = terms.steps, open_for_ms = terms.open_for,
    seat_for_ms = terms.seat_for, on_late_payment = terms.on_late_payment, may_leave = terms.may_leave,
    open = events.closed(campaign, time.now()) == nil,
  }
end

function routes.campaigns()
  local list = {}
  for i, id in ipairs(plugin.campaigns()) do list[i] = offer_of(plugin.campaign(id)) end
  return { status = 200, body = { items = json.array(list) } }
end

function routes.report(call)
  local id = call.params.campaign
  local pool = store.pools:get(id)
  if not pool and not plugin.campaign(id) then fail.not_found(("There is no group campaign %q."):format(id)) end
  pool = pool or { groups = 0, succeeded = 0, failed = 0 }
  local _, held, available = ledger.balance("group-buy/units/" .. id) -- none where there is no limit
  return { status = 200, body = {
    campaign = id, groups = pool.groups, succeeded = pool.succeeded, failed = pool.failed,
    running = pool.groups - pool.succeeded - pool.failed, units_left = available, units_held = held,
  } }
end

local function find_group(call) return groups.find(call.params.group) or fail.not_found "There is no such group." end

-- What the caller has to do with it himself.
local function with_own(document, group, customer)
  local seat = customer and store.seats:get { group = group.group, customer = customer }
  if seat then
    document.mine = { order = seat.order, state = seat.state, leads = group.leader == customer, link = group.link }
  end
  return document
end

function routes.group(call)
  local group = find_group(call)
  return { status = 200, body = with_own(groups.document(group), group, call.customer) }
end

function routes.progress(call)
  local group = find_group(call)
  return { status = 200, topic = not group.ended and "group/" .. group.group or nil, body = groups.document(group) }
end

function routes.link(call)
  local link = links.read(plugin.verify(call.params.link))
  local group = link and groups.find(link.group)
  if not group or group.link ~= call.params.link then fail.not_found "This is no link of a group of ours." end
  local body = with_own(groups.document(group), group, call.customer)
  local facts = call.customer and events.facts_of(group, call.customer, 0) or { now = time.now(), running = 0, orders = 0, is_new = true }
  local reason, sentence = groups.rules(group).refuses(group, group.terms, facts)
  body.join, body.reason, body.detail = reason == nil, reason, sentence
  return { status = 200, body = body }
end

function routes.order(call)
  local seat = groups.seat_of(call.params.order)
  local trusted = call.caller == "server" or call.caller == "operator"
  if not seat or not (trusted or seat.customer == call.customer) then fail.not_found "There is no such order in a group." end
  local group = groups.find(seat.group)
  return { status = 200, body = with_own(groups.document(group), group, seat.customer) }
end

function routes.me(call)
  local list = {}
  for seat in store.seats:each { where = { customer = call.customer }, reverse = true, limit = 100 } do
    local group = groups.find(seat.group)
    list[#list + 1] = with_own(groups.document(group), group, call.customer)
  end
  return { status = 200, body = { items = json.array(list) } }
end

function routes.leave(call)
  return { status = 200, body = events.leave { order = call.params.order, customer = call.customer } }
end

return routes
