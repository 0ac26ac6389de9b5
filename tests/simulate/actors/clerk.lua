-- The clerk gives back and fills up: refunds by line and quantity, more than there is now and then, cancels of what is paid, deliveries.
local function refund(me, world, id)
  local order = world.model.state.orders[id]
  local ask = { what = "refund", order = id, method = "POST", path = "/v1/orders/" .. id .. "/refunds", bearer = world.sk, body = "{}" }
  if sim.roll(4) > 1 then
    local line = sim.roll(#order.lines)
    local qty = sim.roll(order.lines[line].qty)
    ask.units = { [line] = qty }
    ask.restock = sim.roll(4) > 1
    ask.body = ('{"lines":[{"line":%d,"qty":%d}],"restock":%s}'):format(line, qty, tostring(ask.restock))
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
    for _ = 1, 3 * world.settings.steps do
      local n = #world.orders
      local id = n > 0 and world.orders[n - sim.roll(math.min(n, 12)) + 1]
      local mood = sim.roll(6)
      if id and mood <= 3 then
        refund(me, world, id)
      elseif id and mood == 4 then
        me:ask {
          what = "cancel", order = id, trusted = true, method = "POST", path = "/v1/orders/" .. id .. "/cancel", bearer = world.sk,
          body = '{"reason":"by the clerk"}',
        }
      else
        deliver(me, world)
      end
      me:sleep(sim.roll(300))
    end
  end)
end
