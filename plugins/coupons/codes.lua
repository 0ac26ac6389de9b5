-- The form of codes that are made here: 16 characters of an alphabet without I, L, O and U, as XXXX-XXXX-XXXX-XXXX. Three say the batch,
-- four which of its codes, eight are a MAC of that (40 bits) under the batch's secret, the last one is a check character.
--
-- None of them is stored: a code is right when its MAC is, so a million of them cost one row, and only those that were claimed are
-- written down. Hashes would have to be looked for one by one and protect nothing more, because whoever reads the shop's tables reads
-- the secret, too; he needs an account and the rate limit holds for him like for everybody.
local crypto = require "feira.crypto"

local codes = {}

local ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
local LENGTH = 16

local digit_of, char_of = {}, {}
for i = 1, #ALPHABET do
  digit_of[ALPHABET:sub(i, i)], char_of[i - 1] = i - 1, ALPHABET:sub(i, i)
end
digit_of.O, digit_of.I, digit_of.L = 0, 1, 1 -- how they are read

-- A weighted sum over the field of 32 elements, each weight a power of 2: one wrong character is always found, two that were exchanged
-- are, too.
local function check_digit(digits)
  local sum = 0
  for i = 1, LENGTH - 1 do
    sum = sum << 1
    if sum & 32 ~= 0 then sum = sum ~ 37 end
    sum = sum ~ digits[i]
  end
  sum = sum << 1
  if sum & 32 ~= 0 then sum = sum ~ 37 end
  return sum
end

local function mac(secret, batch, n)
  local a, b, c, d, e = crypto.hmac(secret, batch .. "/" .. n):byte(1, 5)
  return a << 32 | b << 24 | c << 16 | d << 8 | e
end

---@param batch integer 0..32767
---@param n integer 0..1048575
---@param secret string
---@return string
function codes.make(batch, n, secret)
  local digits = {}
  local function put(value, from, count)
    for i = from + count - 1, from, -1 do
      digits[i] = value & 31
      value = value >> 5
    end
  end
  put(batch, 1, 3)
  put(n, 4, 4)
  put(mac(secret, batch, n), 8, 8)
  digits[LENGTH] = check_digit(digits)
  local chars = {}
  for i = 1, LENGTH do chars[i] = char_of[digits[i]] end
  local text = table.concat(chars)
  return ("%s-%s-%s-%s"):format(text:sub(1, 4), text:sub(5, 8), text:sub(9, 12), text:sub(13, 16))
end

---What somebody typed as such a code.
---@return "code"|"mistyped"|"other" kind
---@return { batch: integer, n: integer, mac: integer }|nil parts
function codes.read(typed)
  local text = typed:upper():gsub("[%s-]", "")
  local digits = {}
  for i = 1, #text do
    digits[i] = digit_of[text:sub(i, i)]
    if not digits[i] then return #text == LENGTH and "mistyped" or "other" end
  end
  if #digits ~= LENGTH then return (#digits == LENGTH - 1 or #digits == LENGTH + 1) and "mistyped" or "other" end
  if check_digit(digits) ~= digits[LENGTH] then return "mistyped" end
  local function take(from, count)
    local value = 0
    for i = from, from + count - 1 do value = value << 5 | digits[i] end
    return value
  end
  return "code", { batch = take(1, 3), n = take(4, 4), mac = take(8, 8) }
end

---Whether the batch made this code.
function codes.is_right(parts, batch) return parts.n < batch.count and mac(batch.secret, parts.batch, parts.n) == parts.mac end

---The form in which a code that the merchant chose is kept and looked for.
---@return string|nil code nil: it can't be one
function codes.word(typed, case)
  local text = typed:match "^%s*(.-)%s*$"
  if #text < 3 or #text > 40 or not text:find "^[%w_-]+$" then return nil end
  return case == "ignore" and text:upper() or text
end

return codes
