-- The life of a group. Rows say what is what; a seat is one unit of an account of the group that can't be overdrawn, so the last seat is
-- taken once, whatever the race.
--
--   forming ──leader pays──► open ──last seat paid, or time with enough──► succeeded
--      │                      ├─────time──► failed: everybody's money goes back
--      └──leader doesn't──────┴──last one leaves──► dropped
--
-- The last three are final. A seat:
--
--   held ──paid──► paid ──its group ends──► over         held, lapsed, paid: its order is cancelled before ──► the row is gone
--    └──too long unpaid──► lapsed ──paid, and a seat is free──► paid
local ids = require "feira.ids"
local ledger = require "feira.ledger"
local links = require "links"
local plugin = require "feira.plugin"
local store = require "feira.store"
local stream = require "feira.stream"
local time = require "feira.time"
local timers = require "feira.timers"

local groups = {}

local MADE, TAKEN, GIVEN, SOLD = "group-buy/made", "group-buy/taken", "group-buy/given", "group-buy/sold"
local BLOCK, WAITS = "group", "the group is not full yet"

local function seats_of(group) return "group-buy/seats/" .. group.group end
local function units_of(campaign) return "group-buy/units/" .. campaign end

-- Looking -------------------------------------------------------------------------------------------------------------------------

function groups.find(id) return type(id) == "string" and store.groups:get(id) or nil end

function groups.seat_of(order) return type(order) == "string" and store.seats:get(order) or nil end

---Those of a group, the earliest first.
function groups.seats(group) return store.seats:find { group = group.group } end

---The rules of its time.
function groups.rules(group) return (plugin.rules(group.rules)) end

---How it stands, for everybody: no names, no orders.
function groups.document(group)
  local terms, rules = group.terms, groups.rules(group)
  local seats = rules.seats(terms)
  local document = {
    group = group.group, campaign = group.campaign, title = terms.title or group.campaign, kind = terms.kind, sku = terms.sku,
    state = group.state, size = seats, least = rules.least(terms), paid = group.paid, held = group.held,
    left = seats - group.paid - group.held, deadline = group.deadline and time.format(group.deadline),
    ended = group.ended and time.format(group.ended), percent = rules.offer(terms).percent, price = rules.offer(terms).price,
  }
  if terms.kind == "ladder" then document.step = group.ended and group.step or rules.step(terms, group.paid) end
  return document
end

-- In how many groups of the campaign that have not ended, and how many orders in all.
function groups.of_customer(campaign, customer)
  local running, orders = 0, 0
  for _, seat in ipairs(store.seats:find { campaign = campaign, customer = customer, running = true }) do
    running, orders = running + 1, orders + (seat.state == "paid" and 1 or 0)
  end
  for seat in store.seats:each { where = { campaign = campaign, customer = customer, running = false } } do
    if seat.state == "over" then orders = orders + 1 end
  end
  return { running = running, orders = orders }
end

-- Changing ------------------------------------------------------------------------------------------------------------------------

local is_final = { succeeded = true, failed = true, dropped = true }

local function save(group, changes)
  for name, value in pairs(changes) do group[name] = value end
  store.groups:update(group.group, changes)
end

local function tell(group)
  stream.send("group/" .. group.group, groups.document(group), { last = is_final[group.state] })
end

local function move(what, id, debit, credit, more)
  local op = { kind = what, id = id, debit = debit, credit = credit, amount = more.amount, reference = more.order, pending = more.pending }
  return (ledger.apply { op })
end

local function must(done, what) if not done then error("the ledger does not give " .. what) end end

-- Pieces of the campaign: as many are there to be held as the merchant allows by now.
local function stock_up(campaign, limit)
  local pool = store.pools:get(campaign)
  if not pool then
    store.pools:insert { campaign = campaign }
    pool = store.pools:get(campaign)
  end
  if not limit or limit == pool.units then return end
  local account = ledger.account(units_of(campaign), "pcs", { no_overdraft = true })
  ledger.account(GIVEN, "pcs")
  ledger.account(SOLD, "pcs")
  local change = limit - pool.units
  if change < 0 then
    local _, _, available = ledger.balance(account)
    change = -math.min(-change, available)
  end
  if change == 0 then return end
  local id = ("units/%s/%d/%d"):format(campaign, pool.units, time.now())
  if change > 0 then
    must(move("transfer", id, GIVEN, account, { amount = change }), "units")
  else
    must(move("transfer", id, account, GIVEN, { amount = -change }), "units")
  end
  store.pools:update(campaign, { units = pool.units + change })
end

---Pieces of what the campaign may sell; false when there are not enough.
---@return boolean, boolean counted
local function hold_units(campaign, limit, order, units)
  stock_up(campaign, limit)
  if not limit then return true, false end
  return move("hold", "unit/" .. order, units_of(campaign), SOLD, { amount = units, order = order }) == true, true
end

local function count(campaign, name, by)
  local pool = store.pools:get(campaign)
  store.pools:update(campaign, { [name] = pool[name] + by })
end

---How many groups the campaign has begun.
function groups.begun(campaign)
  local pool = store.pools:get(campaign)
  return pool and pool.groups or 0
end

---A group that somebody's order begins, on these terms; nobody has a seat yet.
function groups.begin(campaign, terms, revision, offer, customer, now)
  local group = { group = ids.new "grp", campaign = campaign, rules = revision }
  local rules = plugin.rules(revision)
  stock_up(campaign, terms.limits.units)
  count(campaign, "groups", 1)
  store.groups:insert {
    group = group.group, campaign = campaign, rules = revision, terms = terms, state = "forming", leader = customer,
    link = plugin.sign(links.text(group, offer)), begun = now,
  }
  ledger.account(MADE, "seats")
  ledger.account(TAKEN, "seats")
  local account = ledger.account(seats_of(group), "seats", { no_overdraft = true })
  must(move("transfer", "made/" .. group.group, MADE, account, { amount = rules.seats(terms) }), "seats")
  return groups.find(group.group)
end

---A seat for an order that is placed, until it is paid or lapses; or why there is none.
---@return string|nil reason
function groups.take_seat(group, order, customer, units, now)
  local held = move("hold", "seat/" .. order, seats_of(group), TAKEN, { amount = 1, order = order })
  if not held then return "group_full" end
  local enough, counted = hold_units(group.campaign, group.terms.limits.units, order, units)
  if not enough then return "sold_out" end
  store.seats:insert {
    order = order, group = group.group, campaign = group.campaign, customer = customer, state = "held", units = units, counted = counted,
    at = now,
  }
  save(group, { held = group.held + 1 })
  timers.set("lapse", order, now + group.terms.seat_for)
  plugin.call("orders.block", { order = order, name = BLOCK, reason = WAITS })
  tell(group)
end

---An unpaid seat is free again; its order can still be paid.
function groups.lapse(group, seat)
  must(move("void", "seat/" .. seat.order .. "/void", nil, nil, { pending = "seat/" .. seat.order }), "a seat back")
  store.seats:update(seat.order, { state = "lapsed" })
  save(group, { held = group.held - 1 })
  tell(group)
end

-- A seat that was paid or held, its units, and its row.
local function let_go(group, seat)
  if seat.state == "held" then
    must(move("void", "seat/" .. seat.order .. "/void", nil, nil, { pending = "seat/" .. seat.order }), "a seat back")
    save(group, { held = group.held - 1 })
  elseif seat.state == "paid" then
    must(move("transfer", "back/" .. seat.order, TAKEN, seats_of(group), { amount = 1, order = seat.order }), "a seat back")
    save(group, { paid = group.paid - 1 })
  end
  if not seat.counted then return end
  if seat.state == "paid" then
    local back = { amount = seat.units, order = seat.order }
    must(move("transfer", "unit/" .. seat.order .. "/back", SOLD, units_of(seat.campaign), back), "units back")
  else
    must(move("void", "unit/" .. seat.order .. "/void", nil, nil, { pending = "unit/" .. seat.order }), "units back")
  end
end

local function drop(group, now)
  timers.cancel("expire", group.group)
  count(group.campaign, "groups", -1)
  save(group, { state = "dropped", ended = now })
end

-- The one who paid first, or else ordered first.
local function successor(seats)
  local best
  for _, seat in ipairs(seats) do
    local rank = seat.paid_at or math.maxinteger
    if seat.running and seat.state ~= "lapsed" and (not best or rank < (best.paid_at or math.maxinteger)) then best = seat end
  end
  return best
end

---A member is gone before the group has ended: his seat is free. Another leads when he did, and the group keeps its deadline.
function groups.leave(group, seat, now)
  let_go(group, seat)
  timers.cancel("lapse", seat.order)
  store.seats:delete(seat.order)
  local next_one = successor(groups.seats(group))
  if group.state == "forming" or not next_one then
    drop(group, now)
  elseif group.leader == seat.customer then
    save(group, { leader = next_one.customer })
  end
  tell(group)
end

---Its order is paid, at that moment. false: the seat had lapsed, and none is free.
function groups.confirm(group, seat, at)
  if seat.state == "lapsed" then
    if not move("transfer", "late/" .. seat.order, seats_of(group), TAKEN, { amount = 1, order = seat.order }) then return false end
  else
    must(move("post", "seat/" .. seat.order .. "/post", nil, nil, { pending = "seat/" .. seat.order }), "a held seat")
    save(group, { held = group.held - 1 })
  end
  if seat.counted then
    must(move("post", "unit/" .. seat.order .. "/post", nil, nil, { pending = "unit/" .. seat.order }), "held units")
  end
  timers.cancel("lapse", seat.order)
  store.seats:update(seat.order, { state = "paid", paid_at = at })
  save(group, { paid = group.paid + 1 })
  if group.state == "forming" then
    save(group, { state = "open", deadline = at + group.terms.open_for })
    timers.set("expire", group.group, group.deadline)
    plugin.emit("opened", { group = group.group, campaign = group.campaign })
  end
  return true
end

-- An order that somebody has sent all the same, having lifted the block, is his affair.
local function cancel(order, reason)
  local state = store.of("shop").orders:get(order).state
  if state == "placed" or state == "paid" then plugin.call("orders.cancel", { order = order, reason = reason }) end
end

-- Its end ---------------------------------------------------------------------------------------------------------------------------

-- On a ladder everybody has paid the price of the first step.
local function give_back_difference(group, rules, seat)
  local order = store.of("shop").orders:get(seat.order)
  local sum = 0
  for _, line in ipairs(order.lines) do sum = sum + rules.gives_back(group.terms, group.step, line) end
  sum = math.min(sum, order.paid - order.refunded) -- of an order of which something went back already
  if sum > 0 then plugin.call("orders.refund", { order = seat.order, amount = sum, reason = "the group reached a higher step" }) end
end

-- Every seat's row first, so that what the orders then tell is no news.
---@param stays fun(seat: table): boolean who keeps an order that can still be paid, without a seat
local function close_seats(group, stays)
  local ended = {}
  for _, seat in ipairs(groups.seats(group)) do
    if seat.running and not stays(seat) then -- who was turned away before has ended already
      timers.cancel("lapse", seat.order)
      if seat.state ~= "paid" then let_go(group, seat) end
      store.seats:update(seat.order, { state = seat.state == "paid" and "over" or "lapsed", running = false })
      ended[#ended + 1] = seat
    end
  end
  return ended
end

---Enough have paid: all is sent. Who has not paid is let go, but for those whose seat has lapsed and who may lead a group of their own when
---they pay.
function groups.succeed(group, now)
  local function may_begin_anew(seat) return seat.state == "lapsed" and group.terms.on_late_payment == "new_group" end
  local rules = groups.rules(group)
  timers.cancel("expire", group.group)
  save(group, { state = "succeeded", ended = now, step = rules.step(group.terms, group.paid) })
  count(group.campaign, "succeeded", 1)
  for _, seat in ipairs(close_seats(group, may_begin_anew)) do
    if seat.state == "paid" then
      plugin.call("orders.unblock", { order = seat.order, name = BLOCK, reason = "the group is full" })
      if group.step > 1 then give_back_difference(group, rules, seat) end
    else
      cancel(seat.order, "the group is full")
    end
  end
  tell(group)
  plugin.emit("succeeded", { group = group.group, campaign = group.campaign, paid = group.paid })
end

---Not enough in time. That it failed, and that each member's money goes back, is one transaction: neither is there without the other.
function groups.fail(group, now)
  timers.cancel("expire", group.group)
  save(group, { state = "failed", ended = now })
  count(group.campaign, "failed", 1)
  for _, seat in ipairs(close_seats(group, function() return false end)) do
    if seat.counted and seat.state == "paid" then
      local back = { amount = seat.units, order = seat.order }
      must(move("transfer", "unit/" .. seat.order .. "/back", SOLD, units_of(seat.campaign), back), "units back")
    end
    cancel(seat.order, "the group was not full in time")
  end
  tell(group)
  plugin.emit("failed", { group = group.group, campaign = group.campaign, paid = group.paid })
end

---Whoever had a seat, lost it, and can't have another.
function groups.turn_away(seat)
  timers.cancel("lapse", seat.order)
  if seat.counted then
    must(move("void", "unit/" .. seat.order .. "/void", nil, nil, { pending = "unit/" .. seat.order }), "units back")
  end
  store.seats:update(seat.order, { running = false, counted = false })
end

---Who paid when there was no seat left leads a group of his own, at the price and by the rules he has paid for.
function groups.begin_with(group, seat, at)
  local offer = groups.rules(group).offer(group.terms)
  if seat.state == "paid" then error "only who has no seat begins anew" end
  local fresh = groups.begin(group.campaign, group.terms, group.rules, offer, seat.customer, at)
  must(move("transfer", "late/" .. seat.order, seats_of(fresh), TAKEN, { amount = 1, order = seat.order }), "the first seat")
  if seat.counted then
    must(move("post", "unit/" .. seat.order .. "/post", nil, nil, { pending = "unit/" .. seat.order }), "held units")
  end
  timers.cancel("lapse", seat.order)
  store.seats:update(seat.order, { group = fresh.group, state = "paid", paid_at = at, running = true })
  save(fresh, { state = "open", paid = 1, deadline = at + fresh.terms.open_for })
  timers.set("expire", fresh.group, fresh.deadline)
  plugin.emit("opened", { group = fresh.group, campaign = fresh.campaign })
  return fresh
end

groups.tell, groups.BLOCK = tell, BLOCK

return groups
