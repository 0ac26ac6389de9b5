-- feira.products: what the shop sells. A variant is a product of its own that names its parent in variant_of and takes from it
-- what it does not state itself; a product with variants can't be bought.
local caller = require "feira.caller"
local catalogue = require "feira.catalogue"
local check = require "feira.check"
local fail = require "feira.fail"
local json = require "feira.json"
local page = require "feira.page"
local prices = require "feira.prices"
local sql = require "feira.sql"
local stock = require "feira.stock"
local time = require "feira.time"

local products = {}

local AMOUNT_MAX = 1000000000000000 -- an order's total has the same bound
local WEIGHT_MAX_G = 1000000000
local STATUSES = { "active", "draft", "archived" }
local FIELDS = {
  "title", "price", "compare_at", "cost", "category", "tags", "brand", "weight_g", "status", "track_stock", "variant_of", "options",
  "attributes", "image", "description",
}
local INHERITED = { "title", "category", "tags", "brand", "weight_g", "attributes", "image", "description" }

local find = sql.statement "SELECT * FROM products WHERE sku = ?1"
local variants_of = sql.statement "SELECT * FROM products WHERE variant_of = ?1 ORDER BY id LIMIT 1000"
local list_all = sql.statement
  "SELECT * FROM products WHERE id > ?1 AND (?2 = 1 OR status = 'active') ORDER BY id LIMIT ?3"
local list_variants = sql.statement
  "SELECT * FROM products WHERE variant_of = ?4 AND id > ?1 AND (?2 = 1 OR status = 'active') ORDER BY id LIMIT ?3"
local insert = sql.statement [[
  INSERT INTO products (sku, title, price, compare_at, cost, category, tags, brand, weight_g, status, track_stock, variant_of, options,
                        image, description, attributes, created_at, updated_at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17)]]
local update = sql.statement [[
  UPDATE products SET title = ?2, price = ?3, compare_at = ?4, cost = ?5, category = ?6, tags = ?7, brand = ?8, weight_g = ?9, status = ?10,
                      track_stock = ?11, variant_of = ?12, options = ?13, image = ?14, description = ?15, attributes = ?16,
                      updated_at = ?17, version = version + 1
  WHERE sku = ?1]]

-- --- reading --------------------------------------------------------------------------------------------------------

local function decoded(text) return text and json.decode(text) end

-- Whether any of a product can be bought now; true when nobody counts. row.looked_at: how many others that took.
local function is_available(row)
  local variants = variants_of:rows(row.sku)
  row.looked_at = #variants
  if #variants == 0 then return row.track_stock == 0 or stock.available(row.id, row.sku) > 0 end
  for _, variant in ipairs(variants) do
    if variant.status == "active" and (variant.track_stock == 0 or stock.available(variant.id, variant.sku) > 0) then return true end
  end
  return false
end

local function inherit(row)
  if not row.variant_of then return row end
  local parent = find:row(row.variant_of)
  if parent then
    for _, name in ipairs(INHERITED) do
      if row[name] == nil then row[name] = parent[name] end
    end
  end
  return row
end

-- Cost and stock by location are for servers; others see whether there is any.
local function render(row, trusted, with_variants)
  row = inherit(row)
  local stocked, available, compare_at
  if trusted then
    stocked, compare_at = json.array(stock.levels(row.id, row.sku)), row.compare_at
  else
    available, compare_at = is_available(row), prices.compared(row)
  end
  local variants
  if with_variants then
    local rows = variants_of:rows(row.sku)
    for _, variant in ipairs(rows) do
      if trusted or variant.status == "active" then
        variants = variants or {}
        variants[#variants + 1] = render(variant, trusted)
      end
    end
  end
  return json.object(
    "sku", row.sku, "title", row.title, "price", row.price, "compare_at", compare_at, "cost", trusted and row.cost or nil,
    "category", row.category, "tags", row.tags and json.raw(row.tags), "brand", row.brand, "weight_g", row.weight_g, "status", row.status,
    "track_stock", row.track_stock == 1, "variant_of", row.variant_of, "options", row.options and json.raw(row.options),
    "attributes", row.attributes and json.raw(row.attributes), "image", row.image, "description", row.description,
    "available", available, "stock", stocked, "variants", variants,
    "created_at", time.format(row.created_at), "updated_at", time.format(row.updated_at))
end

---@param args { principal: table, params: { sku: string } }
function products.get(args)
  local sku = args.params.sku
  local row = find:row(sku)
  local trusted = caller.is_trusted(args)
  if not row or not (trusted or row.status == "active") then fail.not_found(("There is no product %q."):format(sku)) end
  return { status = 200, body = render(row, trusted, true) }
end

---@param args { principal: table, query: { limit: integer?, cursor: string?, variant_of: string? } }
function products.list(args)
  local params = args.query or {}
  local limit, after = page.read(params)
  local trusted = caller.is_trusted(args)
  local parent = check.text(params.variant_of, "variant_of", 64)
  local rows
  if parent then
    rows = list_variants:rows(after or 0, trusted, limit + 1, parent)
  else
    rows = list_all:rows(after or 0, trusted, limit + 1)
  end
  return page.write(rows, limit, function(row) return render(row, trusted) end, function(row) return (row.looked_at or 0) * 200 end)
end

-- --- writing --------------------------------------------------------------------------------------------------------

local function check_category(category, field)
  if category and (category:find "^/" or category:find "/$" or category:find "//") then
    fail.invalid(field, "A category is names with '/' between them, like \"tea/green\".")
  end
  return category
end

local function check_options(options, field)
  for name, value in pairs(check.object(options, field) or {}) do
    check.text(name, field, 64)
    check.required(check.text(value, field .. "/" .. name, 200), field .. "/" .. name)
  end
end

-- Values are compared as they are written; a number is a whole one, so that 2.5 and 2.50 can't be two.
local function check_attributes(attributes, field)
  for name, value in pairs(check.object(attributes, field) or {}) do
    local at = field .. "/" .. name
    if #name > 64 or not name:find "^[%w_.-]+$" then fail.invalid(at, "Names of attributes have letters, digits, '_', '.' and '-'.") end
    if type(value) == "string" then
      check.required(check.text(value, at, 100), at)
    elseif type(value) ~= "boolean" and math.type(value) ~= "integer" then
      fail.invalid(at, "An attribute is a text, a whole number (25 mm rather than 2.5 cm), true or false.")
    end
  end
end

-- What a client states of a product, as columns.
local function columns_of(body, at)
  check_options(body.options, at .. "/options")
  check_attributes(body.attributes, at .. "/attributes")
  local tags = check.texts(body.tags, at .. "/tags", 100)
  local track = check.flag(body.track_stock, at .. "/track_stock")
  local p = {
    title = check.text(body.title, at .. "/title", 500),
    price = check.required(check.int(body.price, at .. "/price", 0, AMOUNT_MAX), at .. "/price"),
    compare_at = check.int(body.compare_at, at .. "/compare_at", 0, AMOUNT_MAX),
    cost = check.int(body.cost, at .. "/cost", 0, AMOUNT_MAX),
    category = check_category(check.text(body.category, at .. "/category", 200), at .. "/category"),
    tags = tags and json.encode(json.array(tags)),
    brand = check.text(body.brand, at .. "/brand", 200),
    weight_g = check.int(body.weight_g, at .. "/weight_g", 0, WEIGHT_MAX_G),
    status = check.choice(body.status, at .. "/status", STATUSES) or "active",
    track_stock = track ~= false,
    variant_of = body.variant_of and body.variant_of ~= json.null and check.sku(body.variant_of, at .. "/variant_of") or nil,
    options = check.object(body.options, at .. "/options") and json.encode(body.options),
    attributes = check.object(body.attributes, at .. "/attributes") and json.encode(body.attributes),
    image = check.text(body.image, at .. "/image", 2000),
    description = check.text(body.description, at .. "/description", 50000),
  }
  if not p.variant_of then check.required(p.title, at .. "/title") end
  return p
end

-- One level only: a parent is no variant itself.
local function check_parent(sku, parent_sku, field)
  if not parent_sku then return end
  if parent_sku == sku then fail.invalid(field, "A product can't be a variant of itself.") end
  local parent = find:row(parent_sku)
  if not parent then fail.invalid(field, ("There is no product %q; make it first."):format(parent_sku)) end
  if parent.variant_of then fail.invalid(field, ("%q is a variant itself; name the product it is a variant of."):format(parent_sku)) end
  if #variants_of:rows(sku) > 0 then fail.invalid(field, "A product that has variants can't be one.") end
end

-- Gives true when the product is new.
local function write(sku, p, at, now)
  check_parent(sku, p.variant_of, at .. "/variant_of")
  local changed = update:run(sku, p.title, p.price, p.compare_at, p.cost, p.category, p.tags, p.brand, p.weight_g, p.status, p.track_stock,
    p.variant_of, p.options, p.image, p.description, p.attributes, now)
  if changed == 0 then
    insert:run(sku, p.title, p.price, p.compare_at, p.cost, p.category, p.tags, p.brand, p.weight_g, p.status, p.track_stock, p.variant_of,
      p.options, p.image, p.description, p.attributes, now)
  end
  prices.offered(sku, now)
  catalogue.changed(sku)
  return changed == 0
end

---The whole product: what is not stated is gone.
---@param args { principal: table, params: { sku: string }, body: table }
function products.put(args)
  caller.require_trusted(args)
  local sku = check.sku(args.params.sku, "sku")
  local created = write(sku, columns_of(args.body, ""), "", time.now())
  return { status = created and 201 or 200, body = render(find:row(sku), true, true) }
end

---Changes the members given; null removes one.
---@param args { principal: table, params: { sku: string }, body: table }
function products.patch(args)
  caller.require_trusted(args)
  local sku = check.sku(args.params.sku, "sku")
  local row = find:row(sku)
  if not row then fail.not_found(("There is no product %q."):format(sku)) end
  row.tags, row.options, row.track_stock = decoded(row.tags), decoded(row.options), row.track_stock == 1
  row.attributes = decoded(row.attributes)
  local merged = {}
  for _, name in ipairs(FIELDS) do
    local given = args.body[name]
    if given == nil then given = row[name] end
    merged[name] = given
  end
  write(sku, columns_of(merged, ""), "", time.now())
  return { status = 200, body = render(find:row(sku), true, true) }
end

-- Parents before variants, whatever the order in the file.
local function parents_first(list)
  local order = {}
  for pass = 1, 2 do
    for i, item in ipairs(list) do
      local is_variant = item.variant_of ~= nil and item.variant_of ~= json.null
      if is_variant == (pass == 2) then order[#order + 1] = i end
    end
  end
  return order
end

---Many products at once, all or none. stock: the pieces that are on hand at the location "main".
---@param args { principal: table, body: { products: table[] } }
function products.import(args)
  caller.require_trusted(args)
  local list, now = args.body.products, time.now()
  if type(list) ~= "table" then fail.invalid("/products", "A list of products is expected here.") end
  local seen, created, updated, counted = {}, 0, 0, {}
  for _, i in ipairs(parents_first(list)) do
    local item, at = list[i], "/products/" .. i - 1
    local sku = check.sku(item.sku, at .. "/sku")
    if seen[sku] then fail.invalid(at .. "/sku", ("The SKU %q appears twice."):format(sku)) end
    seen[sku] = true
    if write(sku, columns_of(item, at), at, now) then created = created + 1 else updated = updated + 1 end
    local on_hand = check.int(item.stock, at .. "/stock", 0, stock.QTY_MAX)
    if on_hand then counted[#counted + 1] = { sku = sku, on_hand = on_hand, field = at .. "/stock" } end
  end
  stock.count(counted, "import")
  return { status = 200, body = json.object("created", created, "updated", updated) }
end

return products
