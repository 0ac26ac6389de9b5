-- What happens to points when orders, refunds and time happen.
local earning = require "earning"
local granting = require "granting"
local plugin = require "feira.plugin"
local purse = require "purse"
local spending = require "spending"

local events = {}

events.paid, events.completed, events.refunded = earning.paid, earning.completed, earning.refunded

function events.granted(event)
  if event.to == plugin.name then granting.give(event) end
end

function events.taken_back(event)
  if event.to == plugin.name then granting.take_back(event) end
end

function events.returned(event)
  if event.provider == plugin.name then spending.give_back(event) end
end

---Timer, by customer.
function events.expire(args) purse.expire(args.key) end

return events
