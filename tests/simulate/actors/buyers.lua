-- Buyers: some look at a quote first, most pay, some too late or the wrong amount, some change their mind.
local function some_lines(world)
  local lines, seen = {}, {}
  for _ = 1, sim.roll(3) do
    local sku = world.skus[sim.roll(#world.skus)]
    if not seen[sku] or sim.roll(4) == 1 then lines[#lines + 1] = { sku = sku, qty = sim.roll(4) } end
    seen[sku] = true
  end
  return lines
end

local function json_lines(lines)
  local out = {}
  for i, line in ipairs(lines) do out[i] = ('{"sku":"%s","qty":%d}'):format(line.sku, line.qty) end
  return "[" .. table.concat(out, ",") .. "]"
end

local function quote(me, world, lines, customer, bearer)
  local ask = {
    what = "quote", method = "POST", path = "/v1/quotes", bearer = bearer, lines = lines, customer = customer,
    body = ('{"lines":%s%s}'):format(json_lines(lines), customer and (',"customer":"%s"'):format(customer) or ""),
  }
  local at = sim.now()
  me:ask(ask)
  return ask.quote, at, sim.now() + world.model.quote_ttl_ms
end

-- What the shopper believes it costs: by rules that he saw a while ago, perhaps.
local function believed_total(world, lines)
  local rulebook
  for r in pairs(world.model.rulebooks) do rulebook = rulebook and rulebook.number < r.number and rulebook or r end
  return (world.model.price(lines, rulebook, world.model.prices))
end

local function place(me, world)
  local lines, customer = some_lines(world), sim.roll(3) > 1 and world.customers[sim.roll(#world.customers)] or nil
  local is_guest = not customer and sim.roll(2) == 1
  local ask = {
    what = "place", method = "POST", path = "/v1/orders", bearer = is_guest and world.pk or world.sk, lines = lines, customer = customer,
  }
  if sim.roll(2) == 1 then
    local shown, at, until_ms = quote(me, world, lines, customer, ask.bearer)
    if sim.roll(3) == 1 then me:sleep(sim.roll(70000)) end
    ask.quote, ask.quoted_at, ask.quoted_until = shown, at, until_ms
    ask.body = ('{"quote_token":"%s"}'):format(shown.token)
  else
    ask.expected_total = believed_total(world, lines)
    ask.body = ('{"lines":%s,"expected_total":%d%s}'):format(json_lines(lines), ask.expected_total,
      customer and (',"customer":"%s"'):format(customer) or "")
  end
  local total = ask.quote and ask.quote.total or ask.expected_total
  if total > 1 and not is_guest and sim.roll(4) == 1 then -- a deposit now, the rest later
    local deposit = sim.roll(total - 1)
    ask.dues = {
      { amount = deposit, within_ms = world.pay_within_ms }, { amount = total - deposit, within_ms = 3 * world.pay_within_ms },
    }
    local due = '{"label":"%s","amount":%d,"within":"%ds"}'
    ask.body = ('%s,"dues":[%s,%s]}'):format(ask.body:sub(1, -2), due:format("deposit", deposit, world.pay_within_ms // 1000),
      due:format("rest", total - deposit, 3 * world.pay_within_ms // 1000))
  end
  local status, answer = me:ask(ask)
  if status ~= 201 then return end
  world.orders[#world.orders + 1] = answer.id
  return answer.id, answer.total
end

local function pay(me, world, id, amount)
  me:ask {
    what = "pay", order = id, amount = amount, method = "POST", path = "/v1/orders/" .. id .. "/payments", bearer = world.sk,
    body = '{"provider":"test"' .. (amount and (',"amount":%d'):format(amount) or "") .. "}",
  }
end

local function cancel(me, world, id)
  me:ask {
    what = "cancel", order = id, trusted = true, method = "POST", path = "/v1/orders/" .. id .. "/cancel", bearer = world.sk, body = "{}",
  }
end

local function look(me, world, id)
  me:ask { what = "look", order = id, method = "GET", path = "/v1/orders/" .. id, bearer = world.sk }
end

return function(world)
  world.orders = world.orders or {}
  world.place, world.pay = place, pay
  for n = 1, world.settings.buyers or 6 + sim.roll(6) do
    world:spawn("buyer" .. n, function(me)
      for _ = 1, world.settings.steps do
        local id, total = place(me, world)
        local mood = sim.roll(12)
        if id and mood <= 6 then
          pay(me, world, id)
          if sim.roll(3) > 1 and world.model.state.orders[id].state == "placed" then pay(me, world, id) end
        elseif id and mood == 7 then
          me:sleep(world.pay_within_ms - 200 + sim.roll(400)) -- as the time to pay runs out
          pay(me, world, id)
        elseif id and mood == 8 then
          cancel(me, world, id)
        elseif id and mood == 9 then
          pay(me, world, id, sim.roll(total + 1)) -- a part of it, or more than is due
          pay(me, world, id)
        elseif id and mood == 10 then
          look(me, world, id)
        end
        me:sleep(sim.roll(400))
      end
    end)
  end
end
