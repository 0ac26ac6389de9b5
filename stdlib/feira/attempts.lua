-- feira.attempts: attempts to pay through a provider that is a plugin. The table is the only gate: attempts.move() alone changes a state.
--
--   created ──the provider took it──► pending ──the money is in──► succeeded   final
--     │  │  └────────── told before we knew that it was taken ──────► ▲
--     │  └─ refused ─► failed (sent again: pending) ─ paid all the same ┤
--     └──────── closed by us or by the provider ─► closed ─── too late ─┘
--                                   (sent again: pending)
--
-- created is kept before the provider hears of it, so whatever happens to the answer, the provider is asked about it later. Money that
-- comes in is taken in whatever the state is: what becomes of it, feira.provider_money decides.
local fail = require "feira.fail"
local json = require "feira.json"
local sql = require "feira.sql"
local time = require "feira.time"
local timers = require "feira.timers"

local attempts = {}

local names = { "created", "pending", "succeeded", "closed", "failed" }
local codes = {}
for code, name in ipairs(names) do codes[name] = code end
local next_of = {
  created = { pending = true, succeeded = true, closed = true, failed = true },
  pending = { succeeded = true, closed = true, failed = true },
  closed = { pending = true, succeeded = true },
  failed = { pending = true, succeeded = true },
  succeeded = {},
}

local OPEN_MAX = 10
local MINUTE_MS, HOUR_MS = 60000, 3600000
local ASKED_AT_MS = { MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS }
local PAUSE_MAX_MS = 6 * HOUR_MS

local COLUMNS = [[SELECT id, payment_id, number, order_id, due, provider, amount, currency, state, given_back, received, transaction_id,
  reference, client, why, asked, created_at, expires_at, updated_at FROM payment_attempts]]
local by_id = sql.statement(COLUMNS .. " WHERE payment_id = ?1")
local by_number = sql.statement(COLUMNS .. " WHERE number = ?1 ORDER BY id")
local by_transaction = sql.statement(COLUMNS .. " WHERE provider = ?1 AND transaction_id = ?2")
local by_order = sql.statement(COLUMNS .. " WHERE order_id = ?1 ORDER BY id")
local open_of = sql.statement(COLUMNS .. " WHERE order_id = ?1 AND state IN (1, 2) ORDER BY id")
local count_open = sql.statement "SELECT count(*) FROM payment_attempts WHERE order_id = ?1 AND state IN (1, 2)"
local insert = sql.statement [[
  INSERT INTO payment_attempts (payment_id, number, order_id, due, provider, amount, currency, state, created_at, expires_at, updated_at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?8)]]
local count_in_order = sql.statement "UPDATE orders SET attempts = attempts + 1, version = version + 1, updated_at = ?2 WHERE id = ?1"
local update = sql.statement [[
  UPDATE payment_attempts SET state = ?3, given_back = ?4, received = ?5, transaction_id = ?6, reference = ?7, client = ?8, why = ?9,
  asked = ?10, updated_at = ?11 WHERE id = ?1 AND state = ?2]]

local function opened(row)
  if row then row.state = names[row.state] end
  return row
end

local function all(list)
  for _, row in ipairs(list) do opened(row) end
  return list
end

---The name of a job of its provider: a durable timer that runs a function of the plugin, then feira.provider_jobs.
---@param what "query"|"close"
function attempts.job(attempt, what) return "plugin:" .. attempt.provider .. "/payments." .. what end

function attempts.find(payment_id) return opened(by_id:row(payment_id)) end

---Those with a number: one, or more when the provider took money more than once under it. Of another provider: none.
function attempts.of_number(provider, number)
  local out = {}
  for _, row in ipairs(all(by_number:rows(number))) do
    if row.provider == provider then out[#out + 1] = row end
  end
  return out
end

function attempts.of_transaction(provider, transaction) return opened(by_transaction:row(provider, transaction)) end

---@param order { id: integer, attempts: integer? }
function attempts.of_order(order)
  if (order.attempts or 0) == 0 then return {} end
  return all(by_order:rows(order.id))
end

---Those of which nobody knows yet whether they bring money.
function attempts.open_of(order)
  if (order.attempts or 0) == 0 then return {} end
  return all(open_of:rows(order.id))
end

function attempts.is_open(attempt) return attempt.state == "created" or attempt.state == "pending" end

---A new one, before the provider hears of it. Its provider will be asked about it whatever happens from here on.
---@param what { payment_id: string, number: string?, due: integer, provider: string, amount: integer, currency: string,
---expires_at: integer }
function attempts.begin(order, what, now)
  if not what.number and count_open:values(order.id) >= OPEN_MAX then
    fail.conflict("too_many_payments", ("%d payments of this order are under way already; finish one of them."):format(OPEN_MAX))
  end
  insert:run(what.payment_id, what.number or what.payment_id, order.id, what.due, what.provider, what.amount, what.currency, now,
    what.expires_at)
  count_in_order:run(order.id, now)
  order.attempts, order.updated_at = (order.attempts or 0) + 1, now
  return attempts.find(what.payment_id)
end

---The only gate. Other members of attempt (given_back, received, transaction_id, reference, client, why, asked) are kept with it.
function attempts.move(attempt, to, now)
  local was = attempt.state
  if was ~= to and not next_of[was][to] then
    error(("the payment %s can't go from %s to %s"):format(attempt.payment_id, was, to))
  end
  attempts.keep(attempt, now, to)
  if not attempts.is_open(attempt) then
    timers.cancel(attempts.job(attempt, "query"), attempt.payment_id)
    timers.cancel(attempts.job(attempt, "close"), attempt.payment_id)
  end
end

---Keeps its other members.
function attempts.keep(attempt, now, to)
  to = to or attempt.state
  if update:run(attempt.id, codes[attempt.state], codes[to], attempt.given_back, attempt.received, attempt.transaction_id,
    attempt.reference, attempt.client, attempt.why, attempt.asked, now) ~= 1 then
    error("the payment " .. attempt.payment_id .. " changed meanwhile")
  end
  attempt.state, attempt.updated_at = to, now
end

-- --- when its provider is asked ---------------------------------------------------------------------------------------

---Asks at `at`, or earlier if that was planned anyway.
function attempts.ask_at(attempt, at) timers.set(attempts.job(attempt, "query"), attempt.payment_id, at) end

---1, 5 and 15 minutes after it began, then every hour and when its time is over; from then on (nobody answers) later and later, without an
---end.
function attempts.ask_again(attempt, now)
  for _, after in ipairs(ASKED_AT_MS) do
    local at = attempt.created_at + after
    if at > now and at < attempt.expires_at then return attempts.ask_at(attempt, at) end
  end
  if attempt.expires_at > now then return attempts.ask_at(attempt, math.min(attempt.expires_at, now + HOUR_MS)) end
  attempts.ask_at(attempt, now + math.min(MINUTE_MS << math.min(attempt.asked, 20), PAUSE_MAX_MS))
end

---Its time is over: the provider is asked once more, then told to take no money for it.
function attempts.close_soon(attempt, now) attempts.ask_at(attempt, now) end

---As documents show it.
---@param sent_back { refund: string, state: string }? when its money went straight back
function attempts.document(attempt, sent_back)
  local back = attempt.given_back and json.object("reason", attempt.given_back, "refund", sent_back and sent_back.refund,
    "state", sent_back and sent_back.state) or nil
  return json.object("id", attempt.payment_id, "provider", attempt.provider, "amount", attempt.received or attempt.amount,
    "state", attempt.state, "given_back", back,
    "client", attempts.is_open(attempt) and attempt.client and json.raw(attempt.client) or nil,
    "at", time.format(attempt.updated_at), "expires_at", attempts.is_open(attempt) and time.format(attempt.expires_at) or nil)
end

return attempts
