-- Those who leave things in a cart and complete it later, in two tabs at once.
local function complete(me, world, cart)
  local ask = {
    what = "complete_cart", cart = cart.id, lines = cart.lines, customer = cart.customer, bearer = world.sk,
    quote = cart.quote, quoted_at = cart.at, quoted_until = cart.until_ms,
    method = "POST", path = "/v1/checkouts/" .. cart.id .. "/complete", body = ('{"quote_token":"%s"}'):format(cart.quote.token),
  }
  local status, answer = me:ask(ask)
  if status == 201 then world.orders[#world.orders + 1] = answer.id end
end

local function open(me, world)
  local lines, customer = { { sku = world.skus[sim.roll(#world.skus)], qty = sim.roll(3) } }, world.customers[sim.roll(3)]
  local ask = {
    what = "open_cart", lines = lines, customer = customer, method = "POST", path = "/v1/checkouts", bearer = world.sk,
    body = ('{"lines":[{"sku":"%s","qty":%d}],"customer":"%s"}'):format(lines[1].sku, lines[1].qty, customer),
  }
  local at = sim.now()
  local status, answer = me:ask(ask)
  if status ~= 201 or not ask.quote then return end
  return {
    id = answer.id, lines = lines, customer = customer, quote = ask.quote, at = at, until_ms = sim.now() + world.model.quote_ttl_ms,
  }
end

return function(world)
  local last
  world:spawn("cart", function(me)
    for _ = 1, world.settings.steps do
      last = open(me, world) or last
      me:sleep(sim.roll(sim.roll(6) == 1 and 70000 or 300))
      if last then complete(me, world, last) end
    end
  end)
  world:spawn("tab", function(me)
    for _ = 1, 2 * world.settings.steps do
      me:sleep(sim.roll(300))
      if last then complete(me, world, last) end
    end
  end)
end
