-- feira.provider_events: what providers told of their own accord, and what it came to. An event is known by its id: told again, it is
-- answered as before and does nothing. One about a payment that the shop does not know yet is looked at again when it is told again.
local json = require "feira.json"
local sql = require "feira.sql"

local provider_events = {}

local find = sql.statement "SELECT outcome FROM provider_events WHERE provider = ?1 AND event_id = ?2"
local keep = sql.statement [[
  INSERT INTO provider_events (provider, event_id, kind, number, outcome, event, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
  ON CONFLICT (provider, event_id) DO UPDATE SET outcome = excluded.outcome, event = excluded.event, at = excluded.at
  WHERE provider_events.outcome = 'unknown']]

local mismatched = sql.statement [[
  SELECT event FROM provider_events WHERE outcome = 'mismatched' AND provider = ?1 AND number = ?2 ORDER BY id]]

local TEXT_MAX, EVENT_MAX = 200, 8192
local kinds = { payment = true, refund = true, other = true }

local function text(value, what, required)
  if value == nil or value == json.null then
    if required then error(("the event that notify gave has no %s"):format(what)) end
    return nil
  end
  if type(value) ~= "string" or #value == 0 or #value > TEXT_MAX then
    error(("%s of the event that notify gave is to be a text of 1 to %d bytes"):format(what, TEXT_MAX))
  end
  return value
end

---Fails, as a fault of the plugin, unless the event has the form that notify() is to give.
function provider_events.check(event)
  text(event.id, "id", true)
  if not kinds[event.kind] then error 'kind of the event that notify gave is to be "payment", "refund" or "other"' end
  if event.kind == "other" then return end
  text(event.number, "number", true)
  text(event.state, "state", true)
  text(event.merchant, "merchant")
  text(event.app, "app")
  if event.kind == "refund" or event.state ~= "paid" then return end
  text(event.transaction, "transaction", true)
  text(event.currency, "currency", true)
  if math.type(event.amount) ~= "integer" or event.amount <= 0 then
    error "amount of the event that notify gave is to be a whole number of minor units above zero"
  end
end

---What it came to before: { outcome }, or nil.
function provider_events.find(provider, event_id) return find:row(provider, event_id) end

---What was told of a payment and did not fit it.
---@return table[] events
function provider_events.mismatched(provider, number)
  local out = {}
  for i, row in ipairs(mismatched:rows(provider, number)) do out[i] = json.decode(row.event) end
  return out
end

---Keeps what it came to.
function provider_events.keep(provider, event, outcome, now)
  local told = json.encode(event)
  if #told > EVENT_MAX then error(("the event that notify gave has %d bytes; at most %d are kept"):format(#told, EVENT_MAX)) end
  if keep:run(provider, event.id, event.kind, event.kind ~= "other" and event.number or nil, outcome, told, now) ~= 1 then
    error("the event " .. event.id .. " was kept before")
  end
end

return provider_events
