-- Friends who buy together: one opens a group, others take its link, some pay late or think better of it.
local function order(me, world, name, group)
  local with = group.join and ('"join":"%s"'):format(group.link) or '"open":"trio"'
  local ask = {
    what = "place", method = "POST", path = "/v1/orders", bearer = world.sk, customer = name, group = group,
    lines = { { sku = "S-G", qty = 1 } }, expected_total = world.model.trio.price,
  }
  ask.body = ('{"lines":[{"sku":"S-G","qty":1}],"expected_total":%d,"customer":"%s","inputs":{"group-buy":{%s}}}')
    :format(ask.expected_total, name, with)
  local status, answer = me:ask(ask)
  return status == 201 and answer.id or nil
end

local function share_link(me, world, id)
  local status, group = me:ask {
    what = "group", order = id, method = "GET", path = "/v1/x/group-buy/orders/" .. id, bearer = world.sk,
  }
  local seat = world.model.state.seats[id]
  if status == 200 and group.mine and seat then world.links[#world.links + 1] = { join = seat.group, link = group.mine.link } end
end

-- Mostly the link that was shared last; now and then an old one, or a group of one's own.
local function some_group(world)
  local links, mood = #world.links, sim.roll(8)
  if links == 0 or mood == 1 then return { open = "trio" } end
  local link = world.links[mood == 2 and sim.roll(links) or links]
  return world.model.state.groups[link.join].state ~= "open" and mood > 3 and { open = "trio" } or link
end

return function(world)
  world.links = {}
  world.model.rules.group = {
    reads = true,
    refusal = function(state, ask) if not state.seats[ask.order] then return "not_found" end end,
    apply = function() end,
  }
  for n = 1, 8 do
    local name = "g" .. n
    world:spawn("friend" .. n, function(me)
      for _ = 1, world.settings.steps do
        local group = some_group(world)
        local id = order(me, world, name, group)
        local mood = sim.roll(8)
        if id then world.orders[#world.orders + 1] = id end
        if id and mood == 1 then me:sleep(50000 + sim.roll(20000)) end -- as the seat lapses, or the group's time is over
        if id and mood ~= 2 then world.pay(me, world, id) end
        if id and group.open and world.model.state.seats[id] then share_link(me, world, id) end
        if mood == 3 then me:sleep(sim.roll(70000)) end
        me:sleep(sim.roll(400))
      end
    end)
  end
end
