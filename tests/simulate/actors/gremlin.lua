-- The gremlin makes the disk full, or lets it fail, for a while: what can't be kept is refused, and nothing that was promised is lost.
local KINDS = { "full", "write", "sync" }

return function(world)
  if sim.roll(3) > 1 then return end
  world.model.trouble = true
  local me = world:spawn("gremlin", function(me)
    while true do
      me:sleep(sim.roll(4000))
      sim.fail(KINDS[sim.roll(#KINDS)], sim.roll(60), sim.roll(6))
    end
  end)
  me.is_background = true
end
