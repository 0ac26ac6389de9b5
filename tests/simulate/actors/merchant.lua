-- The merchant changes the rules while people are buying.
return function(world)
  local model = world.model
  local me = world:spawn("merchant", function(me)
    for _ = 1, world.settings.steps do
      me:sleep(sim.roll(sim.roll(3) == 1 and 100 or 2500))
      local next = world.new_rulebook()
      world.write_rulebook(next)
      model.rulebooks[next] = true -- from here on it may be live: a restart would make it so
      model:look_at_all()
      me:ask { what = "publish", method = "POST", path = "/v1/generations", operator = true, body = "{}" }
      model.rulebooks = { [next] = true }
      model:look_at_all()
    end
  end)
  me.is_background = true
end
