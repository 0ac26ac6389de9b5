-- What customers, servers and operators see and do over HTTP.
local fail = require "feira.fail"
local json = require "feira.json"
local ledger = require "feira.ledger"
local purse = require "purse"
local spending = require "spending"
local store = require "feira.store"
local time = require "feira.time"

local routes = {}

local function ok(body, status) return { status = status or 200, body = body } end

local function known(customer)
  if not store.of("shop").customers:get { customer = customer } then fail.not_found(("There is no customer %q."):format(customer)) end
  return customer
end

local function summary(customer)
  local out = purse.summary(customer)
  out.expiring = json.array(out.expiring)
  return out
end

function routes.me(call) return ok(summary(call.customer)) end
function routes.of_customer(call) return ok(summary(known(call.params.customer))) end

-- --- statements -------------------------------------------------------------------------------------------------------------------------

-- "earned/ORDER", "adjusted/NUMBER": what it was, and of which order.
local function entry(e)
  local kind, id = (e.reference or ""):match "^([%l-]+)/([^/]+)"
  local out = { at = time.format(e.at), points = e.amount, balance = e.balance, kind = kind }
  if kind == "adjusted" then
    out.reason = store.adjustments:get(tonumber(id)).reason
  elseif kind == "earned" or kind == "spent" or kind == "returned" or kind == "taken" or kind == "granted" then
    out.order = id
  end
  return out
end

local function statement(customer, after)
  local ms, seq = (after or "0.1"):match "^(%d+)%.([1-9]%d*)$"
  if not ms or #ms > 18 or #seq > 18 then fail.invalid("after", "Take next of the page before.") end
  local s = ledger.statement(purse.account(customer), { after = after })
  if not s then return ok { balance = 0, items = json.array {} } end
  local items = {}
  for i, e in ipairs(s.entries) do items[i] = entry(e) end
  return ok { balance = s.closing, items = json.array(items), next = s.next }
end

function routes.my_statement(call) return statement(call.customer, call.query.after) end
function routes.statement(call) return statement(known(call.params.customer), call.query.after) end

-- --- orders -----------------------------------------------------------------------------------------------------------------------------

local function own_order(call)
  local order = store.of("shop").orders:get { order = call.params.order }
  if not order or order.customer ~= call.customer then fail.not_found(("There is no order %q."):format(call.params.order)) end
  return order
end

function routes.offer(call)
  local order = own_order(call)
  local amount, points = spending.most(order)
  local spent = store.spends:get(order.order)
  return ok {
    order = order.order, most = { points = points, amount = amount },
    spent = spent and { points = spent.points, amount = spent.amount, back = spent.back } or json.null,
  }
end

function routes.spend(call)
  local order = own_order(call)
  local out = spending.spend { order = order.order, points = call.body.points }
  out.balance = purse.summary(call.customer).balance
  return ok(out, 201)
end

-- --- by hand, and by coming by ----------------------------------------------------------------------------------------------------------

function routes.sign_in(call)
  local out = purse.sign_in(call.customer)
  out.balance = purse.summary(call.customer).balance
  return ok(out, out.first and 201 or 200)
end

function routes.adjust(call)
  local b = call.body
  purse.adjust { customer = known(call.params.customer), id = b.id, points = b.points, reason = b.reason }
  return ok(summary(call.params.customer), 201)
end

return routes
