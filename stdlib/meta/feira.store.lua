---@meta feira.store
-- A plugin's collections, as plugin.lua names them: store.links, store.of("coupons").codes. Its own can be read and written; those of
-- others as needs.collections says. Reads: handlers and procedures. Writes: procedures.
-- Money is in minor units ("12.50" is accepted, too), percent in parts per million ("12.5" too), times in ms UTC.

---A row: its fields, and `id`, an integer that is never given twice. A field that is not set is nil, or its default.
---@class feira.store.Row
---@field id integer
---@field [string] any

---@class feira.store.Each
---@field where table<string, any>? equal values: all fields of an index; with `index`, the first ones of it
---@field index string|string[]? the fields of an index, as plugin.lua names them: its order; only rows in which all of them are set
---@field from any? lower bound of the field behind those in `where`, included
---@field to any? upper bound, not included
---@field after string? a cursor: goes on behind the row it came with
---@field limit integer? rows at most
---@field reverse boolean?

---@class feira.store.Collection
local Collection = {}

---@param row table<string, any>
---@return integer|nil id nil when a key or unique value is there already
---@return string? why
---@return "unique"? code
function Collection:insert(row) end

---One row by its key (without one: its id), or by { id = ... }, or by exactly the fields of the key or of a unique. What no row can have,
---like a text that is too long or that is no id, is in none; so an id that a client sent can be looked for as it came. The same holds
---for find, each, update and delete.
---@param key integer|string|table<string, any>
---@return feira.store.Row|nil
function Collection:get(key) end

---The rows whose fields have these values, by id. The fields must be exactly those of a key, unique or index. More than 1,000 are
---an error unless a limit is given.
---@param where table<string, any>? nil: all rows
---@param options { limit: integer?, reverse: boolean? }?
---@return feira.store.Row[]
function Collection:find(where, options) end

---Goes through rows page by page: for row, cursor in store.links:each { ... } do. Rows may be changed meanwhile. Without options: all,
---by id.
---@param options feira.store.Each?
---@return fun(): feira.store.Row|nil, string?
function Collection:each(options) end

---Changes the fields that are named; json.null takes an optional one away.
---@param key integer|string|table<string, any> as for get
---@param changes table<string, any>
---@return true|nil done
---@return string? why
---@return "not_found"|"unique"|nil code
function Collection:update(key, changes) end

---@param key integer|string|table<string, any> as for get
---@return boolean was_there
function Collection:delete(key) end

---@class feira.store
---@field [string] feira.store.Collection
local store = {}

---The collections of another plugin that needs.collections names; store.of "shop" has those of the shop, to be read only: customers
---(by customer), orders (by order, customer, reference), products (by sku, variant_of). Of their personal fields, rows have those that
---needs.personal names.
---@param plugin string
---@return feira.store
function store.of(plugin) end

return store
