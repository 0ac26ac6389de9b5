-- feira.accounts: the ledger as operators and servers see it: accounts, what they have, statements, and the two marks that a person may
-- set. Nothing here moves an amount.
local caller = require "feira.caller"
local check = require "feira.check"
local fail = require "feira.fail"
local json = require "feira.json"
local ledger = require "feira.ledger"
local page = require "feira.page"
local sql = require "feira.sql"
local time = require "feira.time"

local accounts = {}

local NAME_MAX, CHANGES_SHOWN = 255, 20
local NO_OVERDRAFT, CLOSED, FROZEN = 1, 2, 4

local COLUMNS = "id, name, unit, flags, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_accounts"
local find = sql.statement("SELECT " .. COLUMNS .. " WHERE name = ?1")
-- By name, so that one prefix is one stretch of the index; the cursor is the id of the last of a page.
local under = sql.statement("SELECT " .. COLUMNS .. [[
  WHERE name >= ?1 AND name < ?1 || char(1114111) AND name > coalesce((SELECT name FROM ledger_accounts WHERE id = ?2), '')
  ORDER BY name LIMIT ?3]])
local changes_of = sql.statement "SELECT flags, reason, who, at_ms FROM ledger_flag_changes WHERE account = ?1 ORDER BY id DESC LIMIT ?2"

local function flags_of(flags)
  return flags & NO_OVERDRAFT ~= 0, flags & FROZEN ~= 0, flags & CLOSED ~= 0
end

local function document(row, changes)
  local no_overdraft, frozen, closed = flags_of(row.flags)
  local posted = row.credits_posted - row.debits_posted
  return json.object("account", row.name, "unit", row.unit, "balance", posted, "held", row.debits_pending, "available",
    posted - row.debits_pending, "expected", row.credits_pending, "no_overdraft", no_overdraft, "frozen", frozen, "closed", closed,
    "changes", changes)
end

local function named(args)
  local name = args.params.account
  if #name > NAME_MAX then fail.not_found "No account has so long a name." end
  return find:row(name) or fail.not_found(("There is no ledger account %q."):format(name))
end

---{ query: { prefix?, limit?, cursor? } }: by name.
function accounts.list(args)
  caller.require_trusted(args)
  local query = args.query or {}
  local limit, after = page.read(query)
  local prefix = check.text(query.prefix, "prefix", NAME_MAX) or ""
  return page.write(under:rows(prefix, after, limit + 1), limit, document)
end

---{ params: { account } }, with who froze or closed it, and why.
function accounts.get(args)
  caller.require_trusted(args)
  local row, changes = named(args), {}
  for i, change in ipairs(changes_of:rows(row.id, CHANGES_SHOWN)) do
    local _, frozen, closed = flags_of(change.flags)
    changes[i] = json.object("frozen", frozen, "closed", closed, "reason", change.reason, "by", change.who, "at",
      time.format(change.at_ms))
  end
  return { status = 200, body = document(row, json.array(changes)) }
end

local function entry(e)
  return json.object("id", e.id, "kind", e.kind, "at", time.format(e.at), "amount", e.amount, "balance", e.balance, "other", e.other,
    "reference", e.reference, "hold", e.hold)
end

local function cursor_of(query)
  local cursor = check.text(query.cursor, "cursor", 40)
  local ms, seq = (cursor or "0.1"):match "^(%d+)%.([1-9]%d*)$"
  if not ms or #ms > 18 or #seq > 18 then
    fail.invalid("cursor", "This is not a cursor; take next_cursor of the page before.")
  end
  return cursor
end

---{ params: { account }, query: { from?, to?, limit?, cursor? } }: from <= t < to.
function accounts.statement(args)
  caller.require_trusted(args)
  local query, row = args.query or {}, named(args)
  local cursor = cursor_of(query)
  local limit = page.read { limit = query.limit }
  local from, to = check.moment(query.from, "from") or 0, check.moment(query.to, "to")
  if to and to < from then fail.invalid("to", "A period ends when it begins, or later; from and to are the wrong way round.") end
  local s = ledger.statement(row.name, { from = from, to = to, limit = limit, after = cursor })
  local items = {}
  for i, e in ipairs(s.entries) do items[i] = entry(e) end
  return {
    status = 200,
    body = json.object("account", s.account, "unit", s.unit, "from", time.format(from), "to", to and time.format(to) or json.null,
      "opening", s.opening, "debits", s.debits, "credits", s.credits, "closing", s.closing, "items", json.array(items),
      "next_cursor", s.next or json.null),
  }
end

---{ params: { account }, body: { frozen?, closed?, reason } }.
function accounts.change(args)
  caller.require_trusted(args)
  local row, body = named(args), args.body
  local reason = check.required(check.text(body.reason, "/reason", 200), "/reason")
  local flags = { frozen = check.flag(body.frozen, "/frozen"), closed = check.flag(body.closed, "/closed") }
  if flags.frozen == nil and flags.closed == nil then fail.invalid("/frozen", "Say frozen or closed: true or false.") end
  ledger.change(row.id, flags, reason, args.principal.kind)
  local frozen, closed = flags.frozen, flags.closed
  local _, was_frozen, was_closed = flags_of(row.flags)
  if frozen == nil then frozen = was_frozen end
  if closed == nil then closed = was_closed end
  return { status = 200, body = json.object("account", row.name, "frozen", frozen, "closed", closed, "reason", reason) }
end

return accounts
