local t = require "feira.test"

local CAMPAIGN = [[local promo = require "feira.promo"
return promo.campaign {
  id = "%s", title = "Twenty off", coupon = { valid_for = "7d", %s }, when = promo.subtotal { at_least = "99.00" }, %s
  give = promo.amount_off { amount = "20.00" },
}]]

local function campaigns(typed, more)
  return {
    new20 = CAMPAIGN:format("new20", (typed and ('typed = "%s", '):format(typed) or "") .. (more or ""), 'group = "g",'),
    other = CAMPAIGN:format("other", 'typed = "anyone"', 'group = "g",'),
  }
end

t:shop { currency = "CNY", test_payments = true, pay_within = "1h", campaigns = campaigns "anyone" }

local function setup(...)
  t:product { sku = "ROBE", price = "99.00", stock = 1000 }
  t:product { sku = "SOCK", price = "98.99", stock = 1000 }
  for _, name in ipairs { ... } do t:customer { id = name } end
end

local function word(code, more)
  local body = { code = code, campaign = "new20" }
  for name, value in pairs(more or {}) do body[name] = value end
  return t:post("/v1/x/coupons/words", body)
end

local function a_code()
  t:post("/v1/x/coupons/batches", { campaign = "new20", count = 1, id = "b1" })
  return t:get("/v1/x/coupons/batches/0/codes").codes[1]
end

local function cart(codes, sku)
  return { lines = { [sku or "ROBE"] = 1 }, codes = type(codes) == "table" and codes or codes and { codes } }
end
local function told(as, code, sku)
  local quote = as:quote(cart(code, sku))
  return quote.discount, quote.codes[1]
end
local function status(as, code, sku)
  local _, said = told(as, code, sku)
  return said.status
end
local function order(as, codes, total)
  local body = cart(codes)
  body.expected_total = total
  return as:order(body)
end
local function report() return t:get "/v1/x/coupons/campaigns/new20" end

t:describe("a code that is typed into a cart", function()
  t:it("takes off what its campaign does, in any letters, without a claim", function()
    setup("ann")
    word "TEN-TEN"
    local off, said = told(t:as "ann", " ten-ten ")
    t:expect(off, 2000)
    t:expect(said, { code = " ten-ten ", status = "applied", campaign = "new20", title = "Twenty off" })
    t:expect(t:as("ann"):get("/v1/x/coupons/me").items, {}) -- looking takes nothing
    t:expect(report(), { out = 0, held = 0, redeemed = 0 })
  end)

  t:it("is held by the order, redeemed when it is paid, and then the customer has used his", function()
    setup("ann")
    word "TENTEN"
    local o = order(t:as "ann", "TENTEN", 7900)
    t:expect(report(), { held = 1, redeemed = 0 })
    t:expect(status(t:as "ann", "TENTEN"), "already_used")
    t:pay(o)
    t:expect(report(), { held = 0, redeemed = 1 })
    t:expect(t:as("ann"):get("/v1/x/coupons/me").items, { { state = "redeemed", order = o.id } })
  end)

  t:it("comes back into the customer's coupons when the order ends", function()
    setup("ann")
    word "TENTEN"
    t:cancel(order(t:as "ann", "TENTEN", 7900))
    t:expect(t:as("ann"):get("/v1/x/coupons/me").items, { { state = "live", usable = true } })
    t:expect(told(t:as "ann", "TENTEN"), 2000)
    t:expect(order(t:as "ann", nil, 7900).discount, 2000) -- it is his now, typed or not
  end)

  t:it("says why not: the minimum, its time, its uses, somebody else's, a typing error, nobody's", function()
    setup("ann", "bob")
    word("LATER", { from = "2099-01-01T00:00:00Z" })
    word("BEFORE", { to = "2001-01-01T00:00:00Z" })
    word("ONCE", { uses = 1 })
    word "PLAIN"
    local mine = a_code()
    local off, said = told(t:as "ann", "PLAIN", "SOCK")
    t:expect(off, 0)
    t:expect(said, { status = "minimum_not_met", needed = 9900, seen = 9899, more = 1 })
    t:expect(status(t:as "ann", "LATER"), "not_yet")
    t:expect(status(t:as "ann", "BEFORE"), "expired")
    order(t:as "bob", "ONCE", 7900)
    t:expect(status(t:as "ann", "ONCE"), "used_up")
    t:cancel(order(t:guest(), mine, 7900))
    t:expect(status(t:as "ann", mine), "applied")
    order(t:guest(), mine, 7900)
    t:expect(status(t:as "ann", mine), "used_up")
    t:expect(status(t:as "ann", mine:sub(1, -2) .. (mine:sub(-1) == "7" and "8" or "7")), "mistyped")
    t:expect(status(t:as "ann", "NOSUCH"), "unknown")
  end)

  t:it("does the same in whatever order it is typed, and says what it gave way to", function()
    setup("ann")
    word "AAA"
    t:post("/v1/x/coupons/words", { code = "BBB", campaign = "other" })
    for _, codes in ipairs { { "AAA", "BBB" }, { "BBB", "AAA" } } do
      local quote = t:as("ann"):quote(cart(codes))
      t:expect(quote.discount, 2000)
      for _, said in ipairs(quote.codes) do
        t:expect(said.status, said.code == "AAA" and "applied" or "not_with")
      end
    end
  end)

  t:it("counts with the total, which may be used up", function()
    setup("ann", "bob")
    t:publish { campaigns = campaigns("customers", "total = 1"), currency = "CNY", test_payments = true }
    word "TENTEN"
    local o = order(t:as "ann", "TENTEN", 7900)
    t:expect(status(t:as "bob", "TENTEN"), "used_up")
    t:cancel(o)
    t:expect(status(t:as "bob", "TENTEN"), "used_up") -- it is ann's coupon now
  end)
end)

t:describe("a guest's code", function()
  t:it("is held and redeemed, and free again when the order ends", function()
    setup()
    local code = a_code()
    t:expect(status(t:guest(), code), "applied")
    local o = order(t:guest(), code, 7900)
    t:expect(report(), { held = 1, out = 0 })
    t:expect(status(t:guest(), code), "used_up")
    t:cancel(o)
    t:expect(report(), { held = 0, out = 0, redeemed = 0 })
    o = order(t:guest(), code, 7900)
    t:pay(o)
    t:expect(report(), { held = 0, out = 0, redeemed = 1 })
    t:cancel(o)
    t:expect(report(), { held = 0, out = 0, redeemed = 0 })
    t:expect(status(t:guest(), code), "applied")
  end)

  t:it("of a word has as many uses as the word", function()
    setup()
    word("TWICE", { uses = 2 })
    local first = order(t:guest(), "TWICE", 7900)
    order(t:guest(), "TWICE", 7900)
    t:expect(status(t:guest(), "TWICE"), "used_up")
    t:cancel(first)
    t:expect(status(t:guest(), "TWICE"), "applied")
  end)

  t:it("asks to sign in where only customers may type it, and to claim where nobody may", function()
    setup("ann")
    word "TENTEN"
    t:publish { campaigns = campaigns "customers", currency = "CNY", test_payments = true }
    t:expect(status(t:guest(), "TENTEN"), "sign_in")
    t:expect(status(t:as "ann", "TENTEN"), "applied")
    t:publish { campaigns = campaigns(), currency = "CNY", test_payments = true }
    t:expect(status(t:as "ann", "TENTEN"), "claim_first")
    t:as("ann"):post("/v1/x/coupons/claims", { code = "TENTEN" })
    t:expect(status(t:as "ann", "TENTEN"), "applied")
  end)
end)
