---@meta feira.vm

---What the sandbox gives to those who write modules.
---@class feira.vm
local vm = {}

---Where the code at `level` is: `"campaigns/tea.lua:7"`; level 1 (the default) called `where`. Empty for a function written
---in C and after a tail call.
---@param level? integer
---@return string
function vm.where(level) end

---A function that passes the place of its caller to `fn` as a first argument. It works where `vm.where(2)` can't: in
---`return promo.campaign { ... }`, a tail call.
---
---```lua
---promo.tag = vm.located(function(at, name) ... end)
---```
---@param fn fun(at: string, ...): ...
---@return fun(...): ...
function vm.located(fn) end

---The name of `list` that was probably meant by `word`, or nil.
---@param word string
---@param list string[]
---@return string?
function vm.nearest(word, list) end

---The rows of a table beside the files that are being loaded; see `promo.data`.
---@param name string
---@return table<string, string>[]
function vm.data(name) end

return vm
