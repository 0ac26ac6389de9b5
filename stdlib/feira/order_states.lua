-- feira.order_states: the life of an order. The table is the only gate: a state is changed by order_states.move() alone.
--
--   placed ──pay──► paid ──send──► fulfilling ──send, or refund, the last unsent unit──► fulfilled ──confirm, or time──► completed
--     │  │           │
--     │  └─deadline─► expired
--     └────cancel────┴───► cancelled
--
-- Goods are held from placed on and sold from paid on. Sending all at once goes through fulfilling to fulfilled in one transaction. Refunds
-- happen in paid, fulfilling, fulfilled and completed; they change a state where they leave nothing to send of an order that was sent in
-- part, and nowhere else: a paid order that is refunded whole, with nothing sent, stays paid until it is cancelled. completed, cancelled
-- and expired are final: nothing that comes later brings an order back.
-- A block (feira.order_blocks) is no state: it keeps an order from fulfilling and fulfilled as long as it is on, and ends with the order.
local fail = require "feira.fail"
local sql = require "feira.sql"

local states = {}

local names = { "placed", "paid", "fulfilling", "fulfilled", "completed", "cancelled", "expired" }
local codes = {}
for code, name in ipairs(names) do codes[name] = code end

local next_of = {
  placed = { paid = true, cancelled = true, expired = true },
  paid = { fulfilling = true, cancelled = true },
  fulfilling = { fulfilled = true },
  fulfilled = { completed = true },
}
local blockable = { placed = true, paid = true, fulfilling = true }
local sent = { fulfilling = true, fulfilled = true, completed = true }
local refundable = { paid = true, fulfilling = true, fulfilled = true, completed = true }

-- Money that comes in with the move is counted by the same statement: the row and its indexes are written once.
local move = sql.statement [[
  UPDATE orders SET state = ?3, version = version + 1, updated_at = ?4, close_reason = ?5, paid = paid + ?6
  WHERE id = ?1 AND state = ?2 AND paid + ?6 <= total]]

---@param code integer as it is stored
---@return string
function states.name(code) return names[code] end

---@param name string
---@return integer|nil
function states.code(name) return codes[name] end

---@return boolean whether something is left that a block could hold back
function states.is_blockable(name) return blockable[name] == true end

---@return boolean true when nothing comes after it and no goods are owed: money that comes now goes back
function states.is_over(name) return name == "cancelled" or name == "expired" end

---@return boolean whether something of it was sent
function states.is_sent(name) return sent[name] == true end

---@return boolean
function states.is_refundable(name) return refundable[name] == true end

-- What a caller reads who came too late.
local refusals = {
  placed = { "wrong_state", "The order is not paid yet." },
  paid = { "already_paid", "The order is paid already." },
  cancelled = { "order_cancelled", "The order was cancelled." },
  expired = { "order_expired", "The time to pay for this order has passed; place it again." },
}

---Fails with 409: the order is in a state that does not allow it.
function states.refuse(name, what)
  local refusal = refusals[name] or { "wrong_state", ("The order is %s."):format(name) }
  fail.state(refusal[1], ("%s %s"):format(refusal[2], what))
end

---Moves an order, or fails with 409. order.state is the state as it was read in this transaction.
---@param order { id: integer, state: string }
---@param to string
---@param what string a sentence that says what can't be done then
---@param paid integer? what was paid with it
function states.move(order, to, now, what, reason, paid)
  local allowed = next_of[order.state]
  if not allowed or not allowed[to] then states.refuse(order.state, what) end
  if move:run(order.id, codes[order.state], codes[to], now, reason, paid or 0) ~= 1 then
    error(("order %s was not %s when it was moved, or was paid twice at once"):format(order.order_id, order.state))
  end
  order.state, order.updated_at, order.close_reason = to, now, reason
end

return states
