-- feira.test: what specs are written in (feira test). Each test has an empty shop of its own and a clock that moves when it is told to;
-- what it asks goes through the same routes as over HTTP, as the operator.
-- luacheck: no self
local money = require "feira.money"
local time = require "feira.time"
local vm = require "feira.vm"

local found, bridge = pcall(require, "feira.bridge")
if not found then error("feira.test is there in the specs that feira test runs, and nowhere else", 0) end

local t = {}

-- Failures are tables, so that t:refused() can look at them. `level` counts from the function of the spec's API: nothing in between may
-- be a tail call.
local function fail(level, text, problem)
  local at = vm.where(level + 1)
  error({ text = (at == "" and "" or at .. ": ") .. text, problem = problem }, 0)
end

local function sentence(e)
  if type(e) == "table" and e.text then return e.text end
  return tostring(e)
end

function t:describe(name, fn)
  bridge.enter(name)
  local fine, e = pcall(fn)
  bridge.leave()
  if not fine then error(sentence(e), 0) end
end

function t:it(name, fn)
  bridge.fresh()
  local fine, e = pcall(fn)
  bridge.result(name, fine, not fine and sentence(e) or nil)
end

-- Comparing ----------------------------------------------------------------------------------------------------------------------

local function shown(v)
  if type(v) == "string" then return ("%q"):format(v) end
  if type(v) ~= "table" then return tostring(v) end
  if #v > 0 then return ("a list of %d"):format(#v) end
  local names = {}
  for key in pairs(v) do names[#names + 1] = tostring(key) end
  return "{ " .. table.concat(names, ", ") .. " }"
end

local function is_list(v)
  return #v > 0
end

local compare

-- What is wanted of a record is what is named; a list is wanted whole.
local function compare_tables(path, value, wanted, out)
  if is_list(wanted) and #value ~= #wanted then
    out[#out + 1] = ("  %s: wanted %d elements, got %d"):format(path == "" and "it" or path, #wanted, #value)
  end
  for key, want in pairs(wanted) do
    local where = math.type(key) == "integer" and ("%s[%d]"):format(path, key) or (path == "" and "" or path .. ".") .. tostring(key)
    if math.type(key) ~= "integer" or key <= #value then compare(where, value[key], want, out) end
  end
end

function compare(path, value, wanted, out)
  if type(value) == "table" and type(wanted) == "table" then
    compare_tables(path, value, wanted, out)
  elseif value ~= wanted then
    out[#out + 1] = ("  %s: wanted %s, got %s"):format(path == "" and "it" or path, shown(wanted), shown(value))
  end
end

function t:expect(value, wanted, what)
  local out = {}
  compare("", value, wanted, out)
  if #out > 0 then fail(2, (what or "not as expected") .. "\n" .. table.concat(out, "\n")) end
end

-- Asking -------------------------------------------------------------------------------------------------------------------------

local function must(method, path, body)
  local status, answer = bridge.request(method, path, body)
  if status >= 300 then
    local problem = type(answer) == "table" and answer or {}
    local field = problem.field and " (" .. problem.field .. ")" or ""
    fail(3, ("%s %s was refused with %d: %s%s"):format(method, path, status, problem.detail or "no reason given", field), problem)
  end
  return answer
end

-- { ["MUG"] = 2 } is short for { { sku = "MUG", qty = 2 } }.
local function lines_of(lines)
  if type(lines) ~= "table" or is_list(lines) then return lines end
  local out = {}
  for sku, qty in pairs(lines) do out[#out + 1] = { sku = sku, qty = qty } end
  return out
end

local function copy(from, lines)
  local out = {}
  for key, value in pairs(from) do out[key] = value end
  if lines then out.lines = lines_of(out.lines) end
  return out
end

function t:request(method, path, body)
  return bridge.request(method, path, body)
end

function t:get(path)
  local answer = must("GET", path)
  return answer
end

function t:product(product)
  local made = copy(product)
  if type(made.price) == "string" then made.price = money.parse(made.price) end
  if type(made.compare_at) == "string" then made.compare_at = money.parse(made.compare_at) end
  made.title = made.title or made.sku
  made.stock = made.stock or 100
  must("POST", "/v1/products/import", { products = { made } })
  return made.sku
end

function t:customer(customer)
  local facts = copy(customer)
  facts.id = nil
  must("PUT", "/v1/customers/" .. tostring(customer.id), facts)
  return customer.id
end

function t:stock(sku)
  local product = must("GET", "/v1/products/" .. sku)
  local sum = 0
  for _, place in pairs(product.stock) do sum = sum + place.available end
  return sum
end

function t:quote(cart)
  local answer = must("POST", "/v1/quotes?explain=full", copy(cart, true))
  return answer
end

local asked = { "lines", "codes", "customer", "channel", "shipping", "campaigns" }

function t:order(order)
  local body = copy(order, true)
  if not body.expected_total and not body.quote_token then
    local cart = {}
    for _, name in ipairs(asked) do cart[name] = body[name] end
    body.expected_total = must("POST", "/v1/quotes", cart).total
  end
  local answer = must("POST", "/v1/orders", body)
  return answer
end

local function of_order(order, what)
  return "/v1/orders/" .. (type(order) == "table" and order.id or tostring(order)) .. what
end

function t:pay(order, payment)
  local body = copy(payment or {})
  body.provider = body.provider or "test"
  local answer = must("POST", of_order(order, "/payments"), body)
  return answer
end

function t:cancel(order, reason)
  local answer = must("POST", of_order(order, "/cancel"), { reason = reason })
  return answer
end

function t:refund(order, refund)
  local answer = must("POST", of_order(order, "/refunds"), refund or {})
  return answer
end

function t:look(order)
  local answer = must("GET", of_order(order, ""))
  return answer
end

function t:refused(reason, fn)
  local fine, e = pcall(fn)
  if fine then fail(2, ("wanted a refusal (%s), but it went through"):format(reason)) end
  if type(e) ~= "table" or not e.problem then error(e, 0) end
  local got = tostring(e.problem.type):gsub("^/problems/", "")
  if got ~= reason then fail(2, ("wanted a refusal of type %s, got %s: %s"):format(reason, got, e.text)) end
  return e.problem
end

-- Time ---------------------------------------------------------------------------------------------------------------------------

function t:now()
  return bridge.now()
end

function t:advance(span)
  bridge.advance(type(span) == "string" and time.duration(span) or span)
end

function t:at(text)
  local ms = time.resolve(text)
  if ms < bridge.now() then
    fail(2, ("%s is past; it is %s, and time does not go back"):format(text, time.format(bridge.now())))
  end
  bridge.advance(ms - bridge.now())
end

return t
