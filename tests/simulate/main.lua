-- One seed: a shop is opened, actors do what they do while rules change and the machine dies, and at the end the data are what the model
-- has. Prints the seed, its hash and what happened.
package.path = sim.folder .. "/?.lua"
local client = require "client"
local model_of = require "model"

local world = { lost_answers = 25, actors = {}, hash = 5381 }
local PRICES = { ["S-1"] = 137, ["S-2"] = 251, ["S-3"] = 999, ["S-4"] = 5, ["S-G"] = 100 }
local SKUS = { "S-1", "S-2", "S-3", "S-4" } -- S-G is bought in groups only

local settings = { steps = 14, actors = 1 }
for name, value in sim.setting:gmatch "(%w+)=(%d+)" do settings[name] = tonumber(value) end
world.settings = settings

-- Not all seeds are alike: a shop with much or little on its shelves, who falls often or never, slow payers.
world.shelf = ({ 6, 20, 60 })[sim.roll(3)]
world.falls = settings.falls or sim.roll(4) - 1
world.pay_within_ms = ({ 60000, 30 * 60000 })[sim.roll(2)]

local model = model_of.new(PRICES, world.pay_within_ms)
model.quote_ttl_ms = 60000
world.model, world.skus, world.customers = model, SKUS, { "ann", "bob", "cem" }
for n = 1, 8 do world.customers[3 + n] = "g" .. n end
for n = 12, (settings.buyers or 0) // 8 do world.customers[n] = "c" .. n end
model.trio = {
  price = 50, units = ({ 10, 40 })[sim.roll(2)], on_late = ({ "refund", "new_group" })[sim.roll(2)],
  open_for_ms = ({ 60000, 600000 })[sim.roll(2)],
}
model.state.units.left = model.trio.units
require "rules"(model)
require "group_rules"(model)
require "pay_rules"(model)
require "cart_rules"(model)

function world:remember(name, ask, status, body)
  local text = ("%s %s %d %s\n"):format(name, ask.key, status, body)
  for i = 1, #text do self.hash = (self.hash * 33 + text:byte(i)) & 0xffffffffffff end
end

function world.hear_writer()
  for kind, name, key, status, body, at in sim.note do
    model:carried { kind = kind, name = name, key = key, status = status, body = body, at = at, due = tonumber(body) }
  end
end

-- --- rules ------------------------------------------------------------------------------------------------------------

local function money(minor) return ("%d.%02d"):format(minor // 100, minor % 100) end

---Writes the shop's folder; it is not published by that.
function world.write_rulebook(r)
  sim.write_file("campaigns/one.lua", ([[
local promo = require "feira.promo"
return promo.campaign { id = "one", scope = promo.sku "%s", give = promo.percent_off { percent = %d } }
]]):format(r.sku, r.percent))
  sim.write_file("campaigns/trio.lua", ([[
local promo = require "feira.promo"
return promo.use "group-buy" {
  id = "trio", sku = "S-G", size = 3, percent = 50, open_for = "%ds", seat_for = "1m", limits = { units = %d }, on_late_payment = "%s",
}
]]):format(model.trio.open_for_ms // 1000, model.trio.units, model.trio.on_late))
  sim.write_file("campaigns/all.lua", ([[
local promo = require "feira.promo"
return promo.campaign { id = "all", when = promo.subtotal { at_least = "%s" }, give = promo.amount_off { amount = "%s" } }
]]):format(money(r.over), money(r.off)))
end

function world.new_rulebook()
  world.rulebook_count = (world.rulebook_count or 0) + 1
  return {
    number = world.rulebook_count, sku = SKUS[sim.roll(#SKUS)], percent = sim.roll(60), over = 200 + sim.roll(3000), off = sim.roll(150),
  }
end

-- --- actors -----------------------------------------------------------------------------------------------------------

function world:spawn(name, step)
  local me = client.new(self, name)
  me.got = ""
  me.routine = coroutine.create(function() return step(me, self) end)
  me.until_ms = sim.mono()
  self.actors[#self.actors + 1] = me
  return me
end

local function resume(me)
  me.conn_waited = nil
  local ok, why = coroutine.resume(me.routine)
  if not ok then error(why, 0) end
end

local function step_actors(self)
  local now, next_ms, moved = sim.mono(), nil, false
  local alive = {}
  for _, me in ipairs(self.actors) do
    if me.conn_waited then
      -- A look at the bytes without taking them would do; taking them is as good.
      local bytes, open = sim.receive(me.conn_waited)
      me.got = me.got .. bytes
      if #bytes > 0 or not open then
        if not open and #bytes == 0 then me.conn = nil end
        resume(me)
        moved = true
      elseif now >= me.until_ms then
        resume(me)
        moved = true
      end
    elseif now >= me.until_ms then
      resume(me)
      moved = true
    end
    if coroutine.status(me.routine) ~= "dead" then
      alive[#alive + 1] = me
      if not next_ms or me.until_ms < next_ms then next_ms = me.until_ms end
    end
  end
  self.actors = alive
  return next_ms, moved
end

-- --- the machine ------------------------------------------------------------------------------------------------------

local function seen()
  local out = {}
  local function say(...) out[#out + 1] = string.format(...) end
  local function rows(sql)
    local found, why = sim.rows(sql)
    return found or model.diverge("the data can't be read: %s", why)
  end
  local states = { "placed", "paid", "fulfilling", "fulfilled", "completed", "cancelled", "expired" }
  for _, r in ipairs(rows "SELECT order_id, state, total, paid, refunded FROM orders ORDER BY order_id") do
    say("order %s %s total %d paid %d refunded %d", r[1], states[r[2]], r[3], r[4], r[5])
  end
  local balance = "SELECT credits_posted - debits_posted, debits_pending FROM ledger_accounts WHERE name = '%s'"
  local function account(name)
    local r = rows(balance:format(name))[1] or { 0, 0 }
    return r[1], r[2]
  end
  for _, sku in ipairs(model.sorted(PRICES)) do say("stock %s on hand %d held %d", sku, account("stock/" .. sku .. "/main")) end
  say("stock sold %d", (account "stock-sold"))
  say("stock came %d", -(account "stock-outside"))
  local sales, going_back = account "sales" -- what a provider has yet to give back is held
  say("sales %d", sales - going_back)
  for _, r in ipairs(rows "SELECT customer, orders FROM customers ORDER BY customer") do
    say("customer %s orders %d", r[1], r[2])
  end
  for _, more in ipairs(model.more_seen) do more(rows, say) end
  return out
end

-- Until the server answers; a start that the power cut through is tried again.
function world:start()
  while true do
    sim.start(1 + sim.roll(3))
    local ready, ended, cut, why = sim.state()
    while not ready and not ended do
      sim.wait(sim.mono() + 60000)
      ready, ended, cut, why = sim.state()
    end
    self.hear_writer()
    if ready and not cut then return end
    if not cut and not model.trouble then model.diverge("the shop does not open: %s", why) end
    self:down(cut and "while it opened" or "did not open for a fault")
  end
end

---The machine is off, by a cut or because it was told to stop; the data are looked at.
function world:down(how)
  local _, _, cut = sim.state()
  if cut then sim.power_off() end
  sim.join()
  sim.power_on()
  self.hear_writer()
  local wrong = sim.books()
  if wrong then model.diverge("%s: %s", how, wrong) end
  model:compare(seen(), how)
  model:count(how)
end

-- Does what actors wait for until `over` says so; gets up again whenever the machine fell.
local function live(over)
  repeat
    world.hear_writer()
    if world.gateway then world.gateway:look() end
    local next_ms, moved = step_actors(world)
    local _, ended, cut = sim.state()
    if cut or ended then
      world:down(cut and "after a power cut" or "after a stop")
      if sim.roll(3) == 1 then sim.jump(sim.roll(40) * 60000) end -- it is down for a while
      model.look_at_all(model)
      world:start()
    elseif not moved then
      sim.wait(next_ms or sim.mono() + 1000)
    end
  until over()
end

-- --- one life -----------------------------------------------------------------------------------------------------------

local function open_shop()
  local first = world.new_rulebook()
  sim.write_file("shop.lua", ([[
return { name = "S", currency = "EUR", zone = "UTC", test_payments = true, pay_within = "%ds", quote_ttl = "60s", complete_after = "1h",
  plugins = { ["group-buy"] = {}, ["test-payments"] = { key = "GATEWAY_KEY" } } }
]]):format(world.pay_within_ms // 1000))
  world.write_rulebook(first)
  model.rulebooks = { [first] = true }
  world:start()
  world:spawn("opening", function(me)
    for _, kind in ipairs { "pk", "sk" } do
      local _, key = me:ask {
        what = "setup", method = "POST", path = "/v1/keys", operator = true,
        body = ('{"kind":"%s","label":"of the simulation"}'):format(kind),
      }
      world[kind] = key.key
    end
    for _, name in ipairs(world.customers) do
      me:ask { what = "setup", method = "PUT", path = "/v1/customers/" .. name, operator = true, body = "{}" }
      model.state.customers[name] = { orders = 0, version = 1 }
    end
    for _, sku in ipairs(model.sorted(PRICES)) do
      me:ask {
        what = "setup", method = "PUT", path = "/v1/products/" .. sku, operator = true,
        body = ('{"title":"Thing %s","price":%d}'):format(sku, PRICES[sku]),
      }
      me:ask {
        what = "stock", sku = sku, delta = world.shelf, method = "POST", path = "/v1/stock", operator = true,
        body = ('{"sku":"%s","delta":%d,"reason":"first"}'):format(sku, world.shelf),
      }
    end
  end)
  live(function() return #world.actors == 0 end)
end

model.rules.setup = { reads = true, refusal = function() end, apply = function() end }
open_shop()
for _, name in ipairs { "buyers", "friends", "payers", "carts", "clerk", "merchant", "reaper", "twins", "gremlin" } do
  require("actors." .. name)(world)
end
live(function()
  for _, me in ipairs(world.actors) do
    if not me.is_background then return false end
  end
  return true
end)
world.actors = {}
for _, kind in ipairs { "full", "write", "sync" } do sim.fail(kind, 1, 0) end

-- Everything that is still to come by itself comes.
world.gateway.honest = true
sim.jump(3 * world.pay_within_ms + 3600000)
for _ = 1, 12 do
  world:spawn("waiting", function(me) me:sleep(3000) end)
  live(function() return #world.actors == 0 end)
  sim.jump(7 * 3600000) -- what is tried again later and later
end
for _, id in ipairs(model.sorted(model.state.orders)) do
  local order = model.state.orders[id]
  if order.state == "placed" or order.state == "fulfilled" then
    model.diverge("order %s is still %s although the time for that is over", id, order.state)
  end
end
sim.stop()
local _, ended = sim.state()
while not ended do
  sim.wait(sim.mono() + 1000)
  _, ended = sim.state()
end
world:down "at the end"
local purse = sim.rows "SELECT debits_posted - credits_posted FROM ledger_accounts WHERE name = 'payments/test-payments'"
local has, net = purse[1] and purse[1][1] or 0, world.gateway:net()
if has ~= net then model.diverge("the provider has %d of the shop's, the books say %d", net, has) end

for _, group in pairs(model.state.groups) do model:count("group " .. group.state) end
local schedule, turns = sim.hash()
local what = {}
for _, name in ipairs(model.sorted(model.counts)) do what[#what + 1] = name .. " " .. model.counts[name] end
print(("seed %d hash %012x-%s turns %d: %s"):format(sim.seed, world.hash, schedule, turns, table.concat(what, ", ")))
