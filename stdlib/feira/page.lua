-- feira.page: lists that are read page by page. A cursor is the internal number of the last row that was given.
local check = require "feira.check"
local fail = require "feira.fail"
local json = require "feira.json"

local page = {}

local LIMIT, LIMIT_MAX = 50, 200

---@param params { limit: integer|string|nil, cursor: string|nil }
---@return integer limit
---@return integer|nil after
function page.read(params)
  local limit = params.limit
  if type(limit) == "string" then limit = math.tointeger(tonumber(limit)) or fail.invalid("limit", "A whole number is expected.") end
  limit = check.int(limit, "limit", 1, LIMIT_MAX) or LIMIT
  local cursor = check.text(params.cursor, "cursor", 20)
  if not cursor then return limit, nil end
  if not cursor:find "^[1-9]%d*$" or #cursor > 18 then
    fail.invalid("cursor", "This is not a cursor; take next_cursor of the page before.")
  end
  return limit, math.tointeger(tonumber(cursor))
end

---rows were read with limit + 1, so that the last one tells whether there is more.
---@param rows { id: integer }[]
---@param render fun(row: table): any
function page.write(rows, limit, render)
  local items = {}
  for i = 1, math.min(#rows, limit) do items[i] = render(rows[i]) end
  local cursor = #rows > limit and tostring(rows[limit].id) or json.null
  return { status = 200, body = json.object("items", json.array(items), "next_cursor", cursor) }
end

return page
