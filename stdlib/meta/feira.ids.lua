---@meta feira.ids
local ids = {}

---A new id that sorts by time. Procedures only.
---@param prefix string 1 to 8 small letters
---@return string id "ord_01J..."
function ids.new(prefix) end

---@param id string
---@param prefix string
---@return boolean has_the_form
function ids.valid(id, prefix) end

return ids
