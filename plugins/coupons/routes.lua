-- Over HTTP: customers look at their coupons and claim some; servers make codes and give coupons away.
local claims = require "claims"
local codes = require "codes"
local coupons = require "coupons"
local events = require "events"
local fail = require "feira.fail"
local json = require "feira.json"
local ledger = require "feira.ledger"
local plugin = require "feira.plugin"
local store = require "feira.store"
local time = require "feira.time"
local timers = require "feira.timers"

local routes = {}

local PAGE, CODES_PAGE = 100, 5000

-- Customers ----------------------------------------------------------------------------------------------------------------------------

function routes.mine(call)
  local items, now = {}, time.now()
  local query = { index = { "customer", "campaign" }, where = { customer = call.customer }, reverse = true, limit = PAGE }
  for row in store.coupons:each(query) do items[#items + 1] = coupons.document(row, now) end
  table.sort(items, function(a, b) return a.id > b.id end)
  return { status = 200, body = { items = json.array(items) } }
end

-- Another's is like one that is not there.
local function own(customer, id)
  local row = store.coupons:get(id)
  if not row or row.customer ~= customer then fail.not_found "There is no such coupon." end
  return row
end

function routes.one(call) return { status = 200, body = coupons.document(own(call.customer, call.params.coupon), time.now()) } end

-- A handler: what the step wrote down stays, also when it refused.
function routes.claim(call)
  local answer = plugin.call("claim", { customer = call.customer, code = call.body.code })
  if answer.coupon then
    return { status = 201, body = coupons.document(store.coupons:get(answer.coupon), time.now()) }
  elseif answer.reason == "code_unknown" then
    fail.raise { status = 404, reason = answer.reason, detail = answer.detail, field = "/code" }
  elseif answer.reason == "code_mistyped" then
    fail.invalid("/code", answer.detail, answer.reason)
  end
  return fail.conflict(answer.reason, answer.detail, "/code")
end

function routes.take(call)
  local campaign = plugin.campaign(call.params.campaign)
  if not campaign or not campaign.fields.claim then fail.not_found "There is no such coupon to be taken." end
  local row, reason, detail = coupons.grant(call.customer, campaign)
  if not row then fail.conflict(reason, detail) end
  return { status = 201, body = coupons.document(row, time.now()) }
end

-- Servers --------------------------------------------------------------------------------------------------------------------------------

function routes.grant(call) return { status = 201, body = events.grant(call.body) } end

function routes.word(call, settings) return { status = 201, body = claims.word(call.body, settings) } end

function routes.batch(call) return { status = 201, body = claims.batch(call.body) } end

function routes.codes(call)
  local number = math.tointeger(tonumber(call.params.batch))
  local batch = number and store.batches:get(number) or fail.not_found "There is no such batch."
  local from = call.query.after or 0
  local to = math.min(from + (call.query.limit or CODES_PAGE), batch.count)
  local list = {}
  for n = from, to - 1 do list[#list + 1] = codes.make(number, n, batch.secret) end
  return { status = 200, body = {
    batch = number, campaign = batch.campaign, count = batch.count, codes = json.array(list), next = to < batch.count and to or nil,
  } }
end

local function balance(what, campaign)
  local posted, held = ledger.balance(coupons.account(what, campaign))
  return posted or 0, held or 0
end

function routes.report(call)
  local campaign = plugin.campaign(call.params.campaign) or fail.not_found "There is no such campaign with coupons."
  local id = campaign.id
  local out, held = balance("out", id)
  return { status = 200, body = {
    campaign = id, total = campaign.fields.total, left = ledger.left(coupons.account("left", id)) or campaign.fields.total,
    out = out - held, held = held, redeemed = (balance("used", id)), over = (balance("gone", id)),
  } }
end

local function segment_document(row)
  return { id = row.segment, campaign = row.campaign, tag = row.tag, granted = row.granted, skipped = row.skipped, done = row.done }
end

function routes.segment(call)
  local body = call.body
  local row = store.segments:get(body.id)
  if row and (row.campaign ~= body.campaign or row.tag ~= body.tag) then
    fail.conflict("done_otherwise", "This was begun before, otherwise.", "/id")
  elseif not row then
    coupons.campaign(body.campaign)
    store.segments:insert { segment = body.id, campaign = body.campaign, tag = body.tag }
    timers.set("segment", body.id, time.now())
    row = store.segments:get(body.id)
  end
  return { status = 202, body = segment_document(row) }
end

function routes.segment_state(call)
  return { status = 200, body = segment_document(store.segments:get(call.params.segment) or fail.not_found "There is no such segment.") }
end

return routes
