-- feira.persons: a person has what is kept of him, and has it erased.
--
--   known ──erase──► held ──what held it ends──► gone
--            └─────────────────────────────────► gone      nothing holds him
--
-- Erasing takes contacts, consents and begun purchases at once, and his id everywhere: where rows must stay it becomes one that nobody
-- knows ("gone-..."), in one transaction, so that what is under way goes on (an open group, a refund, points of an order). What stays is a
-- hold: it is said in the answer, and a timer looks whether it has ended.
--
--   order        it is open: contact, address and note stay until it has ended, because it is to be delivered
--   refund       money is on its way back: what the provider must be told stays
--   transaction  it has ended: the law asks for it to be kept (privacy.keep.transactions), without a name; then the link goes
--
local caller = require "feira.caller"
local check = require "feira.check"
local crypto = require "feira.crypto"
local events = require "feira.events"
local fail = require "feira.fail"
local ids = require "feira.ids"
local json = require "feira.json"
local ledger = require "feira.ledger"
local log = require "feira.log"
local map = require "feira.person_map"
local page = require "feira.page"
local plugin_rows = require "feira.person_rows"
local rows = require "feira.order_rows"
local shop = require "feira.shop"
local sql = require "feira.sql"
local time = require "feira.time"
local timers = require "feira.timers"

local persons = {}

local DAY_MS = 86400000
local LOOK_EVERY_MS = DAY_MS
local MONTH_DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local find = sql.statement "SELECT id, customer, erased_at FROM customers WHERE customer = ?1"
local find_row = sql.statement "SELECT id, customer FROM customers WHERE id = ?1"
-- Of each order what may hold it. completed: when it ended, as far as is known.
local orders_of = sql.statement [[
  SELECT o.id, o.order_id, o.state, o.updated_at AS ended,
    (SELECT count(*) FROM refund_parts r WHERE r.order_id = o.id AND r.state <> 3) AS refunds,
    (SELECT group_concat(b.plugin || ' ' || b.name, ', ') FROM order_blocks b WHERE b.order_id = o.id AND b.until_ms IS NULL) AS blocks
  FROM orders o WHERE o.customer = ?1 ORDER BY o.id]]
local unlink_order = sql.statement "UPDATE orders SET customer = NULL WHERE id = ?1"
local unlink_evidence = sql.statement "UPDATE order_evidence SET pseudonym = NULL WHERE order_id = ?1"
-- What was deleted is in the log of the store, too, until that is cut (host/care/sweep.c).
local cut_log = sql.statement "INSERT INTO meta (name, value) VALUES ('log_cut_due', 'due') ON CONFLICT (name) DO UPDATE SET value = 'due'"
local drop_customer = sql.statement "DELETE FROM customers WHERE id = ?1 AND erased_at IS NOT NULL"
local accounts_of = sql.statement "SELECT id, name, unit FROM ledger_accounts WHERE instr(name, ?1) > 0 ORDER BY name"
local insert_request = sql.statement [[
  INSERT INTO person_requests (request_id, kind, customer, state, asked_by, asked_at, due_at, done_at, holds, result)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)]]
local find_request = sql.statement "SELECT * FROM person_requests WHERE request_id = ?1"
local open_request = sql.statement "SELECT * FROM person_requests WHERE customer = ?1 AND kind = 'erasure' AND state = 'asked'"
local update_request = sql.statement
  "UPDATE person_requests SET state = ?2, customer = ?3, done_at = ?4, holds = ?5, result = ?6 WHERE request_id = ?1"
local list_requests = sql.statement [[
  SELECT * FROM person_requests WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3]]

-- --- statements of the map ---------------------------------------------------------------------------------------------------------

-- Texts are those of the map and of collections, so there are few of them.
local function statement_of(text)
  local n = 0
  for k in text:gmatch "%?(%d)" do n = math.max(n, math.tointeger(tonumber(k))) end
  return sql.statement(text), n
end

local function run(text, values)
  local statement, n = statement_of(text)
  return statement:run(table.unpack(values, 1, n))
end

local function read(text, values)
  local statement, n = statement_of(text)
  return statement:rows(table.unpack(values, 1, n))
end

local function quoted(id) return '"' .. id .. '"' end

-- --- who may ------------------------------------------------------------------------------------------------------------------------

local function person_of(args)
  local id = args.params.id
  local row = (caller.is_trusted(args) or caller.customer(args) == id) and find:row(id)
  if not row or row.erased_at then fail.not_found(("There is no customer %q."):format(id)) end
  return row
end

local function asked_by(args) return args.principal.kind == "ct" and "customer" or args.principal.kind end

-- --- when an answer is due ------------------------------------------------------------------------------------------------------------

-- 1970-01-01 was a Thursday.
local function is_working_day(at) return (at // DAY_MS + 3) % 7 < 5 end

local function due(asked)
  local privacy = shop.privacy()
  if privacy.answer_within_ms then return asked + privacy.answer_within_ms end
  if privacy.law == "eu" then
    local civil = time.civil(asked)
    local month, year = civil.month % 12 + 1, civil.year + civil.month // 12
    local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
    local last = month == 2 and (leap and 29 or 28) or MONTH_DAYS[month]
    return time.resolve(("%04d-%02d-%02d %02d:%02d"):format(year, month, math.min(civil.day, last), civil.hour, civil.minute))
  end
  local at, left = asked, 15
  while left > 0 do
    at = at + DAY_MS
    if is_working_day(at) then left = left - 1 end
  end
  return at
end

-- --- export ---------------------------------------------------------------------------------------------------------------------------

local function tables_of(person)
  local values, out, names = { person.id, person.customer, quoted(person.customer) }, {}, {}
  for name, entry in pairs(map.tables) do
    if entry.rows then names[#names + 1] = name end
  end
  for _, name in ipairs(names) do
    local found = read(map.tables[name].rows, values)
    if #found > 0 then out[name] = json.array(found) end
  end
  return out
end

local function orders_as_shown(person)
  local out = {}
  for i, order in ipairs(orders_of:rows(person.id)) do out[i] = rows.document(rows.by_number(order.id)) end
  return json.array(out)
end

---All that is kept of a customer: his orders as the shop shows them, every row of every table that is his, and his rows of plugins.
---@param args { principal: table, params: { id: string } }
function persons.export(args)
  local person = person_of(args)
  return {
    status = 200,
    body = json.object("customer", person.customer, "made_at", time.format(time.now()), "format", "feira-person-1",
      "orders", orders_as_shown(person), "tables", tables_of(person), "plugins", plugin_rows.export(person)),
  }
end

-- --- holds ----------------------------------------------------------------------------------------------------------------------------

local STATES = { "placed", "paid", "fulfilling", "fulfilled", "completed", "cancelled", "expired" }

-- What holds these orders now, and what of them can go now.
local function holds_of(orders, now)
  local holds, ended, over = {}, {}, {}
  local keep_ms = shop.privacy().keep.transactions_ms
  for _, o in ipairs(orders) do
    local before = #holds
    if o.state < 5 then
      holds[#holds + 1] = json.object("kind", "order", "order", o.order_id, "state", STATES[o.state], "blocked_by", o.blocks or json.null,
        "keeps", json.array { "order.contact", "order.address", "order.note" }, "basis", "contract", "ends", "when the order has ended")
    end
    if o.refunds > 0 then
      holds[#holds + 1] = json.object("kind", "refund", "order", o.order_id, "parts", o.refunds,
        "keeps", json.array { "the provider's numbers of payment and refund" }, "basis", "contract", "ends", "when the money is back")
    end
    if o.state >= 5 then
      ended[#ended + 1] = o
      local until_ms = o.ended + keep_ms
      if until_ms > now or #holds > before then
        holds[#holds + 1] = json.object("kind", "transaction", "order", o.order_id,
          "keeps", json.array { "lines", "prices", "payments", "refunds" }, "basis", "law", "until", time.format(until_ms))
      else
        over[#over + 1] = o
      end
    end
  end
  return holds, ended, over
end

---Texts that people write, and contacts, of orders that have ended. copies: also, where there was a contact, the answers and messages of
---the last days that have it (all of them are looked through).
---@param orders { id: integer, order_id: string }[]
---@param copies boolean?
function persons.forget(orders, copies)
  for _, o in ipairs(orders) do
    local had_contact = run(map.contact_of_order, { o.id }) > 0
    for _, entry in pairs(map.tables) do
      for _, text in ipairs(entry.free or {}) do run(text, { o.id }) end
    end
    for _, text in ipairs(copies and had_contact and map.copies_of_order or {}) do run(text, { quoted(o.order_id) }) end
  end
end

---What was deleted is to go from the log of the store, too.
function persons.cut_log() cut_log:run() end

---An order belongs to nobody any more.
---@param order integer row number
function persons.unlink(order)
  unlink_order:run(order)
  unlink_evidence:run(order)
end

-- When to look again: when the first transaction may go, or tomorrow while something is under way.
local function look_again(request, holds, now)
  local at
  for _, hold in ipairs(holds) do
    local next_at = hold["until"] and time.parse(hold["until"]) or now + LOOK_EVERY_MS
    at = math.min(at or next_at, next_at)
  end
  if at then timers.set("persons.finish", request, math.max(at, now + 60000)) end
end

-- Everything that can go now goes; gives the holds that are left, and the person's row while it is needed.
local function let_go(person, now, copies)
  local holds, ended, over = holds_of(orders_of:rows(person.id), now)
  persons.forget(ended, copies)
  for _, o in ipairs(over) do persons.unlink(o.id) end
  persons.cut_log()
  if #holds > 0 then return holds, person.id end
  drop_customer:run(person.id)
  return holds, nil
end

-- --- erasure --------------------------------------------------------------------------------------------------------------------------

-- What the shop owes him: balances of his own accounts with plugins.
local function balances(person, currency)
  local own, money = {}, false
  for _, account in ipairs(accounts_of:rows(person.customer)) do
    local is_own = account.name:sub(1, 9) ~= "campaign/" and ledger.name_has(account.name, person.customer)
    local balance = is_own and ledger.balance(account.id) or 0 -- rows lag behind the ledger
    if balance > 0 then
      own[#own + 1] = json.object("account", account.name:match "^[^/]+", "unit", account.unit, "balance", balance)
      money = money or account.unit == currency
    end
  end
  return own, money
end

local function new_id() return "gone-" .. crypto.base64url(crypto.random(12)):gsub("[^%w]", "x") end

-- His id inside of longer texts.
local function forget_words(person, gone)
  for _, where in ipairs(map.words) do
    local name, key, column = where[1], where[2], where[3]
    local select = ("SELECT %s AS key, CAST(%s AS TEXT) AS text FROM %s WHERE instr(%s, CAST(?1 AS %s)) > 0")
      :format(key, column, name, column, where.blob and "BLOB" or "TEXT")
    for _, row in ipairs(sql.statement(select):rows(person.customer)) do
      local text = plugin_rows.without(row.text, person.customer, gone)
      if text ~= row.text then
        sql.statement(("UPDATE %s SET %s = %s WHERE %s = ?1"):format(name, column, where.blob and "CAST(?2 AS BLOB)" or "?2", key))
          :run(row.key, where.instead or text)
      end
    end
  end
end

local function erase(person, now)
  local gone = new_id()
  plugin_rows.erase(person, gone)
  local accounts = ledger.replace_name(person.customer, gone)
  local values = { person.id, person.customer, quoted(person.customer), gone, quoted(gone), now }
  for _, name in ipairs(map.order) do
    for _, text in ipairs(map.tables[name].erase) do run(text, values) end
  end
  forget_words(person, gone)
  if events.heard "customer.erased" then events.emit("customer.erased", { customer = gone, at = time.format(now) }) end
  return gone, accounts
end

-- He asks, and somebody of the shop does it (privacy.requests = "by_hand").
local function wait_for_somebody(person, now)
  local was = open_request:row(person.id)
  local id, due_at = was and was.request_id or ids.new "prq", was and was.due_at or due(now)
  if not was then
    insert_request:run(id, "erasure", person.id, "asked", "customer", now, due_at, nil, "[]", "{}")
    timers.set("persons.due", id, due_at)
  end
  return { status = 202, body = json.object("request", id, "state", "asked", "due_at", time.format(due_at)) }
end

-- The whole of it, with its record.
local function carry_out(person, by, owed, now)
  local was = open_request:row(person.id)
  local _, accounts = erase(person, now)
  local holds, row = let_go(person, now)
  local id = was and was.request_id or ids.new "prq"
  local state = #holds > 0 and "held" or "done"
  local result = json.object("given_up", json.array(owed), "accounts_renamed", accounts)
  if was then
    timers.cancel("persons.due", id)
    update_request:run(id, state, row, now, json.encode(json.array(holds)), json.encode(result))
  else
    insert_request:run(id, "erasure", row, state, by, now, due(now), now, json.encode(json.array(holds)), json.encode(result))
  end
  look_again(id, holds, now)
  return json.object("request", id, "state", state, "erased_at", time.format(now), "holds", json.array(holds), "given_up", json.array(owed))
end

---A customer who has not been here for so long that he is erased (feira.retention); not where the shop owes him money.
---@param person { id: integer, customer: string }
---@param currency string
---@return boolean
function persons.let_lapse(person, currency)
  local owed, money = balances(person, currency)
  if money then return false end
  carry_out(person, "retention", owed, time.now())
  return true
end

---Erases a customer. give_up: also where the shop owes him money that nobody could be given afterwards.
---@param args { principal: table, params: { id: string }, body: { give_up: boolean? } }
function persons.erase(args)
  local person, now = person_of(args), time.now()
  local owed, money = balances(person, shop.currency())
  if money and not check.flag(args.body.give_up, "/give_up") then
    fail.state("owes_balance", "The shop owes this customer money (stored value); pay it out first, or say give_up: he wants it erased "
      .. "all the same.")
  end
  if args.principal.kind == "ct" and shop.privacy().requests == "by_hand" then return wait_for_somebody(person, now) end
  return { status = 200, body = carry_out(person, asked_by(args), owed, now) }
end

---Timer: has what held somebody ended?
---@param args { key: string }
function persons.finish(args)
  local request, now = find_request:row(args.key), time.now()
  local person = request and request.state == "held" and request.customer and find_row:row(request.customer)
  if not person then return { status = 200 } end
  local holds, row = let_go(person, now, true)
  update_request:run(args.key, #holds > 0 and "held" or "done", row, request.done_at, json.encode(json.array(holds)), request.result)
  look_again(args.key, holds, now)
  return { status = 200 }
end

---Timer: an answer is due. Whoever has not given it is told in the log, and by `feira doctor` until somebody has.
---@param args { key: string }
function persons.due(args)
  local request = find_request:row(args.key)
  if request and request.state == "asked" then
    log.error("person.overdue", "A person's request is not answered in time; see: feira person SHOP requests.", { request = args.key })
  end
  return { status = 200 }
end

-- --- requests ---------------------------------------------------------------------------------------------------------------------------

local function request_document(row)
  return json.object("request", row.request_id, "kind", row.kind, "state", row.state, "asked_by", row.asked_by,
    "customer", row.state == "asked" and find_row:row(row.customer).customer or json.null, "asked_at", time.format(row.asked_at),
    "due_at", time.format(row.due_at), "done_at", row.done_at and time.format(row.done_at) or json.null, "holds", json.raw(row.holds))
end

---@param args { query: { state: string?, limit: string?, cursor: string? } }
function persons.requests(args)
  local limit, after = page.read(args.query)
  local state = check.choice(args.query.state, "state", { "asked", "held", "done", "withdrawn" })
  return page.write(list_requests:rows(state, after, limit + 1), limit, request_document)
end

---The customer thought better of it, or the shop has refused it for a reason that the law knows.
---@param args { principal: table, params: { request: string } }
function persons.withdraw(args)
  local row = find_request:row(args.params.request)
  local person = row and row.customer and find_row:row(row.customer)
  local may = person and (caller.is_trusted(args) or caller.customer(args) == person.customer)
  if not may then fail.not_found "There is no such request." end
  if row.state ~= "asked" then fail.state("not_open", "This request was carried out; it can't be taken back.") end
  update_request:run(row.request_id, "withdrawn", nil, time.now(), "[]", "{}")
  timers.cancel("persons.due", row.request_id)
  return { status = 200, body = request_document(find_request:row(row.request_id)) }
end

return persons
