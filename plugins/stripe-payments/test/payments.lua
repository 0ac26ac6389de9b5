-- A stand-in for Stripe that keeps idempotency keys as Stripe does: the same key and content gives the same, another content is refused.
local crypto = require "feira.crypto"
local t = require "feira.test"

t:shop { currency = "EUR", settings = { key = "STRIPE_KEY", webhook_key = "STRIPE_WEBHOOK_KEY" } }

local stripe

local function form(text)
  local out = {}
  for name, value in text:gmatch "([^&=]+)=([^&]*)" do
    local function plain(s) return (s:gsub("+", " "):gsub("%%(%x%x)", function(two) return crypto.unhex(two) end)) end
    out[plain(name)] = plain(value)
  end
  return out
end

local function id(prefix)
  stripe.next = stripe.next + 1
  return ("%s_%04d"):format(prefix, stripe.next)
end

local function make_intent(body)
  local intent = {
    id = id "pi", object = "payment_intent", amount = math.tointeger(tonumber(body.amount)), amount_received = 0, currency = body.currency,
    status = "requires_payment_method", metadata = { number = body["metadata[number]"] },
  }
  intent.client_secret = intent.id .. "_secret"
  stripe.things[intent.id] = intent
  return 200, intent
end

local function make_refund(body)
  local intent, amount, given = stripe.things[body.payment_intent], math.tointeger(tonumber(body.amount)), 0
  for _, thing in pairs(stripe.things) do
    if thing.object == "refund" and thing.payment_intent == body.payment_intent then given = given + thing.amount end
  end
  if not intent or given + amount > intent.amount_received then
    return 400, { error = { type = "invalid_request_error", message = "more than was paid" } }
  end
  local refund = {
    id = id "re", object = "refund", amount = amount, payment_intent = body.payment_intent, status = stripe.refund_status,
    metadata = { number = body["metadata[number]"] }, failure_reason = stripe.refund_status == "failed" and "lost_or_stolen_card" or nil,
  }
  stripe.things[refund.id] = refund
  return 200, refund
end

local function cancel(intent)
  if intent.status == "succeeded" then return 400, { error = { code = "payment_intent_unexpected_state" } } end
  intent.status = "canceled"
  return 200, intent
end

local makers = { ["/payment_intents"] = make_intent, ["/refunds"] = make_refund }

local function once(key, text, maker)
  local before = stripe.keys[key]
  if before and before.text ~= text then return 400, { error = { type = "idempotency_error" } } end
  if not before then
    local status, value = maker(form(text))
    before = { text = text, status = status, value = value }
    stripe.keys[key] = before
  end
  return before.status, before.value
end

local function outside(request)
  local path = request.url:match "^https://api.stripe.com/v1(/.*)$"
  if request.headers.Authorization ~= "Bearer secret STRIPE_KEY" then return { status = 401, json = { error = { message = "no key" } } } end
  stripe.asked = stripe.asked + 1
  if stripe.broken then return { status = 500, json = {} } end
  local status, value
  if makers[path] then
    status, value = once(request.headers["Idempotency-Key"], request.body, makers[path])
  elseif path:find "^/refunds%?" then
    local of, list = path:match "payment_intent=([%w_]+)$", {}
    for _, thing in pairs(stripe.things) do
      if thing.object == "refund" and thing.payment_intent == of then list[#list + 1] = thing end
    end
    status, value = 200, { data = list }
  elseif path:find "/cancel$" then
    status, value = cancel(stripe.things[path:match "^/payment_intents/([%w_]+)/cancel$"])
  else
    value = stripe.things[path:match "/([%w_]+)$"]
    status = value and 200 or 404
  end
  if stripe.lose > 0 then
    stripe.lose = stripe.lose - 1
    return nil
  end
  return { status = status, json = value or { error = { message = "there is no such thing" } } }
end

local function tell(kind, object, key)
  local body, at = t:encode { id = id "evt", type = kind, data = { object = object } }, tostring(t:now() // 1000)
  local mac = crypto.hex(crypto.hmac(key or "secret STRIPE_WEBHOOK_KEY", at .. "." .. body))
  local status = t:callback("/v1/payments/stripe-payments/notify", body, { ["Stripe-Signature"] = ("t=%s,v1=%s"):format(at, mac) })
  return status
end

local function paid(intent)
  intent.status, intent.amount_received = "succeeded", intent.amount
  return intent
end

local function open()
  stripe = { things = {}, keys = {}, next = 0, asked = 0, lose = 0, refund_status = "succeeded" }
  t:outside(outside)
  t:product { sku = "TEA", price = "10.00" }
end

local function begin(order)
  local payment = t:post("/v1/orders/" .. order.id .. "/payments", { provider = "stripe-payments" }).payment
  return payment, stripe.things[payment.client.client_secret:match "^(pi_%d+)"]
end

local function well()
  for _, finding in ipairs(t:get("/v1/doctor").findings) do
    if finding.level == "error" then t:expect(finding.text, "", finding.check) end
  end
end

t:it("a payment is begun, confirmed by the client and told", function()
  open()
  local order = t:order { lines = { TEA = 1 } }
  local payment, intent = begin(order)
  t:expect(intent, { amount = 1000, currency = "eur", metadata = { number = payment.id } })
  t:expect(tell("payment_intent.succeeded", paid(intent), "another"), 401)
  t:expect(t:look(order).state, "placed")
  for _ = 1, 3 do t:expect(tell("payment_intent.succeeded", intent), 200) end
  t:expect(t:look(order), { state = "paid", paid = 1000 })
  well()
end)

t:it("whose beginning was not answered is the same payment", function()
  open()
  local order = t:order { lines = { TEA = 1 } }
  stripe.lose = 1
  t:refused("provider_failed", function() begin(order) end)
  paid(stripe.things.pi_0001)
  t:advance "61s"
  t:expect(t:look(order).state, "paid")
  t:expect(stripe.things.pi_0002, nil)
  well()
end)

t:it("at the end of its time it is cancelled there", function()
  open()
  local order = t:order { lines = { TEA = 1 } }
  local _, intent = begin(order)
  t:advance "31m"
  t:expect(intent.status, "canceled")
  t:expect(t:look(order), { state = "expired", payments = { { state = "closed" } } })
  well()
end)

t:it("another amount than was asked for goes back", function()
  open()
  local order = t:order { lines = { TEA = 1 } }
  local _, intent = begin(order)
  paid(intent).amount_received = 999
  t:expect(tell("payment_intent.succeeded", intent), 422)
  t:advance "1s"
  t:expect(t:look(order).payments[1], { amount = 999, given_back = { reason = "mismatched", state = "succeeded" } })
  well()
end)

local function bought()
  local order = t:order { lines = { TEA = 2 } }
  local _, intent = begin(order)
  tell("payment_intent.succeeded", paid(intent))
  return order
end

t:it("a refund whose answer is lost is given once", function()
  open()
  local order = bought()
  stripe.lose = 2
  t:refund(order, { lines = { { line = 1, qty = 1 } } })
  t:advance "10m"
  t:expect(t:look(order).refunds[1], { amount = 1000, state = "succeeded" })
  t:expect(stripe.things.re_0004, nil)
  well()
end)

t:it("a refund that was made and not answered for days is not made again", function()
  open()
  local order = bought()
  stripe.lose = 1000
  t:refund(order, { lines = { { line = 1, qty = 1 } } })
  t:advance "2d"
  local part = t:get("/v1/refunds").items[1]
  t:expect(part.state, "manual")
  stripe.lose, stripe.keys = 0, {} -- Stripe forgets its keys
  t:post("/v1/refunds/" .. part.number .. "/retry")
  t:advance "1s"
  t:expect(t:look(order).refunds[1].state, "succeeded")
  t:expect(stripe.things.re_0004, nil)
  well()
end)

t:it("a refund that is pending is told, or asked about", function()
  open()
  local order = bought()
  stripe.refund_status = "pending"
  t:refund(order)
  t:advance "1s"
  local refund = stripe.things.re_0003
  t:expect(t:look(order).refunds[1].state, "processing")
  refund.status = "succeeded"
  t:expect(tell("refund.updated", refund), 200)
  t:expect(t:look(order).refunds[1].state, "succeeded")
  well()
end)

t:it("a refund that failed for good waits for a person", function()
  open()
  local order = bought()
  stripe.refund_status = "failed"
  t:refund(order)
  t:advance "1s"
  t:expect(t:get("/v1/refunds").items[1], { state = "manual", why = "lost_or_stolen_card" })
  well()
end)

t:it("what others do on the same account is none of the shop's", function()
  open()
  t:expect(tell("payment_intent.succeeded", { id = "pi_other", object = "payment_intent", amount = 1, status = "succeeded" }), 200)
  t:expect(tell("customer.created", { id = "cus_1", object = "customer" }), 200)
  well()
end)
