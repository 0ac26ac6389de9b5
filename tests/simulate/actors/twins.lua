-- Two who do the same at once: the same request under the same key, and two payments of one order under two keys.
return function(world)
  for n = 1, 2 do
    world:spawn("twin" .. n, function(me)
      for _ = 1, world.settings.steps // 2 do
        local count = #world.orders
        if count > 0 then world.pay(me, world, world.orders[count]) end
        me:sleep(sim.roll(150))
      end
    end)
  end
end
