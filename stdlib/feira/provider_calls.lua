-- feira.provider_calls: the writer's side of what the host does with a provider that is a plugin. The plugin only speaks with the outside:
-- what it says is compared and recorded here, in one transaction with its effect.
--
-- args.provider = { name, merchant?, app?, close? }: the plugin, and, of its settings, whose money is ours; close: it can close payments.
local attempts = require "feira.attempts"
local check = require "feira.check"
local dues = require "feira.dues"
local fail = require "feira.fail"
local ids = require "feira.ids"
local json = require "feira.json"
local money = require "feira.money"
local provider_events = require "feira.provider_events"
local provider_money = require "feira.provider_money"
local refund_parts = require "feira.refund_parts"
local rows = require "feira.order_rows"
local states = require "feira.order_states"
local time = require "feira.time"
local timers = require "feira.timers"

local provider_calls = {}

local MINUTE_MS = 60000
local CLIENT_MAX, TEXT_MAX = 16384, 200
local CREATE_MAX_MS = MINUTE_MS -- how long a create may be under way; the host waits for half of that

-- --- paying ---------------------------------------------------------------------------------------------------------

-- What the plugin's functions are told of a payment.
local function told(attempt, order)
  return {
    kind = "payment", number = attempt.number, payment = attempt.payment_id, order = order.order_id, customer = order.customer,
    amount = attempt.amount, currency = attempt.currency, reference = attempt.reference, transaction = attempt.transaction_id,
    created_at = time.format(attempt.created_at), expires_at = time.format(attempt.expires_at),
  }
end

---A client wants to pay: its attempt is kept before the provider hears of it. The body is what `create` gets.
function provider_calls.begin(args)
  local order = rows.visible(args)
  local body, now = args.body or {}, time.now()
  if order.state ~= "placed" then states.refuse(order.state, "Nothing was taken.") end
  if now >= order.expires_at then states.refuse("expired", "Nothing was taken.") end
  local due = dues.named(dues.of(order), body.due)
  local left = due.amount - due.paid
  local amount = check.int(body.amount, "/amount", 1, math.maxinteger) or left
  if amount > left then fail.invalid("/amount", ("The amount due is %d, not %d."):format(left, amount), "wrong_amount") end
  local attempt = attempts.begin(order, {
    payment_id = ids.new "pay", due = due.n, provider = args.provider.name, amount = amount, currency = (money.currency()),
    expires_at = order.expires_at,
  }, now)
  attempts.ask_again(attempt, now)
  local payment = told(attempt, order)
  payment.due, payment.reference, payment.transaction = due.label, nil, nil
  return { status = 201, body = payment }
end

---The same request came again, so the provider is to hear of its attempt again; unless nothing is to be paid any more.
---@param args { payment: string }
function provider_calls.begin_again(args)
  local attempt, now = attempts.find(args.payment), time.now()
  if attempt.state == "succeeded" then return nil end
  local order = rows.by_number(attempt.order_id)
  if order.state ~= "placed" then states.refuse(order.state, "Nothing was taken.") end
  if now >= order.expires_at then states.refuse("expired", "Nothing was taken.") end
  if not attempts.is_open(attempt) then attempts.move(attempt, "pending", now) end
  attempts.ask_again(attempt, now)
  return nil
end

-- With what is on its way to the provider it may be paid, although it was closed meanwhile.
local function wait_for_it(attempt, now)
  attempts.move(attempt, "pending", now)
  attempts.ask_at(attempt, now + CREATE_MAX_MS)
end

local function payment_answer(attempt)
  return json.object("payment", attempts.document(attempt))
end

-- What the client needs to pay; it is kept, so that a client that asks again gets it again.
local function client_text(client)
  if client == nil or client == json.null then return nil end
  local text = json.encode(client)
  if #text > CLIENT_MAX then error(("create gave %d bytes for the client; at most %d are kept"):format(#text, CLIENT_MAX)) end
  return text
end

local function some_text(value, what)
  if value == nil or value == json.null then return nil end
  if type(value) ~= "string" or #value == 0 or #value > TEXT_MAX then
    error(("%s is to be a text of 1 to %d bytes"):format(what, TEXT_MAX))
  end
  return value
end

---`create` has answered: the provider waits for the money.
---@param args { payment: string, result: table }
function provider_calls.created(args)
  local attempt, now = attempts.find(args.payment), time.now()
  local result = args.result
  attempt.client = client_text(result.client)
  attempt.reference = some_text(result.reference, "reference") or attempt.reference
  attempt.why = nil
  -- A callback may have come before this answer, and the order may be over.
  if attempt.state == "created" or attempt.state == "failed" then
    attempts.move(attempt, "pending", now)
    attempts.ask_again(attempt, now)
  elseif attempt.state == "closed" then
    wait_for_it(attempt, now)
  else
    attempts.keep(attempt, now)
  end
  if attempts.is_open(attempt) and result.state == "paid" then attempts.ask_at(attempt, now) end
  return { status = 201, body = payment_answer(attempt) }
end

---`create` has failed. refused: the provider has nothing under this number, and never will; otherwise nobody knows.
---@param args { payment: string, why: string, refused: boolean }
function provider_calls.not_created(args)
  local attempt, now = attempts.find(args.payment), time.now()
  attempt.why = args.why
  if args.refused and attempt.state == "created" then
    attempts.move(attempt, "failed", now)
  elseif attempt.state == "closed" and not args.refused then
    wait_for_it(attempt, now)
  else
    attempts.keep(attempt, now)
  end
  return { status = 200, body = payment_answer(attempt) }
end

-- --- what a provider says when it is asked ------------------------------------------------------------------------------

local function settled(attempt, provider, now, outcome)
  provider_money.settle_others(attempt, provider, now)
  return outcome
end

-- A wrong amount is looked at here a second time, after an event; a wrong merchant is no money of ours, however often it is said.
local function paid(attempt, seen, provider, now)
  if attempt.state == "succeeded" then return "known" end
  if not some_text(seen.transaction, "transaction") then error("a payment that is paid has a transaction") end
  if math.type(seen.amount) ~= "integer" or seen.amount <= 0 then error("the amount is a whole number of minor units above zero") end
  some_text(seen.currency, "currency")
  local other = attempts.of_transaction(attempt.provider, seen.transaction)
  if other then error(("the transaction %s is payment %s already"):format(seen.transaction, other.payment_id)) end
  local misfit = provider_money.misfit(attempt, seen, provider)
  if not misfit then return settled(attempt, provider, now, provider_money.came_in(attempt, seen, now)) end
  provider_money.tell_mismatch(attempt, seen, misfit, now)
  if misfit == "amount" or misfit == "currency" then
    return settled(attempt, provider, now, provider_money.came_in_wrong(attempt, seen, now))
  end
  attempt.why = "What the provider says was paid to another " .. misfit .. "."
  attempts.keep(attempt, now)
  attempts.ask_again(attempt, now)
end

local function is_over(attempt, now)
  if now >= attempt.expires_at then return true end
  local order = rows.by_number(attempt.order_id)
  return order.state ~= "placed"
end

local function payment_asked(attempt, result, provider, now)
  attempt.asked = attempt.asked + 1
  if result.state == "paid" then return paid(attempt, result, provider, now) end
  if not attempts.is_open(attempt) then return end
  if result.state == "closed" then return provider_money.closed(attempt, now) end
  if result.state ~= "pending" and result.state ~= "unknown" then
    error(('query gave the state %q; it gives "paid", "pending", "closed" or "unknown"'):format(tostring(result.state)))
  end
  attempt.why = nil
  if not is_over(attempt, now) then
    attempts.keep(attempt, now)
    return attempts.ask_again(attempt, now)
  end
  -- What is not known there yet may be on its way there, and be paid once it has arrived.
  if result.state == "unknown" and now < attempt.created_at + CREATE_MAX_MS then
    attempts.keep(attempt, now)
    return attempts.ask_at(attempt, attempt.created_at + CREATE_MAX_MS)
  end
  if result.state == "unknown" or not provider.close then return provider_money.closed(attempt, now) end
  attempts.keep(attempt, now)
  timers.set(attempts.job(attempt, "close"), attempt.payment_id, now)
end

local function payment_not_asked(attempt, why, now)
  if attempt.state == "succeeded" then return end
  attempt.asked, attempt.why = attempt.asked + 1, why
  attempts.keep(attempt, now)
  attempts.ask_again(attempt, now)
end

local function payment_closed(attempt, result, provider, now)
  if result.state == "paid" then return paid(attempt, result, provider, now) end
  if result.state == "closed" then return provider_money.closed(attempt, now) end
  error(('close gave the state %q; it gives "closed", or "paid" with what query gives'):format(tostring(result.state)))
end

-- --- refunds ---------------------------------------------------------------------------------------------------------

local function refund_told(part, now)
  return {
    kind = "refund", number = part.number, refund = part.refund_id, order = part.order_id, payment = part.payment,
    transaction = part.transaction_id, payment_reference = part.payment_reference, reference = part.reference, amount = part.amount,
    currency = part.currency, paid = part.paid, reason = part.reason, created_at = time.format(part.created_at), now = time.format(now),
  }
end

---What a provider says of a refund, asked or of its own accord.
---@param result { state: string, reference: string?, why: string? }
---@return string what became of it
function provider_calls.refund_said(part, result, now)
  local state, reference = result.state, some_text(result.reference, "reference")
  if part.state == "succeeded" then
    return state == "succeeded" and part.by_hand and not (reference and reference == part.reference) and "given_twice" or "known"
  end
  if state == "succeeded" then
    refund_parts.succeed(part, now, reference)
    return "succeeded"
  end
  if part.state == "manual" then return "known" end
  if state == "processing" then
    refund_parts.process(part, now, reference)
  elseif state == "failed" then
    refund_parts.fail(part, now, some_text(result.why, "why") or "The provider says it failed.", result.final == true)
  elseif state == "unknown" then
    refund_parts.resend(part, now)
  else
    error(('a refund has the state %q; it is "succeeded", "processing", "failed" or "unknown"'):format(tostring(state)))
  end
  return state
end

-- --- jobs ------------------------------------------------------------------------------------------------------------

---On a worker: what the plugin's function is to be asked, or nothing when it need not be.
---@param args { provider: table, job: "query"|"close"|"refund", key: string }
function provider_calls.job(args)
  local part = refund_parts.find(args.key)
  if part then
    if part.state == "succeeded" or part.state == "manual" then return nil end
    return refund_told(part, time.now())
  end
  local attempt = attempts.find(args.key)
  if not attempt or attempt.state == "succeeded" or (args.job == "close" and not attempts.is_open(attempt)) then return nil end
  return told(attempt, rows.by_number(attempt.order_id))
end

local function refund_done(part, args, now)
  if part.state == "succeeded" or part.state == "manual" then return end
  if args.result then return provider_calls.refund_said(part, args.result, now) end
  if args.job == "query" then return refund_parts.ask_later(part, now, args.why) end
  refund_parts.fail(part, now, args.why)
end

---On the writer: what came of it, in one transaction with the end of the job.
---@param args { provider: table, job: "query"|"close"|"refund", key: string, result: table?, why: string? }
function provider_calls.done(args)
  local now, part = time.now(), refund_parts.find(args.key)
  if part then
    refund_done(part, args, now)
    return nil
  end
  local attempt = attempts.find(args.key)
  if not attempt then return nil end
  if not args.result then
    payment_not_asked(attempt, args.why, now)
  elseif args.job == "close" then
    payment_closed(attempt, args.result, args.provider, now)
  else
    payment_asked(attempt, args.result, args.provider, now)
  end
  return nil
end

-- --- callbacks ---------------------------------------------------------------------------------------------------------

-- Of an event about a payment: what is done with it.
local function hear_payment(event, provider, now)
  local list = attempts.of_number(provider.name, event.number)
  local attempt = list[1]
  if not attempt then return "unknown" end
  if event.state == "closed" then
    provider_money.closed(attempt, now)
    return "closed"
  end
  if event.state ~= "paid" then return "noted" end
  local known = attempts.of_transaction(provider.name, event.transaction)
  if known then return known.number == event.number and "known" or "mismatched" end
  local misfit = provider_money.misfit(attempt, event, provider)
  local is_ours = misfit ~= "merchant" and misfit ~= "app"
  if is_ours and attempt.state == "succeeded" then return provider_money.came_again(attempt, event, now) end
  if misfit then
    provider_money.tell_mismatch(attempt, event, misfit, now)
    if attempt.state ~= "succeeded" then attempts.ask_at(attempt, now) end
    return "mismatched"
  end
  return settled(attempt, provider, now, provider_money.came_in(attempt, event, now))
end

local function hear_refund(event, provider, now)
  local part = refund_parts.find(event.number)
  if not part or part.provider ~= provider.name then return "unknown" end
  if event.merchant and provider.merchant and event.merchant ~= provider.merchant then return "mismatched" end
  return provider_calls.refund_said(part, event, now)
end

local function hear(event, provider, now)
  if event.kind == "payment" then return hear_payment(event, provider, now) end
  if event.kind == "refund" then return hear_refund(event, provider, now) end
  return "noted"
end

local refused = { unknown = "unknown_payment", mismatched = "payment_mismatched" }
local sentences = {
  unknown = "The shop knows no payment or refund of this number.",
  mismatched = "This is not what the shop asked for: another merchant, app, amount or currency.",
}

---A provider tells something of its own accord; the plugin has checked its signature and read it. Each event has its effect once. What
---it comes to is kept; the answer says whether the provider may stop telling.
---@param args { provider: table, event: table }
---@return { ok: boolean, outcome: string, repeated: boolean, code: string?, why: string? }
function provider_calls.notified(args)
  local event, provider, now = args.event, args.provider, time.now()
  provider_events.check(event)
  local before = provider_events.find(provider.name, event.id)
  local outcome = before and before.outcome
  local repeated = outcome ~= nil and outcome ~= "unknown"
  if not repeated then
    outcome = hear(event, provider, now)
    provider_events.keep(provider.name, event, outcome, now)
  end
  local code = refused[outcome]
  return { ok = code == nil, outcome = outcome, repeated = repeated, code = code, why = sentences[outcome] }
end

-- --- at the end of an order's time ------------------------------------------------------------------------------------

---Whether the order is to wait for payments that are under way; they are asked for and closed now. It waits ten minutes at most: what
---comes in after that goes back.
function provider_calls.hold_up(order, now)
  local open = attempts.open_of(order)
  if #open == 0 or now >= order.expires_at + 10 * MINUTE_MS then return false end
  for _, attempt in ipairs(open) do attempts.close_soon(attempt, now) end
  return true
end

return provider_calls
