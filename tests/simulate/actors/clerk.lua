-- The clerk sends, gives back and fills up: units and amounts, more than there is now and then, cancels of what is paid, deliveries.
local function order_ask(world, what, id, path, body)
  return { what = what, order = id, method = "POST", path = "/v1/orders/" .. id .. "/" .. path, bearer = world.sk, body = body or "{}" }
end

local function refund(me, world, id)
  local order, ask = world.model.state.orders[id], order_ask(world, "refund", id, "refunds")
  local line, mood = sim.roll(#order.lines), sim.roll(6)
  if mood <= 3 then
    ask.line, ask.units, ask.restock = line, sim.roll(order.lines[line].qty), sim.roll(4) > 1
    ask.of_sent = sim.roll(4) == 1
    ask.body = ('{"lines":[{"line":%d,"qty":%d%s}],"restock":%s}'):format(line, ask.units, ask.of_sent and ',"sent":true' or "",
      tostring(ask.restock))
  elseif mood == 4 then
    ask.line, ask.amount = line, sim.roll(order.lines[line].total + 2)
    ask.body = ('{"lines":[{"line":%d,"amount":%d}]}'):format(line, ask.amount)
  elseif mood == 5 then
    ask.amount = sim.roll(order.total + 2)
    ask.body = ('{"amount":%d}'):format(ask.amount)
  end
  me:ask(ask)
end

local function send(me, world, id)
  local order, ask = world.model.state.orders[id], order_ask(world, "send", id, "fulfilments")
  if sim.roll(2) == 1 then
    ask.line = sim.roll(#order.lines)
    ask.units = sim.roll(order.lines[ask.line].qty)
    ask.body = ('{"lines":[{"line":%d,"qty":%d}]}'):format(ask.line, ask.units)
  end
  me:ask(ask)
end

local function deliver(me, world)
  local sku, delta = world.skus[sim.roll(#world.skus)], sim.roll(12) - 4
  if delta == 0 then delta = 1 end
  me:ask {
    what = "stock", sku = sku, delta = delta, method = "POST", path = "/v1/stock", bearer = world.sk,
    body = ('{"sku":"%s","delta":%d,"reason":"counted"}'):format(sku, delta),
  }
end

return function(world)
  world:spawn("clerk", function(me)
    for _ = 1, 5 * world.settings.steps do
      local n = #world.orders
      local id = n > 0 and world.orders[n - sim.roll(math.min(n, 12)) + 1]
      local mood = sim.roll(10)
      if id and mood <= 4 then
        refund(me, world, id)
      elseif id and mood <= 6 then
        send(me, world, id)
      elseif id and mood == 7 then
        me:ask(order_ask(world, "complete", id, "complete"))
      elseif id and mood == 8 then
        me:ask(order_ask(world, "cancel", id, "cancel", '{"reason":"by the clerk"}'))
      else
        deliver(me, world)
      end
      me:sleep(sim.roll(200))
    end
  end)
end
