-- Members: their points, which the ledger keeps, and their levels. Everything here runs in the transaction of its caller. A row of
-- `members` is read with members.get(), changed in place, and written once by members.keep().
local json = require "feira.json"
local ladder = require "ladder"
local ledger = require "feira.ledger"
local plugin = require "feira.plugin"
local store = require "feira.store"
local time = require "feira.time"
local timers = require "feira.timers"

local members = {}

local settings = plugin.settings
local UNIT, ISSUED = "points", "member-tiers/issued"

-- Rows -------------------------------------------------------------------------------------------------------------------------

local function id_of(number)
  local level = settings.levels[number]
  return level and level.id or ""
end

---Writes down that a level changed, or was kept, and why.
local function note_change(member, from, to, why)
  local now = time.now()
  store.changes:insert {
    customer = member.customer, at = now, from = from, to = to, reason = why.reason, order = why.order, note = why.note,
  }
  if from == to then return end
  plugin.emit("level_changed", {
    customer = member.customer, from = from ~= "" and from or nil, to = to ~= "" and to or nil, reason = why.reason, at = time.format(now),
  })
end

-- Somebody with another's telephone is no newcomer: he has been welcomed as the other.
local function is_new_person(customer)
  local row = store.of("shop").customers:get { customer = customer }
  local hash = row and row.phone_hash
  if not hash then return true end
  local known = store.phones:get(hash)
  if not known then store.phones:insert { hash = hash, customer = customer } end
  return not known or known.customer == customer
end

---The customer's row; it begins on the level that asks for nothing.
---@param joined integer? when he joined, if that is just now
function members.get(customer, joined)
  local member = store.members:get(customer)
  if member then return member end
  if joined and not is_new_person(customer) then joined = nil end
  local level = id_of(ladder.level_of(settings, nil))
  store.members:insert { customer = customer, level = level, since = time.now(), joined = joined }
  member = store.members:get(customer)
  if level ~= "" then note_change(member, "", level, { reason = "joined" }) end
  return member
end

---Points that are in the ledger are also in the row, for rules: the ledger is who is right.
function members.keep(member)
  store.members:update(member.customer, {
    level = member.level, since = member.since, points = member.points, waiting = member.waiting, orders = member.orders,
    placed = member.placed,
    period = member.period, earned = member.earned, review_at = member.review_at or json.null, grace = member.grace,
    lost = member.lost or json.null,
  })
end

function members.account(customer) return "member-tiers/points/" .. customer end

-- Periods and levels -----------------------------------------------------------------------------------------------------------

local function keep_of(member)
  local level = settings.levels[ladder.level_of(settings, member)]
  return level and level.keep or 0
end

local function look_again(member, at)
  member.review_at = at
  if at then timers.set("review", member.customer, at) else timers.cancel("review", member.customer) end
end

-- Also a level that need not be kept has periods: the shop may come to ask for something, which then holds from the end of the running one.
local function begin_period(member)
  member.period, member.earned, member.grace = member.period + 1, 0, false
  local can_fall = ladder.level_of(settings, member) > 1 or keep_of(member) > 0
  look_again(member, can_fall and time.now() + settings.period or nil)
end

local function move(member, number, why)
  local from = member.level
  member.level, member.since = id_of(number), time.now()
  begin_period(member)
  note_change(member, from, member.level, why)
end

local function certificates(customer)
  local held = {}
  for _, row in ipairs(store.certificates:find { customer = customer }) do
    if row.valid then held[row.name] = true end
  end
  return held
end

---After something changed: up when more is due, and down only when something was taken away. Who buys something never falls, whatever the
---shop has made of its levels meanwhile.
---@param why { reason: string, order: string?, note: string? }
function members.settle(member, why, may_fall)
  local number = ladder.level_of(settings, member)
  local due = ladder.entitled(settings, member, certificates(member.customer))
  if due > number then
    member.lost = nil
    move(member, due, why)
  elseif due < number and may_fall then
    move(member, due, why)
  elseif member.grace and member.earned >= keep_of(member) then
    begin_period(member)
    note_change(member, member.level, member.level, { reason = "kept" })
  end
end

---A period has ended.
function members.review(member)
  local number, keep = ladder.level_of(settings, member), keep_of(member)
  if keep == 0 then
    begin_period(member)
  elseif member.earned >= keep then
    begin_period(member)
    note_change(member, member.level, member.level, { reason = "kept" })
  elseif settings.grace and not member.grace then
    member.grace = true
    look_again(member, time.now() + settings.grace)
    plugin.emit("at_risk", {
      customer = member.customer, level = member.level, missing = keep - member.earned, ["until"] = time.format(member.review_at),
    })
  else
    member.lost = member.level
    move(member, number - 1, { reason = "not_kept" })
  end
end

-- Points -----------------------------------------------------------------------------------------------------------------------

local function transfer(id, from, to, points, order)
  ledger.account(ISSUED, UNIT)
  local done, _, account = ledger.apply { { kind = "transfer", id = id, debit = from, credit = to, amount = points, reference = order } }
  if not done then error("points did not move: too little in " .. account) end
end

---Moves points to a customer, or from him when negative. What was taken back may leave him with fewer than none: he has had more than he
---was entitled to.
---@param period integer? the period that they count in; nil: the running one
function members.move_points(member, points, why, period)
  if points == 0 then return end
  local account = ledger.account(members.account(member.customer), UNIT)
  local id = store.movements:insert {
    customer = member.customer, at = time.now(), points = points, reason = why.reason, order = why.order, note = why.note,
  }
  if points > 0 then
    transfer("m/" .. id, ISSUED, account, points, why.order)
  else
    transfer("m/" .. id, account, ISSUED, -points, why.order)
  end
  member.points = member.points + points
  if not period or period == member.period then member.earned = member.earned + points end
end

return members
