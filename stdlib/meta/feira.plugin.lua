---@meta feira.plugin
-- In files of a plugin: who it is, and its ways to others. feira.timers is its own there, too: timers.set("expire", key, due_ms) takes the
-- names of `timers` in its plugin.lua, and calls the function with { key, due_ms }.
---@class feira.plugin
---@field name string
---@field version string
---@field settings table what shop.lua says, checked, with defaults; read-only
local plugin = {}

---Calls a procedure, of its own ("grant") or of a plugin that needs.procedures names ("coupons.grant"), in the same transaction. Both get
---copies. When it fails, everything fails, whether the error is caught or not. Of the shop's own there are
---`plugin.call("orders.cancel", { order = id, reason = "..." })` and
---`plugin.call("orders.refund", { order = id, lines = { { line = 1, qty = 1 } } })`; both give { order, state, total, paid, refunded }.
---Procedures.
---@param procedure string
---@param args table?
---@return any
function plugin.call(procedure, args) end

---Emits one of its own events ("full" is heard as PLUGIN.full). Procedures.
---@param event string
---@param payload table as events in plugin.lua describes it
function plugin.emit(event, payload) end

return plugin
