---@meta feira.log
-- One event a line. No secret and no personal field belongs in a log line. Handlers and procedures.

---@alias feira.log.Fields table<string, string|integer|boolean>

local log = {}

---@param event string a stable dotted name: "stock.low"
---@param text string a sentence
---@param fields feira.log.Fields?
function log.info(event, text, fields) end

---@param event string
---@param text string
---@param fields feira.log.Fields?
function log.warn(event, text, fields) end

---@param event string
---@param text string
---@param fields feira.log.Fields?
function log.error(event, text, fields) end

return log
