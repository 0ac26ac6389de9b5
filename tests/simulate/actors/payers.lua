-- Those who pay through a provider: by an amount of their own, too late, twice, or they close the page; and the provider tells the shop the
-- truth, something else, or nothing.
local gateway_of = require "gateway"

local function begin(me, world, id)
  local order = world.model.state.orders[id]
  local ask = {
    what = "begin", order = id, method = "POST", path = "/v1/orders/" .. id .. "/payments", bearer = world.sk,
    body = '{"provider":"test-payments"}',
  }
  if sim.roll(4) == 1 then
    ask.amount = sim.roll(order.total + 1)
    ask.body = ('{"provider":"test-payments","amount":%d}'):format(ask.amount)
  end
  local status, answer = me:ask(ask)
  return status == 201 and answer.payment.id or nil
end

local function finish(me, world, number)
  local mood = sim.roll(9)
  if mood == 1 then return end -- the page is closed
  me:sleep(mood == 2 and world.pay_within_ms or sim.roll(2000))
  local transaction, amount = world.gateway:pay(number)
  if not transaction or mood == 3 then return end -- paid, and the shop is never told
  -- Of a second payment the shop knows what it is told, so there the gateway tells the truth.
  local lies = mood == 4 and #world.gateway.payments[number].transactions == 1
  world.gateway:notify(number, transaction, lies and amount + 1 or amount)
end

return function(world)
  world.gateway = gateway_of.new(world)
  for n = 1, 3 do
    world:spawn("payer" .. n, function(me)
      for _ = 1, world.settings.steps do
        local count = #world.orders
        local id = count > 0 and world.orders[count - sim.roll(math.min(count, 6)) + 1]
        local number = id and begin(me, world, id)
        if number then
          finish(me, world, number)
          if sim.roll(5) == 1 then finish(me, world, number) end
        end
        me:sleep(sim.roll(500))
      end
    end)
  end
end
