---@meta feira.shop
-- What shop.lua says of orders, for files of the standard library. In handlers and procedures.
local shop = {}

---How long after it was fulfilled an order is completed by itself.
---@return integer|nil ms nil: never
function shop.complete_after() end

---How long a checkout lives after its last change.
---@return integer ms
function shop.checkout_ttl() end

---Under how many pieces of a SKU at a place stock.low is told.
---@return integer|nil pieces nil: never
function shop.stock_low() end

---How far a price that products are compared with (compare_at) has to be borne out.
---@return integer|nil days nil: it is shown always
---@return boolean by_deals by what it was sold for, not by what it was offered for
function shop.compare_at() end

---What the shop's amounts are in.
---@return string code ISO 4217
function shop.currency() end

---What the shop keeps of persons, as data: fields, purposes, periods, and what plugins keep and read (runtime/rulebook/privacy.h).
---@return table
function shop.privacy() end

return shop
