---@meta feira.json
-- JSON in and out, in handlers and procedures. The same values always give the same text: members sorted by key, or in the
-- order given to json.object. Numbers are integers.

---Text that is JSON already and is spliced as it is.
---@class feira.json.Raw

local json = {}

---The JSON null: what decode gives for it, and what encode and object write as null.
json.null = nil

---@param value any tables with the keys 1..n are arrays, others objects; an empty table is an object unless json.array marked it
---@return string
function json.encode(value) end

---@param text string
---@return any|nil value
---@return string? sentence why text is not JSON
function json.decode(text) end

---Marks a table as an array, also when it is empty.
---@generic T: table
---@param list T
---@return T list
function json.array(list) end

---@param text string JSON that the caller vouches for
---@return feira.json.Raw
function json.raw(text) end

---json.object("id", id, "note", nil, json.raw '{"a":1}'): members in this order. A nil value leaves its member out; a raw object
---in the place of a name gives its members.
---@param ... any
---@return feira.json.Raw
function json.object(...) end

---@param raw feira.json.Raw
---@return string
function json.text(raw) end

return json
