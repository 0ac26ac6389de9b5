-- feira.order_pieces: where the pieces of an order are. What an order took is in its `holds`, place by place; of each of these,
--   qty = waiting + sent + dropped,   sent = with the customer + returned
-- (dropped: refunded before they were sent; returned: sent, refunded, and back). So goods come back to the place they were taken from, and
-- what is sent can be said with the place it leaves. Of one SKU the first place comes first, except where a place is named.
local json = require "feira.json"
local sql = require "feira.sql"

local pieces = {}

local counted = sql.statement "SELECT n, sent, dropped, returned FROM order_pieces WHERE order_id = ?1"
local refunded_before = sql.statement "SELECT line, qty FROM order_line_refunds WHERE order_id = ?1"
local save = sql.statement [[
  INSERT INTO order_pieces (order_id, n, sent, dropped, returned) VALUES (?1, ?2, ?3, ?4, ?5)
  ON CONFLICT (order_id, n) DO UPDATE SET sent = excluded.sent, dropped = excluded.dropped, returned = excluded.returned]]

local function waiting(place) return place.qty - place.sent - place.dropped end
local function away(place) return place.sent - place.returned end

-- Takes up to qty of what `free` says from the places of a SKU, adding it to `into`; gives { { place, qty } ... } and how many it took.
local function take(list, sku, qty, location, free, into)
  local parts, left = {}, qty
  for _, place in ipairs(list.of[sku] or {}) do
    local part = (not location or place.location == location) and math.min(free(place), left) or 0
    if part > 0 then
      place[into], place.changed, left = place[into] + part, true, left - part
      parts[#parts + 1] = { place, part }
    end
  end
  return parts, qty - left
end

-- Orders that had refunds before places were counted: nothing was sent then.
local function from_refunds(order, list)
  local lines = json.decode(order.lines)
  for _, row in ipairs(refunded_before:rows(order.id)) do take(list, lines[row.line].sku, row.qty, nil, waiting, "dropped") end
end

---The places of an order, and by SKU; empty when nothing of it is counted.
---@param order { id: integer, holds: string?, lines: string }
function pieces.load(order)
  local list, rows = { of = {} }, order.holds and counted:rows(order.id) or {}
  for n, hold in ipairs(order.holds and json.decode(order.holds) or {}) do
    local place = { n = n, sku = hold[1], location = hold[2], qty = hold[3], sent = 0, dropped = 0, returned = 0, came = 0 }
    local of_sku = list.of[place.sku] or {}
    list[n], list.of[place.sku], of_sku[#of_sku + 1] = place, of_sku, place
  end
  for _, row in ipairs(rows) do
    local place = list[row.n]
    place.sent, place.dropped, place.returned = row.sent, row.dropped, row.returned
  end
  if #rows == 0 and #list > 0 then from_refunds(order, list) end
  return list
end

---Pieces that leave. Gives { { location, qty } ... }, and how many of them have a place (others are not counted by the shop).
---@param location string|nil only from there
function pieces.send(list, sku, qty, location)
  local from = {}
  local parts, found = take(list, sku, qty, location, waiting, "sent")
  for i, part in ipairs(parts) do from[i] = { part[1].location, part[2] } end
  return from, found
end

---Whether the shop counts this SKU in this order.
function pieces.knows(list, sku) return list.of[sku] ~= nil end

-- What comes back to a place in this refund is added up there: one operation of the ledger for each.
local function come(parts)
  for _, part in ipairs(parts) do part[1].came = part[1].came + part[2] end
end

---Pieces that are refunded and were not sent.
function pieces.drop(list, sku, qty) come((take(list, sku, qty, nil, waiting, "dropped"))) end

---Pieces that were sent and come back.
function pieces.take_back(list, sku, qty) come((take(list, sku, qty, nil, away, "returned"))) end

---Writes down what has changed.
function pieces.save(order, list)
  for _, place in ipairs(list) do
    if place.changed then save:run(order.id, place.n, place.sent, place.dropped, place.returned) end
  end
end

return pieces
