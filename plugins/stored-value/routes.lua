-- Over HTTP: servers and tills move value, customers look at their own.
local fail = require "feira.fail"
local json = require "feira.json"
local ledger = require "feira.ledger"
local time = require "feira.time"
local wallet = require "wallet"

local routes = {}

function routes.top_up(call, settings) return { status = 201, body = wallet.top_up(call.body, settings) } end

function routes.spend(call, settings) return { status = 201, body = wallet.spend(call.body, settings) } end

function routes.give_back(call)
  return { status = 201, body = wallet.give_back { spend = call.params.spend, id = call.body.id, amount = call.body.amount } }
end

function routes.balance(call)
  local principal, gift = wallet.balance(call.customer)
  return { status = 200, body = { principal = principal, gift = gift, total = principal + gift } }
end

-- "spend/ORDER-1/gift" says to a customer what it was for: "spend", "ORDER-1".
local function entry(e)
  local kind, id = (e.reference or ""):match "^([%w-]+)/(.+)$"
  return { at = time.format(e.at), amount = e.amount, balance = e.balance, kind = kind, id = id }
end

function routes.statement(call)
  local part = call.params.part
  if part ~= "principal" and part ~= "gift" then fail.not_found "There are two statements: principal and gift; name one of them." end
  local ms, seq = (call.query.after or "0.1"):match "^(%d+)%.([1-9]%d*)$"
  if not ms or #ms > 18 or #seq > 18 then fail.invalid("after", "after is the next of the page before.") end
  local s = ledger.statement(wallet.account(call.customer, part), { after = call.query.after })
  if not s then return { status = 200, body = { balance = 0, items = json.array {} } } end
  local items = {}
  for i, e in ipairs(s.entries) do items[i] = entry(e) end
  return { status = 200, body = { balance = s.closing, items = json.array(items), next = s.next } }
end

return routes
