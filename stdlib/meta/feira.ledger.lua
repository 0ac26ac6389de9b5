---@meta feira.ledger
-- Everything that can run out or be owed is an account; every change moves an amount from one account to another.

---@class feira.ledger.Op
---@field kind "transfer"|"hold"|"post"|"void"
---@field id string chosen by the maker, 1 to 96 bytes: doing it twice is doing it once
---@field debit integer? account that the amount leaves (transfer, hold)
---@field credit integer? account that it arrives at (transfer, hold)
---@field amount integer? above zero; a post without one posts all that was held
---@field pending string? id of the hold (post, void)
---@field expires integer? ms; a hold's, carried out by a timer of the maker
---@field reference string? what it belongs to

local ledger = {}

---Finds or makes an account. Procedures.
---@param name string "stock/TEA-250/main"
---@param unit string "CNY", "pcs"
---@param options { no_overdraft: boolean? }? only when it is made
---@return integer account
function ledger.account(name, unit, options) end

---All or nothing. Procedures.
---@param ops feira.ledger.Op[]
---@return true|nil done
---@return integer? index of the first operation that there is not enough for; everything else that can go wrong is an error
---@return string? account its name
function ledger.apply(ops) end

---A procedure asks by account and sees its own changes; a handler by name, as of its snapshot. Nothing when there is no such account.
---@param account integer?
---@param name string?
---@return integer posted
---@return integer held
---@return integer available
function ledger.balance(account, name) end

return ledger
