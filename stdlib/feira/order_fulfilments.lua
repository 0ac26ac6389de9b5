-- feira.order_fulfilments: what is sent or handed over, in one piece or in several, and the end of an order. A unit of a line is sent once,
-- or refunded before that; when no unit is left that is neither, the order is fulfilled, whichever came last. It is completed when its
-- customer or the shop says so, or by itself some time later (shop.lua: complete_after).
local blocks = require "feira.order_blocks"
local caller = require "feira.caller"
local campaign_grants = require "feira.campaign_grants"
local check = require "feira.check"
local events = require "feira.order_events"
local fail = require "feira.fail"
local ids = require "feira.ids"
local json = require "feira.json"
local pieces = require "feira.order_pieces"
local rows = require "feira.order_rows"
local shop = require "feira.shop"
local sql = require "feira.sql"
local states = require "feira.order_states"
local time = require "feira.time"
local timers = require "feira.timers"

local fulfilments = {}

-- An event has at most 16 KiB, whatever the SKUs are: of more lines than these it says nothing, and who wants to know reads the order.
local LINES_TOLD_MAX = 50

local next_number = sql.statement "SELECT coalesce(max(n), 0) + 1 FROM fulfilments WHERE order_id = ?1"
local insert = sql.statement [[
  INSERT INTO fulfilments (order_id, n, fulfilment_id, lines, carrier, tracking, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)]]
local count_line = sql.statement [[
  INSERT INTO order_line_fulfilments (order_id, line, qty) VALUES (?1, ?2, ?3)
  ON CONFLICT (order_id, line) DO UPDATE SET qty = qty + excluded.qty]]

-- Units that are still to be sent, by line, and their sum.
local function open_units(order, lines)
  local sent, returned, open, sum = rows.sent(order), rows.returned(order), {}, 0
  for number, line in ipairs(lines) do
    local back = returned[number]
    open[number] = line.qty - (sent[number] or 0) - (back and back.qty - back.sent_qty or 0)
    sum = sum + open[number]
  end
  return open, sum
end

-- --- what is sent ------------------------------------------------------------------------------------------------------

-- What is asked for, as { { line, qty, location?, field } ... }; without lines all that is left.
local function wanted(list, lines, open)
  local items = {}
  if not list then
    for number in ipairs(lines) do
      if open[number] > 0 then items[#items + 1] = { number, open[number] } end
    end
    return items
  end
  local left = {}
  for i, item in ipairs(list) do
    local at = "/lines/" .. i - 1
    local number = check.required(check.int(item.line, at .. "/line", 1, #lines), at .. "/line")
    local qty = check.required(check.int(item.qty, at .. "/qty", 1, lines[number].qty), at .. "/qty")
    left[number] = left[number] or open[number]
    if qty > left[number] then
      fail.conflict("nothing_to_send", ("Line %d has %d left to send, not %d."):format(number, left[number], qty), at .. "/qty")
    end
    left[number] = left[number] - qty
    local location = item.location ~= nil and item.location ~= json.null and check.location(item.location, at .. "/location") or nil
    items[i] = { number, qty, location, at }
  end
  return items
end

-- Takes the pieces from their places; gives the parts of the document.
local function send(order, lines, items)
  local places, parts = pieces.load(order), {}
  for i, item in ipairs(items) do
    local number, qty, location, at = item[1], item[2], item[3], item[4]
    local sku = lines[number].sku
    local from, found = pieces.send(places, sku, qty, location)
    if location and found < qty then
      local detail = ("Of %q this order has %d at %q that are not sent, not %d."):format(sku, found, location, qty)
      fail.conflict("not_there", detail, at .. "/location")
    end
    if found < qty and pieces.knows(places, sku) then error(("of order %s too little of %q was held"):format(order.order_id, sku)) end
    for k, part in ipairs(from) do from[k] = json.object("location", part[1], "qty", part[2]) end
    parts[i] = json.object("line", number, "sku", sku, "qty", qty, "from", found > 0 and json.array(from) or nil)
    count_line:run(order.id, number, qty)
  end
  pieces.save(order, places)
  return parts
end

local function lines_told(items, lines)
  if #items > LINES_TOLD_MAX then return nil end
  local out = {}
  for i, item in ipairs(items) do out[i] = { line = item[1], sku = lines[item[1]].sku, qty = item[2] } end
  return out
end

-- Nothing is left to send.
local function finish(order, now)
  states.move(order, "fulfilled", now, "It can't be fulfilled.")
  blocks.finish(order, now)
  local after = shop.complete_after()
  if after then timers.set("orders.complete_by_itself", order.order_id, now + after) end
  events.emit("order.fulfilled", order, now)
end

---Sends units of an order; without lines, all that is left.
---@param args { principal: table, params: { id: string }, body: { lines: table?, carrier: string?, tracking: string? }? }
function fulfilments.fulfil(args)
  local order = rows.visible(args)
  caller.require_trusted(args)
  local body, now = args.body or {}, time.now()
  local list = body.lines ~= json.null and body.lines or nil
  local carrier, tracking = check.text(body.carrier, "/carrier", 100), check.text(body.tracking, "/tracking", 200)
  if order.state ~= "paid" and order.state ~= "fulfilling" then states.refuse(order.state, "Nothing of it can be sent.") end
  blocks.require_none(order)
  if list and #list == 0 then fail.invalid("/lines", "Name a line, or leave lines out to send all that is left.") end
  local lines = json.decode(order.lines)
  local open, left = open_units(order, lines)
  if left == 0 then fail.conflict("nothing_to_send", "Nothing is left to send of this order: all of it was refunded.") end
  local items = wanted(list, lines, open)
  for _, item in ipairs(items) do left = left - item[2] end
  local parts, id = send(order, lines, items), ids.new "ful"
  insert:run(order.id, next_number:values(order.id), id, json.encode(json.array(parts)), carrier, tracking, now)
  if order.state == "paid" then states.move(order, "fulfilling", now, "Nothing of it can be sent.") end
  events.emit("order.fulfilling", order, now, { fulfilment = id, lines = lines_told(items, lines), carrier = carrier, tracking = tracking })
  fulfilments.settle(rows.find(order.order_id), now) -- who heard it may have refunded the rest
  return { status = 201, body = rows.document(rows.find(order.order_id)) }
end

---After units were sent or refunded: an order of which something was sent is fulfilled when nothing is left to send.
function fulfilments.settle(order, now)
  if order.state ~= "fulfilling" then return end
  local _, left = open_units(order, json.decode(order.lines))
  if left == 0 then finish(order, now) end
end

-- --- the end ------------------------------------------------------------------------------------------------------------

local function complete(order, now, by)
  states.move(order, "completed", now, "It can be completed once all of it is sent.")
  campaign_grants.give(order, "completed", now)
  events.emit("order.completed", order, now, { by = by })
end

---Its customer has got everything, or the shop says that nothing more is to come.
---@param args { principal: table, params: { id: string } }
function fulfilments.complete(args)
  local order, now = rows.visible(args), time.now()
  complete(order, now, caller.is_trusted(args) and "shop" or "customer")
  timers.cancel("orders.complete_by_itself", order.order_id)
  return { status = 200, body = rows.document(rows.find(order.order_id)) }
end

---Timer: the time for returns is over.
---@param args { key: string }
function fulfilments.complete_by_itself(args)
  local order = rows.find(args.key)
  if order and order.state == "fulfilled" then complete(order, time.now(), "time") end
  return { status = 200 }
end

return fulfilments
