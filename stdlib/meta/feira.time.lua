---@meta feira.time
-- The time of the running call, never the machine's clock. Instants are milliseconds UTC.

---@class feira.Civil a local time in the shop's zone
---@field year integer
---@field month integer 1..12
---@field day integer
---@field hour integer
---@field minute integer
---@field second integer
---@field ms integer
---@field weekday integer 1 = Monday .. 7 = Sunday

local time = {}

---Handlers and procedures; rules have cart.now.
---@return integer ms
function time.now() end

---@param ms integer
---@return string text RFC 3339, UTC
function time.format(ms) end

---@param text string RFC 3339 with an offset
---@return integer|nil ms
---@return string? sentence
function time.parse(text) end

---@param text string "90s", "30m", "24h", "7d", "2w"
---@return integer ms
function time.duration(text) end

---@param ms integer
---@return feira.Civil
function time.civil(ms) end

---The instant the shop means by a local time: in a gap the jump, in a fold the first.
---@param text string "2026-11-20 00:00"
---@return integer ms
function time.resolve(text) end

return time
