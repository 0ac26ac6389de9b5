-- feira.person_rows: a person in the tables of plugins. What their fields are, the field catalogue says: a field of the type customer or
-- order names a person, one that is marked `personal` says something of him. What no live rule names is treated by what stands in it.
local json = require "feira.json"
local shop = require "feira.shop"
local sql = require "feira.sql"

local person_rows = {}

local tables = sql.statement "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'p_*__*' ORDER BY name"
local columns = sql.statement "SELECT name FROM pragma_table_info(?1) WHERE type = 'TEXT' ORDER BY name"

-- An id of this length is no word that stands somewhere by chance.
local DISTINCT_BYTES = 8

-- --- what there is ------------------------------------------------------------------------------------------------------------------

local function quote(name) return '"' .. name .. '"' end

local function new_shape(plugin, name, table_name)
  return { plugin = plugin, name = name, table = table_name, customer = {}, order = {}, personal = {}, string = {}, json = {}, hidden = {} }
end

-- { [table] = shape } of all collections that are there, also of plugins that are turned off.
local function shapes()
  local live, out = {}, {}
  for _, plugin in ipairs(shop.privacy().plugins) do
    for _, c in ipairs(plugin.collections) do
      local shape = new_shape(plugin.plugin, c.name, c.table)
      shape.erase, shape.live, shape.known = c.erase, true, {}
      for _, f in ipairs(c.fields) do
        shape.known[f.name] = true
        if f.personal then
          table.insert(shape.personal, f.name)
        elseif shape[f.type] then
          table.insert(shape[f.type], f.name)
        end
      end
      live[c.table] = shape
    end
  end
  for _, row in ipairs(tables:rows()) do
    local plugin, name = row.name:match "^p_(.-)__(.*)$"
    local shape = live[row.name] or new_shape(plugin, name, row.name)
    for _, column in ipairs(columns:rows(row.name)) do
      if not (shape.known and shape.known[column.name]) then table.insert(shape.hidden, column.name) end
    end
    out[#out + 1] = shape
  end
  return out
end

-- Rows that are his: ?1 the customer's row, ?2 his id. nil: nothing in them names a person.
local function whose(shape)
  local terms = {}
  for _, f in ipairs(shape.customer) do terms[#terms + 1] = quote(f) .. " = ?2" end
  for _, f in ipairs(shape.order) do terms[#terms + 1] = quote(f) .. " IN (SELECT order_id FROM orders WHERE customer = ?1)" end
  if not shape.live then
    for _, f in ipairs(shape.hidden) do terms[#terms + 1] = quote(f) .. " = ?2" end
  end
  return #terms > 0 and table.concat(terms, " OR ") or nil
end

-- The two values of whose(), as many as the text asks for.
local function bound(text, person)
  if not text:find "?1" then text = text .. " AND ?1 IS NOT NULL" end
  if not text:find "?2" then text = text .. " AND ?2 IS NOT NULL" end
  return sql.statement(text), person.id, person.customer
end

---@param person { id: integer, customer: string }
---@return table { [plugin] = { [collection] = rows } }
function person_rows.export(person)
  local out = {}
  for _, shape in ipairs(shapes()) do
    local his = whose(shape)
    if his then
      local statement, id, customer = bound(("SELECT * FROM %s WHERE (%s)"):format(quote(shape.table), his), person)
      local found = statement:rows(id, customer)
      if #found > 0 then
        out[shape.plugin] = out[shape.plugin] or {}
        out[shape.plugin][shape.name] = json.array(found)
      end
    end
  end
  return out
end

-- --- erasing -------------------------------------------------------------------------------------------------------------------------

local function run_his(text, shape, person)
  local statement, id, customer = bound(("%s WHERE (%s)"):format(text, whose(shape)), person)
  statement:run(id, customer)
end

local function empty(shape, fields, person)
  if #fields == 0 or not whose(shape) then return end
  local sets = {}
  for i, f in ipairs(fields) do sets[i] = quote(f) .. " = NULL" end
  run_his(("UPDATE %s SET %s"):format(quote(shape.table), table.concat(sets, ", ")), shape, person)
end

---A text without an id: as a whole word, or, when it is short, as a whole part between slashes.
---@param text string
---@param id string
---@param gone string
---@return string
function person_rows.without(text, id, gone)
  if #id >= DISTINCT_BYTES then
    return (text:gsub("%f[%w_.-]" .. id:gsub("[%-%.]", "%%%0") .. "%f[^%w_.-]", gone))
  end
  local parts = ("/" .. text .. "/"):gsub("/", "//"):gsub("/" .. id:gsub("[%-%.]", "%%%0") .. "/", "/" .. gone .. "/"):gsub("//", "/")
  return parts:sub(2, -2)
end

local function in_text(shape, field, person, gone)
  local f, t = quote(field), quote(shape.table)
  local found = sql.statement(("SELECT id, %s AS text FROM %s WHERE instr(%s, ?1) > 0"):format(f, t, f)):rows(person.customer)
  for _, row in ipairs(found) do
    local text = person_rows.without(row.text, person.customer, gone)
    if text ~= row.text then sql.statement(("UPDATE %s SET %s = ?2 WHERE id = ?1"):format(t, f)):run(row.id, text) end
  end
end

local function in_json(shape, field, person, gone)
  local f, t = quote(field), quote(shape.table)
  sql.statement(("UPDATE %s SET %s = replace(%s, ?1, ?2) WHERE instr(%s, ?1) > 0"):format(t, f, f, f))
    :run('"' .. person.customer .. '"', '"' .. gone .. '"')
end

local function erase_from(shape, person, gone)
  if shape.live then
    empty(shape, shape.personal, person)
    empty(shape, shape.hidden, person)
    if shape.erase and #shape.customer > 0 then run_his("DELETE FROM " .. quote(shape.table), shape, person) end
  elseif whose(shape) then
    run_his("DELETE FROM " .. quote(shape.table), shape, person)
  end
  for _, f in ipairs(shape.customer) do
    sql.statement(("UPDATE %s SET %s = ?2 WHERE %s = ?1"):format(quote(shape.table), quote(f), quote(f))):run(person.customer, gone)
  end
  for _, list in ipairs { shape.string, shape.hidden } do
    for _, f in ipairs(list) do in_text(shape, f, person, gone) end
  end
  for _, f in ipairs(shape.json) do in_json(shape, f, person, gone) end
end

---What says something of him is emptied, rows that go with him go, and his id becomes one that nobody knows.
---@param person { id: integer, customer: string }
---@param gone string
function person_rows.erase(person, gone)
  for _, shape in ipairs(shapes()) do erase_from(shape, person, gone) end
end

return person_rows
