-- feira.check: what a client sent, looked at once more where it is used. The HTTP layer has checked the form already; these
-- hold for every way in. Each gives the value, or nil when it is absent or null, or fails naming the field.
local fail = require "feira.fail"
local json = require "feira.json"
local time = require "feira.time"

local check = {}

-- With its location it is the name of a ledger account.
local SKU_BYTES = 192

---@param value any
---@param field string JSON pointer, for the answer
---@param max integer longest length in characters, as the schemas of the routes count them
---@return string|nil
function check.text(value, field, max)
  if value == nil or value == json.null then return nil end
  if type(value) ~= "string" then fail.invalid(field, "Text is expected here.") end
  local length = utf8.len(value)
  if not length then fail.invalid(field, "The text is not well-formed UTF-8.") end
  if length == 0 or length > max then fail.invalid(field, ("Text of 1 to %d characters is expected here."):format(max)) end
  if value:find "[^%C\n\t\r]" then fail.invalid(field, "Control characters are not accepted here.") end
  return value
end

---@param value any
---@param field string
---@param min integer
---@param max integer
---@return integer|nil
function check.int(value, field, min, max)
  if value == nil or value == json.null then return nil end
  if math.type(value) ~= "integer" then fail.invalid(field, "A whole number is expected here.") end
  if value < min or value > max then fail.invalid(field, ("A whole number from %d to %d is expected here."):format(min, max)) end
  return value
end

---@param value any
---@param field string
---@return boolean|nil
function check.flag(value, field)
  if value == nil or value == json.null then return nil end
  if type(value) ~= "boolean" then fail.invalid(field, "true or false is expected here.") end
  return value
end

---@param value any
---@param field string
---@param choices string[]
---@return string|nil
function check.choice(value, field, choices)
  if value == nil or value == json.null then return nil end
  for _, choice in ipairs(choices) do
    if value == choice then return value end
  end
  fail.invalid(field, "One of these is expected here: " .. table.concat(choices, ", ") .. ".")
end

---@param value any
---@param field string
---@param max integer how many
---@return string[]|nil
function check.texts(value, field, max)
  if value == nil or value == json.null then return nil end
  if type(value) ~= "table" then fail.invalid(field, "A list is expected here.") end
  if #value > max then fail.invalid(field, ("At most %d are accepted here."):format(max)) end
  for i, text in ipairs(value) do
    if not check.text(text, field .. "/" .. i - 1, 200) then fail.invalid(field .. "/" .. i - 1, "Text is expected here.") end
  end
  return value
end

---@param value any
---@param field string
---@return table|nil
function check.object(value, field)
  if value == nil or value == json.null then return nil end
  if type(value) ~= "table" or #value > 0 then fail.invalid(field, "An object is expected here.") end
  return value
end

---Fails when value is nil; gives it otherwise.
function check.required(value, field)
  if value == nil then fail.invalid(field, "This is required.") end
  return value
end

---@param sku any
---@param field string
---@return string
function check.sku(sku, field)
  check.required(check.text(sku, field, 64), field)
  if #sku > SKU_BYTES then fail.invalid(field, ("A SKU has at most %d bytes of UTF-8."):format(SKU_BYTES)) end
  if sku:find "^%s" or sku:find "%s$" or sku:find "%c" then
    fail.invalid(field, "A SKU has no spaces around it and no control characters.")
  end
  return sku
end

---@param location any
---@param field string
---@return string
function check.location(location, field)
  location = check.text(location, field, 40) or "main"
  if location:find "[^%w_.-]" then fail.invalid(field, "A location is made of letters, digits, '_', '.' and '-'.") end
  return location
end

---@param id any
---@param field string
---@return string
function check.customer(id, field)
  check.required(check.text(id, field, 64), field)
  if id:find "[^%w_.-]" then fail.invalid(field, "A customer's id is made of letters, digits, '_', '.' and '-'.") end
  return id
end

---A moment: RFC 3339, or a local time of the shop: "2026-11-20".
---@param text any
---@param field string
---@return integer|nil ms
function check.moment(text, field)
  text = check.text(text, field, 40)
  if not text then return nil end
  local ms = time.parse(text)
  if ms then return math.max(ms, 0) end
  if not text:find "^%d%d%d%d%-%d%d%-%d%d" or text:find "[zZ+]" then
    fail.invalid(field, "A time is written 2026-11-20, 2026-11-20 08:00 (the shop's zone) or 2026-11-20T08:00:00Z.")
  end
  return math.max(time.resolve(text), 0)
end

return check
