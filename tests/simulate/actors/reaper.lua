-- The reaper cuts the power at some change of the disk, stops the server kindly, or sets its clock.
return function(world)
  local me = world:spawn("reaper", function(me)
    for _ = 1, world.settings.steps do
      me:sleep(sim.roll(3000))
      local mood = sim.roll(8)
      if mood <= world.falls then
        sim.cut_at(sim.roll(120))
      elseif mood == 7 and world.falls > 0 then
        sim.stop()
      elseif mood == 8 then
        sim.jump(sim.roll(world.pay_within_ms) - world.pay_within_ms // 4)
        world.model:look_at_all()
      end
    end
  end)
  me.is_background = true
end
