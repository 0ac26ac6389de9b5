-- feira.order_shares: what of a line goes back. Pure arithmetic over a line as it was placed and what went back of it so far,
--   back = { qty, amount, spread_qty, spread_amount }
-- (units and money given back in all; and what these were when money was last given back without units). The rule is in order_refunds.lua.
local money = require "feira.money"

local shares = {}

---@return table nothing has gone back yet
function shares.none() return { qty = 0, amount = 0, restocked = 0, spread_qty = 0, spread_amount = 0, sent_qty = 0 } end

---What was paid for the line: where tax is added to prices, it goes back with them.
local function payable(line) return line.payable or line.total end

---What is left of what was paid for it.
function shares.left(line, back) return money.sub(payable(line), back.amount) end

---Counts qty more units as given back, and gives what they are worth.
function shares.take_units(line, back, qty)
  local rest, units = money.sub(payable(line), back.spread_amount), line.qty - back.spread_qty
  local upto = money.add(back.spread_amount, money.ratio(rest, back.qty - back.spread_qty + qty, units))
  local worth = money.sub(upto, back.amount)
  back.qty, back.amount = back.qty + qty, upto
  return worth
end

---Counts an amount as given back, without units: the rest is spread anew over the units that are left.
function shares.take_amount(line, back, amount)
  if amount > shares.left(line, back) then error("more goes back of a line than is left of it") end
  back.amount = back.amount + amount
  back.spread_qty, back.spread_amount = back.qty, back.amount
end

---How much of what was given back is tax; nil where the shop has none. In proportion, so that all of the line has all of its tax.
---@param from integer given back before
---@param upto integer given back now
function shares.tax(line, from, upto)
  local all = payable(line)
  if not line.tax then return nil end
  if all == 0 then return 0 end
  return money.sub(money.ratio(line.tax, upto, all), money.ratio(line.tax, from, all))
end

return shares
