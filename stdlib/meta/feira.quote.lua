---@meta feira.quote
-- The order being placed: args.quote of orders.place. Good during the call only.

---@class feira.Quote
---@field total integer what is to be paid, minor units
---@field subtotal integer of the lines, before discounts
---@field discount integer of the lines
---@field shipping integer what is paid for it: after its discounts, with tax that is added
---@field currency string
---@field line_count integer
---@field channel string? where it came through, when a rule knows that channel
---@field customer string? nil for a guest
---@field customer_version integer the version of the customer's facts that the rules read
---@field pay_within_ms integer? the shortest time that its campaigns give to pay; nil when none says
---@field prices_final boolean no rule had a say: no campaign, no rate
---@field at integer the clock value the rules saw, ms
---@field generation string
---@field evidence string bytes: what the quote saw and what came of it, as an order keeps it
local Quote = {}

---@class feira.QuoteLine
---@field line integer from 1
---@field sku string
---@field title string
---@field qty integer
---@field unit_price integer
---@field subtotal integer
---@field discount integer
---@field total integer
---@field tax integer within total, or on top of it when prices are without

---@param i integer from 1
---@return feira.QuoteLine?
function Quote:line(i) end

---@return string json the lines as an order shows them before any refund
function Quote:lines_json() end

---@return string json object: currency, subtotal, discount, shipping, tax, campaigns (those that applied)
function Quote:priced_json() end

---@return { sku: string, qty: integer, line: integer }[] units per SKU, in the order of their first lines
function Quote:needs() end

---Moves what the order needs to an account, where each SKU that is counted lies at one place. When it gives nothing, the place
---has to be chosen.
---@param order_id string
---@param kind "hold"|"transfer"
---@param to integer account
---@return boolean|nil done
---@return string|nil holds JSON, nil when nothing is counted; when it is not done, the SKU of which there is too little
---@return integer|nil line of that SKU, from 1
function Quote:take(order_id, kind, to) end

---@class feira.QuoteTake
---@field campaign string
---@field limit string "uses", "units_per_customer" ...
---@field unit string of the account
---@field account string
---@field amount integer
---@field max integer with what the account has (it goes below zero): what is left
---@field of_customer boolean
---@field kept boolean a refund does not give it back
---@field kept_when_cancelled boolean nor does the end of an order that is cancelled or has expired
---@field kept_when_cancelled boolean nor does the end of an order that is cancelled or has expired

---What the customer gets later, as a JSON array `[{campaign, to, what, after, amount}]`; nothing when that is nothing.
---@return string?
function Quote:grants_json() end

---What it uses up of limits of campaigns; nothing when that is nothing.
---@return feira.QuoteTake[]?
function Quote:takes() end

return {}
