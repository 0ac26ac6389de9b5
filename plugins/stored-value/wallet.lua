-- What a customer has: two accounts, one of what was paid in (principal), one of what the shop gave (gift). Neither goes below zero,
-- whatever happens at once, and both together are what can be spent. Principal is owed to the customer, a gift is not: so they never mix.
local fail = require "feira.fail"
local ledger = require "feira.ledger"
local money = require "feira.money"
local store = require "feira.store"
local time = require "feira.time"

local wallet = {}

local PARTS = { "principal", "gift" }

local function account(customer, part) return ("stored-value/%s/%s"):format(customer, part) end

-- Where the two come from, and where they go when they are spent.
local function outside(part, what)
  local name = ("stored-value/%s-%s"):format(part, what)
  return ledger.account(name, (money.currency()))
end

local function open(customer)
  if not store.of("shop").customers:get { customer = customer } then fail.not_found(("There is no customer %q."):format(customer)) end
  for _, part in ipairs(PARTS) do ledger.account(account(customer, part), (money.currency()), { no_overdraft = true }) end
end

---@param customer string
---@return integer principal
---@return integer gift
function wallet.balance(customer)
  return ledger.left(account(customer, "principal")) or 0, ledger.left(account(customer, "gift")) or 0
end

wallet.account = account

local function known(customer)
  local principal, gift = wallet.balance(customer)
  return { customer = customer, principal = principal, gift = gift, total = principal + gift }
end

-- { principal, gift } moved between two kinds of places; amounts of zero move nothing.
local function move(id, amounts, from, to)
  local ops = {}
  for _, part in ipairs(PARTS) do
    if amounts[part] > 0 then
      ops[#ops + 1] = {
        kind = "transfer", id = id .. "/" .. part, debit = from(part), credit = to(part), amount = amounts[part], reference = id,
      }
    end
  end
  return ledger.apply(ops)
end

local function of(customer) return function(part) return account(customer, part) end end
local function to_outside(what) return function(part) return outside(part, what) end end

-- What was done before is done once, and must have been the same.
local function same(row, args, names)
  for _, name in ipairs(names) do
    if row[name] ~= args[name] then
      fail.conflict("done_otherwise", ("This was done before with another %s; use a new id."):format(name), "/" .. name)
    end
  end
end

---@param args { customer: string, id: string, principal: integer, gift: integer? }
function wallet.top_up(args, settings)
  args = { customer = args.customer, id = args.id, principal = args.principal, gift = args.gift or 0 }
  if args.principal + args.gift == 0 then fail.invalid("/principal", "Something has to be paid in or given.") end
  if args.principal > settings.top_up_max then
    fail.invalid("/principal", ("At most %s can be paid in at once."):format(money.format(settings.top_up_max)))
  end
  local before = store.top_ups:get(args.id)
  if before then
    same(before, args, { "customer", "principal", "gift" })
    return known(args.customer)
  end
  open(args.customer)
  store.top_ups:insert { id_of_payment = args.id, customer = args.customer, at = time.now(), principal = args.principal, gift = args.gift }
  move("top-up/" .. args.id, args, to_outside "received", of(args.customer))
  return known(args.customer)
end

-- What of both a purchase takes.
local function shares(amount, principal, gift, first)
  local taken
  if first == "principal" then
    taken = math.min(amount, principal)
  elseif first == "gift" then
    taken = math.max(amount - gift, 0)
  else
    taken = money.ratio(amount, principal, principal + gift, "floor")
    taken = math.max(taken, amount - gift) -- rounding down may leave more for the gift than there is
  end
  return { principal = taken, gift = amount - taken }
end

---@param args { customer: string, id: string, amount: integer }
function wallet.spend(args, settings)
  local before = store.spends:get(args.id)
  if before then
    before.amount = before.principal + before.gift
    same(before, args, { "customer", "amount" })
    return { principal = before.principal, gift = before.gift }
  end
  local principal, gift = wallet.balance(args.customer)
  if principal + gift < args.amount then
    fail.conflict("not_enough", ("There is only %s."):format(money.format(principal + gift)), "/amount")
  end
  local taken = shares(args.amount, principal, gift, settings.spend_first)
  if not move("spend/" .. args.id, taken, of(args.customer), to_outside "spent") then
    fail.conflict("not_enough", "There is not enough left: a part of it is held or frozen.", "/amount")
  end
  store.spends:insert { spend = args.id, customer = args.customer, at = time.now(), principal = taken.principal, gift = taken.gift }
  return taken
end

-- What of the principal has gone back when `back` of both has: adds up to all of it in whatever steps.
local function principal_of(row, back) return money.ratio(back, row.principal, row.principal + row.gift, "floor") end

---@param args { spend: string, id: string, amount: integer }
function wallet.give_back(args)
  local row = store.spends:get(args.spend) or fail.not_found(("Nothing was spent as %q."):format(args.spend))
  local before = store.returns:get { spend = args.spend, return_id = args.id }
  if before then
    before.amount = before.principal + before.gift
    same(before, args, { "amount" })
    return { principal = before.principal, gift = before.gift }
  end
  local back = row.back + args.amount
  if back > row.principal + row.gift then
    fail.conflict("more_than_spent", ("Only %s is left to give back."):format(money.format(row.principal + row.gift - row.back)), "/amount")
  end
  local principal = principal_of(row, back) - principal_of(row, row.back)
  local amounts = { principal = principal, gift = args.amount - principal }
  move(("back/%s/%s"):format(args.spend, args.id), amounts, to_outside "spent", of(row.customer))
  store.returns:insert { spend = args.spend, return_id = args.id, principal = amounts.principal, gift = amounts.gift, at = time.now() }
  store.spends:update(args.spend, { back = back })
  return amounts
end

return wallet
