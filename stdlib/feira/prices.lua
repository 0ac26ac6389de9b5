-- feira.prices: what products were offered for and sold for, as far back as it is kept. A row of offers is written in the transaction that
-- changes a price, one of deals in the transaction in which an order is paid; so whatever says "was" can be held against them.
--
-- A deal is what one unit of a line came to after all discounts (rounded down), when its order was placed; what it was paid with (points,
-- stored value) makes no difference. A line that cost nothing is a gift and no deal. A refund does not undo a deal: it was made.
local caller = require "feira.caller"
local check = require "feira.check"
local fail = require "feira.fail"
local json = require "feira.json"
local money = require "feira.money"
local page = require "feira.page"
local shop = require "feira.shop"
local sql = require "feira.sql"
local time = require "feira.time"

local prices = {}

local HOUR_MS, DAY_MS = 3600 * 1000, 24 * 3600 * 1000
local DAYS, DAYS_MAX, OFFERS_SHOWN = 30, 1100, 200
-- As long as the orders themselves have to be kept. Offers are kept for ever: there is one for each change.
local DEALS_KEPT_MS = 3 * 366 * DAY_MS

-- Nothing where the last row says the same. A clock that went back does not put a row before the last one.
local offer = sql.statement [[
  INSERT INTO product_prices (product, from_ms, price, compare_at, offered)
  SELECT p.id, max(?2, coalesce((SELECT max(h.from_ms) FROM product_prices h WHERE h.product = p.id), 0)), p.price, p.compare_at,
         p.status = 'active'
  FROM products p WHERE p.sku = ?1 AND NOT EXISTS (
    SELECT 1 FROM product_prices h
    WHERE h.product = p.id AND h.from_ms = (SELECT max(l.from_ms) FROM product_prices l WHERE l.product = p.id) AND h.price = p.price
      AND coalesce(h.compare_at, -1) = coalesce(p.compare_at, -1) AND h.offered = (p.status = 'active'))
  ON CONFLICT (product, from_ms) DO UPDATE SET price = excluded.price, compare_at = excluded.compare_at, offered = excluded.offered]]

local deal = sql.statement [[
  INSERT INTO deal_prices (product, hour, channel, price, units, first_at, last_at, last_order)
  SELECT p.id, ?2, ?3, ?4, ?5, ?6, ?6, ?7 FROM products p WHERE p.sku = ?1
  ON CONFLICT (product, hour, channel, price) DO UPDATE SET units = units + excluded.units, first_at = min(first_at, excluded.first_at),
    last_order = CASE WHEN excluded.last_at >= last_at THEN excluded.last_order ELSE last_order END,
    last_at = max(last_at, excluded.last_at)]]

-- The oldest rows have the lowest ids. One of so many orders that are paid takes some away that are too old: more than most shops add
-- meanwhile, and where more come in, they go later. So no job is needed, and an order pays next to nothing for it.
local FORGET_EVERY = 64
local forget = sql.statement [[
  DELETE FROM deal_prices WHERE hour < ?1 AND id IN (SELECT id FROM deal_prices ORDER BY id LIMIT 1000)]]

---What a product costs from now on, as its row says.
function prices.offered(sku, now) offer:run(sku, now) end

---@param order table of order_rows, just paid; one that was sold elsewhere long ago leaves no deal that would be forgotten at once
function prices.dealt(order, now)
  local at, oldest = order.placed_at, now - DEALS_KEPT_MS
  local hour = at - at % HOUR_MS
  if hour >= oldest then
    for _, line in ipairs(json.decode(order.lines)) do
      if line.total > 0 then deal:run(line.sku, hour, order.channel or "", line.total // line.qty, line.qty, at, order.order_id) end
    end
  end
  if order.id % FORGET_EVERY == 0 then forget:run(oldest) end
end

-- --- reading --------------------------------------------------------------------------------------------------------

local find = sql.statement "SELECT id, price, compare_at FROM products WHERE sku = ?1"
-- The rows that held at any time from ?2 on and before ?3.
local offers_of = sql.statement [[
  SELECT from_ms, price, compare_at, offered FROM product_prices
  WHERE product = ?1 AND from_ms < ?3
    AND from_ms >= coalesce((SELECT max(h.from_ms) FROM product_prices h WHERE h.product = ?1 AND h.from_ms <= ?2), 0)
  ORDER BY from_ms DESC LIMIT ?4]]
local lowest_offer = sql.statement [[
  SELECT min(price) FROM product_prices
  WHERE product = ?1 AND offered = 1 AND from_ms < ?3
    AND from_ms >= coalesce((SELECT max(h.from_ms) FROM product_prices h WHERE h.product = ?1 AND h.from_ms <= ?2), 0)]]
-- A row's first and last deal lie within an hour, and no period is shorter: so one of them is in it whenever any is.
local WITHIN = " FROM deal_prices WHERE product = ?1 AND hour > ?2 - 3600000 AND hour < ?3 AND first_at < ?3 AND last_at >= ?2"
  .. " AND (?4 IS NULL OR channel = ?4)"
local lowest_deal = sql.statement("SELECT price, channel, last_at, last_order" .. WITHIN .. " ORDER BY price, last_at DESC LIMIT 1")
local last_deal = sql.statement [[
  SELECT price, channel, last_at, last_order FROM deal_prices
  WHERE product = ?1 AND hour < ?2 AND first_at < ?2 AND (?3 IS NULL OR channel = ?3) ORDER BY hour DESC, last_at DESC, price LIMIT 1]]
local deals_of = sql.statement("SELECT id, hour, channel, price, units, first_at, last_at, last_order" .. WITHIN ..
  " AND id < ?5 ORDER BY id DESC LIMIT ?6")

local function render_offers(rows)
  local out, ended = {}, nil
  for i, row in ipairs(rows) do
    out[i] = json.object("price", row.price, "compare_at", row.compare_at or json.null, "offered", row.offered == 1, "from",
      time.format(row.from_ms), "until", ended and time.format(ended) or json.null)
    ended = row.from_ms
  end
  return json.array(out)
end

local function render_deal(row)
  return row and json.object("price", row.price, "channel", row.channel ~= "" and row.channel or json.null, "at", time.format(row.last_at),
    "order", row.last_order) or json.null
end

local function render_hour(row)
  return json.object("price", row.price, "channel", row.channel ~= "" and row.channel or json.null, "units", row.units, "first_at",
    time.format(row.first_at), "last_at", time.format(row.last_at), "order", row.last_order)
end

local function whole(value, field, min, max)
  if type(value) == "string" then
    value = value:find "^%d+$" and #value < 10 and math.tointeger(tonumber(value))
      or fail.invalid(field, ("A whole number from %d to %d is expected here."):format(min, max))
  end
  return check.int(value, field, min, max)
end

---{ params: { sku }, query: { before?, days?, channel?, limit?, cursor? } }: the days before a moment, which is now unless it is said.
function prices.history(args)
  caller.require_trusted(args)
  local query, sku = args.query or {}, args.params.sku
  local product = find:row(sku) or fail.not_found(("There is no product %q."):format(sku))
  local days = whole(query.days, "days", 1, DAYS_MAX) or DAYS
  local before = check.moment(query.before, "before") or time.now() + 1 -- this moment is part of it
  local from = math.max(before - days * DAY_MS, 0)
  local channel = check.text(query.channel, "channel", 64)
  local limit, after = page.read { limit = query.limit, cursor = query.cursor }
  local found = deals_of:rows(product.id, from, before, channel, after or math.maxinteger, limit + 1)
  local deals = page.write(found, limit, render_hour)
  return {
    status = 200,
    body = json.object("sku", sku, "currency", (money.currency()), "price", product.price, "compare_at",
      product.compare_at or json.null, "before", time.format(before),
      "days", days, "lowest_offer", lowest_offer:values(product.id, from, before) or json.null, "lowest_deal",
      render_deal(lowest_deal:row(product.id, from, before, channel)), "last_deal", render_deal(last_deal:row(product.id, before, channel)),
      "offers", render_offers(offers_of:rows(product.id, from, before, OFFERS_SHOWN)), "deals", deals.body),
  }
end

-- As host/api/compared.c has it for quotes: since when a product is compared with this price, and the lowest of the days before. ?2: those
-- days in milliseconds, ?3: by deals.
local borne_out = sql.statement [[
  WITH c AS (SELECT p.id AS product, (SELECT min(h.from_ms) FROM product_prices h WHERE h.product = p.id AND h.from_ms > coalesce(
    (SELECT max(o.from_ms) FROM product_prices o WHERE o.product = p.id AND coalesce(o.compare_at, -1) <> p.compare_at), -1)) AS since
    FROM products p WHERE p.sku = ?1 AND p.compare_at IS NOT NULL)
  SELECT CASE WHEN ?3 = 1 THEN coalesce(
    (SELECT min(d.price) FROM deal_prices d WHERE d.product = c.product AND d.hour > c.since - ?2 - 3600000 AND d.hour < c.since
       AND d.first_at < c.since AND d.last_at >= c.since - ?2),
    (SELECT d.price FROM deal_prices d WHERE d.product = c.product AND d.hour < c.since AND d.first_at < c.since
       ORDER BY d.hour DESC, d.last_at DESC LIMIT 1), 0)
  ELSE coalesce((SELECT min(h.price) FROM product_prices h WHERE h.product = c.product AND h.offered = 1 AND h.from_ms < c.since
       AND h.from_ms >= coalesce((SELECT max(b.from_ms) FROM product_prices b
                                  WHERE b.product = c.product AND b.from_ms <= c.since - ?2), 0)), 0)
  END FROM c]]

---What a shopper may be shown of the price that a product is compared with: it, or nil.
---@param row { sku: string, compare_at: integer? }
function prices.compared(row)
  local days, by_deals = shop.compare_at()
  if not row.compare_at or not days then return row.compare_at end
  local lowest = borne_out:values(row.sku, days * DAY_MS, by_deals)
  return lowest and row.compare_at <= lowest and row.compare_at or nil
end

return prices
