---@meta feira.timers
-- Durable timers. One that is due calls its procedure with { key = ... }, once, also after a restart. Procedures.
local timers = {}

---Setting the same procedure and key again moves it.
---@param procedure string "orders.expire"
---@param key string
---@param due_ms integer
function timers.set(procedure, key, due_ms) end

---@param procedure string
---@param key string
function timers.cancel(procedure, key) end

return timers
