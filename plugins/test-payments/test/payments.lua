-- A gateway that fails in each way that gateways do, and the shop beside it. After each test the money is the same on both sides.
local crypto = require "feira.crypto"
local t = require "feira.test"

t:shop { currency = "CNY", settings = { key = "GATEWAY_KEY" }, test_payments = true }

local KEY = "secret GATEWAY_KEY" -- what secrets are in specs
local NOTIFY = "/v1/payments/test-payments/notify"

-- The gateway ------------------------------------------------------------------------------------------------------------------

local gateway -- of the running test

local function fresh()
  gateway = {
    payments = {}, refunds = {}, transactions = {}, next = 0,
    lose = {}, deny = {}, broken = {}, asked = {}, -- by what is asked: how many of the next answers are lost, refused, not done
    processing = 0, -- how often a refund is asked about before it is done; -1: for ever
  }
end

local function number(prefix)
  gateway.next = gateway.next + 1
  return ("%s_%04d"):format(prefix, gateway.next)
end

local function counted(list, what)
  local left = list[what] or 0
  if left > 0 then list[what] = left - 1 end
  return left > 0
end

local answers = {}

function answers.create(_, body)
  local old = gateway.payments[body.number]
  if old and (old.amount ~= body.amount or old.currency ~= body.currency) then return 409, { why = "the number is used" } end
  if not old then
    old = { state = "pending", amount = body.amount, currency = body.currency, merchant = body.merchant, app = body.app }
    gateway.payments[body.number] = old
  end
  return 200, { reference = "gw_" .. body.number, pay_url = "https://pay.example/" .. body.number }
end

function answers.query(name)
  local payment = gateway.payments[name]
  if not payment then return 404, { why = "there is no such payment" } end
  local transaction = payment.transaction and gateway.transactions[payment.transaction]
  return 200, {
    state = payment.state, transaction = payment.transaction, merchant = payment.merchant, app = payment.app,
    amount = transaction and transaction.amount or payment.amount, currency = transaction and transaction.currency or payment.currency,
  }
end

function answers.close(name)
  local payment = gateway.payments[name]
  if not payment then return 404, { why = "there is no such payment" } end
  if payment.state == "paid" then return 409, { why = "it is paid" } end
  payment.state = "closed"
  return 200, { state = "closed" }
end

function answers.refund(_, body)
  local old = gateway.refunds[body.number]
  if old and old.state ~= "failed" then return 200, old end
  local transaction, given = gateway.transactions[body.transaction], 0
  for _, refund in pairs(gateway.refunds) do
    if refund.transaction == body.transaction then given = given + refund.amount end
  end
  if not transaction or transaction.currency ~= body.currency or given + body.amount > transaction.amount then
    return 422, { why = "there is not that much to give back" }
  end
  gateway.refunds[body.number] = {
    transaction = body.transaction, amount = body.amount, currency = body.currency, reference = number "rf", asked = 0,
    state = gateway.processing == 0 and "succeeded" or "processing",
  }
  return 200, gateway.refunds[body.number]
end

function answers.refund_query(name)
  local refund = gateway.refunds[name]
  if not refund then return 404, { why = "there is no such refund" } end
  refund.asked = refund.asked + 1
  if refund.state == "processing" and gateway.processing >= 0 and refund.asked >= gateway.processing then refund.state = "succeeded" end
  return 200, refund
end

local function asked_for(request)
  local path = request.url:match "^http://gateway.test%-payments.example:8421(/.*)$"
  if request.method == "POST" and path == "/payments" then return "create" end
  if request.method == "POST" and path == "/refunds" then return "refund" end
  local name = path:match "^/payments/([%w_-]+)/close$"
  if name then return "close", name end
  name = path:match "^/payments/([%w_-]+)$"
  if name then return "query", name end
  return "refund_query", path:match "^/refunds/([%w_-]+)$"
end

local function outside(request)
  if request.headers.Authorization ~= "Bearer " .. KEY then return { status = 401, json = { why = "the key is wrong" } } end
  local what, name = asked_for(request)
  gateway.asked[what] = (gateway.asked[what] or 0) + 1
  if counted(gateway.broken, what) then return { status = 500, json = { why = "broken" } } end
  if counted(gateway.deny, what) then return { status = 422, json = { why = "refused" } } end
  local status, answer = answers[what](name, request.body ~= "" and t:decode(request.body) or {})
  if gateway.before_answer then gateway.before_answer(what, answer) end
  if counted(gateway.lose, what) then return nil end
  return { status = status, json = answer }
end

-- A buyer pays; more: { amount, currency } that he pays instead.
local function pay(name, more)
  local payment, id = gateway.payments[name], number "txn"
  more = more or {}
  gateway.transactions[id] = { number = name, amount = more.amount or payment.amount, currency = more.currency or payment.currency }
  if payment.state ~= "paid" then payment.state, payment.transaction = "paid", id end
  return id
end

local function told(event)
  local body, at = t:encode(event), tostring(t:now() // 1000)
  return t:callback(NOTIFY, body, { ["X-Gateway-Signature"] = ("t=%s,v1=%s"):format(at, crypto.hex(crypto.hmac(KEY, at .. "." .. body))) })
end

local function event_of(name, id)
  local payment = gateway.payments[name]
  local transaction = id or payment.transaction
  local of = gateway.transactions[transaction]
  return {
    id = "evt_" .. transaction, type = "payment", number = name, state = "paid", transaction = transaction, amount = of.amount,
    currency = of.currency, merchant = payment.merchant, app = payment.app,
  }
end

local function tell(name, id)
  local status = told(event_of(name, id))
  return status
end

-- The shop ---------------------------------------------------------------------------------------------------------------------

local function place(qty, more)
  local order = { lines = { TEA = qty or 1 } }
  for key, value in pairs(more or {}) do order[key] = value end
  return t:order(order)
end

local function begin(order, more)
  local body = { provider = "test-payments" }
  for key, value in pairs(more or {}) do body[key] = value end
  return t:post("/v1/orders/" .. order.id .. "/payments", body).payment
end

local function open()
  fresh()
  t:outside(outside)
  t:product { sku = "TEA", price = "10.00", stock = 100000 }
end

local function paid(qty)
  local order = place(qty)
  local payment = begin(order)
  pay(payment.id)
  t:expect(tell(payment.id), 200)
  return t:look(order), payment
end

-- What the gateway has taken and not given back, by currency.
local function kept()
  local sum = {}
  for _, transaction in pairs(gateway.transactions) do
    sum[transaction.currency] = (sum[transaction.currency] or 0) + transaction.amount
  end
  for _, refund in pairs(gateway.refunds) do
    if refund.state == "succeeded" then sum[refund.currency] = sum[refund.currency] - refund.amount end
  end
  return sum
end

-- What the shop says that it has been paid through the gateway, and not given back.
local function ours(orders)
  local sum = 0
  for _, order in ipairs(orders) do
    local now = t:look(order)
    for _, payment in ipairs(now.payments) do
      if payment.provider == "test-payments" and payment.state == "succeeded" and not payment.given_back then sum = sum + payment.amount end
    end
    for _, refund in ipairs(now.refunds) do
      for _, part in ipairs(refund.parts or {}) do
        if part.state == "succeeded" then sum = sum - part.amount end
      end
    end
  end
  return sum
end

local function check_books(orders)
  local there = kept()
  t:expect(ours(orders), there.CNY or 0, "the shop and the gateway have other sums")
  for currency, amount in pairs(there) do
    if currency ~= "CNY" then t:expect(amount, 0, "money of another currency stayed") end
  end
  for _, finding in ipairs(t:get("/v1/doctor").findings) do
    if finding.level == "error" then t:expect(finding.text, "", finding.check) end
  end
end

local function first_part(order) return t:look(order).refunds[1].parts[1] end

-- ------------------------------------------------------------------------------------------------------------------------------

t:describe("a payment", function()
  t:it("that nobody tells of is found by asking, after a minute", function()
    open()
    local order = place()
    local payment = begin(order)
    pay(payment.id)
    t:advance "59s"
    t:expect(t:look(order).state, "placed")
    t:advance "2s"
    t:expect(t:look(order).state, "paid")
    check_books { order }
  end)

  t:it("is asked about at 1, 5 and 15 minutes, and closed when its time is over", function()
    open()
    local order = place()
    local payment = begin(order)
    for _, step in ipairs { { "1m", 1 }, { "3m", 1 }, { "1m", 2 }, { "10m", 3 }, { "14m", 3 } } do
      t:advance(step[1])
      t:expect(gateway.asked.query or 0, step[2], "after " .. step[1])
    end
    t:expect(gateway.asked.close, nil)
    t:advance "2m"
    t:expect(gateway.payments[payment.id].state, "closed")
    t:expect(t:look(order), { state = "expired", payments = { { state = "closed" } } })
    t:advance "7d"
    t:expect(gateway.asked.query, 4)
    check_books { order }
  end)

  t:it("that has days is asked about every hour", function()
    open()
    local order = place(1, {
      dues = { { label = "deposit", amount = 200, within = "30m" }, { label = "balance", amount = 800, within = "72h" } },
    })
    local deposit = begin(order)
    pay(deposit.id)
    tell(deposit.id)
    local balance = begin(order)
    t:expect(balance.amount, 800)
    t:advance "16m"
    t:expect(gateway.asked.query, 3)
    pay(balance.id)
    t:advance "58m"
    t:expect(t:look(order).state, "placed")
    t:advance "2m"
    t:expect(t:look(order).state, "paid")
    check_books { order }
  end)

  t:it("whose beginning was not answered is found all the same", function()
    open()
    local order = place()
    gateway.lose.create = 1
    t:refused("provider_failed", function() begin(order) end)
    local name = t:look(order).payments[1].id
    t:expect(t:look(order).payments[1].state, "created")
    pay(name)
    t:advance "61s"
    t:expect(t:look(order).state, "paid")
    check_books { order }
  end)

  t:it("wins over the clock when it was made in time", function()
    open()
    local order = place()
    local payment = begin(order)
    t:advance "29m"
    pay(payment.id)
    t:advance "2m"
    t:expect(t:look(order).state, "paid")
    check_books { order }
  end)

  t:it("is waited for when the gateway is silent at the end, but not for ever", function()
    open()
    local order = place()
    local payment = begin(order)
    t:advance "29m"
    gateway.broken.query, gateway.broken.close = 1000, 1000
    t:advance "5m"
    t:expect(t:look(order).state, "placed")
    t:advance "7m"
    t:expect(t:look(order).state, "expired")
    t:expect(t:stock "TEA", 100000)
    pay(payment.id)
    gateway.broken = {}
    t:advance "1d" -- it is asked for all the same, and the money is found and goes back
    t:expect(t:look(order).payments[1], { state = "succeeded", given_back = { reason = "late", state = "succeeded" } })
    check_books { order }
  end)

  t:it("that comes late goes back, told or found", function()
    open()
    local order = place()
    local payment = begin(order)
    t:advance "31m"
    t:expect(t:look(order).state, "expired")
    pay(payment.id)
    t:expect(tell(payment.id), 200)
    t:advance "1s"
    t:expect(t:look(order).payments[1].given_back, { reason = "late", state = "succeeded" })
    check_books { order }
  end)

  t:it("of another amount goes back whole", function()
    open()
    local order = place()
    local payment = begin(order)
    pay(payment.id, { amount = 1001 })
    t:expect(tell(payment.id), 422)
    t:advance "1s"
    t:expect(t:look(order).state, "placed")
    t:expect(t:look(order).payments[1], { amount = 1001, given_back = { reason = "mismatched", state = "succeeded" } })
    check_books { order }
  end)

  t:it("of another merchant is not the shop's", function()
    open()
    local order = place()
    local payment = begin(order)
    gateway.payments[payment.id].merchant = "m-other"
    pay(payment.id)
    t:expect(tell(payment.id), 422)
    t:advance "1h"
    t:expect(t:look(order).state, "expired")
    t:expect(gateway.refunds, {})
    gateway.payments[payment.id].merchant = "m-test" -- it was a mistake of theirs
    t:expect(told { id = "evt_again", type = "payment", number = payment.id, state = "paid", transaction = "txn_0001", amount = 1000,
      currency = "CNY", merchant = "m-test", app = "app-test" }, 200)
    t:advance "1s"
    check_books { order }
  end)

  t:it("is known by its event and by its transaction", function()
    open()
    local order = place()
    local payment = begin(order)
    pay(payment.id)
    local event = event_of(payment.id)
    for i = 1, 20 do
      if i % 2 == 0 then event.id = "evt_" .. i end
      t:expect(told(event), 200)
    end
    t:expect(t:look(order), { paid = 1000, state = "paid" })
    t:expect(gateway.refunds, {})
    check_books { order }
  end)

  t:it("whose one transaction is said of another payment is not taken twice", function()
    open()
    local one, two = place(), place()
    local first, second = begin(one), begin(two)
    pay(first.id)
    t:expect(tell(first.id), 200)
    local event = event_of(first.id)
    event.id, event.number = "evt_other", second.id
    t:expect(told(event), 422)
    t:expect(t:look(two).state, "placed")
    check_books { one, two }
  end)

  t:it("made by two channels is an order's once", function()
    open()
    local order = place()
    local payment = begin(order)
    t:pay(order)
    pay(payment.id)
    t:advance "1s"
    t:expect(tell(payment.id), 200)
    t:advance "1s"
    t:expect(t:look(order), { state = "paid", paid = 1000, refunded = 0 })
    check_books { order }
  end)

  t:it("of a part, then the rest, each by itself", function()
    open()
    local order = place(3)
    for _, amount in ipairs { 1000, 1999, 1 } do
      local payment = begin(order, { amount = amount })
      pay(payment.id)
      t:expect(tell(payment.id), 200)
    end
    t:expect(t:look(order).state, "paid")
    t:refund(order, { lines = { { line = 1, qty = 2 } } })
    t:advance "1s"
    t:expect(t:look(order).refunds[1], { state = "succeeded", amount = 2000 })
    check_books { order }
  end)

  t:it("of a part goes back when the rest does not come", function()
    open()
    local order = place(3)
    local payment = begin(order, { amount = 1000 })
    pay(payment.id)
    tell(payment.id)
    t:advance "31m"
    t:expect(t:look(order), { state = "expired", refunded = 1000, refunds = { { state = "succeeded" } } })
    check_books { order }
  end)
end)

t:describe("an event", function()
  t:it("before its payment is answered again, once the payment is there", function()
    open()
    local order = place()
    local event = {
      id = "evt_early", type = "payment", state = "paid", transaction = "txn_0001", amount = 1000, currency = "CNY", merchant = "m-test",
      app = "app-test", number = "pay_unknown",
    }
    t:expect(told(event), 404)
    local payment = begin(order)
    event.number = payment.id
    pay(payment.id)
    t:expect(told(event), 200)
    t:expect(t:look(order).state, "paid")
    check_books { order }
  end)

  t:it("without a good signature is nothing", function()
    open()
    local order = place()
    local payment = begin(order)
    pay(payment.id)
    local body = t:encode(event_of(payment.id))
    local at = tostring(t:now() // 1000)
    local good = ("t=%s,v1=%s"):format(at, crypto.hex(crypto.hmac(KEY, at .. "." .. body)))
    local old = tostring(t:now() // 1000 - 301)
    for _, case in ipairs {
      { body, nil }, { body, "" }, { body, "t=" .. at }, { body .. " ", good }, { body, good:gsub("v1=..", "v1=00") },
      { body, ("t=%s,v1=%s"):format(old, crypto.hex(crypto.hmac(KEY, old .. "." .. body))) },
      { body, ("t=%s,v1=%s"):format(at, crypto.hex(crypto.hmac("another", at .. "." .. body))) },
    } do
      local status, answer = t:callback(NOTIFY, case[1], case[2] and { ["X-Gateway-Signature"] = case[2] })
      t:expect(status, 401)
      t:expect(answer.code, "FAIL")
    end
    t:expect(t:look(order).state, "placed")
    t:expect(t:callback(NOTIFY, body, { ["X-Gateway-Signature"] = good }), 200)
    t:expect(t:look(order).state, "paid")
    check_books { order }
  end)
end)

t:describe("a refund", function()
  t:it("whose answer is lost is sent again under its number, and given once", function()
    open()
    local order = paid(2)
    gateway.lose.refund = 3
    t:refund(order, { lines = { { line = 1, qty = 1 } } })
    t:advance "1s"
    t:expect(first_part(order).state, "requested")
    t:advance "10m"
    t:expect(first_part(order).state, "succeeded")
    t:expect(gateway.asked.refund, 4)
    check_books { order }
  end)

  t:it("that is worked on is asked about until it is done", function()
    open()
    local order = paid()
    gateway.processing = 4
    t:refund(order)
    t:advance "1s"
    t:expect(first_part(order).state, "processing")
    t:advance "1h"
    t:expect(first_part(order).state, "succeeded")
    t:expect(gateway.asked.refund, 1)
    check_books { order }
  end)

  t:it("that fails n times is given at last", function()
    open()
    local order = paid()
    gateway.deny.refund = 5
    t:refund(order)
    t:advance "2h"
    t:expect(first_part(order).state, "succeeded")
    check_books { order }
  end)

  t:it("that always fails waits for a person, who has it tried again", function()
    open()
    local order = paid()
    gateway.deny.refund = 1000
    t:refund(order)
    t:advance "1d"
    local part = first_part(order)
    t:expect(part, { state = "manual", why = "refused" })
    t:expect(gateway.asked.refund, 10)
    t:expect(t:get("/v1/refunds").items[1], { number = part.number, order = order.id, amount = 1000 })
    gateway.deny.refund = 0
    t:post("/v1/refunds/" .. part.number .. "/retry")
    t:advance "1s"
    t:expect(first_part(order).state, "succeeded")
    t:expect(#t:get("/v1/refunds").items, 0)
    check_books { order }
  end)

  t:it("that a person gave back by hand is not given again", function()
    open()
    local order = paid()
    gateway.deny.refund = 1000
    t:refund(order)
    t:refused("refund_under_way", function() t:post("/v1/refunds/" .. first_part(order).number .. "/settle", { note = "cash" }) end)
    t:advance "1d"
    local part = first_part(order)
    t:post("/v1/refunds/" .. part.number .. "/settle", { note = "cash" })
    t:expect(first_part(order), { state = "succeeded", by_hand = "cash" })
    t:advance "7d"
    t:expect(gateway.asked.refund, 10)
    t:expect(kept().CNY, 1000) -- the gateway's money is the shop's; another purse has less
    t:refused("refund_succeeded", function() t:post("/v1/refunds/" .. part.number .. "/retry") end)
  end)

  t:it("that is worked on for ever waits for a person after seven days; told then, it is done", function()
    open()
    local order = paid()
    gateway.processing = -1
    t:refund(order)
    t:advance "8d"
    local part = first_part(order)
    t:expect(part.state, "manual")
    gateway.refunds[part.number].state = "succeeded"
    t:expect(told { id = "evt_at_last", type = "refund", number = part.number, state = "succeeded" }, 200)
    t:expect(first_part(order).state, "succeeded")
    check_books { order }
  end)

  t:it("that never got there is sent again", function()
    open()
    local order = paid()
    gateway.processing = -1
    t:refund(order)
    t:advance "1s"
    gateway.refunds, gateway.processing = {}, 0 -- they lost it
    t:advance "5m"
    t:expect(first_part(order).state, "succeeded")
    check_books { order }
  end)

  t:it("told before it is answered is given once", function()
    open()
    local order = paid()
    gateway.lose.refund = 1
    gateway.before_answer = function(what)
      if what ~= "refund" then return end
      gateway.told_early = true
    end
    t:refund(order)
    local number_of = first_part(order).number
    t:advance "1s"
    t:expect(gateway.told_early, true)
    t:expect(told { id = "evt_refund", type = "refund", number = number_of, state = "succeeded" }, 200)
    t:advance "1d"
    t:expect(gateway.asked.refund, 1)
    t:expect(first_part(order).state, "succeeded")
    check_books { order }
  end)

  t:it("of a refund that nobody asked for is told again in vain", function()
    open()
    local order = paid()
    t:expect(told { id = "evt_strange", type = "refund", number = "ref_none-p1", state = "succeeded" }, 404)
    t:expect(t:look(order).refunded, 0)
    check_books { order }
  end)
end)

-- Everything at once ----------------------------------------------------------------------------------------------------------

local function dice(seed)
  local state = seed * 7919 + 17
  return function(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return state // 65536 % n + 1
  end
end

local whats = { "create", "query", "close", "refund", "refund_query" }

local function try(fn, ...) return pcall(fn, ...) end

local function one_step(roll, orders, open_payments)
  local what = roll(12)
  local order = orders[roll(math.max(#orders, 1))]
  if what == 1 or not order then
    orders[#orders + 1] = place(roll(4))
  elseif what <= 4 then
    local fine, payment = try(begin, order, roll(3) == 1 and { amount = roll(900) } or nil)
    if fine then open_payments[#open_payments + 1] = payment.id end
  elseif what <= 6 and #open_payments > 0 then
    local name = open_payments[roll(#open_payments)]
    local odd = roll(12)
    local id = pay(name, odd == 1 and { amount = roll(3000) } or odd == 2 and { currency = "USD" } or nil)
    for _ = 1, roll(4) - 1 do tell(name, id) end
  elseif what == 7 then
    for name, payment in pairs(gateway.payments) do
      if payment.transaction and roll(2) == 1 then tell(name) end
    end
  elseif what == 8 then
    local list = roll(3) == 1 and gateway.deny or roll(2) == 1 and gateway.lose or gateway.broken
    list[whats[roll(#whats)]] = roll(3)
    gateway.processing = roll(4) - 1
  elseif what == 9 then
    try(function() t:cancel(order) end)
  elseif what == 10 then
    try(function() t:refund(order, { lines = { { line = 1, qty = 1 } } }) end)
  else
    t:advance(("%dm"):format(roll(20)))
  end
end

-- The gateway is well again, tells everything once more, and a person has tried again what waits for him.
local function heal()
  gateway.lose, gateway.deny, gateway.broken, gateway.processing = {}, {}, {}, 0
  t:advance "2d"
  for id, transaction in pairs(gateway.transactions) do tell(transaction.number, id) end
  t:advance "2d"
  for _, part in ipairs(t:get("/v1/refunds").items) do t:post("/v1/refunds/" .. part.number .. "/retry") end
  t:advance "2d"
end

t:describe("whatever happens", function()
  for seed = 1, 12 do
    t:it("the money is the same on both sides, and every unit an order's or back: seed " .. seed, function()
      open()
      local roll, orders = dice(seed), { place(2) }
      local open_payments = { begin(orders[1]).id }
      for _ = 1, 60 do one_step(roll, orders, open_payments) end
      heal()
      t:expect(gateway.next > 0, true, "nobody paid")
      for _, order in ipairs(orders) do
        local now = t:look(order)
        t:expect(now.state == "paid" or now.state == "expired" or now.state == "cancelled", true, "the state " .. now.state)
        if now.state ~= "paid" then t:expect(now.paid, now.refunded, "money of " .. now.state) end
        for _, payment in ipairs(now.payments) do
          if payment.given_back then t:expect(payment.given_back.state, "succeeded") end
        end
        for _, refund in ipairs(now.refunds) do t:expect(refund.state, "succeeded") end
      end
      check_books(orders)
    end)
  end
end)
