-- What the shop asks WeChat Pay, and what WeChat Pay tells the shop. out_trade_no and out_refund_no are the shop's numbers: the same
-- however often they are sent, which is what makes sending them again safe.
local api = require "api"
local json = require "feira.json"
local signatures = require "feira.signatures"

local pay = {}

local function of_number(number) return "/v3/pay/transactions/out-trade-no/" .. number end

-- --- paying ---------------------------------------------------------------------------------------------------------

local function transaction(payment, settings)
  return {
    appid = settings.app, mchid = settings.merchant, description = (settings.description:gsub("{order}", payment.order)),
    out_trade_no = payment.number, notify_url = settings.notify_url, time_expire = api.beijing(payment.expires_at),
    amount = { total = payment.amount, currency = payment.currency },
  }
end

-- In a mini-program or an official account: who pays is known by his openid there.
local function for_jsapi(prepay, settings)
  return signatures.wechat_pay_client {
    app = settings.app, prepay = prepay, key = settings.key, timestamp = api.seconds(), nonce = api.nonce(),
  }
end

-- Not taken, and never will be under this number; of all others nobody can be sure.
local function is_final(status, code)
  return (status == 400 or status == 401 or status == 403 or status == 404) and code ~= "ORDERPAID" and code ~= "OUT_TRADE_NO_USED"
end

---details.kind: "jsapi" (unless said) with details.openid, or "native".
function pay.create(payment, settings)
  local details = payment.details or {}
  local kind = details.kind or "jsapi"
  if kind ~= "jsapi" and kind ~= "native" then return nil, 'details.kind is "jsapi" or "native".', "refused" end
  if kind == "jsapi" and not details.openid then return nil, "details.openid says who pays.", "refused" end
  local body = transaction(payment, settings)
  if kind == "jsapi" then body.payer = { openid = details.openid } end
  local answer, status, code = api.ask("POST", "/v3/pay/transactions/" .. kind, body, settings)
  if not answer then return nil, status, code end
  if status >= 300 then return nil, api.reason(answer, status), is_final(status, answer.code) and "refused" or "broken" end
  if kind == "native" then return { client = { code_url = answer.code_url } } end
  return { client = for_jsapi(answer.prepay_id, settings), reference = answer.prepay_id }
end

-- --- asking ---------------------------------------------------------------------------------------------------------

local states = {
  SUCCESS = "paid", REFUND = "paid", NOTPAY = "pending", USERPAYING = "pending", ACCEPT = "pending", PAYERROR = "pending",
  CLOSED = "closed", REVOKED = "closed",
}

-- Of a transaction, whether WeChat Pay was asked or told of it. amount.total is what was asked for; payer_total is less after a coupon of
-- theirs.
local function payment_of(told)
  local amount = told.amount or {}
  return {
    state = states[told.trade_state], transaction = told.transaction_id, amount = amount.total, currency = amount.currency,
    merchant = told.mchid, app = told.appid,
  }
end

local function payment_asked(number, settings)
  local answer, status, code = api.ask("GET", of_number(number) .. "?mchid=" .. settings.merchant, nil, settings)
  if not answer then return nil, status, code end
  if status == 404 then return { state = "unknown" } end
  if status >= 300 then return nil, api.reason(answer, status) end
  return payment_of(answer)
end

local refund_states = { SUCCESS = "succeeded", PROCESSING = "processing", ABNORMAL = "failed", CLOSED = "failed" }

-- ABNORMAL and CLOSED do not get better by sending them again: a person has to look.
local function refund_of(told, state)
  return {
    state = refund_states[state], reference = told.refund_id, final = refund_states[state] == "failed" or nil,
    why = refund_states[state] == "failed" and "WeChat Pay says the refund is " .. state or nil,
  }
end

local function refund_asked(number, settings)
  local answer, status, code = api.ask("GET", "/v3/refund/domestic/refunds/" .. number, nil, settings)
  if not answer then return nil, status, code end
  if status == 404 then return { state = "unknown" } end
  if status >= 300 then return nil, api.reason(answer, status) end
  return refund_of(answer, answer.status)
end

function pay.query(what, settings)
  if what.kind == "refund" then return refund_asked(what.number, settings) end
  return payment_asked(what.number, settings)
end

function pay.close(payment, settings)
  local answer, status, code = api.ask("POST", of_number(payment.number) .. "/close", { mchid = settings.merchant }, settings)
  if not answer then return nil, status, code end
  if status < 300 or answer.code == "ORDER_CLOSED" or answer.code == "ORDERCLOSED" then return { state = "closed" } end
  return payment_asked(payment.number, settings) -- it may be paid
end

-- --- giving back ----------------------------------------------------------------------------------------------------

function pay.refund(refund, settings)
  local answer, status, code = api.ask("POST", "/v3/refund/domestic/refunds", {
    transaction_id = refund.transaction, out_refund_no = refund.number, notify_url = settings.notify_url,
    amount = { refund = refund.amount, total = refund.paid, currency = refund.currency },
  }, settings)
  if not answer then return nil, status, code end
  if status >= 300 then return { state = "failed", why = api.reason(answer, status) } end
  return refund_of(answer, answer.status)
end

-- --- what it tells -----------------------------------------------------------------------------------------------------

local function event_of(envelope, told)
  if told.out_refund_no then
    local event = refund_of(told, told.refund_status)
    event.id, event.kind, event.number, event.merchant = envelope.id, "refund", told.out_refund_no, told.mchid
    return event
  end
  local event = payment_of(told)
  event.id, event.kind, event.number = envelope.id, "payment", told.out_trade_no
  return event
end

---The signature is looked at before a byte of the body is read as anything else.
function pay.notify(call, settings)
  local good, why, code = signatures.wechat_pay { headers = call.headers, body = call.body, keys = api.keys(settings) }
  if not good then return nil, why, code end
  local envelope = json.decode(call.body)
  if type(envelope) ~= "table" or type(envelope.id) ~= "string" then return nil, "the body is no notification", "forged" end
  local text, reason, wrong = signatures.wechat_pay_open(envelope.resource, settings.api_key)
  if not text then return nil, reason, wrong end
  local told = json.decode(text)
  if type(told) ~= "table" then return nil, "the resource is no JSON", "forged" end
  if not told.out_trade_no then return { id = envelope.id, kind = "other" } end
  return event_of(envelope, told)
end

---Anything but 200 is told again, up to 15 times within a day.
function pay.reply(outcome)
  if outcome.ok then return { status = 200, body = { code = "SUCCESS", message = "OK" } } end
  local statuses = { unknown_payment = 404, payment_mismatched = 422 }
  return { status = statuses[outcome.code] or 401, body = { code = "FAIL", message = outcome.why } }
end

return pay
