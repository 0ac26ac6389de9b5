-- feira.order_blocks: what keeps an order from being fulfilled. A plugin puts a named block on an order that still has something to send
-- (the group is not full yet) and takes it off; a plugin that is stopped or gone leaves its blocks where they are, and an operator lifts
-- them. Blocks stop fulfilment and nothing else: a blocked order can be paid, refunded and cancelled, and its end is theirs.
local caller = require "feira.caller"
local check = require "feira.check"
local events = require "feira.order_events"
local fail = require "feira.fail"
local rows = require "feira.order_rows"
local sql = require "feira.sql"
local states = require "feira.order_states"
local time = require "feira.time"

local blocks = {}

local put = sql.statement [[
  INSERT INTO order_blocks (order_id, plugin, name, reason, since_ms) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING]]
local take_off = sql.statement [[
  UPDATE order_blocks SET until_ms = ?4, ended_by = ?5, end_reason = ?6
  WHERE order_id = ?1 AND plugin = ?2 AND name = ?3 AND until_ms IS NULL]]
local end_all = sql.statement "UPDATE order_blocks SET until_ms = ?2, ended_by = ?3 WHERE order_id = ?1 AND until_ms IS NULL"
local first_of = sql.statement [[
  SELECT plugin, name, reason FROM order_blocks WHERE order_id = ?1 AND until_ms IS NULL ORDER BY id LIMIT 1]]
local count_of = sql.statement "SELECT count(*) FROM order_blocks WHERE order_id = ?1 AND until_ms IS NULL"

local function tell(name, order, block, reason, now)
  events.emit(name, order, now, { plugin = block.plugin, block = block.name, reason = reason, blocks = count_of:values(order.id) })
end

---Puts a block on; putting on what is there changes nothing.
---@param order table
---@param block { plugin: string, name: string, reason: string? }
function blocks.put(order, block, now)
  if not states.is_blockable(order.state) then states.refuse(order.state, "Nothing is left to be sent, so it can't be blocked.") end
  if put:run(order.id, block.plugin, block.name, block.reason, now) == 1 then tell("order.blocked", order, block, block.reason, now) end
end

---Takes a block off.
---@param order table
---@param block { plugin: string, name: string }
---@param by string whose doing it is: "plugin", or the kind of the caller
---@return boolean whether it was on
function blocks.take_off(order, block, by, reason, now)
  if take_off:run(order.id, block.plugin, block.name, now, by, reason) == 0 then return false end
  tell("order.unblocked", order, block, reason, now)
  return true
end

---The order has come to an end, and its blocks with it.
function blocks.finish(order, now) end_all:run(order.id, now, order.state) end

---Fails with 409, naming the block, when there is one.
function blocks.require_none(order)
  local plugin, name, reason = first_of:values(order.id)
  if not plugin then return end
  fail.state("order_blocked", ("The order is blocked by %s/%s%s; it can be fulfilled once that block is gone.")
    :format(plugin, name, reason and (" (%s)"):format(reason) or ""))
end

---DELETE /v1/orders/{id}/blocks/{plugin}/{name}: lifted by hand, whoever put it on.
---@param args { principal: table, params: { id: string, plugin: string, name: string }, query: { reason: string? } }
function blocks.lift(args)
  local order = rows.visible(args)
  caller.require_trusted(args)
  local block = { plugin = args.params.plugin, name = args.params.name }
  local reason = check.required(check.text((args.query or {}).reason, "reason", 200), "reason")
  if not blocks.take_off(order, block, args.principal.kind, reason, time.now()) then
    fail.not_found(("The order has no block %q of %q."):format(block.name, block.plugin))
  end
  return { status = 200, body = rows.document(rows.find(order.order_id)) }
end

---For plugins: what came of it.
---@return { order: string, state: string, blocked: boolean }
function blocks.facts(order)
  return { order = order.order_id, state = order.state, blocked = count_of:values(order.id) > 0 }
end

return blocks
