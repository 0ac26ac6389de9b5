-- What the shop asks Stripe, and what Stripe tells the shop. The shop's number is the Idempotency-Key of what makes something, and stands
-- in the metadata; everything else is found by Stripe's own id, which is the reference.
local http = require "feira.http"
local json = require "feira.json"
local signatures = require "feira.signatures"
local time = require "feira.time"

local HOST = "https://api.stripe.com/v1"

local pay = {}

-- The answer as a table, and its status. nil, why and a code: nobody knows whether it was done.
local function ask(method, path, form, number, settings)
  local answer, why, code = http.request {
    method = method, url = HOST .. path, form = form, bearer = settings.key, timeout = "10s",
    headers = { ["Stripe-Version"] = settings.version, ["Idempotency-Key"] = number },
  }
  if not answer then return nil, why, code end
  local value = json.decode(answer.body)
  -- 409: the same number is under way there; 429: too much at once.
  if type(value) ~= "table" or answer.status >= 500 or answer.status == 409 or answer.status == 429 then
    return nil, ("Stripe answered with status %d."):format(answer.status), "broken"
  end
  return value, answer.status
end

local function reason(answer, status)
  local e = type(answer.error) == "table" and answer.error or {}
  return ("%s (%s, status %d)"):format(e.message or "no reason given", e.code or e.type or "no code", status)
end

-- --- payments ---------------------------------------------------------------------------------------------------------

-- Made again under the same number with the same content, Stripe gives the one that is there.
local function made(payment, settings)
  return ask("POST", "/payment_intents", {
    amount = payment.amount, currency = payment.currency:lower(), ["automatic_payment_methods[enabled]"] = "true",
    ["metadata[number]"] = payment.number, ["metadata[order]"] = payment.order,
  }, payment.number, settings)
end

local states = { succeeded = "paid", canceled = "closed" } -- of all others: pending

local function payment_of(intent)
  return {
    state = states[intent.status] or "pending", transaction = intent.id, currency = tostring(intent.currency):upper(),
    amount = intent.status == "succeeded" and intent.amount_received or intent.amount,
  }
end

function pay.create(payment, settings)
  local answer, status, code = made(payment, settings)
  if not answer then return nil, status, code end
  if status >= 300 then return nil, reason(answer, status), "refused" end
  return { client = { client_secret = answer.client_secret }, reference = answer.id }
end

-- Whose beginning was not answered has no reference: asked for once more, it is the same one.
local function intent_of(payment, settings)
  if not payment.reference then return made(payment, settings) end
  return ask("GET", "/payment_intents/" .. payment.reference, nil, nil, settings)
end

local function payment_asked(payment, settings)
  local answer, status, code = intent_of(payment, settings)
  if not answer then return nil, status, code end
  if status == 404 then return { state = "unknown" } end
  if status >= 300 then return nil, reason(answer, status) end
  return payment_of(answer), answer.id
end

function pay.close(payment, settings)
  local found, id, code = payment_asked(payment, settings)
  if not found or found.state ~= "pending" then return found, id, code end
  local answer, status, broken = ask("POST", "/payment_intents/" .. id .. "/cancel", { cancellation_reason = "abandoned" }, nil, settings)
  if not answer then return nil, status, broken end
  if status < 300 then return payment_of(answer) end
  return (payment_asked(payment, settings)) -- it was paid meanwhile, or is being paid: then it is asked again
end

-- --- refunds ----------------------------------------------------------------------------------------------------------

-- Stripe forgets idempotency keys after a day.
local KEYS_MS = 20 * 3600000

local refund_states = {
  succeeded = "succeeded", pending = "processing", requires_action = "processing", failed = "failed", canceled = "failed",
}

local function refund_of(answer)
  local state = refund_states[answer.status]
  local why = state == "failed" and answer.failure_reason or nil
  return { state = state, reference = answer.id, final = state == "failed" or nil, why = why }
end

-- The one that was made under this number, or nil; false when Stripe did not say.
local function made_before(refund, settings)
  local answer, status = ask("GET", "/refunds?limit=100&payment_intent=" .. refund.transaction, nil, nil, settings)
  if not answer or status >= 300 or type(answer.data) ~= "table" then return false end
  for _, one in ipairs(answer.data) do
    if type(one.metadata) == "table" and one.metadata.number == refund.number then return one end
  end
  return nil
end

function pay.refund(refund, settings)
  if time.parse(refund.now) - time.parse(refund.created_at) > KEYS_MS then
    local before = made_before(refund, settings)
    if before then return refund_of(before) end
    if before == false then return nil, "Stripe did not say whether the refund was made before.", "broken" end
  end
  local answer, status, code = ask("POST", "/refunds", {
    payment_intent = refund.transaction, amount = refund.amount, ["metadata[number]"] = refund.number,
  }, refund.number, settings)
  if not answer then return nil, status, code end
  if status >= 300 then return { state = "failed", why = reason(answer, status) } end
  return refund_of(answer)
end

local function refund_asked(refund, settings)
  if not refund.reference then return { state = "unknown" } end -- sent again, under its number
  local answer, status, code = ask("GET", "/refunds/" .. refund.reference, nil, nil, settings)
  if not answer then return nil, status, code end
  if status == 404 then return { state = "unknown" } end
  if status >= 300 then return nil, reason(answer, status) end
  return refund_of(answer)
end

function pay.query(what, settings)
  if what.kind == "refund" then return refund_asked(what, settings) end
  return (payment_asked(what, settings))
end

-- --- what it tells -----------------------------------------------------------------------------------------------------

local function is_text(value) return type(value) == "string" and value ~= "" end

function pay.notify(call, settings)
  local good, why, code = signatures.stripe { headers = call.headers, body = call.body, secret = settings.webhook_key }
  if not good then return nil, why, code end
  local event = json.decode(call.body)
  if type(event) ~= "table" or not is_text(event.id) or type(event.data) ~= "table" then return nil, "the body is no event", "forged" end
  local object = type(event.data.object) == "table" and event.data.object or {}
  local number = type(object.metadata) == "table" and object.metadata.number
  -- What was not made by this shop has no number of it.
  if not is_text(number) then return { id = event.id, kind = "other" } end
  local told = { id = event.id, number = number }
  if event.type == "payment_intent.succeeded" or event.type == "payment_intent.canceled" then
    for key, value in pairs(payment_of(object)) do told[key] = value end
    told.kind = "payment"
  elseif object.object == "refund" then
    for key, value in pairs(refund_of(object)) do told[key] = value end
    told.kind = "refund"
  else
    told.kind, told.number = "other", nil
  end
  return told
end

return pay
