local time, timers = require "feira.time", require "feira.timers"

local events = {}

function events.set(call)
  timers.set("remind", call.params.name, time.now() + call.body.within_ms)
  return { status = 201, body = { name = call.params.name } }
end

function events.remind() end

return events
