local t = require "feira.test"

local CAMPAIGN = [[local promo = require "feira.promo"
return promo.campaign {
  id = "%s", coupon = { valid_for = "7d", per_customer = %d, %s }, give = promo.amount_off { amount = "20.00" },
}]]

local function campaigns(more) return { new20 = CAMPAIGN:format("new20", 3, more or ""), other = CAMPAIGN:format("other", 1, "") } end

t:shop { currency = "CNY", campaigns = campaigns() }

local function setup(...)
  t:product { sku = "ROBE", price = "99.00", stock = 1000 }
  for _, name in ipairs { ... } do t:customer { id = name } end
end

local function claim(who, code) return t:as(who):post("/v1/x/coupons/claims", { code = code }) end
local function refused(reason, who, code) return t:refused(reason, function() claim(who, code) end) end

local function batch(count, id, more)
  local body = { campaign = "new20", count = count, id = id or "b1" }
  for name, value in pairs(more or {}) do body[name] = value end
  return t:post("/v1/x/coupons/batches", body)
end

local function codes_of(number, query) return t:get(("/v1/x/coupons/batches/%d/codes%s"):format(number, query or "")) end

-- Another character of the alphabet in place of the one at i.
local function wrong_at(code, i)
  local c = code:sub(i, i)
  return code:sub(1, i - 1) .. (c == "7" and "8" or "7") .. code:sub(i + 1)
end

t:describe("codes that are made here", function()
  t:it("are each for one coupon, for whoever claims it first", function()
    setup("ann", "bob")
    t:expect(batch(3), { batch = 0, campaign = "new20", count = 3 })
    t:expect(batch(3).batch, 0) -- once
    local list = codes_of(0).codes
    t:expect(#list, 3)
    local coupon = claim("ann", list[1])
    t:expect(coupon, { campaign = "new20", state = "live" })
    t:expect(claim("ann", list[1]).id, coupon.id)
    refused("code_used", "bob", list[1])
    t:expect(t:quote { customer = "ann", lines = { ROBE = 1 } }.discount, 2000)
    t:expect(t:quote { customer = "bob", lines = { ROBE = 1 } }.discount, 0)
  end)

  t:it("are read as people write them", function()
    setup("ann")
    batch(1)
    local code = codes_of(0).codes[1]
    t:expect(code:find "^%w%w%w%w%-%w%w%w%w%-%w%w%w%w%-%w%w%w%w$", 1)
    claim("ann", " " .. code:lower():gsub("-", " "):gsub("0", "o"):gsub("1", "l"))
  end)

  t:it("tell any wrong character, and two that were exchanged, from an unknown code", function()
    setup("ann")
    batch(2)
    local code = codes_of(0).codes[1]
    for i = 1, #code do
      if code:sub(i, i) ~= "-" then refused("code_mistyped", "ann", wrong_at(code, i)) end
      local a, b = code:sub(i, i), code:sub(i + 1, i + 1)
      if b ~= "" and a ~= b and a ~= "-" and b ~= "-" then
        refused("code_mistyped", "ann", code:sub(1, i - 1) .. b .. a .. code:sub(i + 2))
      end
    end
    refused("code_mistyped", "ann", code:sub(1, -2))
    claim("ann", code) -- none of these was a guess
  end)

  t:it("are there a million at once, and different", function()
    setup()
    t:expect(batch(1000000).count, 1000000)
    local page, seen = codes_of(0, "?after=999000"), {}
    t:expect(#page.codes, 1000)
    t:expect(page.next, nil)
    for _, code in ipairs(page.codes) do
      t:expect(seen[code], nil)
      seen[code] = true
    end
    t:expect(codes_of(0, "?limit=2").next, 2)
  end)

  t:it("are unknown when somebody made one up whose check character is right", function()
    setup("ann")
    batch(1)
    local made_up, unknown = wrong_at(codes_of(0).codes[1], 12):sub(1, -2), 0
    for c in ("0123456789ABCDEFGHJKMNPQRSTVWXYZ"):gmatch "." do
      local ok, problem = pcall(refused, "code_mistyped", "ann", made_up .. c)
      if not ok then
        unknown = unknown + 1
        refused("code_unknown", "ann", made_up .. c)
        t:expect(tostring(problem.text or problem):find("code_unknown", 1, true) ~= nil, true)
      end
    end
    t:expect(unknown, 1)
  end)

  t:it("have a time of their own", function()
    setup("ann")
    local function at(hours) return require("feira.time").format(t:now() + hours * 3600000) end
    batch(2, "b1", { from = at(1), to = at(3) })
    local list = codes_of(0).codes
    refused("code_not_yet", "ann", list[1])
    t:advance "1h"
    claim("ann", list[1])
    t:advance "2h"
    refused("code_expired", "ann", list[2])
    t:refused("invalid", function() batch(2, "b2", { from = at(3), to = at(1) }) end)
  end)

  t:it("can't be guessed by trying", function()
    setup("ann", "bob")
    batch(1)
    local code = codes_of(0).codes[1]
    for i = 1, 10 do refused("code_unknown", "ann", "NOPE-" .. i) end
    refused("too_many_guesses", "ann", "NOPE-11")
    refused("too_many_guesses", "ann", code)
    refused("code_unknown", "bob", "NOPE-1")
    t:advance "1h"
    claim("ann", code)
  end)
end)

t:describe("a code that the merchant chose", function()
  local function word(body) return t:post("/v1/x/coupons/words", body) end

  t:it("is for many, each as often as the campaign allows, until it is used up", function()
    setup("ann", "bob", "cat")
    word { code = "Welcome", campaign = "other", uses = 2 }
    claim("ann", "welcome ")
    refused("already_granted", "ann", "WELCOME")
    claim("bob", "Welcome")
    refused("code_used_up", "cat", "Welcome")
    t:refused("code_taken", function() word { code = "WELCOME", campaign = "other" } end)
    t:refused("no_campaign", function() word { code = "OTHER", campaign = "none" } end)
  end)

  t:it("is exact where the merchant wants it so", function()
    t:shop { currency = "CNY", settings = { code_case = "exact" }, campaigns = campaigns() }
    setup("ann")
    word { code = "Welcome", campaign = "other" }
    refused("code_unknown", "ann", "WELCOME")
    claim("ann", "Welcome")
  end)
end)

t:describe("coupons for many", function()
  t:it("can be taken by everybody where the campaign says so", function()
    t:shop { currency = "CNY", campaigns = campaigns "claim = true, total = 1" }
    setup("ann", "bob")
    local function take(who, id) return t:as(who):post(("/v1/x/coupons/campaigns/%s/claim"):format(id or "new20"), {}) end
    t:expect(take "ann", { campaign = "new20", state = "live" })
    t:refused("exhausted", function() take "bob" end)
    t:refused("not_found", function() take("bob", "other") end)
  end)

  t:it("go to all who have a tag, once each", function()
    setup()
    for i = 1, 250 do t:customer { id = "c" .. i, tags = i % 2 == 0 and { "even" } or nil } end
    local function segment() return t:post("/v1/x/coupons/segments", { campaign = "other", tag = "even", id = "s1" }) end
    t:expect(segment(), { id = "s1", done = false })
    t:advance "1m"
    t:expect(t:get "/v1/x/coupons/segments/s1", { granted = 125, skipped = 0, done = true })
    segment()
    t:advance "1m"
    t:expect(t:get "/v1/x/coupons/campaigns/other", { out = 125 })
    t:expect(#t:as("c2"):get("/v1/x/coupons/me").items, 1)
    t:expect(#t:as("c1"):get("/v1/x/coupons/me").items, 0)
  end)

  t:it("come after an order that is paid", function()
    t:shop { currency = "CNY", test_payments = true, campaigns = campaigns 'grant_on = "order.paid"' }
    setup("ann")
    t:pay(t:order { customer = "ann", lines = { ROBE = 1 } })
    t:expect(#t:as("ann"):get("/v1/x/coupons/me").items, 1)
  end)

  t:it("come back after a refund where the merchant wants it", function()
    t:shop { currency = "CNY", test_payments = true, settings = { on_refund = "return" }, campaigns = campaigns "" }
    setup("ann")
    t:call("grant", { customer = "ann", campaign = "other", id = "x" })
    local o = t:pay(t:order { customer = "ann", lines = { ROBE = 1 } })
    t:expect(o.total, 7900)
    t:refund(o, { lines = { { line = 1, qty = 1 } } })
    t:expect(t:as("ann"):get("/v1/x/coupons/me").items, { { state = "live" } })
    t:fulfil(t:pay(t:order { customer = "ann", lines = { ROBE = 2 } }))
  end)
end)
