-- What is refused before anything is signed: specs have no private key of a merchant. tests/blackbox/test_wechat_pay.py has the whole.
local t = require "feira.test"

local PEM = [[
-----BEGIN CERTIFICATE-----
MIIDATCCAemgAwIBAgIUcTLXKgPpPN34wDu9Hzfu32KxsrkwDQYJKoZIhvcNAQEL
BQAwDzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjIxNjMyMjlaGA8yMTI2MTAyOTE2
MzIyOVowDzENMAsGA1UEAwwEdGVzdDCCASIwDQYJKoZIhvcNAQEBBQADggEPADCC
AQoCggEBAKFtY5bTpJlbu3TrynFEOjMZyyL2XlVfhAHd36cZnommqpMgZhbgvOm9
rbgISnk+y40WBOB9C8qg8jlZ9QEZNphi8ApAXl6eppy6QzLp7Ii5Zq4GU7QxN+vV
XcTG9F0+DilNzun3389NI5ejgAGF9OJyK5y/L4/iTbJYPxX9MCPha0/125+SroCN
+8tyJA/bQrEWeSG1WSbqzdZMbn2FakCuqmNJW+v6hPvMmgQkeYOnoE0FCa8qTzKL
5+ZNU+pxj6ukOOEqCr1AwxhDUTUhyYok8EzPWkYVfomNk8HfbL2t2fymTAz+IBRt
UG66ATIehlB/EkIV3YsbmhFkJ619d9ECAwEAAaNTMFEwHQYDVR0OBBYEFLNu0ZPi
oHfG3ADtByzqAGe90sbBMB8GA1UdIwQYMBaAFLNu0ZPioHfG3ADtByzqAGe90sbB
MA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADggEBAInkc48Fo7yUxUN8
alRkB/TysH3rZ+VA+/L2TFbo6PtOjpg9wXN2xDKuOgovBsu8HW/FfrUtK2uayiKN
debx122RZya746mANHRZx/uJtTyxr76zEpGbGVcK6c0O37GWpNlQ4XVGOpHWZ2J4
ux8ies0CZ1VzedO3WLrdsowdH1D3G/+LaymG5BNUoG25g48LYumFiD5CMVsKdlLC
ZT9PWRgDwEfAyqSKayGwbRQ2adhNtHMdjUvDe2aKID7DAHHWrb5cfCHSNNgg8kub
IqTTVjZn9q54COLXac9ZSHzMJycEm6hgS/B9+lHJyWTwi4Cpt+gxk4dw3b8GKy07
qFHN4Uo=
-----END CERTIFICATE-----
]]

t:shop {
  currency = "CNY", zone = "Asia/Shanghai",
  settings = {
    merchant = "1900000001", app = "wxd678efh567hg6787", serial = "5A1B2C3D4E5F6071", key = "MERCHANT_KEY", api_key = "API_KEY",
    platform_keys = { { id = "PUB_KEY_ID_1", pem = PEM } }, notify_url = "https://shop.example/v1/payments/wechat-pay/notify",
  },
}

local function begin(details)
  t:product { sku = "TEA", price = "10.00" }
  local order = t:order { lines = { TEA = 1 } }
  return t:post("/v1/orders/" .. order.id .. "/payments", { provider = "wechat-pay", details = details })
end

t:it("in a mini-program the openid says who pays", function()
  local problem = t:refused("payment_refused", function() begin {} end)
  t:expect(problem.detail:find("openid", 1, true) ~= nil, true)
end)

t:it("what is not signed is not read", function()
  for _, headers in ipairs {
    {},
    { ["Wechatpay-Timestamp"] = "1", ["Wechatpay-Nonce"] = "n", ["Wechatpay-Serial"] = "PUB_KEY_ID_1", ["Wechatpay-Signature"] = "AAAA" },
    { ["Wechatpay-Timestamp"] = tostring(t:now() // 1000), ["Wechatpay-Nonce"] = "n", ["Wechatpay-Serial"] = "PUB_KEY_ID_1",
      ["Wechatpay-Signature"] = "AAAA" },
    { ["Wechatpay-Timestamp"] = tostring(t:now() // 1000), ["Wechatpay-Nonce"] = "n", ["Wechatpay-Serial"] = "PUB_KEY_ID_2",
      ["Wechatpay-Signature"] = "AAAA" },
  } do
    local status, answer = t:callback("/v1/payments/wechat-pay/notify", '{"id":"EV-1"}', headers)
    t:expect(status, 401)
    t:expect(answer.code, "FAIL")
  end
end)

t:it("there are two kinds of payments", function()
  t:refused("payment_refused", function() begin { kind = "cash" } end)
end)
