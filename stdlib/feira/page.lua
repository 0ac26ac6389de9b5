-- feira.page: lists that are read page by page. A cursor is the internal number of the last row that was given.
local check = require "feira.check"
local fail = require "feira.fail"
local json = require "feira.json"

local page = {}

local LIMIT, LIMIT_MAX = 50, 200
-- A page ends early when its rows are large or laborious, so that no answer is without bounds. There is always one row.
local PAGE_BYTES = 1024 * 1024

---@param params { limit: integer|string|nil, cursor: string|nil }
---@return integer limit
---@return integer|nil after
function page.read(params)
  local limit = params.limit
  if type(limit) == "string" then
    -- Digits only: tonumber() would also take " 5", "0x10" and "1e2".
    limit = limit:find "^%d+$" and math.tointeger(tonumber(limit))
      or fail.invalid("limit", ("A whole number from 1 to %d is expected here."):format(LIMIT_MAX))
  end
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
---@param size (fun(row: table): integer)|nil how much of PAGE_BYTES a row that was rendered took, when rows may be large
function page.write(rows, limit, render, size)
  local items, bytes, n = {}, 0, math.min(#rows, limit)
  for i = 1, n do
    items[i] = render(rows[i])
    bytes = bytes + (size and size(rows[i]) or 0)
    if bytes > PAGE_BYTES then n = i end
    if n == i then break end
  end
  local cursor = #rows > n and tostring(rows[n].id) or json.null
  return { status = 200, body = json.object("items", json.array(items), "next_cursor", cursor) }
end

return page
