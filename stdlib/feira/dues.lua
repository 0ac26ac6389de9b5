-- feira.dues: what an order owes, and until when. Mostly that is its total within the shop's time to pay, and stands in the order itself; a
-- trusted caller may split it into several with deadlines of their own: deposit and balance. An order is paid when all are met; a deadline
-- that passes with one unmet ends it.
local check = require "feira.check"
local fail = require "feira.fail"
local json = require "feira.json"
local money = require "feira.money"
local sql = require "feira.sql"
local time = require "feira.time"

local dues = {}

local DUES_MAX, DAYS_MAX = 12, 400
local DAY_MS = 86400000

local insert = sql.statement "INSERT INTO order_dues (order_id, n, label, amount, deadline) VALUES (?1, ?2, ?3, ?4, ?5)"
local mark = sql.statement "UPDATE orders SET dues = ?2 WHERE id = ?1"
local rows_of = sql.statement "SELECT n, label, amount, paid, deadline FROM order_dues WHERE order_id = ?1 ORDER BY n"
local count = sql.statement "UPDATE order_dues SET paid = paid + ?3 WHERE order_id = ?1 AND n = ?2 AND paid + ?3 <= amount"

local function within(text, field)
  check.required(check.text(text, field, 20), field)
  local good, ms = pcall(time.duration, text)
  if not good or ms <= 0 then fail.invalid(field, 'A time like "30m", "72h" or "14d" is expected here.') end
  if ms > DAYS_MAX * DAY_MS then fail.invalid(field, ("A due is to be paid within %d days."):format(DAYS_MAX)) end
  return ms
end

---What the body of a new order says it owes: { { n, label, amount, paid, deadline } ... } in the order of their deadlines, or nil when it
---says nothing.
---@param list table|nil body.dues
---@param total integer
---@param now integer
function dues.read(list, total, now)
  if list == nil or list == json.null then return nil end
  if #list == 0 or #list > DUES_MAX then fail.invalid("/dues", ("An order has 1 to %d dues."):format(DUES_MAX)) end
  local out, sum = {}, 0
  for i, item in ipairs(list) do
    local at = "/dues/" .. i - 1
    local due = {
      n = i, paid = 0, label = check.required(check.text(item.label, at .. "/label", 40), at .. "/label"),
      amount = check.required(check.int(item.amount, at .. "/amount", 1, math.maxinteger), at .. "/amount"),
      deadline = now + within(item.within, at .. "/within"),
    }
    if i > 1 and due.deadline <= out[i - 1].deadline then
      fail.invalid(at .. "/within", "A later due has a later deadline than the one before it.")
    end
    sum = money.add(sum, due.amount)
    out[i] = due
  end
  if sum ~= total then
    fail.invalid("/dues", ("The dues add up to %d, the order comes to %d."):format(sum, total), "dues_do_not_add_up")
  end
  return out
end

---Keeps what dues.read() gave for a new order.
function dues.keep(order_id, list)
  for _, due in ipairs(list) do insert:run(order_id, due.n, due.label, due.amount, due.deadline) end
  mark:run(order_id, #list)
end

---What the order owes: { { n, label, amount, paid, deadline } ... }; nothing when it costs nothing.
---@param order { id: integer, dues: integer?, total: integer, paid: integer, expires_at: integer? }
function dues.of(order)
  if (order.dues or 0) > 0 then return rows_of:rows(order.id) end
  if order.total == 0 then return {} end
  return { { n = 1, label = "total", amount = order.total, paid = order.paid, deadline = order.expires_at } }
end

---The first that is not met, of dues.of(); nil when all are.
function dues.first_open(list)
  for _, due in ipairs(list) do
    if due.paid < due.amount then return due end
  end
end

---The due that a caller names by its label, or the first that is not met; fails when there is none.
---@param list table of dues.of()
function dues.named(list, label)
  if label == nil or label == json.null then return dues.first_open(list) or error("an order that is not paid owes nothing") end
  for _, due in ipairs(list) do
    if due.label == label then
      if due.paid == due.amount then fail.state("due_met", ("%q is paid already."):format(label)) end
      return due
    end
  end
  local there = {}
  for i, due in ipairs(list) do there[i] = ("%q"):format(due.label) end
  fail.invalid("/due", ("The order owes no %q; it has %s."):format(tostring(label), table.concat(there, ", ")), "due_unknown")
end

---The n-th, whether it is met or not.
function dues.nth(list, n)
  for _, due in ipairs(list) do
    if due.n == n then return due end
  end
end

---Counts a payment; `due` is of dues.of(), read in this transaction.
function dues.pay(order, due, amount)
  if due.paid + amount > due.amount then error("a due of " .. order.order_id .. " was paid twice at once") end
  if (order.dues or 0) > 0 and count:run(order.id, due.n, amount) ~= 1 then
    error("a due of " .. order.order_id .. " changed under its payment")
  end
  due.paid = due.paid + amount
end

---As the order's document shows them.
function dues.document(list)
  local out = {}
  for i, due in ipairs(list) do
    out[i] = json.object("label", due.label, "amount", due.amount, "paid", due.paid,
      "deadline", due.deadline and time.format(due.deadline) or json.null)
  end
  return json.array(out)
end

return dues
