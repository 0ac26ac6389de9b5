-- What the shop asks the gateway, and what the gateway tells the shop. Nothing here decides anything: amounts, accounts and orders are
-- compared by the shop, which also says when it asks again.
local http = require "feira.http"
local json = require "feira.json"
local signatures = require "feira.signatures"

local GATEWAY = "http://gateway.test-payments.example:8421"

local pay = {}

-- The gateway's answer as a table, and its status; or nil and why: then nobody knows whether it was done.
local function ask(method, path, body, settings)
  local answer, why, code = http.request {
    method = method, url = GATEWAY .. path, bearer = settings.key, json = body, timeout = "5s",
  }
  if not answer then return nil, why, code end
  local value = json.decode(answer.body)
  if type(value) ~= "table" or answer.status >= 500 then
    return nil, ("The gateway answered with status %d."):format(answer.status), "broken"
  end
  return value, answer.status
end

---The gateway is to wait for this money. Sent again under the same number, it says the same.
function pay.create(payment, settings)
  local answer, status, code = ask("POST", "/payments", {
    number = payment.number, merchant = settings.merchant, app = settings.app, amount = payment.amount, currency = payment.currency,
    expires_at = payment.expires_at, payer = payment.details and payment.details.payer,
  }, settings)
  if not answer then return nil, status, code end
  if status >= 300 then return nil, tostring(answer.why), "refused" end
  return { client = { pay_url = answer.pay_url }, reference = answer.reference }
end

local function payment_asked(number, settings)
  local answer, status, code = ask("GET", "/payments/" .. number, nil, settings)
  if not answer then return nil, status, code end
  if status == 404 then return { state = "unknown" } end
  if status >= 300 then return nil, tostring(answer.why) end
  return {
    state = answer.state, transaction = answer.transaction, amount = answer.amount, currency = answer.currency,
    merchant = answer.merchant, app = answer.app,
  }
end

local function refund_asked(number, settings)
  local answer, status, code = ask("GET", "/refunds/" .. number, nil, settings)
  if not answer then return nil, status, code end
  if status == 404 then return { state = "unknown" } end
  if status >= 300 then return nil, tostring(answer.why) end
  return { state = answer.state, reference = answer.reference, why = answer.why }
end

---How is a payment, or a refund?
function pay.query(what, settings)
  if what.kind == "refund" then return refund_asked(what.number, settings) end
  return payment_asked(what.number, settings)
end

---The gateway is to take no money under this number any more.
function pay.close(payment, settings)
  local answer, status, code = ask("POST", "/payments/" .. payment.number .. "/close", nil, settings)
  if not answer then return nil, status, code end
  if status == 404 then return { state = "closed" } end
  if status == 409 then return payment_asked(payment.number, settings) end -- it is paid
  if status >= 300 then return nil, tostring(answer.why) end
  return { state = answer.state }
end

---Gives money back. The number is the same however often this is asked.
function pay.refund(refund, settings)
  local answer, status, code = ask("POST", "/refunds", {
    number = refund.number, transaction = refund.transaction, amount = refund.amount, currency = refund.currency,
  }, settings)
  if not answer then return nil, status, code end
  if status >= 300 then return { state = "failed", why = tostring(answer.why) } end
  return { state = answer.state, reference = answer.reference, why = answer.why }
end

---The gateway tells something: who signed it is looked at before what it says.
function pay.notify(call, settings)
  local good, why, code = signatures.stripe {
    header = call.headers["x-gateway-signature"], headers = call.headers, body = call.body, secret = settings.key,
  }
  if not good then return nil, why, code end
  local event = json.decode(call.body)
  if type(event) ~= "table" then return nil, "The body is no JSON.", "forged" end
  if event.type ~= "payment" and event.type ~= "refund" then return { id = event.id, kind = "other" } end
  return {
    id = event.id, kind = event.type, number = event.number, state = event.state, transaction = event.transaction,
    amount = event.amount, currency = event.currency, merchant = event.merchant, app = event.app, reference = event.reference,
    why = event.why,
  }
end

---What the gateway wants to read: anything but 200 and SUCCESS, and it tells it again.
function pay.reply(outcome)
  if outcome.ok then return { status = 200, body = { code = "SUCCESS" } } end
  local statuses = { unknown_payment = 404, payment_mismatched = 422 }
  return { status = statuses[outcome.code] or 401, body = { code = "FAIL", message = outcome.why } }
end

return pay
