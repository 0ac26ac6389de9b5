---@meta
-- What a function campaign gets. Sets and lines are good during the call only and never leave the campaign's scope: what is measured
-- and what is discounted are the same lines. C does the arithmetic on sets; loop over lines only where a set can't say it.

---@class feira.Selector
---@field sku string|string[]|nil
---@field tag string|string[]|nil
---@field category string|string[]|nil also the categories below it
---@field brand string|string[]|nil
---@field all feira.Selector[]|nil
---@field any feira.Selector[]|nil
---@field none feira.Selector[]|nil

---Gifts are not in it, nor add-ons: what is added to a cart counts for nothing else.
---@class feira.Cart
---@field subtotal integer what the campaign's lines still cost, minor units
---@field qty integer their units
---@field count integer how many lines
---@field weight_g integer of the whole cart
---@field now integer the clock value of the quote, ms
---@field guest boolean
---@field customer_tags string[]
---@field channel string?
---@field payment_method string? how the shopper means to pay
---@field store string? where the cart is fetched or sold
---@field region string?
local Cart = {}

---@param selector feira.Selector
---@return feira.Set
function Cart:select(selector) end

---@return feira.Set all lines of the campaign
function Cart:all() end

---@return fun(): feira.Line?
function Cart:lines() end

---@param tag string
---@return boolean
function Cart:has_customer_tag(tag) end

---What a plugin knows of the customer: `cart:fact "member-tiers.level"`. Money in minor units, percent in parts per million, time in
---ms. nil: there is no such fact of this customer (guests have none), or no such plugin. It raises for a name that the plugin does not
---have, for a fact that could not be found out, and for a name that stands in no file in full: only what could be asked for is
---found out.
---@param name string "PLUGIN.NAME"
---@return integer|boolean|string|nil
function Cart:fact(name) end

---What the client sent with the quote or the order for the plugin whose rule this is, as `inputs` in its plugin.lua describes it; nil
---when it sent none. A plugin sees its own only, and rules of no plugin have none.
---@param name string
---@return any
function Cart:input(name) end

---What was left of a published account of the ledger (`published = true`) when the cart was priced: the same in all of the quote, part of
---its evidence, and good for an order with its token. A plugin's rule asks about the plugin's own accounts, the shop's campaigns about any.
---It is no promise: only taking from the account is. nil: it is not published.
---@param account string "launch/coupons"
---@return integer|nil
function Cart:left(account) end

---@return feira.Cart self
function Cart:free_shipping() end

---@class feira.Set
---@field subtotal integer what its lines still cost
---@field qty integer
---@field count integer
local Set = {}

---@param selector feira.Selector
---@return feira.Set
function Set:select(selector) end

---@return fun(): feira.Line?
function Set:lines() end

---@param what number|string|{ percent: number|string, cap: feira.Amount?, reason: string? } 20, "12.5"
---@return feira.Set self
function Set:percent_off(what) end

---Shared out over the lines in proportion to what they still cost; never more than that.
---@param what feira.Amount|{ amount: feira.Amount, reason: string? }
---@return feira.Set self
function Set:amount_off(what) end

---@class feira.Line
---@field sku string
---@field qty integer
---@field unit_price integer
---@field subtotal integer before discounts
---@field remaining integer what it still costs, effects of this call included
---@field compare_at integer 0 = none
---@field weight_g integer
---@field category string?
---@field brand string?
local Line = {}

---@param tag string
---@return boolean
function Line:has_tag(tag) end

---@param category string
---@return boolean true also for a category above its own
function Line:in_category(category) end

---Takes money off; never more than the line still costs.
---@param what { amount: feira.Amount, units: integer?, reason: string? } the reason is shown to the buyer
---@return feira.Line self
function Line:discount(what) end

---What a fact's function gets behind the customer's rows: `function rules.level(rows, about, settings)`.
---@class feira.FactAbout
---@field customer string
---@field now integer the clock value of the quote, ms
---@field tags string[] the customer's
