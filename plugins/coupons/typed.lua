-- Codes that are typed into a cart. A quote only looks; the order that is placed with one takes it, in its own transaction: a customer's
-- becomes a coupon of his, a guest's is a row of the order's, and free to be typed again when the order ends.
local codes = require "codes"
local coupons = require "coupons"
local ids = require "feira.ids"
local ledger = require "feira.ledger"
local plugin = require "feira.plugin"
local store = require "feira.store"

local typed = {}

local UNIT = "coupons"

local function word_account(code) return "coupons/word/" .. code end
local function single_of(parts) return ("%d/%d"):format(parts.batch, parts.n) end

-- The word or the batch that a code is of: { row, parts? }, or { mistyped = true }; nil: it is no code of ours.
local function find(code, settings)
  local text = codes.word(code, settings.code_case)
  local word = text and store.words:get(text)
  if word then return { row = word } end
  local kind, parts = codes.read(code)
  if kind == "mistyped" then return { mistyped = true } end
  local batch = parts and store.batches:get(parts.batch)
  if batch and codes.is_right(parts, batch) then return { row = batch, parts = parts } end
end

-- Whose it is, when somebody has it: a customer's id, or "" for a guest's.
local function owner_of(parts)
  local taken = store.taken:get { batch = parts.batch, n = parts.n }
  if taken then return taken.customer end
  return store.guests:get { single = single_of(parts) } and "" or nil
end

local function is_spent(campaign)
  local made = store.totals:get(campaign.id) -- settled by the next grant where the campaign says another total by now
  return made and made.total == campaign.fields.total and ledger.left(coupons.account("left", campaign.id)) == 0
end

---The fact `typed`, asked of each code in a cart.
---@param code string as it was typed
---@param about { customer: string?, now: integer }
function typed.look(code, about, settings)
  local found = find(code, settings)
  if not found then return nil end
  if found.mistyped then return { refused = "mistyped" } end
  local row, customer = found.row, about.customer
  local campaign = plugin.campaign(row.campaign)
  if row.from and about.now < row.from then return { refused = "not_yet", from = row.from } end
  if row.to and about.now >= row.to then return { refused = "expired", to = row.to } end
  if not campaign then return { refused = "expired" } end
  if customer and coupons.has_live(customer, campaign.id, about.now) then return { stands_for = campaign.id } end
  if not campaign.fields.typed then return { refused = "claim_first" } end
  if not customer and campaign.fields.typed ~= "anyone" then return { refused = "sign_in" } end
  local owner = found.parts and owner_of(found.parts)
  if owner then return { refused = customer == owner and "already_used" or "used_up" } end
  if row.limited and ledger.exhausted(word_account(row.code)) then return { refused = "used_up" } end
  if is_spent(campaign) then return { refused = "used_up" } end
  if customer and coupons.count_of(customer, campaign.id) >= campaign.fields.per_customer then return { refused = "already_used" } end
  return { stands_for = campaign.id }
end

-- Taking -----------------------------------------------------------------------------------------------------------------------------

local function use_word(row, id)
  if not row.limited then return true end
  local used = ledger.account("coupons/words-used", UNIT)
  return ledger.apply { { kind = "transfer", id = "word/" .. id, debit = word_account(row.code), credit = used, amount = 1 } } ~= nil
end

local function take_for_customer(customer, campaign, found, order)
  if found.row.limited and ledger.exhausted(word_account(found.row.code)) then return false end
  if found.parts and owner_of(found.parts) then return false end
  local coupon = coupons.grant(customer, campaign)
  if not coupon then return false end
  use_word(found.row, coupon.coupon)
  if found.parts then
    store.taken:insert { batch = found.parts.batch, n = found.parts.n, coupon = coupon.coupon, customer = customer }
  end
  return coupons.hold(customer, campaign.id, order)
end

local function take_for_guest(campaign, found, order)
  local id, row = ids.new "cpn", found.row
  if found.parts and owner_of(found.parts) then return false end
  if row.limited and ledger.exhausted(word_account(row.code)) then return false end
  if not coupons.grant_to_guest(id, campaign) then return false end
  use_word(row, id)
  coupons.hold_for(id, campaign.id, order)
  store.guests:insert {
    coupon = id, campaign = campaign.id, order = order, state = "held", word = row.limited and row.code or nil,
    single = found.parts and single_of(found.parts) or nil,
  }
  return true
end

---An order that is placed takes a code for the campaign, if one was typed.
---@param event { order: string, customer: string?, codes: string[]? }
---@return boolean
function typed.take(event, campaign, settings)
  for _, code in ipairs(event.codes or {}) do
    local found = find(code, settings)
    local fits = found and found.row and found.row.campaign == campaign.id and campaign.fields.typed
    if fits and event.customer and take_for_customer(event.customer, campaign, found, event.order) then return true end
    if fits == "anyone" and not event.customer and take_for_guest(campaign, found, event.order) then return true end
  end
  return false
end

-- Guests ---------------------------------------------------------------------------------------------------------------------------

function typed.redeem(order)
  for _, row in ipairs(store.guests:find({ order = order }, { limit = 1000 })) do
    if row.state == "held" then
      coupons.post_use(row.coupon, order)
      store.guests:update(row.coupon, { state = "redeemed" })
    end
  end
end

---The order ended: its codes can be typed again.
function typed.give_back(order)
  for _, row in ipairs(store.guests:find({ order = order }, { limit = 1000 })) do
    coupons.undo_use(row, order)
    coupons.take_from_guest(row.coupon, row.campaign)
    if row.word then
      local used = ledger.account("coupons/words-used", UNIT)
      ledger.apply {
        { kind = "transfer", id = ("word/%s/back"):format(row.coupon), debit = used, credit = word_account(row.word), amount = 1 },
      }
    end
    store.guests:delete(row.coupon)
  end
end

return typed
