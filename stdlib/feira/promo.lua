-- feira.promo: the words campaigns are written in. Each word checks what it is given, where it is given, and makes a piece of the
-- form that the kernel compiles; none of this runs while a cart is priced.
--
-- A word is one entry of `words` below: what kind of piece it makes, and either the names of its fields or a function.
local declares_of = require "feira.declares"
local vm = require "feira.vm"

local function fail(at, path, what, ...)
  error(at .. ": " .. path .. ": " .. string.format(what, ...), 0)
end

-- What was given, as a person would say it.
local function seen(v)
  local t = type(v)
  if t == "string" then
    return string.format('"%s"', v)
  elseif t == "number" or t == "boolean" then
    return tostring(v)
  elseif t == "nil" then
    return "nothing"
  end
  return "a " .. t
end

local function has_members(t)
  local any = false
  for _ in pairs(t) do
    any = true
  end
  return any
end

local function under(path, key)
  return path == "" and key or path .. "." .. key
end

local function sorted_keys(t)
  local keys = {}
  for k in pairs(t) do
    if type(k) == "string" then
      keys[#keys + 1] = k
    end
  end
  return keys
end

local function suggestion(word, known)
  local near = vm.nearest(tostring(word), known)
  if near then
    return "did you mean " .. near .. "?"
  end
  return "there are " .. table.concat(known, ", ")
end

-- Kinds of values: each takes (at, path, value), and gives the value or fails. ------------------------------------------------

local function money(at, path, v)
  if type(v) == "number" then
    fail(at, path, 'a bare number can\'t be money; write "%.2f" in quotes', v)
  elseif type(v) ~= "string" then
    fail(at, path, 'expected an amount such as "50.00", got %s', seen(v))
  elseif not v:find "^%d+%.?%d*$" then
    fail(at, path, '%s is no amount; write it like "50.00"', seen(v))
  end
  return v
end

local function percent(at, path, v)
  local n = v
  if type(v) == "string" and v:find "^%d+%.?%d*$" then
    n = tonumber(v)
  end
  if type(n) ~= "number" then
    fail(at, path, "expected a number such as 20 or 12.5, got %s", seen(v))
  elseif n > 100 then
    fail(at, path, "%s is more than 100; write a number from 0 to 100", tostring(v))
  elseif n <= 0 or n ~= n then
    fail(at, path, "%s takes nothing off; write a number above 0, at most 100", tostring(v))
  end
  return v
end

local function integer(least)
  return function(at, path, v)
    if math.type(v) ~= "integer" then
      fail(at, path, "expected a whole number, got %s", seen(v))
    elseif v < least then
      fail(at, path, "%d is too small; write %d or more", v, least)
    end
    return v
  end
end

local function one_of(...)
  local choices = { ... }
  return function(at, path, v)
    for _, choice in ipairs(choices) do
      if v == choice then
        return v
      end
    end
    return fail(at, path, "there is no %s; %s", seen(v), suggestion(v, choices))
  end
end

local function text(at, path, v)
  if type(v) ~= "string" or v == "" then
    fail(at, path, "expected a text in quotes, got %s", v == "" and "an empty one" or seen(v))
  end
  return v
end

local function boolean(at, path, v)
  if type(v) ~= "boolean" then
    fail(at, path, "expected true or false, got %s", seen(v))
  end
  return v
end

local function name_list(at, path, v)
  if type(v) ~= "table" then
    return { text(at, path, v) }
  end
  if #v == 0 then
    fail(at, path, 'the list of names is empty; write "a" or { "a", "b" }')
  end
  local out = {}
  for i, name in ipairs(v) do
    out[i] = text(at, path .. "[" .. i .. "]", name)
  end
  return out
end

-- A table of named fields, of the word `path` or, where that is "", of `root` (promo.campaign unless said). `fields` is name -> kind; the
-- name begins with "!" where the field can't be left out.
local function record(fields, root)
  local kinds, required, known = {}, {}, {}
  for key, kind in pairs(fields) do
    local name = key:gsub("^!", "")
    kinds[name] = kind
    known[#known + 1] = name
    if name ~= key then
      required[#required + 1] = name
    end
  end
  table.sort(known)
  table.sort(required)
  local hint = (required[1] or known[1] or "") .. (known[1] and " = ..." or "")
  return function(at, path, v)
    local name = path == "" and (root or "promo.campaign") or path
    if type(v) ~= "table" then
      fail(at, name, "expected a table, got %s; write %s { %s }", seen(v), name, hint)
    end
    local out = {}
    for key, value in pairs(v) do
      local kind = kinds[key]
      if not kind then
        if type(key) ~= "string" then
          fail(at, name, "expected named fields, got a list; write %s { %s }", name, hint)
        elseif #known == 0 then
          fail(at, name, "it takes no fields, not even %s; write %s {}", key, name)
        end
        fail(at, name, "unknown key %s; %s", key, suggestion(key, known))
      end
      out[key] = kind(at, under(path, key), value)
    end
    for _, key in ipairs(required) do
      if out[key] == nil then
        fail(at, name, "%s is missing; write %s { %s = ... }", key, name, key)
      end
    end
    return out
  end
end

-- Pieces: tables that words made ------------------------------------------------------------------------------------------

local words -- name -> { kind, ... }; below

local kind_names = { selector = "a set of lines", condition = "a condition", action = "an action" }

local examples = {
  selector = 'promo.category "tea"',
  condition = 'promo.subtotal { at_least = "100.00" }',
  action = "promo.percent_off { percent = 20 }",
}

-- Every set of lines is also a condition: the cart has such a line.
local function fits(made, wanted)
  return made == wanted or made == "group" or (wanted == "condition" and made == "selector")
end

local function one_piece(at, path, v, wanted)
  if type(v) == "function" and wanted ~= "selector" then
    return v
  elseif type(v) ~= "table" then
    fail(at, path, "expected %s, got %s; write %s", kind_names[wanted], seen(v), examples[wanted])
  end
  if not has_members(v) then
    fail(at, path, "expected %s, got an empty table; write %s", kind_names[wanted], examples[wanted])
  end
  for key, inner in pairs(v) do
    local word = words[key]
    if not word then
      fail(at, path, "unknown word %s; %s", tostring(key), suggestion(key, sorted_keys(words)))
    elseif not fits(word.kind, wanted) then
      local made, place = kind_names[word.kind], kind_names[wanted]
      fail(at, path, "promo.%s makes %s, and this is the place for %s; write %s", key, made, place, examples[wanted])
    elseif word.kind == "group" then
      if wanted == "action" then
        fail(at, path, "promo.%s puts conditions together, not actions; write a list { ..., ... }", key)
      end
      for i, part in ipairs(inner) do
        one_piece(at, path .. "." .. key .. "[" .. i .. "]", part, wanted)
      end
    end
  end
  return v
end

local function piece(wanted)
  return function(at, path, v)
    if type(v) == "table" and #v > 0 and wanted ~= "selector" then
      for i, part in ipairs(v) do
        one_piece(at, path .. "[" .. i .. "]", part, wanted)
      end
      return v
    end
    return one_piece(at, path, v, wanted)
  end
end

local selector = piece "selector"
local condition = piece "condition"
local action = piece "action"

-- The words ---------------------------------------------------------------------------------------------------------------

local window = record { from = text, to = text }

local function window_or_condition(at, path, v)
  if type(v) == "table" and type(v.window) == "table" then -- promo.window { ... } in place of its fields
    v = v.window
  end
  v = window(at, path, v)
  if not v.from and not v.to then
    fail(at, path, 'it has neither from nor to; write { from = "2026-11-20 00:00", to = "2026-11-23 00:00" }')
  end
  return v
end

local function bounded(kind, more)
  local fields = { at_least = kind, at_most = kind }
  for key, check in pairs(more or { of = selector }) do
    fields[key] = check
  end
  local check = record(fields)
  return function(at, path, v)
    local out = check(at, path, v)
    if out.at_least == nil and out.at_most == nil then
      fail(at, path, "it has no bound; write at_least, at_most or both")
    end
    return out
  end
end

-- What discounts are expected to come to: a value alone is an alarm.
local function expected(kind, more)
  local fields = { alarm = kind, stop = kind }
  for key, check in pairs(more or {}) do
    fields[key] = check
  end
  local check = record(fields)
  return function(at, path, v)
    if type(v) ~= "table" then
      return { alarm = kind(at, path, v) }
    end
    local out = check(at, path, v)
    if out.alarm == nil and out.stop == nil then
      fail(at, path, "it has no bound; write alarm, stop or both")
    end
    return out
  end
end

-- What the value must be depends on the fact's type, which the kernel knows.
local function fact_value(at, path, v)
  local t = type(v)
  if t ~= "string" and t ~= "number" and t ~= "boolean" then
    fail(at, path, "expected a value of the fact's type, got %s", seen(v))
  end
  return v
end

local function fact_values(at, path, v)
  if type(v) ~= "table" or #v == 0 then
    fail(at, path, "expected a list of values, got %s; write { 2, 3 }", type(v) == "table" and "an empty one" or seen(v))
  end
  for i, one in ipairs(v) do
    fact_value(at, path .. "[" .. i .. "]", one)
  end
  return v
end

local fact_tests = record { at_least = fact_value, at_most = fact_value, below = fact_value, is = fact_value, any_of = fact_values }

local fact_has = record { has = text }

-- promo.fact("member-tiers.level", { at_least = 3 }); of a fact that is a set of names promo.fact("coupons.held", { has = "new20" })
local function fact(at, name, tests)
  if type(name) ~= "string" or not name:find("^[^.]+%.[^.]+$") then
    fail(at, "fact", 'expected the name of a fact, got %s; write promo.fact("member-tiers.level", { at_least = 3 })', seen(name))
  end
  if type(tests) == "table" and tests.has ~= nil then
    return { customer_tag = { name .. ":" .. fact_has(at, "fact", tests).has } } -- names of a set stand among the customer's tags
  end
  local out = tests == nil and {} or fact_tests(at, "fact", tests)
  out.name = name
  return { fact = out }
end

-- A list of tables; `check` gets each with its place.
local function list_of(check)
  return function(at, path, v)
    if type(v) ~= "table" or #v == 0 then
      fail(at, path, "expected a list of tables, got %s; write { { ... }, { ... } }", type(v) == "table" and "none" or seen(v))
    end
    local out = {}
    for i, one in ipairs(v) do
      out[i] = check(at, path .. "[" .. i .. "]", one)
    end
    return out
  end
end

local tier_fields = {
  by = one_of("qty", "amount"), mode = one_of("whole", "each"), on = selector, below = action,
  ["!steps"] = list_of(record { ["!at"] = function(_, _, v) return v end, ["!give"] = action }),
}
local tier_record = record(tier_fields)

-- A step begins at so many units, or at an amount.
local function tiers(at, path, v)
  local out = tier_record(at, path, v)
  local kind = out.by == "amount" and money or integer(1)
  for i, step in ipairs(out.steps) do
    kind(at, path .. ".steps[" .. i .. "].at", step.at)
  end
  return out
end

-- promo.zhe "8.5": 85 % is paid, so 15 % are taken off. Exact: in thousandths of a tenth.
local function zhe(at, v, more)
  local whole, rest = "", ""
  if type(v) == "string" then
    whole, rest = v:match "^(%d)%.?(%d?%d?%d?)$"
  end
  local thousandths = whole and whole ~= "" and tonumber(whole .. rest .. ("0"):rep(3 - #rest), 10)
  if not thousandths or thousandths == 0 or thousandths >= 10000 then
    fail(at, "zhe", 'expected tenths that are paid, below 10, got %s; write promo.zhe "8.5"', seen(v))
  end
  local off = 10000 - thousandths
  local spec = { percent = string.format("%d.%02d", off // 100, off % 100) }
  for key, value in pairs(more or {}) do
    spec[key] = value
  end
  return { percent_off = words.percent_off.check(at, "zhe", spec) }
end

local function duration(at, path, v)
  if type(v) ~= "string" or not v:find "^%d+[smhdw]$" then
    fail(at, path, 'expected a time such as "5m" or "48h", got %s', seen(v))
  end
  return v
end

local nth_order_record = record { n = integer(1), every = integer(2) }

local function nth_order(at, path, v)
  local out = nth_order_record(at, path, v)
  if (out.n == nil) == (out.every == nil) then
    fail(at, path, "it says %s; write { n = 5 } or { every = 5 }", out.n and "both n and every" or "of no order")
  end
  return out
end

-- Units are a whole number, what was paid for them an amount in quotes.
local function units_or_money(at, path, v)
  if type(v) == "string" then return money(at, path, v) end
  return integer(1)(at, path, v)
end

local bought = record {
  sku = name_list, category = name_list, tag = name_list, brand = name_list, of = selector, at_least = units_or_money, within = duration,
}

-- promo.attribute("color", "red"), ("color", { "red", "blue" }), ("organic"), ("size_mm", { at_least = 20 })
local attribute_bounds = record { at_least = integer(math.mininteger), at_most = integer(math.mininteger) }

local function attribute_value(at, path, v)
  if type(v) ~= "boolean" and type(v) ~= "string" and math.type(v) ~= "integer" then
    fail(at, path, "expected a text, a whole number, true or false, got %s", seen(v))
  end
  return v
end

local function attribute(at, name, is)
  local out = { name = text(at, "attribute", name) }
  if type(is) == "table" and #is > 0 then
    for i, value in ipairs(is) do attribute_value(at, "attribute[" .. i .. "]", value) end
    out.any_of = is
  elseif type(is) == "table" then
    local bounds = attribute_bounds(at, "attribute", is)
    if bounds.at_least == nil and bounds.at_most == nil then fail(at, "attribute", "it has no bound; write at_least, at_most or both") end
    out.at_least, out.at_most = bounds.at_least, bounds.at_most
  elseif is ~= nil then
    out.is = attribute_value(at, "attribute", is)
  end
  return { attribute = out }
end

local function any_table(at, path, v)
  if type(v) ~= "table" then
    fail(at, path, "expected a table, got %s; write %s = { ... }", seen(v), path)
  end
  return v
end

-- promo.points_multiplier { times = 2 }: the plugin `points` is told with the order; "1.5" is exact.
local points_fields = record { ["!times"] = function(_, _, v) return v end, on = selector }

local function points_multiplier(at, v)
  local fields = points_fields(at, "points_multiplier", v)
  local whole, rest = tostring(fields.times):match "^(%d?%d?%d)%.?(%d?%d?)$"
  local hundredths = whole and tonumber(whole .. rest .. ("0"):rep(2 - #rest), 10)
  if math.type(fields.times) == "float" or not hundredths or hundredths <= 100 then
    fail(at, "points_multiplier.times", 'expected more than 1, got %s; write 2 or "1.5"', seen(fields.times))
  end
  return { grant = { to = "points", what = { percent = hundredths }, after = "paid", on = fields.on } }
end

-- Which units of its lines an action takes.
local function of_units(fields)
  for _, key in ipairs { "max_units", "max_units_per_line", "whole", "whole_per_line" } do
    fields[key] = integer(1)
  end
  fields.pick = one_of("first", "cheapest", "dearest")
  return fields
end

local gift_fields = record {
  ["!sku"] = text, qty = integer(1), every = money, every_qty = integer(1), max_sets = integer(1), on = selector,
  when_none = one_of("skip", "refuse", "substitute"), substitute = text,
}

local function gift(at, path, v)
  local out = gift_fields(at, path, v)
  if out.when_none == "substitute" and not out.substitute then
    fail(at, path, 'when_none = "substitute" names no other; write substitute = "SKU" beside it')
  elseif out.substitute and (out.when_none or "substitute") ~= "substitute" then
    fail(at, under(path, "substitute"), 'it is for when_none = "substitute", not %s; leave one of them out', seen(out.when_none))
  end
  return out
end

-- prices = { ["TEA-100"] = "9.90", ... }, or rows with sku and price, such as those of promo.data; other columns may stand beside them.
-- The kernel checks each: there may be tens of thousands.
local function price_rows(at, path, v)
  if type(v) ~= "table" or not has_members(v) then
    fail(at, path, 'expected prices by SKU, got %s; write { ["TEA-100"] = "9.90" }', type(v) == "table" and "none" or seen(v))
  end
  for key in pairs(v) do
    if #v > 0 and type(key) == "string" then
      fail(at, path, "%s stands among rows; write rows only, or prices by SKU only", key)
    end
  end
  return v
end

local price_fields = record { ["!prices"] = price_rows }

-- Also the prices alone: promo.price_list(promo.data "wholesale.csv").
local function price_list(at, path, v)
  if type(v) == "table" and v.prices == nil then v = { prices = v } end
  return price_fields(at, path, v)
end

words = {
  sku = { kind = "selector", names = true },
  category = { kind = "selector", names = true },
  tag = { kind = "selector", names = true },
  brand = { kind = "selector", names = true },
  unit_price = { kind = "selector", check = bounded(money, {}) },
  attribute = { kind = "selector", make = attribute },
  reduced = { kind = "selector", optional = true, check = record {} },

  customer_tag = { kind = "condition", names = true },
  coupon = { kind = "condition", names = true },
  channel = { kind = "condition", names = true },
  region = { kind = "condition", names = true },
  payment_method = { kind = "condition", names = true },
  store = { kind = "condition", names = true },
  weekday = { kind = "condition", names = true },
  time_of_day = { kind = "condition", check = record { ["!from"] = text, ["!to"] = text } },
  subtotal = { kind = "condition", check = bounded(money, { of = selector, tax = one_of("as_priced", "with", "without") }) },
  qty = { kind = "condition", check = bounded(integer(0), { of = selector, per = one_of("set", "line") }) },
  window = { kind = "condition", check = window_or_condition },
  fact = { kind = "condition", make = fact },
  new_customer = { kind = "condition", optional = true, check = record { within = duration } },
  first_order = { kind = "condition", optional = true, check = record {} },
  nth_order = { kind = "condition", check = nth_order },
  bought = { kind = "condition", optional = true, check = bought },

  all = { kind = "group" },
  any = { kind = "group" },
  none = { kind = "group" },

  percent_off = {
    kind = "action",
    check = record(of_units {
      ["!percent"] = percent, cap = money, on = selector, base = one_of("remaining", "list"),
      round = one_of("line", "unit", "order", "carry"),
    }),
  },
  amount_off = {
    kind = "action",
    check = record(of_units {
      ["!amount"] = money, every = money, cap = money, further = money, on = selector,
      per = one_of("set", "line", "unit", "each"),
    }),
  },
  zhe = { kind = "action", make = zhe },
  buy_get = {
    kind = "action",
    check = record {
      ["!buy"] = integer(1), ["!get"] = integer(1), percent = percent, amount = money, max_sets = integer(1), max_units = integer(1),
      of = selector, on = selector, partial = boolean, pick = one_of("cheapest", "dearest"), per = one_of("set", "line"),
      base = one_of("remaining", "list"),
    },
  },
  fixed_price = {
    kind = "action",
    check = record { ["!price"] = money, max_units = integer(1), per = one_of("unit", "set"), on = selector },
  },
  nth_unit = {
    kind = "action",
    check = record {
      ["!n"] = integer(2), ["!percent"] = percent, among = one_of("same_sku", "scope"), max_sets = integer(1), on = selector,
    },
  },
  cheapest_free = { kind = "action", optional = true, check = record { units = integer(1), percent = percent, on = selector } },
  n_for = { kind = "action", check = record { ["!n"] = integer(1), ["!price"] = money, max_sets = integer(1), on = selector } },
  bundle = {
    kind = "action",
    check = record {
      ["!items"] = list_of(record { ["!of"] = selector, qty = integer(1) }), price = money, percent = percent, max_sets = integer(1),
    },
  },
  tiered = { kind = "action", check = tiers },
  free_shipping = { kind = "action", optional = true, check = record {} },
  gift = { kind = "action", check = gift },
  grant = {
    kind = "action", check = record { ["!to"] = text, ["!what"] = any_table, after = one_of("paid", "completed"), on = selector },
  },
  points_multiplier = { kind = "action", make = points_multiplier },
  add_on_price = {
    kind = "action",
    check = record { ["!sku"] = name_list, ["!price"] = money, max_units = integer(1), every = money, on = selector },
  },
  price_list = { kind = "action", check = price_list },
  shipping_off = { kind = "action", check = record { percent = percent, amount = money, cap = money } },
}

-- promo.tag "a", promo.tag("a", "b") and promo.tag { "a", "b" } are the same.
local function names_word(word)
  return function(at, first, ...)
    if select("#", ...) > 0 then
      first = { first, ... }
    end
    return { [word] = name_list(at, word, first) }
  end
end

local function group_word(word)
  return function(at, first, ...)
    local list = first
    if select("#", ...) > 0 then
      list = { first, ... }
    elseif type(first) == "function" or (type(first) == "table" and #first == 0 and has_members(first)) then
      list = { first }
    end
    if type(list) ~= "table" or #list == 0 then
      local got = type(list) == "table" and "an empty one" or seen(list)
      fail(at, word, 'expected a list of conditions, got %s; write promo.%s { promo.tag "a", promo.tag "b" }', got, word)
    end
    for i, part in ipairs(list) do
      one_piece(at, word .. "[" .. i .. "]", part, "condition")
    end
    return { [word] = list }
  end
end

local function table_word(word, entry)
  return function(at, v)
    if v == nil and entry.optional then
      v = {}
    end
    return { [word] = entry.check(at, word, v) }
  end
end

local id_pattern = "^[%w_.:-]+$"

local function campaign_id(at, path, v)
  if type(v) ~= "string" or #v > 64 or not v:find(id_pattern) then
    fail(at, path, 'expected 1 to 64 letters, digits or _ . : -, got %s; write "tea-weekend"', seen(v))
  end
  return v
end

local watch_fields = record { discount_share = expected(percent, { orders = integer(1) }), per_hour = expected(money) }

local function watch(at, path, v)
  local out = watch_fields(at, path, v)
  if out.discount_share == nil and out.per_hour == nil then
    fail(at, path, "it watches nothing; write discount_share, per_hour or both")
  end
  return out
end

-- Limits: 5000, { 500, per = "day" }, or a list of both. What the kernel gets: { max, per } each.
local per = one_of("day", "week", "month", "year")

local function limit(kind)
  local function one(at, path, v)
    if type(v) ~= "table" then return kind(at, path, v) end
    for key in pairs(v) do
      if key ~= 1 and key ~= "per" then
        fail(at, path, 'unknown key %s; write a limit of each day as { 500, per = "day" }', tostring(key))
      end
    end
    if v[1] == nil then fail(at, path, 'says no limit; write it first, as in { 500, per = "day" }') end
    return { max = kind(at, path .. "[1]", v[1]), per = v.per ~= nil and per(at, under(path, "per"), v.per) or nil }
  end
  return function(at, path, v)
    if type(v) ~= "table" or v.per ~= nil then return one(at, path, v) end
    if #v == 0 then fail(at, path, 'it is empty; write 5000, or { 500, per = "day" }') end
    local out = {}
    for i, part in ipairs(v) do out[i] = one(at, path .. "[" .. i .. "]", part) end
    return out
  end
end

local limits = record {
  uses = limit(integer(0)),
  units = limit(integer(0)),
  budget = limit(money),
  per_customer = limit(integer(0)),
  units_per_customer = limit(integer(0)),
  budget_per_customer = limit(money),
  round = text,
  partial_budget = one_of("take_left", "skip"),
  after_refund = one_of("give_back", "keep"),
  after_cancel = one_of("give_back", "keep"),
}

local rounding = one_of("half_away", "half_even", "half_down", "down", "up", "floor", "ceiling")

local policies = record {
  percent_base = one_of("remaining", "list"),
  thresholds = one_of("remaining", "list"),
  round = one_of("line", "unit", "order", "carry"),
  rounding = rounding,
  remainder = one_of("largest_remainder", "first_lines", "last_line", "carry"),
  share_rounding = rounding,
  each = one_of("line", "unit"),
  earlier = one_of("evenly", "same_units"),
  units = one_of("shared", "once"),
}

-- What is looked at and prices nothing; its words are in feira.declares.
local declares = declares_of {
  record = record, list_of = list_of, one_of = one_of, text = text, money = money, percent = percent, boolean = boolean,
  name_list = name_list, integer = integer, fail = fail, seen = seen,
}

-- Keys that a plugin answers for: key -> its type of campaigns, which checks the fields and says what must hold besides `when`.
local plugin_keys = { coupon = "coupons.coupon" }

-- 5, or { percent = 5, up_to = 50 }: of the customers.
local share_fields = record { ["!percent"] = percent, up_to = percent }

local function share(at, path, v)
  if type(v) ~= "table" then
    return percent(at, path, v)
  end
  return share_fields(at, path, v)
end

local campaign = record {
  coupon = any_table,
  share = share,
  ["!id"] = campaign_id,
  title = text,
  priority = integer(-1000000),
  stage = one_of("price", "item", "order", "shipping"),
  window = window_or_condition,
  scope = selector,
  codes = name_list,
  when = condition,
  ["!give"] = action,
  on_failure = one_of("skip", "refuse"),
  watch = watch,
  alone = boolean,
  group = text,
  not_with = name_list,
  lane = one_of("pre", "default", "post"),
  stop = one_of("lines", "order"),
  limits = limits,
  pay_within = duration,
  policies = policies,
  declares = declares,
}

local gate_fields = record({
  ["!id"] = campaign_id,
  title = text,
  priority = integer(-1000000),
  window = window_or_condition,
  scope = selector,
  when = condition,
  unless = condition,
  ["!reason"] = text,
  effect = one_of("refuse", "hide"),
  on_failure = one_of("skip", "refuse"),
}, "promo.gate")

-- `when` and `unless` say the same of those who may buy: both must let them through. It reads as "closed, unless ...".
local function gate(at, path, v)
  local out = gate_fields(at, path, v)
  if out.when == nil and out.unless == nil then fail(at, "promo.gate", "when is missing; write promo.gate { when = ... }") end
  if out.when ~= nil and out.unless ~= nil then fail(at, "unless", "there is a when already; write one of them, both say who may buy") end
  out.when, out.unless = out.when or out.unless, nil
  return out
end

local purchase_fields = record({
  ["!id"] = campaign_id,
  title = text,
  priority = integer(-1000000),
  window = window_or_condition,
  scope = selector,
  units = limit(integer(0)),
  units_per_customer = limit(integer(0)),
  per = per,
  round = text,
  reason = text,
}, "promo.purchase_limit")

-- A gate of the kernel that knows how much was bought. `per` is of both limits, where they name no period of their own.
local function purchase_limit(at, path, v)
  local f = purchase_fields(at, path, v)
  if f.units == nil and f.units_per_customer == nil then
    fail(at, "promo.purchase_limit", "it limits nothing; write units_per_customer = 1, or units")
  end
  local function with_period(max)
    if max == nil or f.per == nil then return max end
    if type(max) == "table" then fail(at, "per", "the limit names its period itself; write one of them") end
    return { max = max, per = f.per }
  end
  local out = {
    id = f.id, title = f.title, priority = f.priority, window = f.window, scope = f.scope,
    reason = f.reason or "No more of this can be bought.",
    limits = { units = with_period(f.units), units_per_customer = with_period(f.units_per_customer), round = f.round },
  }
  return out
end

local promo = { data = vm.data }

-- { use, fields, at, campaign }: what promo.use gives, with the campaign that the plugin adds its conditions to.
local function for_plugin(made)
  for key, use in pairs(plugin_keys) do
    if made[key] ~= nil then
      local fields = { id = made.id, title = made.title }
      for name, value in pairs(made[key]) do
        fields[name] = value
      end
      made[key] = nil
      return { use = use, fields = fields, at = made.at, campaign = made }
    end
  end
  return made
end

local function declaration(kind, check)
  return vm.located(function(at, v)
    local where = at
    if type(v) == "table" and type(v.id) == "string" and v.id:find(id_pattern) then
      where = at .. ": " .. kind .. ' "' .. v.id .. '"'
    end
    local out = check(where, "", v)
    out.at = at
    out.gate = kind ~= "campaign" or nil -- tells the kernel
    return for_plugin(out)
  end)
end

promo.campaign = declaration("campaign", campaign)
promo.gate = declaration("gate", gate)
promo.purchase_limit = declaration("purchase_limit", purchase_limit)

local announcement = record({
  ["!id"] = campaign_id,
  title = text,
  window = window_or_condition,
  ["!declares"] = declares,
}, "promo.announce")

-- What the shop offers or says outside of its prices (a lottery, a reward, a post): no rule, but looked at like one.
promo.announce = vm.located(function(at, v)
  local where = at
  if type(v) == "table" and type(v.id) == "string" and v.id:find(id_pattern) then
    where = at .. ': announcement "' .. v.id .. '"'
  end
  local out = announcement(where, "", v)
  out.at, out.announcement = at, true
  return out
end)

-- promo.use "member-tiers" { ... }: a campaign type of a plugin, "PLUGIN" or "PLUGIN.TYPE". The plugin makes campaigns of the fields
-- when the file has been read.
promo.use = vm.located(function(at, name)
  text(at, "use", name)
  return function(fields)
    if fields ~= nil and type(fields) ~= "table" then
      fail(at, "use", "expected a table of fields, got %s; write promo.use %q { ... }", seen(fields), name)
    end
    -- What it declares is the merchant's, and no field of the plugin.
    local own, declared = {}, nil
    for key, value in pairs(fields or {}) do
      if key == "declares" then declared = declares(at, "declares", value) else own[key] = value end
    end
    return { use = name, fields = own, at = at, declares = declared }
  end
end)

for word, entry in pairs(words) do
  local make = entry.names and names_word(word) or entry.kind == "group" and group_word(word) or entry.make or table_word(word, entry)
  promo[word] = vm.located(make)
end

local known = sorted_keys(promo)

return setmetatable(promo, {
  __index = function(_, word)
    error(string.format("promo.%s does not exist; %s", tostring(word), suggestion(word, known)), 2)
  end,
})
