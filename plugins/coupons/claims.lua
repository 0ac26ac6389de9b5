-- From what somebody typed to a coupon. A refusal is a value, { reason, detail }, not an error: an error would take back the count of
-- guesses with everything else. Unknown codes count; typing errors, which the check character tells apart, do not.
local codes = require "codes"
local coupons = require "coupons"
local crypto = require "feira.crypto"
local fail = require "feira.fail"
local ledger = require "feira.ledger"
local plugin = require "feira.plugin"
local store = require "feira.store"
local time = require "feira.time"

local claims = {}

local UNIT = "coupons"
local BATCHES_MAX = 32768
local function word_account(code) return "coupons/word/" .. code end

local function refuse(reason, detail) return { reason = reason, detail = detail } end

-- Guesses --------------------------------------------------------------------------------------------------------------------------

local function guesses_of(customer, now, settings)
  local row = store.guesses:get(customer)
  if row and now >= row.since + settings.guess_window then
    store.guesses:update(customer, { count = 0, since = now })
    return 0
  end
  return row and row.count or 0
end

local function unknown(customer, now)
  local row = store.guesses:get(customer)
  if row then
    store.guesses:update(customer, { count = row.count + 1 })
  else
    store.guesses:insert { customer = customer, count = 1, since = now }
  end
  return refuse("code_unknown", "There is no such code.")
end

-- Claims ---------------------------------------------------------------------------------------------------------------------------

-- Words and batches have a time of their own.
local function out_of_time(row, now)
  if row.from and now < row.from then
    return refuse("code_not_yet", ("This code can be used from %s on."):format(time.format(row.from)))
  elseif row.to and now >= row.to then
    return refuse("code_expired", ("This code could be used until %s."):format(time.format(row.to)))
  end
end

local function granted(row) return { coupon = row.coupon } end

local function campaign_of(row)
  return plugin.campaign(row.campaign), refuse("campaign_over", "What this code is for is not on any more.")
end

local function claim_word(customer, word, now)
  local late = out_of_time(word, now)
  if late then return late end
  local campaign, over = campaign_of(word)
  if not campaign then return over end
  -- Nobody else writes meanwhile: what is there now is there when the coupon has been granted.
  if word.limited and ledger.exhausted(word_account(word.code)) then return refuse("code_used_up", "This code has been used up.") end
  local row, reason, detail = coupons.grant(customer, campaign)
  if not row then return refuse(reason, detail) end
  if word.limited then
    local used = ledger.account("coupons/words-used", UNIT)
    ledger.apply { { kind = "transfer", id = "word/" .. row.coupon, debit = word_account(word.code), credit = used, amount = 1 } }
  end
  return granted(row)
end

local function claim_code(customer, parts, batch, now)
  local taken = store.taken:get { batch = parts.batch, n = parts.n }
  if taken and taken.customer == customer then return { coupon = taken.coupon } end
  if taken then return refuse("code_used", "This code has been used.") end
  local late = out_of_time(batch, now)
  if late then return late end
  local campaign, over = campaign_of(batch)
  if not campaign then return over end
  local row, reason, detail = coupons.grant(customer, campaign)
  if not row then return refuse(reason, detail) end
  store.taken:insert { batch = parts.batch, n = parts.n, coupon = row.coupon, customer = customer }
  return granted(row)
end

---Procedure.
---@param args { customer: string, code: string }
---@return { coupon: string }|{ reason: string, detail: string }
function claims.claim(args, settings)
  local customer, now = args.customer, time.now()
  if guesses_of(customer, now, settings) >= settings.guesses then
    return refuse("too_many_guesses", "Too many unknown codes were tried; try again later.")
  end
  local text = codes.word(args.code, settings.code_case)
  local word = text and store.words:get(text)
  if word then return claim_word(customer, word, now) end
  local kind, parts = codes.read(args.code)
  if kind == "mistyped" then return refuse("code_mistyped", "There is a typing error in this code; compare it letter by letter.") end
  local batch = parts and store.batches:get(parts.batch)
  if batch and codes.is_right(parts, batch) then return claim_code(customer, parts, batch, now) end
  return unknown(customer, now)
end

-- Making codes -----------------------------------------------------------------------------------------------------------------------

local function span(args)
  local from, to = args.from and time.parse(args.from), args.to and time.parse(args.to)
  if from and to and from >= to then fail.invalid("/to", "It ends before it begins.") end
  return from, to
end

---A code that many may use.
function claims.word(args, settings)
  local code = codes.word(args.code, settings.code_case)
  if not code then fail.invalid("/code", "A code has 3 to 40 letters, digits, _ and -.") end
  if codes.read(code) ~= "other" then fail.invalid("/code", "This looks like a code that is made here; take a shorter or a longer one.") end
  local campaign = coupons.campaign(args.campaign)
  local from, to = span(args)
  if not store.words:insert { code = code, campaign = campaign.id, at = time.now(), limited = args.uses ~= nil, from = from, to = to } then
    fail.conflict("code_taken", "There is this code already.", "/code")
  end
  if args.uses then
    local left = ledger.account(word_account(code), UNIT, { no_overdraft = true })
    local all = ledger.account("coupons/words-all", UNIT)
    ledger.apply { { kind = "transfer", id = "words/" .. code, debit = all, credit = left, amount = args.uses } }
  end
  return { code = code, campaign = campaign.id, uses = args.uses }
end

local function document(row) return { batch = row.batch, campaign = row.campaign, count = row.count } end

---A batch is one row, however many codes it has.
function claims.batch(args)
  local before = store.batches:get { origin = args.id }
  if before then
    if before.campaign ~= args.campaign or before.count ~= args.count then
      fail.conflict("done_otherwise", "This batch was made before, otherwise.", "/id")
    end
    return document(before)
  end
  local campaign = coupons.campaign(args.campaign)
  local from, to = span(args)
  local last
  for row in store.batches:each { reverse = true, limit = 1 } do last = row end
  local number = last and last.batch + 1 or 0
  if number >= BATCHES_MAX then fail.state("too_many_batches", "There are 32,768 batches; no more can be made.") end
  local row = {
    batch = number, campaign = campaign.id, count = args.count, at = time.now(), secret = crypto.hex(crypto.random(32)), origin = args.id,
    from = from, to = to,
  }
  store.batches:insert(row)
  return document(row)
end

return claims
