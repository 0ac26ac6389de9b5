-- feira.order_rows: finds orders for a caller, and writes the document that answers show.
local attempts = require "feira.attempts"
local caller = require "feira.caller"
local dues = require "feira.dues"
local fail = require "feira.fail"
local json = require "feira.json"
local refund_parts = require "feira.refund_parts"
local sql = require "feira.sql"
local states = require "feira.order_states"
local time = require "feira.time"

local rows = {}

rows.COLUMNS = [[o.id, o.order_id, o.state, o.customer AS customer_row, c.customer, o.total, o.paid, o.refunded, o.shipping,
  o.shipping_refunded, o.placed_at, o.expires_at, o.updated_at, o.reference, o.close_reason, o.generation, o.holds, o.priced, o.lines,
  o.dues, o.attempts, o.limits, o.grants, o.granted, o.channel
  FROM orders o LEFT JOIN customers c ON c.id = o.customer]]

local find = sql.statement("SELECT " .. rows.COLUMNS .. " WHERE o.order_id = ?1")
local find_by_number = sql.statement("SELECT " .. rows.COLUMNS .. " WHERE o.id = ?1")
local contact_of = sql.statement "SELECT contact, address, note FROM order_contacts WHERE order_id = ?1"
local payments_of = sql.statement "SELECT payment_id, provider, amount, state, at FROM payments WHERE order_id = ?1 ORDER BY n"
local refunds_of = sql.statement "SELECT refund_id, amount, shipping, lines, reason, at FROM refunds WHERE order_id = ?1 ORDER BY n"
local blocks_of = sql.statement [[
  SELECT plugin, name, reason, since_ms FROM order_blocks WHERE order_id = ?1 AND until_ms IS NULL ORDER BY id]]
local returned_of = sql.statement
  "SELECT line, qty, amount, restocked, spread_qty, spread_amount, sent_qty FROM order_line_refunds WHERE order_id = ?1"
local sent_of = sql.statement "SELECT line, qty FROM order_line_fulfilments WHERE order_id = ?1"
local fulfilments_of = sql.statement "SELECT fulfilment_id, lines, carrier, tracking, at FROM fulfilments WHERE order_id = ?1 ORDER BY n"

local function opened(order)
  if order then order.state = states.name(order.state) end
  return order
end
rows.opened = opened

---The order, or nil. Its state is a name.
function rows.find(order_id) return opened(find:row(order_id)) end

---The order whose row has this id; it is there.
---@param id integer
function rows.by_number(id) return opened(find_by_number:row(id)) or error("there is no order number " .. tostring(id)) end

---The order that args.params.id names, if the caller may know of it; fails with 404 otherwise, whatever the reason.
function rows.visible(args)
  local id = args.params.id
  local order = rows.find(id)
  local customer = caller.customer(args)
  if not order or not (caller.is_trusted(args) or (customer and customer == order.customer)) then
    fail.not_found(("There is no order %q."):format(id))
  end
  return order
end

---What went back of each line so far: { [line] = { qty, amount, restocked, spread_qty, spread_amount, sent_qty } }; see feira.order_shares.
function rows.returned(order)
  local out = {}
  for _, row in ipairs(returned_of:rows(order.id)) do out[row.line] = row end
  return out
end

---Units that were sent of each line so far.
function rows.sent(order)
  local out = {}
  for _, row in ipairs(sent_of:rows(order.id)) do out[row.line] = row.qty end
  return out
end

local function lines_now(order)
  local returned, sent, lines = rows.returned(order), rows.sent(order), json.decode(order.lines)
  for i, line in ipairs(lines) do
    local back = returned[line.line] or { qty = 0, amount = 0 }
    lines[i] = json.object("line", line.line, "sku", line.sku, "title", line.title, "qty", line.qty, "unit_price", line.unit_price,
      "compare_at", line.compare_at, "subtotal", line.subtotal, "discounts", line.discounts, "total", line.total,
      "tax", line.tax, "payable", line.payable, "origin", line.origin, "gift", line.gift, "refunded_qty", back.qty, "refunded", back.amount,
      "fulfilled_qty", sent[line.line] or 0)
  end
  return json.array(lines)
end

-- The money that was taken for it; then the attempts that brought none, and money that went straight back.
local function payments(order, of_attempt)
  local out = {}
  for i, p in ipairs(payments_of:rows(order.id)) do
    out[i] = json.object("id", p.payment_id, "provider", p.provider, "amount", p.amount, "state", p.state, "at", time.format(p.at))
  end
  for _, attempt in ipairs(attempts.of_order(order)) do
    if attempt.state ~= "succeeded" or attempt.given_back then out[#out + 1] = attempts.document(attempt, of_attempt[attempt.id]) end
  end
  return json.array(out)
end

local AT_ONCE = { state = "succeeded" }

local function refunds(order, of_refund)
  local out = {}
  for i, r in ipairs(refunds_of:rows(order.id)) do
    local parts = of_refund[r.refund_id] or AT_ONCE
    out[i] = json.object("id", r.refund_id, "amount", r.amount, "lines", json.raw(r.lines), "shipping", r.shipping,
      "reason", r.reason or json.null, "state", parts.state, "parts", parts.parts and json.array(parts.parts), "at", time.format(r.at))
  end
  return json.array(out)
end

local function fulfilments(order)
  local out = {}
  for i, f in ipairs(fulfilments_of:rows(order.id)) do
    out[i] = json.object("id", f.fulfilment_id, "lines", json.raw(f.lines), "carrier", f.carrier or json.null, "tracking",
      f.tracking or json.null, "at", time.format(f.at))
  end
  return json.array(out)
end

local function blocks(order)
  local out = {}
  for i, b in ipairs(blocks_of:rows(order.id)) do
    out[i] = json.object("plugin", b.plugin, "name", b.name, "reason", b.reason or json.null, "since", time.format(b.since_ms))
  end
  return json.array(out)
end

-- In pieces, so that a new order, which has none of the lists, is written without reading it again.
local function write(order, contact, lines, paid_by, sent_back, sent, blocked_by)
  return json.object(
    "id", order.order_id, "state", order.state, "customer", order.customer or json.null, "reference", order.reference,
    "lines", lines, json.raw(order.priced), "total", order.total, "paid", order.paid, "refunded", order.refunded,
    "dues", dues.document(dues.of(order)), "placed_at", time.format(order.placed_at),
    "expires_at", order.expires_at and time.format(order.expires_at) or json.null,
    "generation", order.generation, "note", contact.note, "contact", contact.contact and json.raw(contact.contact) or json.null,
    "address", contact.address and json.raw(contact.address) or json.null, "close_reason", order.close_reason,
    "payments", paid_by, "refunds", sent_back, "fulfilments", sent, "blocks", blocked_by, "updated_at", time.format(order.updated_at))
end

local EMPTY, NOTHING = json.raw "[]", {}

---The document of an order that was placed by this call.
---@param contact { contact: string?, address: string?, note: string? } JSON texts, note plain
function rows.document_of_new(order, contact) return write(order, contact, json.raw(order.lines), EMPTY, EMPTY, EMPTY, EMPTY) end

---The document of an order as it is now.
---@param personal { contact: string?, address: string?, note: string? }? instead of what is known of its customer
---@param is_new boolean? nothing of it can have gone back yet
function rows.document(order, personal, is_new)
  local of_refund, of_attempt = refund_parts.of_order(order)
  local sent_back, sent = is_new and {} or refunds(order, of_refund), states.is_sent(order.state) and fulfilments(order) or {}
  local lines = #sent_back + #sent > 0 and lines_now(order) or json.raw(order.lines)
  if is_new then sent_back = EMPTY end
  return write(order, personal or contact_of:row(order.id) or NOTHING, lines, payments(order, of_attempt), sent_back, json.array(sent),
    states.is_blockable(order.state) and blocks(order) or EMPTY)
end

---The same without what is personal.
function rows.document_for_anyone(order) return rows.document(order, NOTHING) end

return rows
