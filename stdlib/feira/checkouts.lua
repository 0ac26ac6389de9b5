-- feira.checkouts: a cart that is kept while a purchase is built step by step.
--
--   open ──complete──► completed ──a week──► gone
--     └──────────expires───────────────────► gone
--
-- It holds no goods and no prices: every answer prices it anew (the host does, and adds quote and problem to the document), and its token
-- is good for the cart as it was shown. It is completed once, whoever asks how often, and gives one order. Name, address and note stand
-- apart and go when it ends; the order has its own.
--
-- Who may see and change one: its customer and servers; one without a customer, whoever has its id, which can't be guessed.
-- args.checkout: its id, where the path does not say it.
local caller = require "feira.caller"
local check = require "feira.check"
local crypto = require "feira.crypto"
local fail = require "feira.fail"
local ids = require "feira.ids"
local json = require "feira.json"
local orders = require "feira.orders"
local rows = require "feira.order_rows"
local shop = require "feira.shop"
local sql = require "feira.sql"
local time = require "feira.time"
local timers = require "feira.timers"

local checkouts = {}

-- A client whose answer was lost asks again soon; later the order speaks for itself.
local REMEMBER_MS = 7 * 86400000

local insert = sql.statement [[
  INSERT INTO checkouts (checkout_id, customer, cart, created_at, updated_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?4, ?5)]]
local find = sql.statement [[
  SELECT k.id, k.checkout_id, k.customer, k.cart, k.version, k.created_at, k.updated_at, k.expires_at, o.order_id
  FROM checkouts k LEFT JOIN orders o ON o.id = k.placed_as WHERE k.checkout_id = ?1]]
local update = sql.statement [[
  UPDATE checkouts SET cart = ?2, customer = ?3, version = version + 1, updated_at = ?4, expires_at = ?5
  WHERE id = ?1 AND placed_as IS NULL]]
local place = sql.statement [[
  UPDATE checkouts SET placed_as = (SELECT id FROM orders WHERE order_id = ?2), customer = ?3, updated_at = ?4, expires_at = ?5
  WHERE id = ?1 AND placed_as IS NULL]]
local contact_of = sql.statement "SELECT contact, address, note FROM checkout_contacts WHERE checkout = ?1"
local put_contact = sql.statement [[
  INSERT INTO checkout_contacts (checkout, contact, address, note) VALUES (?1, ?2, ?3, ?4)
  ON CONFLICT (checkout) DO UPDATE SET contact = excluded.contact, address = excluded.address, note = excluded.note]]
local forget_contact = sql.statement "DELETE FROM checkout_contacts WHERE checkout = ?1"
local forget = sql.statement "DELETE FROM checkouts WHERE id = ?1"

local NOTHING = {}

-- --- what is kept --------------------------------------------------------------------------------------------------------

local CART = { "lines", "codes", "channel", "payment_method", "store", "shipping", "inputs", "campaigns" }
local PERSONAL = { contact = check.object, address = check.object, note = function(v, field) return check.text(v, field, 2000) end }

-- What the body says of the cart, over what was there: a member is replaced whole, null takes it away.
local function merged(cart, body)
  local out = {}
  for _, name in ipairs(CART) do
    local value = body[name]
    if value == nil then value = cart[name] end
    if value ~= json.null then out[name] = value end
  end
  return out
end

local function keep_personal(id, body)
  if body.contact == nil and body.address == nil and body.note == nil then return end
  local was, now = contact_of:row(id) or NOTHING, {}
  for name, read in pairs(PERSONAL) do
    local value = read(body[name], "/" .. name)
    if body[name] == nil then
      now[name] = was[name]
    elseif type(value) == "table" then
      now[name] = json.encode(value)
    else
      now[name] = value
    end
  end
  if now.contact or now.address or now.note then
    put_contact:run(id, now.contact, now.address, now.note)
  else
    forget_contact:run(id)
  end
end

-- The customer's own, or the one that a server names.
local function customer_of(args, otherwise)
  local own, named = caller.customer(args), args.body.customer
  if own then return own end
  if named == nil then return otherwise end
  if not caller.is_trusted(args) then fail.denied("This needs a secret key.", "/customer") end
  if named == json.null then return nil end
  return check.customer(named, "/customer")
end

-- --- who may see it ------------------------------------------------------------------------------------------------------

-- The one that the caller may know of; fails with 404 otherwise, whatever the reason.
local function visible(args)
  local id = args.checkout or args.params.id
  local row = find:row(id)
  local own = row and (caller.is_trusted(args) or not row.customer or row.customer == caller.customer(args))
  if not own or row.expires_at <= time.now() then
    fail.not_found("There is no such checkout; it may have expired.")
  end
  return row
end

local function require_open(row)
  if row.order_id then fail.state("checkout_completed", "This checkout is completed; its order can't be changed through it.") end
end

-- --- the routes ------------------------------------------------------------------------------------------------------------

-- What is kept under an idempotency key is the id alone: no personal field, and a repeated request is answered as things are.
local function answer(status, id) return { status = status, body = json.object("id", id) } end

---@param args { principal: table, body: table }
function checkouts.create(args)
  local body, now = args.body or {}, time.now()
  local id, expires = ids.new "chk" .. crypto.base64url(crypto.random(12)), now + shop.checkout_ttl()
  insert:run(id, customer_of(args), json.encode(merged(NOTHING, body)), now, expires)
  keep_personal(find:row(id).id, body)
  timers.set("checkouts.expire", id, expires)
  return answer(201, id)
end

---A guest's checkout becomes the customer's who changes it.
---@param args { principal: table, params: { id: string }, body: table }
function checkouts.change(args)
  local row, now = visible(args), time.now()
  require_open(row)
  local expires = now + shop.checkout_ttl()
  local cart = json.encode(merged(json.decode(row.cart), args.body))
  if update:run(row.id, cart, customer_of(args, row.customer), now, expires) ~= 1 then
    error("checkout " .. row.checkout_id .. " has gone while it was changed")
  end
  keep_personal(row.id, args.body)
  timers.set("checkouts.expire", row.checkout_id, expires)
  return answer(200, row.checkout_id)
end

---@param args { principal: table, params: { id: string }? }
function checkouts.get(args)
  local row = visible(args)
  local cart, personal = json.decode(row.cart), contact_of:row(row.id) or NOTHING
  return {
    status = 200,
    body = json.object("id", row.checkout_id, "state", row.order_id and "completed" or "open", "version", row.version,
      "customer", row.customer or json.null, "order", row.order_id or json.null, "lines", cart.lines or json.array {},
      "codes", cart.codes or json.array {}, "channel", cart.channel or json.null,
      "payment_method", cart.payment_method or json.null, "store", cart.store or json.null, "shipping", cart.shipping or json.null,
      "inputs", cart.inputs or json.null, "campaigns", cart.campaigns,
      "contact", personal.contact and json.raw(personal.contact) or json.null,
      "address", personal.address and json.raw(personal.address) or json.null, "note", personal.note or json.null,
      "created_at", time.format(row.created_at), "updated_at", time.format(row.updated_at), "expires_at", time.format(row.expires_at)),
  }
end

-- The order that it became already. Who has nothing but the id sees no personal fields of it.
local function the_order(args, row)
  local order = rows.find(row.order_id)
  local is_known = caller.is_trusted(args) or row.customer
  return { status = 200, body = is_known and rows.document(order) or rows.document_for_anyone(order) }
end

---Places the order, with the prices of the token that came with the cart as it is now. args.version: the token's.
---@param args { principal: table, params: { id: string }, body: table, shop: table, version: integer?, quote: table? }
function checkouts.complete(args)
  local row, now = visible(args), time.now()
  if row.order_id then return the_order(args, row) end
  if not args.quote or args.version ~= row.version then
    fail.conflict("checkout_changed", "The checkout has changed since this quote; see the fresh one.", "/quote_token")
  end
  local personal = contact_of:row(row.id) or NOTHING
  local done = orders.place {
    principal = args.principal, quote = args.quote, shop = args.shop,
    body = {
      contact = personal.contact and json.decode(personal.contact), address = personal.address and json.decode(personal.address),
      note = personal.note, reference = args.body.reference, dues = args.body.dues,
    },
  }
  if place:run(row.id, done.order_id, args.quote.customer, now, now + REMEMBER_MS) ~= 1 then
    error("checkout " .. row.checkout_id .. " was completed twice at once")
  end
  forget_contact:run(row.id)
  timers.set("checkouts.expire", row.checkout_id, now + REMEMBER_MS)
  return { status = 201, body = done.body }
end

---Timer: nobody completed it in time, or it is long completed.
---@param args { key: string }
function checkouts.expire(args)
  local row = find:row(args.key)
  if not row then return { status = 200 } end
  if row.expires_at > time.now() then
    timers.set("checkouts.expire", row.checkout_id, row.expires_at)
    return { status = 200 }
  end
  forget_contact:run(row.id)
  forget:run(row.id)
  return { status = 200 }
end

return checkouts
