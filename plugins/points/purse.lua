-- What a customer has: an account of the ledger, and lots, one for each moment at which a part of it expires. The lots with the nearest end
-- go first, and all that is left of them is the balance of the account. Ends are rounded up to a hundredth of the time that points live, so
-- that nobody has more lots than one call can look at: an order whose points can't be given back could not end. Who has spent points that
-- are taken back owes them: a second account, below zero, which is met by the next points that come in. What changes something here runs in
-- the transaction of its caller.
local fail = require "feira.fail"
local ledger = require "feira.ledger"
local plugin = require "feira.plugin"
local store = require "feira.store"
local time = require "feira.time"
local timers = require "feira.timers"

local purse = {}

local settings = plugin.settings
local UNIT = "points"
local NEVER = 253402300799000 -- the end of the year 9999
local DAY_MS = 86400000
local STEPS = 100

function purse.account(customer) return "points/of/" .. customer end
local function owed_account(customer) return "points/owed/" .. customer end

-- Where points come from and go to: points/issued, points/spent, points/expired.
local function outside(what) return ledger.account("points/" .. what, UNIT) end

local function open_account(customer)
  if not store.of("shop").customers:get { customer = customer } then fail.not_found(("There is no customer %q."):format(customer)) end
  ledger.account(owed_account(customer), UNIT)
  return ledger.account(purse.account(customer), UNIT, { no_overdraft = true })
end

local function move(id, from, to, points)
  local done, _, account = ledger.apply { { kind = "transfer", id = id, debit = from, credit = to, amount = points, reference = id } }
  if not done then fail.conflict("not_enough_points", ("There are too few points in %s."):format(account)) end
end

---@return integer
function purse.owed(customer) return -(ledger.balance(owed_account(customer)) or 0) end

-- The lots of which something is left, the nearest end first.
local function open_lots(customer, more)
  local how = { where = { customer = customer, open = true }, index = { "customer", "open", "expires" } }
  for key, value in pairs(more or {}) do how[key] = value end
  return store.lots:each(how)
end

local function use(lot, points)
  store.lots:update(lot.id, { left = lot.left - points, open = lot.left > points })
  lot.left = lot.left - points
end

-- --- the end of a lot -------------------------------------------------------------------------------------------------------------------

local function wake(customer)
  for lot in open_lots(customer, { limit = 1 }) do
    if lot.expires < NEVER then timers.set("expire", customer, lot.expires) end
  end
end

local function end_of(lot)
  store.lots:update(lot.id, { left = 0, open = false, expired = lot.expired + lot.left })
  -- More may come back to it from an order, and expires again then.
  move(("expired/%d/%d"):format(lot.id, lot.expired), purse.account(lot.customer), outside "expired", lot.left)
end

---Takes what has expired; the timer may be late, so everything that spends asks for it first. Nothing leaves an account that was frozen:
---there it is looked at again every day.
function purse.expire(customer)
  for lot in open_lots(customer, { to = time.now() + 1 }) do
    if (ledger.left(purse.account(customer)) or 0) < lot.left then
      timers.set("expire", customer, time.now() + DAY_MS)
      return
    end
    end_of(lot)
  end
  wake(customer)
end

-- --- coming in --------------------------------------------------------------------------------------------------------------------------

local function take_of(lot, taken, left)
  local part = math.min(lot.left, left)
  if part == 0 then return left end
  use(lot, part)
  taken[#taken + 1] = { expires = lot.expires, points = part }
  return left - part
end

-- Takes points of the lot named, if one is, then of the others, the nearest end first. Gives what was taken of which, and how many there
-- were: all, unless the account has fewer.
local function take(customer, points, first)
  local wanted = math.min(points, ledger.left(purse.account(customer)))
  local lot, taken, left = first and store.lots:get(first), {}, wanted
  if lot then left = take_of(lot, taken, left) end
  if left == 0 then return taken, wanted end
  for other in open_lots(customer) do
    left = take_of(other, taken, left)
    if left == 0 then return taken, wanted end
  end
  error("the lots of " .. customer .. " have less than the account")
end

-- What is owed is met before anything can be spent.
local function settle(customer, cause)
  local owed = purse.owed(customer)
  if owed == 0 then return end
  local _, points = take(customer, owed)
  if points > 0 then move("settled/" .. cause, purse.account(customer), owed_account(customer), points) end
end

-- Puts points into the lot with that end.
local function put(customer, points, expires)
  local lot = store.lots:get { customer = customer, expires = expires }
  if not lot then return store.lots:insert { customer = customer, expires = expires, left = points } end
  store.lots:update(lot.id, { left = lot.left + points, open = true })
  return lot.id
end

-- The end of what begins to live for `span` now.
local function end_after(span)
  if not span then return NEVER end
  local step = span // STEPS
  return (time.now() + span + step - 1) // step * step
end

---Points that are new.
---@param id string of the transfer: "earned/ORDER"
---@return integer? lot
function purse.give(customer, points, id)
  if points == 0 then return end
  local account = open_account(customer)
  purse.expire(customer)
  move(id, outside "issued", account, points)
  local lot = put(customer, points, end_after(settings.valid))
  settle(customer, id)
  wake(customer)
  return lot
end

---Points that were spent come back to their old end, or to a later one when the shop says so. What has ended meanwhile meets what is owed,
---and is gone.
---@param parts { expires: integer, points: integer }[]
function purse.give_back(customer, parts, id)
  local account, sum = open_account(customer), 0
  for _, part in ipairs(parts) do sum = sum + part.points end
  if sum == 0 then return end
  purse.expire(customer)
  move(id, outside "spent", account, sum)
  local least = settings.returned_for and end_after(settings.returned_for) or 0
  for _, part in ipairs(parts) do put(customer, part.points, math.max(part.expires, least)) end
  settle(customer, id)
  purse.expire(customer)
end

---Of so many points that came in with a lot those that expired unspent: they are gone already, and not to be taken a second time.
---@param lot integer?
function purse.lapse(lot, points)
  local row = lot and store.lots:get(lot)
  local gone = row and math.min(points, row.expired - row.lapsed) or 0
  if gone > 0 then store.lots:update(lot, { lapsed = row.lapsed + gone }) end
  return gone
end

-- --- going out --------------------------------------------------------------------------------------------------------------------------

---Spends points; fails when there are too few.
---@return { expires: integer, points: integer }[] parts
function purse.spend(customer, points, id)
  local account = open_account(customer)
  purse.expire(customer)
  if ledger.left(account) < points then
    fail.conflict("not_enough_points", ("There are %d points, not %d."):format(ledger.left(account), points), "/points")
  end
  local parts = take(customer, points)
  move(id, account, outside "spent", points)
  return parts
end

---Takes points back that should not be there: of their own lot first, then of the others; what is not there any more is owed.
---@param lot integer? the lot that they came in with
function purse.take_back(customer, points, id, lot)
  if points == 0 then return end
  local account = open_account(customer)
  purse.expire(customer)
  local _, there = take(customer, points, lot)
  if there > 0 then move(id, account, outside "issued", there) end
  if points > there then move("owed/" .. id, owed_account(customer), outside "issued", points - there) end
end

---@param args { customer: string, id: string, points: integer, reason: string }
function purse.adjust(args)
  local customer, points = args.customer, args.points
  if points == 0 then fail.invalid("/points", "Say how many points are given, or, below zero, taken.") end
  local before = store.adjustments:get { customer = customer, number = args.id }
  if before then
    if before.points ~= points then fail.conflict("done_otherwise", "This was done before with other points.", "/points") end
    return purse.summary(customer)
  end
  open_account(customer)
  purse.expire(customer)
  local left = ledger.left(purse.account(customer))
  if points < 0 and left < -points then
    fail.conflict("not_enough_points", ("There are %d points; %d can't be taken."):format(left, -points), "/points")
  end
  local row = store.adjustments:insert { customer = customer, number = args.id, points = points, reason = args.reason, at = time.now() }
  local id = "adjusted/" .. row
  if points > 0 then purse.give(customer, points, id) else purse.take_back(customer, -points, id) end
  return purse.summary(customer)
end

---Once a day of the shop's zone.
function purse.sign_in(customer)
  if settings.sign_in == 0 then fail.not_found "This shop gives no points for coming by." end
  local day = time.civil(time.now())
  local text = ("%04d-%02d-%02d"):format(day.year, day.month, day.day)
  local row = store.sign_ins:get { customer = customer, day = text }
  if row then return { day = text, points = row.points, first = false } end
  open_account(customer)
  local id = store.sign_ins:insert { customer = customer, day = text, at = time.now(), points = settings.sign_in }
  purse.give(customer, settings.sign_in, "signed-in/" .. id)
  return { day = text, points = settings.sign_in, first = true }
end

-- --- looking ----------------------------------------------------------------------------------------------------------------------------

local SHOWN = 20

---What there is, without what has expired and waits for its timer. Below zero: so many are owed.
---@return { customer: string, balance: integer, expiring: { at: string, points: integer }[] }
function purse.summary(customer)
  local now, gone, coming = time.now(), 0, {}
  for lot in open_lots(customer, { to = now + 1 }) do gone = gone + lot.left end
  for lot in open_lots(customer, { from = now + 1, to = NEVER, limit = SHOWN }) do
    coming[#coming + 1] = { at = time.format(lot.expires), points = lot.left }
  end
  local balance = ledger.balance(purse.account(customer)) or 0
  return { customer = customer, balance = balance - gone - purse.owed(customer), expiring = coming }
end

return purse
