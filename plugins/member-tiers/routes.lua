-- What customers, servers and operators see and do over HTTP.
local events = require "events"
local fail = require "feira.fail"
local json = require "feira.json"
local ladder = require "ladder"
local ledger = require "feira.ledger"
local store = require "feira.store"
local time = require "feira.time"

local routes = {}

local HISTORY = 50
local SEATS = "seats"

local function ok(body) return { status = 200, body = body } end

-- Levels and members -----------------------------------------------------------------------------------------------------------

local function asks(level)
  return {
    id = level.id, title = level.title, points = level.points, orders = level.orders, certificate = level.certificate,
    keep = level.keep > 0 and level.keep or nil,
  }
end

function routes.levels(_, settings)
  local out = {}
  for i, level in ipairs(settings.levels) do
    local item, prices = asks(level), {}
    for _, entry in ipairs(settings.prices) do
      if entry.level == level.id then prices[#prices + 1] = { sku = entry.sku, price = entry.price } end
    end
    item.number, item.off_ppm, item.prices = i, level.off, json.array(prices)
    out[i] = item
  end
  return ok { levels = json.array(out) }
end

local function newest(collection, customer, show)
  local out = {}
  for i, row in ipairs(collection:find({ customer = customer }, { limit = HISTORY, reverse = true })) do out[i] = show(row) end
  return json.array(out)
end

local function change(row)
  return {
    at = time.format(row.at), from = row.from ~= "" and row.from or nil, to = row.to ~= "" and row.to or nil, reason = row.reason,
    order = row.order, note = row.note,
  }
end

local function movement(row)
  return { at = time.format(row.at), points = row.points, reason = row.reason, order = row.order, note = row.note }
end

local function held(customer)
  local out = {}
  for _, row in ipairs(store.certificates:find { customer = customer }) do
    if row.valid then out[#out + 1] = row.name end
  end
  return json.array(out)
end

local NOBODY = { points = 0, waiting = 0, orders = 0, earned = 0, grace = false }

local function document(customer, settings)
  local member = store.members:get(customer)
  local number = ladder.level_of(settings, member)
  local level, next_level = settings.levels[number], settings.levels[number + 1]
  member = member or NOBODY
  return {
    customer = customer, points = member.points, waiting = member.waiting, orders = member.orders,
    level = level and asks(level) or json.null, level_number = number,
    since = member.since and time.format(member.since) or nil, next_level = next_level and asks(next_level) or json.null,
    certificates = held(customer),
    period = member.review_at and level and level.keep > 0 and {
      points = member.earned, needed = level.keep, ends_at = time.format(member.review_at), grace = member.grace,
    } or json.null,
    changes = newest(store.changes, customer, change), movements = newest(store.movements, customer, movement),
  }
end

function routes.me(call, settings) return ok(document(call.customer, settings)) end

function routes.member(call, settings)
  local customer = call.params.customer
  if not store.of("shop").customers:get { customer = customer } then fail.not_found(("There is no customer %q."):format(customer)) end
  return ok(document(customer, settings))
end

function routes.adjust(call)
  return ok(events.add_points { customer = call.params.customer, points = call.body.points, reason = call.body.reason })
end

function routes.certify(call)
  return ok(events.certify {
    customer = call.params.customer, certificate = call.body.certificate, granted = call.body.granted, reason = call.body.reason,
  })
end

-- Seats ------------------------------------------------------------------------------------------------------------------------
-- Seats of a beta are pieces on an account that can't be overdrawn: issued -> free -> taken.

local function accounts(beta)
  local at = "member-tiers/beta/" .. beta.id .. "/"
  return at .. "issued", at .. "free", at .. "taken"
end

local function available(account)
  local _, _, free = ledger.balance(account)
  return free or 0
end

-- Seats that were added or withdrawn since the last one was taken are not on the account yet.
local function left(beta)
  local _, free, taken = accounts(beta)
  local pool = store.pools:get(beta.id)
  return math.max(0, available(free) + beta.seats - (pool and pool.seats or 0)), ledger.balance(taken) or 0
end

function routes.betas(_, settings)
  local out = {}
  for i, beta in ipairs(settings.betas) do
    local free, taken = left(beta)
    out[i] = { id = beta.id, title = beta.title, level = beta.level, seats = beta.seats, left = free, taken = taken }
  end
  return ok { betas = json.array(out) }
end

local function move(id, from, to, pieces)
  return ledger.apply { { kind = "transfer", id = id, debit = from, credit = to, amount = pieces } }
end

-- The account follows the setting: seats are added, or withdrawn as far as nobody has them.
local function fund(beta)
  local issued, free, taken = accounts(beta)
  ledger.account(issued, SEATS)
  ledger.account(free, SEATS, { no_overdraft = true })
  ledger.account(taken, SEATS)
  local pool = store.pools:get(beta.id)
  if not pool then
    store.pools:insert { beta = beta.id }
    pool = { seats = 0, changes = 0 }
  end
  local more = math.max(beta.seats - pool.seats, -available(free))
  if more == 0 then return end
  local id = ("seats/%s/%d"):format(beta.id, pool.changes + 1)
  store.pools:update(beta.id, { seats = pool.seats + more, changes = pool.changes + 1 })
  if more > 0 then move(id, issued, free, more) else move(id, free, issued, -more) end
end

function routes.take_seat(call, settings)
  local beta = ladder.beta(settings, call.params.beta) or fail.not_found(("There is no beta %q."):format(call.params.beta))
  local customer = call.customer
  local row = store.seats:get { beta = beta.id, customer = customer }
  if row then return ok { beta = beta.id, title = beta.title, since = time.format(row.at) } end
  local wanted = ladder.position(settings, beta.level)
  if ladder.level_of(settings, store.members:get(customer)) < wanted then
    fail.denied(("%s is for members from %s on."):format(beta.title, settings.levels[wanted].title))
  end
  fund(beta)
  local _, free, taken = accounts(beta)
  if not move(("seat/%s/%s"):format(beta.id, customer), free, taken, 1) then
    fail.conflict("no_seat_left", ("All seats are taken: %s."):format(beta.title))
  end
  store.seats:insert { beta = beta.id, customer = customer, at = time.now() }
  return ok { beta = beta.id, title = beta.title, since = time.format(time.now()) }
end

return routes
