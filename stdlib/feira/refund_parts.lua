-- feira.refund_parts: what a provider that is a plugin is to give back, part by part: one part for each payment that the money came with. A
-- part keeps its number however often it is sent, so that sending it again gives nothing twice. Its money is held in the ledger from the
-- request on and leaves when the provider says it is back; a part that fails waits, and in the end waits for a person. It is never dropped.
--
--   requested ──sent──► succeeded                       final
--     ▲  │  └─────────► processing ──asked──► succeeded
--     │  │                │ failed, or unknown there: sent again
--     │  └──── failed ────┴──► requested (later, same number) ──tried too often──► manual
--     └──────────────────────────────── a person says: again ───────────────────────┘ └─► succeeded (given back by hand, or told late)
local events = require "feira.order_events"
local json = require "feira.json"
local ledger = require "feira.ledger"
local purses = require "feira.purses"
local sql = require "feira.sql"
local timers = require "feira.timers"

local refund_parts = {}

local MINUTE_MS, HOUR_MS, DAY_MS = 60000, 3600000, 86400000
local TRIES_MAX = 10
local PROCESSING_MAX_MS = 7 * DAY_MS
local PAUSE_MAX_MS = 6 * HOUR_MS

local names = { "requested", "processing", "succeeded", "manual" }
local codes = {}
for code, name in ipairs(names) do codes[name] = code end
local next_of = {
  requested = { requested = true, processing = true, succeeded = true, manual = true },
  processing = { requested = true, processing = true, succeeded = true, manual = true },
  manual = { requested = true, succeeded = true },
  succeeded = {},
}

local COLUMNS = [[SELECT r.id, r.number, r.refund_id, r.provider, r.amount, r.currency, r.state, r.tries, r.asked, r.reference, r.reason,
  r.why, r.by_hand, r.created_at, r.updated_at, o.order_id, o.total, c.customer, a.number AS payment, a.payment_id, a.transaction_id,
  a.reference AS payment_reference, coalesce(a.received, a.amount) AS paid, a.given_back
  FROM refund_parts r JOIN orders o ON o.id = r.order_id JOIN payment_attempts a ON a.id = r.attempt
  LEFT JOIN customers c ON c.id = o.customer]]
local find = sql.statement(COLUMNS .. " WHERE r.number = ?1")
local listed = sql.statement(COLUMNS .. " WHERE r.state = ?1 AND r.id > ?2 ORDER BY r.id LIMIT ?3")
local insert = sql.statement [[
  INSERT INTO refund_parts (number, refund_id, order_id, attempt, provider, amount, currency, state, reason, created_at, updated_at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?9)]]
local update = sql.statement [[
  UPDATE refund_parts SET state = ?3, tries = ?4, asked = ?5, reference = ?6, why = ?7, by_hand = ?8, updated_at = ?9
  WHERE id = ?1 AND state = ?2]]
local others = sql.statement "SELECT count(*), sum(amount) FROM refund_parts WHERE refund_id = ?1 AND state <> 3"
local amount_of = sql.statement [[
  SELECT coalesce((SELECT amount FROM refunds WHERE order_id = (SELECT id FROM orders WHERE order_id = ?2) AND refund_id = ?1),
    (SELECT sum(amount) FROM refund_parts WHERE refund_id = ?1))]]
local of_order = sql.statement
  "SELECT refund_id, attempt, number, state, amount, why, by_hand FROM refund_parts WHERE order_id = ?1 ORDER BY id"

local function job_of(provider, what) return "plugin:" .. provider .. "/payments." .. what end

local function opened(part)
  if part then part.state = names[part.state] end
  return part
end

---The part with this number, or nil.
function refund_parts.find(number) return opened(find:row(number)) end

---@param state string
---@return table[] parts in the order in which they were made
function refund_parts.list(state, after, limit)
  local out = listed:rows(codes[state], after, limit)
  for _, part in ipairs(out) do opened(part) end
  return out
end

refund_parts.states = names

---@return boolean whether there is a state of this name
function refund_parts.is_state(name) return codes[name] ~= nil end

-- The only gate.
local function move(part, to, now)
  local was = part.state
  if not next_of[was][to] then error(("the refund %s can't go from %s to %s"):format(part.number, was, to)) end
  if update:run(part.id, codes[was], codes[to], part.tries, part.asked, part.reference, part.why, part.by_hand, now) ~= 1 then
    error("the refund " .. part.number .. " changed meanwhile")
  end
  part.state, part.updated_at = to, now
end

local function doubled(first_ms, times) return math.min(first_ms << math.min(times, 20), PAUSE_MAX_MS) end

---A new part, whose job begins at once. Its money is to be held in the ledger as hold_of(number).
---@param what { number: string, refund_id: string, order: integer, attempt: integer, provider: string, amount: integer, currency: string,
---reason: string? }
function refund_parts.request(what, now)
  insert:run(what.number, what.refund_id, what.order, what.attempt, what.provider, what.amount, what.currency, what.reason, now)
  timers.set(job_of(what.provider, "refund"), what.number, now)
end

---The hold of a part in the ledger; its end is this and "/post".
function refund_parts.hold_of(number) return (number:gsub("%-p(%d+)$", "/p%1")) end

local function send_again(part, now, pause)
  move(part, "requested", now)
  timers.cancel(job_of(part.provider, "query"), part.number)
  timers.set(job_of(part.provider, "refund"), part.number, now + pause)
end

-- Not through a letter.
local function shortened(text)
  local cut = math.min(#text, 200)
  while cut > 0 and cut < #text and text:byte(cut + 1) & 0xC0 == 0x80 do cut = cut - 1 end
  return text:sub(1, cut)
end

local function give_up(part, now)
  move(part, "manual", now)
  timers.cancel(job_of(part.provider, "query"), part.number)
  timers.cancel(job_of(part.provider, "refund"), part.number)
  events.refund("refund.failed", part, part.refund_id, part.amount, now, { reason = shortened(part.why or "It was tried too often.") })
end

-- --- what came of it ------------------------------------------------------------------------------------------------

---The money is back with the customer. by_hand: who gave it back, when it was a person.
function refund_parts.succeed(part, now, reference, by_hand)
  part.reference, part.by_hand = reference or part.reference, by_hand
  part.why = nil
  move(part, "succeeded", now)
  timers.cancel(job_of(part.provider, "query"), part.number)
  timers.cancel(job_of(part.provider, "refund"), part.number)
  local hold = refund_parts.hold_of(part.number)
  local ops = { { kind = "post", id = hold .. "/post", pending = hold, reference = part.order_id } }
  if by_hand then -- the provider still has it, and another purse has less
    ops[2] = {
      kind = "transfer", id = hold .. "/by-hand", debit = purses.provider(part.provider, part.currency),
      credit = purses.by_hand(part.currency), amount = part.amount, reference = part.order_id,
    }
  end
  local done, _, account = ledger.apply(ops)
  if not done then error("the refund " .. part.number .. " found too little in " .. account) end
  if others:values(part.refund_id) == 0 then
    events.refund("refund.succeeded", part, part.refund_id, amount_of:values(part.refund_id, part.order_id), now)
  end
end

---The provider works on it.
function refund_parts.process(part, now, reference)
  part.reference, part.why = reference or part.reference, nil
  if now - part.created_at > PROCESSING_MAX_MS then
    part.why = "The provider has been working on it for more than seven days."
    return give_up(part, now)
  end
  local pause = doubled(MINUTE_MS, part.asked)
  part.asked = part.asked + 1
  move(part, "processing", now)
  timers.set(job_of(part.provider, "query"), part.number, now + pause)
end

---The provider said no, or nobody knows what it said: the same again, later, a limited number of times. final: it will never say yes.
function refund_parts.fail(part, now, why, final)
  part.tries, part.why = part.tries + 1, why
  if final or part.tries >= TRIES_MAX then return give_up(part, now) end
  send_again(part, now, doubled(MINUTE_MS, part.tries - 1))
end

---The provider was asked and does not know it: it never got there.
function refund_parts.resend(part, now) send_again(part, now, 0) end

---It could not be asked: later.
function refund_parts.ask_later(part, now, why)
  part.why = why
  part.asked = part.asked + 1
  move(part, "processing", now)
  timers.set(job_of(part.provider, "query"), part.number, now + doubled(MINUTE_MS, part.asked))
end

---A person says: try again.
function refund_parts.retry(part, now)
  part.tries, part.asked = 0, 0
  send_again(part, now, 0)
end

-- --- documents ------------------------------------------------------------------------------------------------------

local worse = { succeeded = 0, requested = 1, processing = 2, manual = 3 }

---How far the refunds of an order are, for its document: by refund, and by the payment whose money went straight back.
---@return table<string, { state: string, parts: table }> of_refund, table<integer, { refund: string, state: string }> of_attempt
function refund_parts.of_order(order)
  local of_refund, of_attempt = {}, {}
  if (order.attempts or 0) == 0 then return of_refund, of_attempt end
  for _, part in ipairs(of_order:rows(order.id)) do
    local state = names[part.state]
    local entry = of_refund[part.refund_id] or { state = "succeeded", parts = {} }
    if worse[state] > worse[entry.state] then entry.state = state end
    entry.parts[#entry.parts + 1] = json.object("number", part.number, "amount", part.amount, "state", state, "why", part.why,
      "by_hand", part.by_hand)
    of_refund[part.refund_id] = entry
    of_attempt[part.attempt] = { refund = part.refund_id, state = state }
  end
  return of_refund, of_attempt
end

return refund_parts
