-- feira.purses: the ledger's accounts that money moves between. A provider's account holds what it took for the shop and has not given
-- back: with the sign turned, what its own books say.
local ledger = require "feira.ledger"
local money = require "feira.money"

local purses = {}

-- Money of another currency than the shop's has accounts of its own.
local function in_currency(name, currency)
  local own = money.currency()
  if currency and currency ~= own then return ledger.account(name .. "/" .. currency, currency) end
  return ledger.account(name, own)
end

---What the shop sold.
function purses.sales() return in_currency "sales" end

---@param provider string
---@param currency string? the shop's unless said
function purses.provider(provider, currency) return in_currency("payments/" .. provider, currency) end

---Money that came in and was never the shop's to keep, until it is back.
function purses.unowned(currency) return in_currency("payments-unowned", currency) end

---What people gave back by another way than the provider the money had come through.
function purses.by_hand(currency) return in_currency("refunds-by-hand", currency) end

return purses
