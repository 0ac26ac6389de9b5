-- A payment provider, on the other side of feira.http: keeps books of its own, answers late, loses answers, refuses now and then, tells the
-- shop what happened once, twice or never. In the end it is honest, and its books and the shop's must show the same money.
local gateway = {}
gateway.__index = gateway

local KEY = "secret GATEWAY_KEY" -- what secrets are in the simulation

function gateway.new(world)
  return setmetatable({ world = world, payments = {}, refunds = {}, heard = {}, serial = 0, honest = false }, gateway)
end

local function payment_text(p, extra)
  return ('{"state":"%s","merchant":"m-test","app":"app-test","amount":%d,"currency":"EUR","transaction":%s%s}')
    :format(p.state, p.amount, p.transactions[1] and '"' .. p.transactions[1] .. '"' or "null", extra or "")
end

-- What it does when it is asked: status and body.
function gateway:carry_out(path, body)
  local number, close = path:match "^/payments/([^/]+)(/?c?l?o?s?e?)$"
  if path == "/payments" then
    local p = self.payments[body.number]
    if not p and not self.honest and sim.roll(15) == 1 then return 402, '{"why":"the account is in arrears"}' end
    p = p or { number = body.number, amount = body.amount, state = "pending", transactions = {} }
    self.payments[body.number] = p
    return 200, ('{"reference":"gw_%s","pay_url":"https://pay.example/%s"}'):format(body.number, body.number)
  elseif number then
    local p = self.payments[number]
    if not p then return 404, '{"why":"there is no such payment"}' end
    if close == "" then return 200, payment_text(p) end
    if p.state == "paid" then return 409, '{"why":"it is paid"}' end
    p.state = "closed"
    return 200, '{"state":"closed"}'
  elseif path == "/refunds" then
    local r = self.refunds[body.number]
    if not r then
      if not self.honest and sim.roll(5) == 1 then return 200, '{"state":"failed","why":"not now"}' end
      r = { amount = body.amount, transaction = body.transaction, polls = self.honest and 0 or sim.roll(3) - 1 }
      self.refunds[body.number] = r
    end
    return 200, ('{"state":"%s"}'):format(r.polls > 0 and "processing" or "succeeded")
  end
  local r = self.refunds[path:match "^/refunds/(.+)$"]
  if not r then return 404, '{"why":"there is no such refund"}' end
  r.polls = math.max(r.polls - 1, 0)
  return 200, ('{"state":"%s"}'):format(r.polls > 0 and "processing" or "succeeded")
end

---Takes what came from the shop; each is answered after a while, or never.
function gateway:look()
  for call, _, url, text in sim.outside do
    self.serial = self.serial + 1
    local me = self.world:spawn("gateway" .. self.serial, function(me)
      if sim.roll(3) > 1 then me:sleep(sim.roll(300)) end
      local mood = self.honest and 9 or sim.roll(12)
      if mood == 1 then return sim.outside_answer(call, nil, "unreachable") end -- it never got there
      local status, body = self:carry_out(url:match "^%w+://[^/]+(.*)$", text ~= "" and sim.json(text) or {})
      if mood == 2 then return sim.outside_answer(call, nil, "broken_off") end -- done, and not answered
      if mood == 3 then return sim.outside_answer(call, 500, "{}") end
      sim.outside_answer(call, status, body)
    end)
    me.is_background = true
  end
end

---The buyer's bank pays, when the gateway takes it. A second time is a second transaction.
function gateway:pay(number)
  local p = self.payments[number]
  if not p or p.state == "closed" or (p.state == "paid" and not self.heard[p.transactions[1]]) then return end
  self.serial = self.serial + 1
  p.state = "paid"
  p.transactions[#p.transactions + 1] = "tx_" .. self.serial
  return "tx_" .. self.serial, p.amount
end

---Tells the shop of it, until the shop says it has heard.
function gateway:notify(number, transaction, amount)
  self.serial = self.serial + 1
  local body = ('{"id":"evt_%d","type":"payment","number":"%s","state":"paid","transaction":"%s","amount":%d,"currency":"EUR",'
    .. '"merchant":"m-test","app":"app-test"}'):format(self.serial, number, transaction, amount)
  local me = self.world:spawn("notify" .. self.serial, function(me)
    for _ = 1, 20 do
      local at = sim.now() // 1000
      local status = me:try {
        method = "POST", path = "/v1/payments/test-payments/notify", body = body, key = me:new_key(),
        header = ("X-Gateway-Signature: t=%d,v1=%s"):format(at, sim.hmac(KEY, at .. "." .. body)),
      }
      self.world.hear_writer()
      if status == 200 then self.heard[transaction] = true end
      if status == 200 and sim.roll(5) > 1 then return end -- or told once more, although it was heard
      me:sleep(sim.roll(800))
    end
  end)
  me.is_background = true
end

---What it has taken for the shop and not given back. Asked for a payment it names the first transaction; of a second one the shop knows
---only when it has heard of it.
function gateway:net()
  local sum = 0
  for _, p in pairs(self.payments) do
    for i, transaction in ipairs(p.transactions) do
      if i == 1 or self.heard[transaction] then sum = sum + p.amount end
    end
  end
  for _, refund in pairs(self.refunds) do sum = sum - refund.amount end
  return sum
end

return gateway
