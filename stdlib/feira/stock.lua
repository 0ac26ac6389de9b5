-- feira.stock: pieces, counted by the ledger alone. "stock/SKU/LOCATION" holds what is on hand and can't be overdrawn;
-- "stock-sold" is where sold pieces went and returned ones come from, "stock-outside" where deliveries come from and losses go.
-- So for every SKU: what came in = on hand + sold - returned, whatever happens at once.
local caller = require "feira.caller"
local catalogue = require "feira.catalogue"
local check = require "feira.check"
local events = require "feira.events"
local fail = require "feira.fail"
local ids = require "feira.ids"
local json = require "feira.json"
local ledger = require "feira.ledger"
local shop = require "feira.shop"
local sql = require "feira.sql"
local time = require "feira.time"

local stock = { QTY_MAX = 1000000000 }

local NO_OVERDRAFT = { no_overdraft = true }

local places_of = sql.statement "SELECT location, account FROM stock WHERE product = ?1 ORDER BY location <> 'main', location"
-- Unsorted, because nearly always it is one row and this is the busiest statement of the shop.
local tracked_places = sql.statement [[
  SELECT p.track_stock, s.location, s.account FROM products p LEFT JOIN stock s ON s.product = p.id WHERE p.sku = ?1]]
local find_product = sql.statement "SELECT id FROM products WHERE sku = ?1"
local add_place = sql.statement "INSERT INTO stock (product, location, account) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING"
local note_change = sql.statement
  "INSERT INTO stock_changes (change_id, product, location, delta, reason, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"

local function account_name(sku, location) return "stock/" .. sku .. "/" .. location end
local function account_of(sku, location) return ledger.account(account_name(sku, location), "pcs", NO_OVERDRAFT) end
local function sold() return ledger.account("stock-sold", "pcs") end
local function outside() return ledger.account("stock-outside", "pcs") end

-- --- reading --------------------------------------------------------------------------------------------------------

local function level(sku, location, on_hand, held, available)
  return json.object("sku", sku, "location", location, "on_hand", on_hand or 0, "held", held or 0, "available", available or 0)
end

---By location: { sku, location, on_hand, held, available } as JSON.
function stock.levels(product, sku)
  local out = {}
  for i, place in ipairs(places_of:rows(product)) do
    out[i] = level(sku, place.location, ledger.balance(place.account, account_name(sku, place.location)))
  end
  return out
end

---Pieces that can be taken now, at all locations together.
function stock.available(product, sku)
  local sum = 0
  for _, place in ipairs(places_of:rows(product)) do
    local _, _, available = ledger.balance(place.account, account_name(sku, place.location))
    sum = sum + (available or 0)
  end
  return sum
end

-- --- running low ----------------------------------------------------------------------------------------------------

-- Which account how much went from, in the order in which it did.
local function sum_up(moved)
  local went, order = {}, {}
  for _, m in ipairs(moved) do
    local account = account_of(m[1], m[2])
    if not went[account] then
      went[account] = 0
      order[#order + 1] = { account = account, sku = m[1], location = m[2] }
    end
    went[account] = went[account] + m[3]
  end
  return order, went
end

local function wants_low() return shop.stock_low() and events.heard "stock.low" end

-- moved: { { sku, location, pieces that went }, ... }. Told once for each crossing: what goes after that finds it low already. Pieces that
-- are only held have gone, too: nobody else can buy them.
local function tell_low(moved)
  local enough = shop.stock_low()
  local order, went = sum_up(moved)
  for _, place in ipairs(order) do
    local _, _, available = ledger.balance(place.account)
    if available < enough and available + went[place.account] >= enough then
      events.emit("stock.low", { sku = place.sku, location = place.location, available = available, at = time.format(time.now()) })
    end
  end
end

-- --- by hand --------------------------------------------------------------------------------------------------------

local function open_place(sku, location, field)
  local product = find_product:values(sku)
  if not product then fail.invalid(field, ("There is no product %q."):format(sku)) end
  local account = account_of(sku, location)
  add_place:run(product, location, account)
  return account, product
end

local function change_op(id, account, delta, reason)
  local from, to = outside(), account
  if delta < 0 then from, to = to, from end
  return { kind = "transfer", id = id, debit = from, credit = to, amount = math.abs(delta), reference = reason }
end

-- changes: { { sku, location, delta, reason, field = of the delta, sku_field } ... }, all or none. Gives their accounts.
local function apply_changes(changes)
  local change_id, now, ops, accounts, of_op = ids.new "stk", time.now(), {}, {}, {}
  for i, change in ipairs(changes) do
    local account, product = open_place(change.sku, change.location, change.sku_field)
    accounts[i] = account
    if change.delta ~= 0 then
      ops[#ops + 1] = change_op(change_id .. "/" .. i, account, change.delta, change_id)
      of_op[#ops] = change
      note_change:run(change_id, product, change.location, change.delta, change.reason, now)
    end
    catalogue.changed(change.sku)
  end
  local done, failed = ledger.apply(ops)
  if not done then
    local change = of_op[failed]
    fail.conflict("out_of_stock", ("There is less of %q at %q than would be taken away."):format(change.sku, change.location), change.field)
  end
  if wants_low() then
    local moved = {}
    for i, change in ipairs(changes) do moved[i] = { change.sku, change.location, -change.delta } end
    tell_low(moved)
  end
  return accounts
end

local function read_change(change, at)
  local delta = check.required(check.int(change.delta, at .. "/delta", -stock.QTY_MAX, stock.QTY_MAX), at .. "/delta")
  if delta == 0 then fail.invalid(at .. "/delta", "A change of zero changes nothing.") end
  return {
    sku = check.sku(change.sku, at .. "/sku"),
    sku_field = at .. "/sku",
    delta = delta,
    field = at .. "/delta",
    reason = check.required(check.text(change.reason, at .. "/reason", 200), at .. "/reason"),
    location = check.location(change.location, at .. "/location"),
  }
end

---{ sku, delta, reason, location? } or { changes = { ... } }.
---@param args { principal: table, body: table }
function stock.change(args)
  caller.require_trusted(args)
  local changes, body = {}, args.body
  if body.changes and body.changes ~= json.null then
    for _, name in ipairs { "sku", "delta", "reason", "location" } do
      if body[name] ~= nil then fail.invalid("/" .. name, "Say it in each of the changes, or leave changes out.") end
    end
    for i, change in ipairs(body.changes) do changes[i] = read_change(change, "/changes/" .. i - 1) end
  else
    changes[1] = read_change(body, "")
  end
  local items = {}
  for i, account in ipairs(apply_changes(changes)) do
    items[i] = level(changes[i].sku, changes[i].location, ledger.balance(account))
  end
  return { status = 200, body = json.object("items", json.array(items)) }
end

---Sets what is on hand at "main", as after counting.
---@param counted { sku: string, on_hand: integer, field: string }[]
function stock.count(counted, reason)
  local changes = {}
  for i, item in ipairs(counted) do
    local on_hand = ledger.balance(open_place(item.sku, "main", item.field))
    changes[i] = {
      sku = item.sku, sku_field = item.field, location = "main", field = item.field, reason = reason, delta = item.on_hand - (on_hand or 0),
    }
  end
  apply_changes(changes)
end

-- --- by orders ------------------------------------------------------------------------------------------------------

local function main_first(a, b)
  if (a.location == "main") ~= (b.location == "main") then return a.location == "main" end
  return a.location < b.location
end

-- Which of several places qty pieces come from: one that has them all, else a part of each, else the first, where the ledger
-- will refuse.
local function choose(places, qty)
  table.sort(places, main_first)
  local free = {}
  for i, place in ipairs(places) do
    local _, _, available = ledger.balance(place.account)
    free[i] = math.max(available, 0)
    if free[i] >= qty then return { { place, qty } } end
  end
  local chosen, left = {}, qty
  for i, place in ipairs(places) do
    local part = math.min(free[i], left)
    if part > 0 then chosen[#chosen + 1] = { place, part } end
    left = left - part
  end
  if left > 0 then return { { places[1], qty } } end
  return chosen
end

local function refuse(need)
  fail.conflict("out_of_stock", ("There is not enough of %q for this order."):format(need.sku), "/lines/" .. need.line - 1 .. "/qty")
end

local function add(taking, need, place, qty)
  local n = #taking.ops + 1
  taking.ops[n] = {
    kind = taking.kind, id = taking.order_id .. "/" .. n, debit = place.account, credit = taking.to, amount = qty,
    reference = taking.order_id, -- it ends with the order, whose timer gives it back, so the ledger is not told a time
  }
  taking.needs[n], taking.holds[n] = need, { need.sku, place.location, qty }
end

local function take_chosen(quote, order_id, kind, to)
  local taking = { kind = kind, order_id = order_id, to = to, ops = {}, needs = {}, holds = {} }
  for _, need in ipairs(quote:needs()) do
    local places = tracked_places:rows(need.sku)
    local first = places[1]
    if not first then refuse(need) end
    if first.track_stock == 1 then
      if not first.location then refuse(need) end -- counted, and nothing ever came in
      if #places == 1 then
        add(taking, need, first, need.qty)
      else
        for _, part in ipairs(choose(places, need.qty)) do add(taking, need, part[1], part[2]) end
      end
    end
  end
  local done, failed = ledger.apply(taking.ops)
  if not done then refuse(taking.needs[failed]) end
  return #taking.holds > 0 and json.encode(taking.holds) or nil
end

---Takes what an order needs: held until it is paid, or sold at once. Gives [[sku, location, qty], ...] as JSON, or nil when
---nothing of it is counted; the n-th is in the ledger as ORDER_ID/n.
---@param quote feira.Quote
---@param kind "hold"|"transfer"
---@return string|nil
function stock.take(quote, order_id, kind)
  local to = sold()
  local done, holds, line = quote:take(order_id, kind, to)
  if done == false then refuse { sku = holds, line = line } end
  if not done then holds = take_chosen(quote, order_id, kind, to) end
  if holds and wants_low() then tell_low(json.decode(holds)) end
  return holds
end

---Turns what an order holds into sales ("post") or gives it back ("void").
---@param order { order_id: string, holds: string? }
---@param kind "post"|"void"
function stock.settle(order, kind)
  if not order.holds then return end
  local done, _, account = ledger.settle(order.holds, order.order_id, kind)
  if not done then error(("order %s found too little in %s"):format(order.order_id, account)) end
end

---Operations that bring sold pieces back to where they were taken from.
---@param places { n: integer, sku: string, location: string, came: integer }[] of feira.order_pieces
function stock.return_ops(places, id, order_id)
  local ops = {}
  for _, place in ipairs(places) do
    if place.came > 0 then
      ops[#ops + 1] = {
        kind = "transfer", id = id .. "/" .. place.n, debit = sold(), credit = account_of(place.sku, place.location), amount = place.came,
        reference = order_id,
      }
    end
  end
  return ops
end

return stock
