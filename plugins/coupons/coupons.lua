-- The life of a coupon: live -> held (an order uses it) -> redeemed (paid), back to live when the order ends, expired or revoked. Its row
-- says the state; the ledger counts: coupons/left/ID what can still be granted (where there is a total), out/ID what customers have,
-- used/ID, gone/ID what expired or was taken back. Everything here runs in the transaction of its caller.
local fail = require "feira.fail"
local ids = require "feira.ids"
local json = require "feira.json"
local ledger = require "feira.ledger"
local plugin = require "feira.plugin"
local store = require "feira.store"
local time = require "feira.time"
local timers = require "feira.timers"

local coupons = {}

local UNIT = "coupons"
local MINUTE = 60000

function coupons.account(what, campaign) return ("coupons/%s/%s"):format(what, campaign) end

local function counter(what, campaign) return ledger.account(coupons.account(what, campaign), UNIT) end

local function move(id, from, to, more)
  local op = { kind = "transfer", id = id, debit = from, credit = to, amount = 1 }
  for name, value in pairs(more or {}) do op[name] = value end
  return ledger.apply { op }
end

-- What may be granted follows the campaign: more is added, less takes what is still there.
local function settle_total(campaign, total)
  local left = ledger.account(coupons.account("left", campaign), UNIT, { no_overdraft = true, published = true })
  local row = store.totals:get(campaign)
  if row and row.total == total then return left end
  if not row then store.totals:insert { campaign = campaign, total = 0 } end
  local before = row and row.total or 0
  local more = total - before
  if more < 0 then more = -math.min(-more, ledger.left(coupons.account("left", campaign)) or 0) end
  if more == 0 then return left end
  local all = ledger.account("coupons/all", UNIT)
  local from, to = more > 0 and all or left, more > 0 and left or all
  ledger.apply { { kind = "transfer", id = ids.new "tot", debit = from, credit = to, amount = math.abs(more), reference = campaign } }
  store.totals:update(campaign, { total = before + more })
  return left
end

---Brings the accounts of a campaign up to what it says.
function coupons.settle(campaign)
  if campaign.fields.total then return settle_total(campaign.id, campaign.fields.total) end
  return ledger.account("coupons/all", UNIT)
end

---@return table campaign as plugin.campaign gives it
function coupons.campaign(id)
  return plugin.campaign(id) or fail.invalid("/campaign", ("There is no campaign %q with coupons."):format(id), "no_campaign")
end

-- Grants -------------------------------------------------------------------------------------------------------------------------

-- By the minute: a timer for each coupon would be a million of them.
local function watch(expires)
  if not expires then return end
  local minute = expires // MINUTE + 1
  timers.set("expire", ("%d"):format(minute), minute * MINUTE)
end

local function show(row)
  store.held:insert { coupon = row.coupon, campaign = row.campaign, customer = row.customer, expires = row.expires }
  watch(row.expires)
end

---How many the customer has had, those that were taken back aside.
function coupons.count_of(customer, campaign)
  local n = 0
  for _, row in ipairs(store.coupons:find({ customer = customer, campaign = campaign }, { limit = 1000 })) do
    if row.state ~= "revoked" then n = n + 1 end
  end
  return n
end

local function told(row) return row.expires and time.format(row.expires) or nil end

---A coupon for a customer who exists. The same origin gives the same coupon.
---@param campaign table as plugin.campaign gives it
---@return table|nil row
---@return string? reason
---@return string? sentence
function coupons.grant(customer, campaign, origin)
  local before = origin and store.coupons:get { origin = origin }
  if before then return before end
  local id, terms = campaign.id, campaign.fields
  if coupons.count_of(customer, id) >= terms.per_customer then
    return nil, "already_granted", ("One customer can have %d of these coupons."):format(terms.per_customer)
  end
  local now = time.now()
  local row = {
    coupon = ids.new "cpn", campaign = id, customer = customer, state = "live", at = now, origin = origin,
    expires = terms.valid_for and now + terms.valid_for or nil,
  }
  local from = coupons.settle(campaign)
  if not move("grant/" .. row.coupon, from, counter("out", id), { reference = id }) then
    return nil, "exhausted", "All of these coupons have been given out."
  end
  store.coupons:insert(row)
  show(row)
  plugin.emit("granted", { coupon = row.coupon, campaign = id, customer = customer, expires = told(row) })
  return row
end

-- Use ------------------------------------------------------------------------------------------------------------------------------

function coupons.is_live(row, now) return row.state == "live" and (not row.expires or now < row.expires) end

-- The one that ends first, then the oldest.
local function first_live(customer, campaign, now)
  local best
  for _, row in ipairs(store.held:find({ customer = customer, campaign = campaign }, { limit = 1000 })) do
    local ends = row.expires or math.maxinteger
    if now < ends and (not best or ends < (best.expires or math.maxinteger)) then best = row end
  end
  return best
end

---@return boolean whether the customer has one that can be used
function coupons.has_live(customer, campaign, now) return first_live(customer, campaign, now) ~= nil end

local function use_id(coupon, order) return ("use/%s/%s"):format(coupon, order) end

---An order takes a coupon of the campaign.
---@return boolean taken false: the customer has none
function coupons.hold(customer, campaign, order)
  local row = first_live(customer, campaign, time.now())
  if not row then return false end
  if not move(use_id(row.coupon, order), counter("out", campaign), counter("used", campaign), { kind = "hold", reference = order }) then
    return false
  end
  store.coupons:update(row.coupon, { state = "held", order = order })
  store.held:delete(row.coupon)
  return true
end

-- A guest's coupon is only in the books, and in a row of the order that uses it (typed.lua).

---@return boolean false: all have been given out
function coupons.grant_to_guest(id, campaign)
  return move("grant/" .. id, coupons.settle(campaign), counter("out", campaign.id), { reference = campaign.id }) ~= nil
end

function coupons.take_from_guest(id, campaign)
  local made = plugin.campaign(campaign)
  local to = made and coupons.settle(made) or counter("gone", campaign)
  move("ungrant/" .. id, counter("out", campaign), to, { reference = campaign })
end

function coupons.hold_for(id, campaign, order)
  move(use_id(id, order), counter("out", campaign), counter("used", campaign), { kind = "hold", reference = order })
end

function coupons.post_use(id, order)
  ledger.apply { { kind = "post", id = use_id(id, order) .. "/post", pending = use_id(id, order) } }
end

---@param row { coupon: string, campaign: string, state: string }
function coupons.undo_use(row, order)
  local id = use_id(row.coupon, order)
  if row.state == "held" then
    ledger.apply { { kind = "void", id = id .. "/void", pending = id } }
  else
    move(id .. "/back", counter("used", row.campaign), counter("out", row.campaign), { reference = order })
  end
end

function coupons.of_order(order) return store.coupons:find({ order = order }, { limit = 1000 }) end

function coupons.redeem(row)
  coupons.post_use(row.coupon, row.order)
  store.coupons:update(row.coupon, { state = "redeemed" })
  plugin.emit("redeemed", { coupon = row.coupon, campaign = row.campaign, customer = row.customer, order = row.order })
end

local function end_it(row, state)
  move(("%s/%s"):format(state, row.coupon), counter("out", row.campaign), counter("gone", row.campaign))
  store.coupons:update(row.coupon, { state = state, order = json.null })
  store.held:delete(row.coupon)
end

function coupons.expire(row)
  end_it(row, "expired")
  plugin.emit("expired", { coupon = row.coupon, campaign = row.campaign, customer = row.customer })
end

---Back from an order: with the time it had, which may be over.
function coupons.give_back(row, settings)
  local now = time.now()
  coupons.undo_use(row, row.order)
  local expires = row.expires
  if expires and settings.grace then expires = math.max(expires, now + settings.grace) end
  local order = row.order
  row.order, row.expires = nil, expires
  if expires and now >= expires then return coupons.expire(row) end
  store.coupons:update(row.coupon, { state = "live", order = json.null, expires = expires or json.null })
  show(row)
  plugin.emit("returned", { coupon = row.coupon, campaign = row.campaign, customer = row.customer, order = order })
end

---@return boolean done false: it is used, or over
function coupons.revoke(row)
  if row.state ~= "live" then return false end
  end_it(row, "revoked")
  return true
end

-- For people -----------------------------------------------------------------------------------------------------------------------

local REASONS = {
  held = { "coupon_held", "An order that is not paid yet uses this coupon." },
  redeemed = { "coupon_used", "This coupon has been used." },
  expired = { "coupon_expired", "The time of this coupon is over." },
  revoked = { "coupon_revoked", "This coupon was taken back." },
}

function coupons.document(row, now)
  local state = row.state == "live" and not coupons.is_live(row, now) and "expired" or row.state
  local campaign, why = plugin.campaign(row.campaign), REASONS[state]
  if not why and not campaign then why = { "campaign_over", "What this coupon is for is not on any more." } end
  return {
    id = row.coupon, campaign = row.campaign, title = campaign and campaign.fields.title or row.campaign, state = state,
    granted_at = time.format(row.at), expires_at = told(row), order = row.order, usable = why == nil,
    reason = why and why[1] or nil, detail = why and why[2] or nil,
  }
end

return coupons
