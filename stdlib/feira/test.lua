-- feira.test: what specs are written in (feira test). Each test has an empty shop of its own and a clock that moves when it is told to;
-- what it asks goes through the same routes as over HTTP, as the operator unless it says who. Specs of a plugin make their shop up.
-- luacheck: no self
local money = require "feira.money"
local time = require "feira.time"
local vm = require "feira.vm"

local found, bridge = pcall(require, "feira.bridge")
if not found then error("feira.test is there in the specs that feira test runs, and nowhere else", 4) end

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
  local fine, e = pcall(function()
    bridge.fresh()
    fn()
  end)
  bridge.result(name, fine, not fine and sentence(e) or nil)
end

-- Comparing ----------------------------------------------------------------------------------------------------------------------

local SHOWN_MAX = 160

local function words(v, depth)
  if type(v) == "string" then return ("%q"):format(v):gsub("\\\n", "\\n") end
  if type(v) ~= "table" then return tostring(v) end
  if depth > 4 then return "{...}" end
  local out = {}
  for i = 1, #v do out[i] = words(v[i], depth + 1) end
  for key, value in pairs(v) do
    if math.type(key) ~= "integer" then out[#out + 1] = ("%s = %s"):format(key, (words(value, depth + 1))) end
  end
  return #out == 0 and "{}" or "{ " .. table.concat(out, ", ") .. " }"
end

local function shown(v)
  local text = words(v, 0)
  if #text <= SHOWN_MAX then return text end
  local cut = SHOWN_MAX
  while cut > 0 and text:byte(cut + 1) & 0xC0 == 0x80 do cut = cut - 1 end -- not through a letter
  return text:sub(1, cut) .. "..."
end

local function is_list(v)
  return #v > 0
end

local compare

-- Long texts are shown from a little before the place where they part.
local function parting(a, b)
  local same = 0
  while same < #a and a:byte(same + 1) == b:byte(same + 1) do same = same + 1 end
  local from = math.max(same - 20, 0)
  while from > 0 and a:byte(from + 1) & 0xC0 == 0x80 do from = from - 1 end
  return from
end

local function differ(path, value, wanted, out)
  local at = "  " .. (path == "" and "it" or path) .. ": "
  if type(value) == "string" and type(wanted) == "string" and #value > 40 and #wanted > 40 then
    local from = parting(wanted, value)
    if from > 0 then
      at = ("%sfrom byte %d on "):format(at, from + 1)
      value, wanted = value:sub(from + 1), wanted:sub(from + 1)
    end
  end
  local want, got = shown(wanted), shown(value)
  if #want + #got > 60 then
    out[#out + 1] = ("%swanted %s\n%sgot    %s"):format(at, want, (" "):rep(#at), got)
  else
    out[#out + 1] = ("%swanted %s, got %s"):format(at, want, got)
  end
end

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
    differ(path, value, wanted, out)
  end
end

function t:expect(value, wanted, what)
  local out = {}
  compare("", value, wanted, out)
  if #out > 0 then fail(2, (what or "not as expected") .. "\n" .. table.concat(out, "\n")) end
end

-- Asking -------------------------------------------------------------------------------------------------------------------------

-- The line of the spec, however deep in here it stopped.
local function in_spec()
  for level = 2, 12 do
    local at = vm.where(level)
    if at ~= "" and not at:find("^stdlib/") then return at .. ": " end
  end
  return ""
end

local function ask(self, method, path, body)
  local fine, status, answer = pcall(bridge.request, method, path, body, self.key)
  if not fine then error({ text = in_spec() .. sentence(status):gsub("^stdlib/[^:]*:%d+: ", "") }, 0) end
  return status, answer
end

local function must(self, method, path, body)
  local status, answer = ask(self, method, path, body)
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
  return ask(self, method, path, body)
end

function t:get(path)
  local answer = must(self, "GET", path)
  return answer
end

function t:post(path, body)
  local answer = must(self, "POST", path, body or {})
  return answer
end

function t:product(product)
  if type(product) ~= "table" then fail(2, 't:product wants a table, like { sku = "TEA", price = "6.00" }') end
  local made = copy(product)
  if type(made.price) == "string" then made.price = money.parse(made.price) end
  if type(made.compare_at) == "string" then made.compare_at = money.parse(made.compare_at) end
  made.title = made.title or made.sku
  made.stock = made.stock or 100
  must(self, "POST", "/v1/products/import", { products = { made } })
  return made.sku
end

function t:customer(customer)
  if type(customer) ~= "table" or type(customer.id) ~= "string" then
    fail(2, 't:customer wants a table with an id, like { id = "ann" }')
  end
  local facts = copy(customer)
  facts.id = nil
  must(self, "PUT", "/v1/customers/" .. tostring(customer.id), facts)
  return customer.id
end

function t:facts(customer)
  local answer = must(self, "GET", "/v1/customers/" .. tostring(customer) .. "/facts")
  return answer.facts
end

function t:stock(sku)
  local product = must(self, "GET", "/v1/products/" .. sku)
  local sum = 0
  for _, place in pairs(product.stock) do sum = sum + place.available end
  return sum
end

function t:quote(cart)
  local answer = must(self, "POST", "/v1/quotes?explain=full", copy(cart, true))
  return answer
end

local asked = { "lines", "codes", "customer", "channel", "payment_method", "store", "shipping", "inputs", "campaigns" }

function t:order(order)
  local body = copy(order, true)
  if not body.expected_total and not body.quote_token then
    local cart = {}
    for _, name in ipairs(asked) do cart[name] = body[name] end
    body.expected_total = must(self, "POST", "/v1/quotes", cart).total
  end
  local answer = must(self, "POST", "/v1/orders", body)
  return answer
end

local function of_order(order, what)
  return "/v1/orders/" .. (type(order) == "table" and order.id or tostring(order)) .. what
end

function t:pay(order, payment)
  local body = copy(payment or {})
  body.provider = body.provider or "test"
  local answer = must(self, "POST", of_order(order, "/payments"), body)
  return answer
end

function t:cancel(order, reason)
  local answer = must(self, "POST", of_order(order, "/cancel"), { reason = reason })
  return answer
end

function t:refund(order, refund)
  local answer = must(self, "POST", of_order(order, "/refunds"), refund or {})
  return answer
end

function t:fulfil(order, sent)
  local answer = must(self, "POST", of_order(order, "/fulfilments"), sent or {})
  return answer
end

function t:complete(order)
  local answer = must(self, "POST", of_order(order, "/complete"), {})
  return answer
end

function t:look(order)
  local answer = must(self, "GET", of_order(order, ""))
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

-- Who asks -----------------------------------------------------------------------------------------------------------------------

local function with_key(key)
  return setmetatable({ key = key }, { __index = t })
end

-- Whoever `self` is: only the operator makes keys.
function t:as(customer)
  local status, made = ask(t, "POST", "/v1/customers/" .. tostring(customer) .. "/tokens", {})
  if status == 404 then
    fail(2, ('there is no customer "%s" in this test; make one first: t:customer { id = "%s" }'):format(customer, customer), made)
  end
  if status >= 300 then fail(2, made.detail, made) end
  return with_key(made.token)
end

function t:guest()
  local made = must(t, "POST", "/v1/keys", { kind = "pk", label = "specs" })
  return with_key(made.key)
end

-- Plugins ------------------------------------------------------------------------------------------------------------------------

local function made_up(shop, what)
  if not bridge.plugin then
    fail(3, what .. " is for the specs of a plugin; this shop is what its folder says")
  end
  local made = copy(shop)
  if made.settings then
    made.plugins = copy(made.plugins or {})
    made.plugins[bridge.plugin] = made.settings
    made.settings = nil
  end
  return made
end

function t:shop(shop)
  bridge.stage(made_up(shop, "t:shop()"))
end

function t:publish(shop)
  local made = made_up(shop, "t:publish()")
  bridge.now() -- what was said before is live first
  bridge.stage(made, true)
  local answer = must(self, "POST", "/v1/generations", {})
  return answer
end

function t:call(name, args)
  if bridge.plugin and not name:find(".", 1, true) then name = bridge.plugin .. "." .. name end
  local fine, value = bridge.call(name, args)
  if fine then return value end
  local field = value.field and " (" .. value.field .. ")" or ""
  value.type = "/problems/" .. value.reason
  fail(2, ("%s failed: %s%s"):format(name, value.detail, field), value)
end

-- Callbacks --------------------------------------------------------------------------------------------------------------------------

function t:encode(value) return bridge.encode(value) end

function t:decode(text) return bridge.decode(text) end

function t:callback(path, body, headers)
  if type(body) ~= "string" then fail(2, "t:callback() takes the body as the text that comes over the wire") end
  local status, answer = bridge.raw("POST", path, body, headers)
  return status, answer
end

---What answers in the place of the outside, until the test ends: feira.http of the plugins asks it.
function t:outside(fn)
  if fn ~= nil and type(fn) ~= "function" then fail(2, "t:outside() takes a function that gets the request") end
  bridge.outside(fn)
end

---What procedures have said to those who listen, since this was asked last.
function t:streamed()
  return bridge.streamed()
end

-- Time ---------------------------------------------------------------------------------------------------------------------------

function t:now()
  return bridge.now()
end

function t:advance(span)
  bridge.advance(type(span) == "string" and time.duration(span) or span)
end

function t:at(text)
  local now, ms = bridge.now(), time.resolve(text)
  if ms < now then fail(2, ("%s is past; it is %s, and time does not go back"):format(text, time.format(now))) end
  bridge.advance(ms - now)
end

return t
