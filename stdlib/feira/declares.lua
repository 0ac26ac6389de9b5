-- feira.declares: what a shop says of itself and no rule prices: claims of price, texts, rewards, prizes, deposits and so on. Nothing
-- here changes a price; it is there to be looked at, by people who approve and by plugins' checks. Which of it the law asks for is theirs
-- to know.
--
-- The words belong to the shop, not to one plugin, so that a campaign says each thing once, however many laws are held against it.
-- What fits none of them goes under `more`. `of` has the kinds of values of feira.promo.
return function(of)
  local record, list, one_of, text, money, percent, flag, names =
    of.record, of.list_of, of.one_of, of.text, of.money, of.percent, of.boolean, of.name_list
  local count, some = of.integer(0), of.integer(1)

  -- "99.00", or what the catalogue says: "price", "compare_at".
  local function was(at, path, v)
    if v == "price" or v == "compare_at" then return v end
    return money(at, path, v)
  end

  -- { name = text, ... }
  local function map_of(check)
    return function(at, path, v)
      if type(v) ~= "table" then of.fail(at, path, "expected a table, got %s; write { name = ... }", of.seen(v)) end
      local out = {}
      for key, one in pairs(v) do
        if type(key) ~= "string" then of.fail(at, path, "expected named entries, got a list; write { name = ... }") end
        out[key] = check(at, path .. "." .. key, one)
      end
      return out
    end
  end

  -- Data of any shape, without functions.
  local DEEPEST = 20
  local function data(at, path, v, depth)
    depth = depth or 1
    if type(v) == "function" then of.fail(at, path, "a function says nothing; write data") end
    if type(v) == "table" then
      if depth > DEEPEST then of.fail(at, "declares.more", "tables lie more than %d deep; write them flatter", DEEPEST) end
      for key, one in pairs(v) do data(at, path .. "." .. tostring(key), one, depth + 1) end
    end
    return v
  end

  local payee = record { ["!role"] = text, of = text, through = text, percent = percent, amount = money }

  return record {
    -- Prices and what they are compared with. Without sku: every product of the campaign. from: since when it is claimed.
    claims = list(record {
      sku = text, was = was, now = money, percent = percent, channel = text, from = text, text = text,
      because = one_of("perishable", "new", "progressive"),
    }),
    texts = map_of(text),
    sources = map_of(text), -- of numbers that a text names: the words of the text -> where they come from
    -- What somebody gets for something. trigger: what he does for it. payees: everybody who earns by one order; `of` is whom he stands
    -- above ("buyer" or another role), so that how far away he is can be counted.
    rewards = list(record {
      name = text, ["!trigger"] = text, gives = one_of("cash", "commission", "coupon", "points", "goods"), amount = money,
      percent = percent, per_customer = some, paid_on = one_of("order_line", "person", "entry"), payees = list(payee),
      margin_percent = percent,
    }),
    promoters = record { qualify = names },
    steps = list(record { ["!name"] = text, requires = names }), -- what a person must have done to go on
    group = record { size = some, rule_text = text, expires = text, skus = names },
    gifts = list(record { sku = text, name = text, qty = some, value = money }),
    lottery = record {
      prizes = list(record {
        ["!name"] = text, kind = one_of("cash", "goods", "points", "traffic"), value = money, market_price = money, qty = count,
        probability = percent,
      }),
      conditions = text, from = text, to = text, redeem = text, redeem_until = text, records_years = count,
    },
    -- word: what the text calls it. seller_breaks: percent of it that goes back when the seller does not deliver.
    deposit = record {
      kind = one_of("earnest", "advance"), word = text, amount = money, percent = percent, price = money, seller_breaks = count,
      buyer_cancels = one_of("forfeits", "refund"),
    },
    limited = record { units = some, shown = flag, ends_when_gone = flag, countdown_to = text },
    terms = record { conversion = text, expires = text, scope = text, rules = text },
    options = list(record { ["!name"] = text, default = flag, price = money }),
    fees = list(record { ["!name"] = text, amount = money, shown = flag }),
    renewal = record { every = text, notice_days = count, notice_text = text, join_steps = some, cancel_steps = some },
    counters = map_of(count), -- numbers that are shown and counted by nobody: made-up members, sales, views
    reviews = record { reward_needs_stars = count, delete_because = names, only_buyers = flag },
    stored_value = record { terms = text, refund = text, bonus_apart = flag, expires = text },
    returns = record { days = count, except = names, confirmed = flag, settle_after_days = count },
    cancelling = record {
      by_seller = one_of("never", "by_person", "by_rule"), by_buyer = text, price_errors = one_of("honoured", "by_person", "by_rule"),
    },
    content = list(record {
      name = text, kind = one_of("review", "experience", "knowledge", "search", "banner", "post", "popup"), purchase_link = flag,
      paid = flag, rewarded = flag, label = text, label_at = one_of("first_screen", "later"), closes = flag,
    }),
    endorser = record { name = text, age = count, used_it = flag },
    audience = record { from_age = count, goods = names },
    message = record { channel = text, consent = text, unsubscribe = flag },
    links = list(record { ["!url"] = text, sha256 = text }),
    personal = list(record {
      ["!field"] = text, purpose = text, basis = text, retention = text, shared_with = names, sensitive = flag, consent = text,
      separate_consent = flag,
    }),
    price_inputs = names,        -- what a price depends on, beside the cart
    automated = record { non_personal = flag, explained = flag },
    rights = record { export = flag, erase = flag, days = some },
    retention = record { transactions_days = some, live_video_days = some },
    age = record { from = count, gate = flag, what = one_of("lottery", "recharge", "tipping", "course", "goods") },
    more = data,
  }
end
