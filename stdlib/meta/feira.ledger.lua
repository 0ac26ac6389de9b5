---@meta feira.ledger
-- Everything that can run out or be owed is an account; every change moves an amount from one account to another.
-- In a plugin an account is its name. Those that begin with the plugin's name and a slash ("points/issued", "points/cus_1") are its own;
-- others are there when needs.ledger names them: "coupons:read", "coupons:write"; of the shop's own ("stock:read") only the balance. The
-- ids of transfers are the plugin's own as well: no other plugin meets them.

---@alias feira.ledger.Account string|integer the name, in a plugin; in the stdlib the number that ledger.account gave

---@class feira.ledger.Op
---@field kind "transfer"|"hold"|"post"|"void"
---@field id string chosen by the maker, 1 to 96 bytes (of a plugin less, by its name): doing it twice is doing it once
---@field debit feira.ledger.Account? account that the amount leaves (transfer, hold)
---@field credit feira.ledger.Account? account that it arrives at (transfer, hold)
---@field amount integer? above zero; a post without one posts all that was held
---@field pending string? id of the hold (post, void)
---@field expires integer? ms; a hold's: from then on it can't be posted, and the ledger gives it back by itself, also after a restart
---@field reference string? what it belongs to

---@class feira.ledger.Entry what moved: a transfer, or a hold that was posted
---@field id string
---@field kind "transfer"|"post"
---@field at integer ms
---@field amount integer above zero: it came in
---@field balance integer after it
---@field other string the account on the other side
---@field reference string? what it belongs to
---@field hold string? that was posted

---@class feira.ledger.Statement
---@field account string
---@field unit string
---@field opening integer balance at `from`; what is held does not count
---@field debits integer what went out in the whole period
---@field credits integer what came in
---@field closing integer balance at `to`
---@field entries feira.ledger.Entry[] of this page, the earliest first
---@field next string? `after` of the next page

local ledger = {}

---Finds or makes an account: `ledger.account("points/" .. customer, "points", { no_overdraft = true })`. Procedures.
---@param name string "points/cus_1"
---@param unit string "points", "CNY", "pcs"
---With `published = true` what is left of it is told to the workers with each commit, so that they can say "used up" without the writer:
---for what very many want at once (coupons of a campaign, seats, a budget), not for one account per customer.
---@param options { no_overdraft: boolean?, published: boolean? }? no_overdraft only when it is made; published also later
---@return feira.ledger.Account account
function ledger.account(name, unit, options) end

---All or nothing. Procedures.
---@param ops feira.ledger.Op[]
---@return true|nil done
---@return integer? index of the first operation that there is not enough for; everything else that can go wrong is an error
---@return string? account its name
function ledger.apply(ops) end

---Posts or voids the holds ID/1 to ID/n. In the stdlib only, for what an order holds. Procedures.
---@param holds string JSON, a list of n
---@param id string
---@param kind "post"|"void"
---@return true|nil done
---@return integer? index of the first that there is not enough for
---@return string? account its name
function ledger.settle(holds, id, kind) end

---In a plugin by name: `ledger.balance("points/cus_1")`. A procedure sees its own changes, a handler its snapshot. Nothing when there is no
---such account. In the stdlib a procedure asks by account, a handler by name.
---@param account feira.ledger.Account?
---@param name string? in the stdlib
---@return integer posted
---@return integer held
---@return integer available
function ledger.balance(account, name) end

---The balance at two moments and what moved between them: `ledger.statement("points/cus_1", { from = month, to = time.now() })`. With
---`limit = 0` only the sums. Handlers and procedures; nothing when there is no such account. Of another plugin's accounts it needs
---":write", because it shows who moved what.
---@param name string
---@param options { from: integer?, to: integer?, limit: integer?, after: string? }? ms; limit is 50, at most 1000
---@return feira.ledger.Statement|nil
function ledger.statement(name, options) end

---What can be taken from an account now: in a procedure after its own changes, in a handler as of the last commit. A frozen or closed one
---has nothing left. Nothing when there is no such account.
---@param name string
---@return integer|nil left
function ledger.left(name) end

---Whether less than `need` is left. A handler that says so at once costs the writer nothing; a route with a procedure names the account in
---plugin.lua instead: `["POST /claim"] = { run = "events.claim", auth = "customer", unless_exhausted = "my-plugin/coupons" }`.
---@param name string
---@param need integer? 1
---@return boolean exhausted false when there is no such account
function ledger.exhausted(name, need) end

---How a hold stands now. Nothing when there is none with this id.
---@param id string as it was taken with
---@return "open"|"posted"|"voided"|"expired"|nil standing
---@return integer amount held
---@return integer posted what of it was posted
function ledger.hold(id) end

---Freezes an account (nothing can be taken from it) or closes it (nothing moves; it must be empty), or takes that back. Procedures.
---@param account feira.ledger.Account
---@param flags { frozen: boolean?, closed: boolean? } what is absent stays
---@param reason string kept
---@param who string? in the stdlib; a plugin is named by itself
function ledger.change(account, flags, reason, who) end

---For the standard library: a name that stands in names of accounts and in ids and references of transfers becomes another one, so that
---nobody can say any more whose they are (`points/of/anna`). Procedures. Looks all of them through.
---@param from string
---@param to string that nobody had
---@return integer accounts that were renamed
function ledger.replace_name(from, to) end

---For the standard library: whether replace_name() would change this account's name.
---@param name string
---@param part string
---@return boolean
function ledger.name_has(name, part) end

return ledger
