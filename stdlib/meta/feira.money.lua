---@meta feira.money
-- Exact amounts: integers in the currency's minor unit. Floats are refused, overflow is an error.

---An amount as rules and declarations write it: minor units, or a decimal string in major units ("50.00").
---@alias feira.Amount integer|string

---@alias feira.Rounding "half_away"|"half_even"|"half_down"|"down"|"up"|"floor"|"ceiling"

local money = {}

---@param text string "50.00", in the shop's currency
---@return integer minor
function money.parse(text) end

---@param minor integer
---@return string text "50.00"
function money.format(minor) end

---@param a integer
---@param b integer
---@return integer
function money.add(a, b) end

---@param a integer
---@param b integer
---@return integer
function money.sub(a, b) end

---@param amount integer
---@param count integer
---@return integer
function money.mul(amount, count) end

---amount × numerator / denominator, exact inside, rounded once.
---@param amount integer
---@param numerator integer
---@param denominator integer above zero
---@param rounding feira.Rounding? half_away
---@return integer
function money.ratio(amount, numerator, denominator, rounding) end

---@param amount integer
---@param ppm integer parts per million, see money.percent
---@param rounding feira.Rounding? half_away
---@return integer
function money.rate(amount, ppm, rounding) end

---@param percent number|string 20, 12.5 or "12.5"; refused when it has no exact value
---@return integer ppm
function money.percent(percent) end

---Splits a total in proportion to weights, by largest remainder; the parts add up exactly. When all weights are 0 it fails, or, with
---`"evenly"`, splits into equal parts.
---@param total integer
---@param weights integer[]
---@param zeros? "evenly"
---@return integer[]
function money.allocate(total, weights, zeros) end

---@return string code ISO 4217
---@return integer exponent digits after the point
function money.currency() end

return money
