-- What must hold of a file of callbacks: each good one is taken, each way to spoil it is refused. Nothing here knows a particular case.
local crypto = require "feira.crypto"
local json = require "feira.json"
local signatures = require "feira.signatures"

local function each(section)
  if not section then return {} end
  return section[1] and section or { section }
end

local function changed(text, at) -- another byte at that place
  local byte = text:byte(at)
  return text:sub(1, at - 1) .. string.char(byte == 90 and 89 or 90) .. text:sub(at + 1)
end

local function with(table_, key, value)
  local out = {}
  for k, v in pairs(table_) do out[k] = v end
  out[key] = value
  return out
end

local function without(table_, key)
  local out = {}
  for k, v in pairs(table_) do if k ~= key then out[k] = v end end
  return out
end

return function(cases)
  local passed, failures = 0, {}

  local function check(name, holds, why)
    if holds then passed = passed + 1 else failures[#failures + 1] = name .. (why and ": " .. tostring(why) or "") end
  end
  local function taken(name, verify, what)
    local fine, good, why = pcall(verify, what)
    check(name .. " is taken", fine and good == true, not fine and good or why)
  end
  local function refused(name, code, verify, what)
    local fine, good, _, got = pcall(verify, what)
    check(name .. " is refused as " .. code, fine and good == nil and got == code, not fine and good or "got " .. tostring(got))
  end

  -- What every scheme with a time must do. `at` is when it was signed.
  local function timely(name, verify, what, at)
    taken(name .. ", 300 s later,", verify, with(what, "now_ms", at + 300000))
    taken(name .. ", 300 s early,", verify, with(what, "now_ms", at - 300000))
    refused(name .. ", 301 s later,", "late", verify, with(what, "now_ms", at + 301000))
    refused(name .. ", 301 s early,", "late", verify, with(what, "now_ms", at - 301000))
    refused(name .. " today", "late", verify, without(what, "now_ms"))
  end
  local function body_matters(name, verify, what)
    local body = what.body
    refused(name .. " with an empty body", "forged", verify, with(what, "body", ""))
    refused(name .. " with a byte more", "forged", verify, with(what, "body", body .. " "))
    for _, at in ipairs { 1, #body // 2 + 1, #body } do
      refused(name .. " with another byte at " .. at, "forged", verify, with(what, "body", changed(body, at)))
    end
  end

  for i, case in ipairs(each(cases.wechatpay_v3)) do
    local name = "wechat pay " .. i
    local key, notify, negative = crypto.public_key(case.platform_public_key), case.notify, case.negative or {}
    local at = math.tointeger(tonumber(notify.headers["Wechatpay-Timestamp"])) * 1000
    local what = { headers = notify.headers, body = notify.body, keys = { [case.serial] = key }, now_ms = at }
    local function headers(header, value) return with(what, "headers", with(notify.headers, header, value)) end
    taken(name, signatures.wechat_pay, what)
    timely(name, signatures.wechat_pay, what, at)
    body_matters(name, signatures.wechat_pay, what)
    refused(name .. " with another body", "forged", signatures.wechat_pay, with(what, "body", negative.bad_body or notify.body .. "x"))
    refused(name .. " with a probe", "forged", signatures.wechat_pay,
            headers("Wechatpay-Signature", negative.signtest_signature or "WECHATPAY/SIGNTEST/" .. notify.headers["Wechatpay-Signature"]))
    refused(name .. " with another nonce", "forged", signatures.wechat_pay, headers("Wechatpay-Nonce", "another"))
    refused(name .. " with another time", "forged", signatures.wechat_pay, headers("Wechatpay-Timestamp", ("%d"):format(at // 1000 + 1)))
    refused(name .. " of an unknown key", "unknown_key", signatures.wechat_pay, headers("Wechatpay-Serial", "ANOTHER"))
    for _, header in ipairs { "Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Serial", "Wechatpay-Signature" } do
      refused(name .. " without " .. header, "missing", signatures.wechat_pay, with(what, "headers", without(notify.headers, header)))
    end
    local lower = {}
    for header, value in pairs(notify.headers) do lower[header:lower()] = value end
    taken(name .. " with headers in small letters", signatures.wechat_pay, with(what, "headers", lower))

    local resource = json.decode(notify.body).resource
    check(name .. " opens", signatures.wechat_pay_open(resource, case.apiV3Key) == notify.plaintext)
    local function stays_shut(how, other, secret)
      local text, _, code = signatures.wechat_pay_open(other, secret or case.apiV3Key)
      check(name .. " stays shut " .. how, text == nil and (code == "forged" or code == "missing"))
    end
    local sealed = resource.ciphertext
    stays_shut("with a changed tag", with(resource, "ciphertext", negative.bad_tag_ciphertext or changed(sealed, #sealed - 8)))
    stays_shut("with changed text", with(resource, "ciphertext", changed(sealed, 5)))
    stays_shut("cut short", with(resource, "ciphertext", sealed:sub(1, 16)))
    stays_shut("with another text beside it", with(resource, "associated_data", "another"))
    stays_shut("with another nonce", with(resource, "nonce", "123456789012"))
    stays_shut("of another kind", with(resource, "algorithm", "AES"))
    stays_shut("without a nonce", without(resource, "nonce"))

    if case.request then
      local message = case.request.message
      local signature = crypto.base64(crypto.rsa_sign(case.signing_private_key_for_tests, message))
      check(name .. ": a request is signed as given", signature == case.request.signature)
      check(name .. ": what is signed is verified", crypto.rsa_verify(key, message, crypto.unbase64(signature)))
      local method, target, timestamp, nonce, body = message:match "^(.-)\n(.-)\n(.-)\n(.-)\n(.*)\n$"
      local merchant, serial = case.request.authorization:match 'mchid="(.-)"', case.request.authorization:match 'serial_no="(.-)"'
      check(name .. ": the Authorization header is the given one", case.request.authorization == signatures.wechat_pay_authorization {
        method = method, target = target, timestamp = timestamp, nonce = nonce, body = body, merchant = merchant, serial = serial,
        key = case.signing_private_key_for_tests })
    end
    if case.jsapi_paySign then
      local app, timestamp, nonce, prepay = case.jsapi_paySign.message:match "^(.-)\n(.-)\n(.-)\nprepay_id=(.-)\n$"
      local client = signatures.wechat_pay_client { app = app, timestamp = timestamp, nonce = nonce, prepay = prepay,
                                                    key = case.signing_private_key_for_tests }
      check(name .. ": the client's parameters are signed as given", client.paySign == case.jsapi_paySign.paySign)
    end
  end

  for i, case in ipairs(each(cases.stripe)) do
    local name, at = "stripe " .. i, case.timestamp * 1000
    local what = { header = case.header, body = case.payload, secret = case.secret, now_ms = at }
    local mac = case.header:match "v1=(%x+)"
    local time = ("t=%d"):format(case.timestamp)
    taken(name, signatures.stripe, what)
    taken(name .. " from the headers", signatures.stripe, with(without(what, "header"), "headers", { ["stripe-signature"] = case.header }))
    timely(name, signatures.stripe, what, at)
    body_matters(name, signatures.stripe, what)
    taken(name .. " with a second signature", signatures.stripe, with(what, "header", time .. ",v1=" .. ("0"):rep(64) .. ",v1=" .. mac))
    refused(name .. " with v0 alone", "missing", signatures.stripe, with(what, "header", time .. ",v0=" .. mac))
    refused(name .. " with another signature", "forged", signatures.stripe, with(what, "header", time .. ",v1=" .. ("0"):rep(64)))
    refused(name .. " with half a signature", "forged", signatures.stripe, with(what, "header", time .. ",v1=" .. mac:sub(1, 32)))
    refused(name .. " with two times", "forged", signatures.stripe, with(what, "header", time .. "," .. case.header))
    refused(name .. " without a time", "missing", signatures.stripe, with(what, "header", "v1=" .. mac))
    refused(name .. " without a header", "missing", signatures.stripe, without(what, "header"))
    refused(name .. " with another secret", "forged", signatures.stripe, with(what, "secret", cases.wrong_secret))
  end

  for i, case in ipairs(each(cases.standardwebhooks)) do
    local name, at = "standard webhooks " .. i, case.timestamp * 1000
    local headers = { ["webhook-id"] = case.id, ["webhook-timestamp"] = ("%d"):format(case.timestamp),
                      ["webhook-signature"] = case.signature }
    local what = { headers = headers, body = case.payload, secret = case.secret, now_ms = at }
    local verify = signatures.standard_webhooks
    local function header(key, value) return with(what, "headers", with(headers, key, value)) end
    taken(name, verify, what)
    timely(name, verify, what, at)
    body_matters(name, verify, what)
    taken(name .. " with a second signature", verify, header("webhook-signature", "v1,AAAA v1a,AAAA " .. case.signature))
    refused(name .. " with another version", "forged", verify, header("webhook-signature", (case.signature:gsub("v1", "v2"))))
    refused(name .. " with another id", "forged", verify, header("webhook-id", "another"))
    refused(name .. " with another secret", "forged", verify, with(what, "secret", cases.wrong_webhook_secret))
    for key in pairs(headers) do refused(name .. " without " .. key, "missing", verify, with(what, "headers", without(headers, key))) end
    local ours = signatures.standard_webhooks_headers {
      id = case.id, body = case.payload, secret = case.secret, timestamp = case.timestamp }
    check(name .. ": our own headers are the given ones", ours["webhook-signature"] == case.signature)
  end

  for i, case in ipairs(each(cases.alipay)) do
    local name, key = "alipay " .. i, crypto.public_key(case.public_key)
    local function other(params) return { params = params, key = key } end
    taken(name, signatures.alipay, other(case.params))
    if case.string_to_sign then
      check(name .. ": the text that is signed", signatures.alipay_message(case.params) == case.string_to_sign)
    end
    local form = {}
    for k, v in pairs(case.params) do
      form[#form + 1] = k .. "=" .. (v:gsub("[^%w%-_.]", function(c) return c == " " and "+" or "%" .. crypto.hex(c) end))
    end
    taken(name .. " as a form", signatures.alipay, other(signatures.form(table.concat(form, "&"))))
    for k, v in pairs(case.params) do
      if k ~= "sign" and k ~= "sign_type" then
        refused(name .. " with another " .. k, "forged", signatures.alipay, other(with(case.params, k, v .. "0")))
        refused(name .. " without " .. k, "forged", signatures.alipay, other(without(case.params, k)))
      end
    end
    refused(name .. " with a parameter more", "forged", signatures.alipay, other(with(case.params, "zzz", "1")))
    refused(name .. " with an older kind of signature", "forged", signatures.alipay, other(with(case.params, "sign_type", "RSA")))
    refused(name .. " without a signature", "missing", signatures.alipay, other(without(case.params, "sign")))
    refused(name .. " with another signature", "forged", signatures.alipay, other(with(case.params, "sign", changed(case.params.sign, 20))))
  end

  return { passed = passed, failures = failures }
end
