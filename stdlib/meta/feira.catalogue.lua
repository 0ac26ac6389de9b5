---@meta feira.catalogue
local catalogue = {}

---Tells the host that a product changed, so that its copy in memory follows after the commit. Procedures.
---@param sku string
function catalogue.changed(sku) end

return catalogue
