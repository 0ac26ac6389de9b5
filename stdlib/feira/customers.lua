-- feira.customers: who buys, under a pseudonymous id that the shop chooses. What rules may know of a customer is versioned: a
-- quote remembers the version it read, and an order that was priced on an older one is priced again.
local caller = require "feira.caller"
local check = require "feira.check"
local crypto = require "feira.crypto"
local events = require "feira.order_events"
local fail = require "feira.fail"
local json = require "feira.json"
local sql = require "feira.sql"
local time = require "feira.time"

local customers = {}

local find = sql.statement [[
  SELECT c.id, c.customer, c.tags, c.orders, c.created_at, c.updated_at, p.name, p.email, p.phone
  FROM customers c LEFT JOIN customer_contacts p ON p.customer = c.id WHERE c.customer = ?1]]
local find_id = sql.statement "SELECT id FROM customers WHERE customer = ?1"
local find_claimed = sql.statement [[
  SELECT c.id, p.pseudonym FROM customers c LEFT JOIN customer_pseudonyms p ON p.customer = c.id WHERE c.customer = ?1]]
local keep_pseudonym = sql.statement "INSERT INTO customer_pseudonyms (customer, pseudonym) VALUES (?1, ?2)"
local insert = sql.statement [[
  INSERT INTO customers (customer, tags, version, orders, created_at, updated_at) VALUES (?1, ?2, 1, ?3, ?4, ?4)
  ON CONFLICT DO NOTHING]]
local update = sql.statement "UPDATE customers SET tags = ?2, version = version + 1, updated_at = ?3 WHERE customer = ?1"
local put_contact = sql.statement [[
  INSERT INTO customer_contacts (customer, name, email, phone) VALUES (?1, ?2, ?3, ?4)
  ON CONFLICT (customer) DO UPDATE SET name = excluded.name, email = excluded.email, phone = excluded.phone]]
local claim = sql.statement
  "UPDATE customers SET orders = orders + 1, version = version + 1, updated_at = ?3 WHERE customer = ?1 AND version = ?2"
local claim_any = sql.statement "UPDATE customers SET orders = orders + 1, version = version + 1, updated_at = ?2 WHERE customer = ?1"
local change = sql.statement "UPDATE customers SET version = version + 1, updated_at = ?2 WHERE id = ?1"
local release = sql.statement "UPDATE customers SET orders = orders - 1, version = version + 1, updated_at = ?2 WHERE id = ?1"

local function render(row)
  return json.object("id", row.customer, "name", row.name or json.null, "email", row.email or json.null, "phone", row.phone or json.null,
    "tags", json.raw(row.tags), "orders", row.orders, "created_at", time.format(row.created_at), "updated_at", time.format(row.updated_at))
end

---@param args { principal: table, params: { id: string } }
function customers.get(args)
  local id = args.params.id
  local row = find:row(id)
  -- Whether another customer exists is nobody's business.
  if not row or not (caller.is_trusted(args) or caller.customer(args) == id) then
    fail.not_found(("There is no customer %q."):format(id))
  end
  return { status = 200, body = render(row) }
end

-- Those of consents and of minors are the shop's to know (feira.consents).
local function own_tags(given)
  local tags = check.texts(given, "/tags", 100) or {}
  for i, tag in ipairs(tags) do
    if tag == "declared-minor" or tag:find "^consent:" then
      fail.invalid("/tags/" .. i - 1, "This tag comes from PUT /v1/customers/{id}/minor or .../consents/{purpose}; it is not set by hand.")
    end
  end
  return tags
end

---The whole customer: what is not stated is gone.
---@param args { principal: table, params: { id: string }, body: { name: string?, email: string?, phone: string?, tags: string[]? } }
function customers.put(args)
  caller.require_trusted(args)
  local id, body, now = check.customer(args.params.id, "id"), args.body, time.now()
  local tags = json.encode(json.array(own_tags(body.tags)))
  local name, email = check.text(body.name, "/name", 200), check.text(body.email, "/email", 320)
  local phone = check.text(body.phone, "/phone", 40)
  local created = update:run(id, tags, now) == 0
  if created then insert:run(id, tags, 0, now) end
  put_contact:run(find_id:values(id), name, email, phone)
  if created then events.joined(id, now) end
  return { status = created and 201 or 200, body = render(find:row(id)) }
end

---Counts an order for a customer, if the version the quote read is still the one. Of two orders at once one has to be priced
---again, so two can't both be the first. An unknown customer (version 0) begins to exist. Gives the row's number, and the number under
---which the evidence of orders knows the customer: random, so that it leads to a person only through customer_pseudonyms.
---@param version integer|nil nil when the prices did not depend on the customer: then any version will do
---@return integer id, integer pseudonym
function customers.claim(customer, version, now)
  local changed, joined
  if not version then
    changed = claim_any:run(customer, now)
    if changed == 0 then
      changed = insert:run(customer, "[]", 1, now)
      joined = changed == 1
    end
  elseif version == 0 then
    changed = insert:run(customer, "[]", 1, now)
    joined = changed == 1
  else
    changed = claim:run(customer, version, now)
  end
  if changed ~= 1 then fail.retry "The customer has changed since the quote; it has to be priced again." end
  local id, pseudonym = find_claimed:values(customer)
  if not pseudonym then
    pseudonym = string.unpack("<i8", crypto.random(8)) & math.maxinteger
    keep_pseudonym:run(id, pseudonym)
  end
  if joined then events.joined(customer, now) end
  return id, pseudonym
end

---What rules may know of a customer has changed: quotes that were made before have to be made again.
---@param id integer row number
function customers.changed(id, now)
  if change:run(id, now) ~= 1 then error("customer " .. id .. " of an order is gone") end
end

---Takes an order back out of a customer's count: it was cancelled or has expired.
---@param id integer row number
function customers.release(id, now)
  if release:run(id, now) ~= 1 then error("customer " .. id .. " of an order is gone") end
end

return customers
