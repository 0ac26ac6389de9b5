-- feira.consents: what customers consented to. A purpose is described by shop.lua (privacy.purposes), in words that have a version: who
-- consented to other words is asked anew. To hand something to third parties is asked for apart (share).
--
--   none ──give──► given ──withdraw──► none      another version of the words: as if withdrawn, and asked anew
--
-- Of a minor only what a guardian said counts. Rules see a consent as the tag "consent:NAME" of the customer, a declared minor as
-- "declared-minor"; rows are handed to plugins by what is here, too (runtime/bind/collection_sql.c).
local caller = require "feira.caller"
local check = require "feira.check"
local events = require "feira.events"
local fail = require "feira.fail"
local json = require "feira.json"
local shop = require "feira.shop"
local sql = require "feira.sql"
local time = require "feira.time"

local consents = {}

local find_customer = sql.statement "SELECT id, minor FROM customers WHERE customer = ?1"
local all_of = sql.statement [[
  SELECT purpose, share, version, given_by, via, given_at, withdrawn_at FROM consents WHERE customer = ?1 ORDER BY id]]
local live = sql.statement [[
  SELECT id, version, given_by FROM consents WHERE customer = ?1 AND purpose = ?2 AND share = ?3 AND withdrawn_at IS NULL]]
local give = sql.statement [[
  INSERT INTO consents (customer, purpose, share, version, given_by, via, given_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)]]
local withdraw = sql.statement "UPDATE consents SET withdrawn_at = ?2 WHERE id = ?1 AND withdrawn_at IS NULL"
local set_minor = sql.statement "UPDATE customers SET minor = ?2 WHERE id = ?1"
local change = sql.statement "UPDATE customers SET version = version + 1, updated_at = ?2 WHERE id = ?1"

-- The row of the customer that the path names, if the caller may know of him.
local function customer_of(args)
  local id = args.params.id
  local row = (caller.is_trusted(args) or caller.customer(args) == id) and find_customer:row(id)
  return row or fail.not_found(("There is no customer %q."):format(id))
end

local function purpose_of(name)
  for _, purpose in ipairs(shop.privacy().purposes) do
    if purpose.name == name then return purpose end
  end
  fail.not_found(("There is no purpose %q; privacy.purposes of shop.lua describes them."):format(name))
end

local function counts(row, customer) return customer.minor == 0 or row.given_by == "guardian" end

local function emit(name, customer, purpose, version, share, at)
  if not events.heard(name) then return end
  events.emit(name, { customer = customer, purpose = purpose, version = version, share = share == 1, at = time.format(at) })
end

-- Facts of the customer have changed: what was priced before is priced again.
local function changed(customer, now)
  if change:run(customer.id, now) ~= 1 then error("customer " .. customer.id .. " has gone while he consented") end
end

-- --- what there is -----------------------------------------------------------------------------------------------------------

local function standing(customer, purpose, share)
  local row = live:row(customer.id, purpose.name, share)
  return row ~= nil and row.version == purpose.version and counts(row, customer)
end

local function document(args, customer)
  local purposes, history = {}, {}
  for i, purpose in ipairs(shop.privacy().purposes) do
    purposes[i] = json.object("purpose", purpose.name, "title", purpose.title, "about", purpose.about or json.null,
      "version", purpose.version, "third_parties", json.array(purpose.third_parties), "given", standing(customer, purpose, 0),
      "shared", standing(customer, purpose, 1))
  end
  for i, row in ipairs(all_of:rows(customer.id)) do
    history[i] = json.object("purpose", row.purpose, "share", row.share == 1, "version", row.version, "by", row.given_by,
      "via", row.via or json.null, "given_at", time.format(row.given_at),
      "withdrawn_at", row.withdrawn_at and time.format(row.withdrawn_at) or json.null)
  end
  return json.object("customer", args.params.id, "minor", customer.minor == 1, "purposes", json.array(purposes),
    "history", json.array(history))
end

---@param args { principal: table, params: { id: string } }
function consents.list(args) return { status = 200, body = document(args, customer_of(args)) } end

---For an export: every consent of this customer.
---@param customer integer row number
---@return table[]
function consents.of(customer) return all_of:rows(customer) end

-- --- giving and taking back ------------------------------------------------------------------------------------------------------

local function given_by(args, customer)
  local by = args.body.by or "customer"
  if by == "guardian" and not caller.is_trusted(args) then
    fail.denied("That a guardian consents is said by the shop's server, which has made sure of it.", "/by")
  end
  if customer.minor == 1 and by ~= "guardian" then
    fail.state("guardian_needed", "A minor can't consent to this alone; a parent or guardian can, through the shop.")
  end
  return by
end

-- The same thing said again is said once.
local function keep(args, customer, purpose, share, by, now)
  local was = live:row(customer.id, purpose.name, share)
  if was and was.version == purpose.version and was.given_by == by then return end
  if was then withdraw:run(was.id, now) end
  give:run(customer.id, purpose.name, share, purpose.version, by, check.text(args.body.via, "/via", 200), now)
  changed(customer, now)
  emit("consent.given", args.params.id, purpose.name, purpose.version, share, now)
end

---Consents to a purpose, in the words of `version`. share: to its being handed on; without it that stays as it is.
---@param args { principal: table, params: { id: string, purpose: string }, body: table } body: version, share?, by?, via?
function consents.give(args)
  local customer, purpose, now = customer_of(args), purpose_of(args.params.purpose), time.now()
  local version = check.required(check.text(args.body.version, "/version", 40), "/version")
  if version ~= purpose.version then
    local now_are = "The words of this purpose are those of version %q now; show them, and ask again."
    fail.conflict("consent_version", now_are:format(purpose.version), "/version")
  end
  local by, share = given_by(args, customer), check.flag(args.body.share, "/share")
  if share and #purpose.third_parties == 0 then fail.invalid("/share", "What this purpose is about is handed to nobody.") end
  keep(args, customer, purpose, 0, by, now)
  if share then keep(args, customer, purpose, 1, by, now) end
  return { status = 200, body = document(args, find_customer:row(args.params.id)) }
end

local function take_back(args, customer, name, share, now)
  local row = live:row(customer.id, name, share)
  if not row then return end
  withdraw:run(row.id, now)
  changed(customer, now)
  emit("consent.withdrawn", args.params.id, name, row.version, share, now)
end

---Takes a consent back, also to a purpose that is not described any more. share=true: only that it is handed on.
---@param args { principal: table, params: { id: string, purpose: string }, query: { share: string? } }
function consents.withdraw(args)
  local customer, now = customer_of(args), time.now()
  take_back(args, customer, args.params.purpose, 1, now)
  if args.query.share ~= "true" then take_back(args, customer, args.params.purpose, 0, now) end
  return { status = 200, body = document(args, find_customer:row(args.params.id)) }
end

---Declares a customer a minor; that he is none is said by the shop.
---@param args { principal: table, params: { id: string }, body: { minor: boolean } }
function consents.declare(args)
  local customer, now = customer_of(args), time.now()
  local minor = check.required(check.flag(args.body.minor, "/minor"), "/minor")
  if not minor then caller.require_trusted(args) end
  if (customer.minor == 1) ~= minor then
    set_minor:run(customer.id, minor and 1 or 0)
    changed(customer, now)
  end
  return { status = 200, body = document(args, find_customer:row(args.params.id)) }
end

return consents
