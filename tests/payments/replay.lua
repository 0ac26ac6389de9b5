-- A callback TIMES times in an order by SEED, with the order placed, its payment begun and its refund asked for at some places in between.
-- It is lived through three times: the first two teach the numbers that the third one's callbacks know before there is an order. `replay`
-- fills in the numbers.
local crypto = require "feira.crypto"
local t = require "feira.test"

local TIMES, SEED = 1000, 1
local KEY, NOTIFY = "secret GATEWAY_KEY", "/v1/payments/test-payments/notify"
local NOBODY = { payment = "pay_00000000000000000000000000", refund = "ref_00000000000000000000000000-p1" }

t:shop { currency = "CNY", settings = { key = "GATEWAY_KEY" } }

local function dice(seed)
  local state = seed * 2654435761 % 4294967296
  return function(n)
    state = (state * 6364136223846793005 + 1442695040888963407) % 9007199254740992
    return (state >> 21) % n + 1
  end
end

local function told(event, forged)
  local body, at = t:encode(event), tostring(t:now() // 1000)
  local mac = crypto.hex(crypto.hmac(forged and "another key" or KEY, at .. "." .. body))
  local status = t:callback(NOTIFY, body, { ["X-Gateway-Signature"] = ("t=%s,v1=%s"):format(at, mac) })
  return status
end

-- What the gateway may tell, over and over.
local function events(number)
  local paid = {
    id = "evt_1", type = "payment", number = number.payment, state = "paid", transaction = "txn_1", amount = 3000, currency = "CNY",
    merchant = "m-test", app = "app-test",
  }
  local function with(changes)
    local out = {}
    for key, value in pairs(paid) do out[key] = value end
    for key, value in pairs(changes) do out[key] = value end
    return out
  end
  return {
    paid, paid, paid, with { id = "evt_2" }, with { id = "evt_3" },
    with { id = "evt_4", state = "closed" },
    { id = "evt_5", type = "refund", number = number.refund, state = "succeeded", reference = "rf_1" },
    { id = "evt_6", type = "refund", number = number.refund, state = "succeeded", reference = "rf_1" },
    { id = "evt_7", type = "refund", number = number.refund, state = "failed" },
  }
end

-- Answers as a gateway that took the money and gave it back; but the refund's answer never arrives.
local function outside(request)
  if request.method == "POST" and request.url:find "/payments$" then return { json = { pay_url = "x" } } end
  if request.method == "GET" and request.url:find "/payments/" then
    return { json = { state = "paid", transaction = "txn_1", amount = 3000, currency = "CNY", merchant = "m-test", app = "app-test" } }
  end
  return nil
end

local function life(number)
  local roll, list, seen, order = dice(SEED), events(number), {}, nil
  local place_at = TIMES // 4 + roll(TIMES // 8)
  local begin_at = place_at + roll(TIMES // 8)
  local refund_at = begin_at + TIMES // 8 + roll(TIMES // 8)
  t:outside(outside)
  t:product { sku = "TEA", price = "10.00", stock = 100 }
  for i = 1, TIMES do
    if i == place_at then order = t:order { lines = { TEA = 3 } } end
    if i == begin_at then seen.payment = t:post("/v1/orders/" .. order.id .. "/payments", { provider = "test-payments" }).payment.id end
    if i == refund_at then
      local _, after = t:request("POST", "/v1/orders/" .. order.id .. "/refunds", { lines = { { line = 1, qty = 1 } } })
      seen.refund = after.refunds and after.refunds[1] and after.refunds[1].parts[1].number
    end
    local event, forged = list[roll(#list)], roll(10) == 1
    local status = told(event, forged)
    if forged then t:expect(status, 401) end
    if i % 97 == 0 then t:advance "1s" end
  end
  return order, seen
end

t:it("once", function()
  local _, seen = life(NOBODY)
  NOBODY.payment = seen.payment
end)

t:it("twice", function()
  local _, seen = life(NOBODY)
  t:expect(seen.payment, NOBODY.payment, "the same life has other numbers")
  NOBODY.refund = seen.refund
end)

t:it("a callback " .. TIMES .. " times in any order, also before its order, has one effect", function()
  local order, seen = life(NOBODY)
  t:expect(seen, { payment = NOBODY.payment, refund = NOBODY.refund }, "the same life has other numbers")
  t:advance "1h"
  local now = t:look(order)
  t:expect(#now.payments, 1, "payments")
  t:expect(now.payments[1], { id = seen.payment, state = "succeeded", amount = 3000 })
  t:expect(now.payments[1].given_back, nil, "given back")
  t:expect(now, { state = "paid", paid = 3000, refunded = 1000 })
  t:expect(#now.refunds, 1, "refunds")
  t:expect(now.refunds[1], { state = "succeeded", amount = 1000 })
  t:expect(#now.refunds[1].parts, 1, "parts of the refund")
  for _, finding in ipairs(t:get("/v1/doctor").findings) do
    if finding.level == "error" then t:expect(finding.text, "", finding.check) end
  end
end)
