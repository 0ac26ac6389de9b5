-- feira.signatures: what payment providers and other systems sign, verified, and what they want signed. Each check gives true, or nil
-- with a sentence and a code: "missing", "late", "unknown_key" or "forged". The body is the one that came over the wire, byte for byte.
-- Headers are a table; the case of their names does not matter. Keys are handles of feira.crypto, secrets those of the settings.
local crypto = require "feira.crypto"
local time = require "feira.time"

local signatures = {}

local TOLERANCE_MS = 300000 -- what all four of them recommend
local TEXT_MAX = 20000

-- --- what they have in common ---------------------------------------------------------------------------------------

local function missing(what) return nil, what .. " is missing", "missing" end
local function forged(why) return nil, why or "the signature is not of this message", "forged" end

local function header(headers, name)
  name = name:lower()
  for key, value in pairs(headers or {}) do
    if type(key) == "string" and key:lower() == name and type(value) == "string" then return value end
  end
end

local function check_body(body)
  if type(body) ~= "string" then error("body must be the text that came over the wire, not a " .. type(body), 3) end
  return body
end

---Seconds since 1970 as text, near enough to now.
local function check_time(text, what)
  local seconds = #text <= 12 and text:match "^%d+$" and math.tointeger(tonumber(text))
  if not seconds then return forged("the time of the message is no number of seconds") end
  local apart_ms = seconds * 1000 - (what.now_ms or time.now())
  if math.abs(apart_ms) > (what.tolerance_ms or TOLERANCE_MS) then
    return nil, "the message was signed too long ago, or its time is to come", "late"
  end
  return true
end

-- --- WeChat Pay, API v3 ------------------------------------------------------------------------------------------------

local PROBE = "WECHATPAY/SIGNTEST/" -- signatures that are wrong on purpose, to see whether anybody looks

local function wechat_message(timestamp, nonce, body) return timestamp .. "\n" .. nonce .. "\n" .. body .. "\n" end

---what: { headers, body, keys = { [serial or id] = public key }, now_ms?, tolerance_ms? }. "unknown_key": fetch the certificates, once.
function signatures.wechat_pay(what)
  local body = check_body(what.body)
  local timestamp, nonce = header(what.headers, "Wechatpay-Timestamp"), header(what.headers, "Wechatpay-Nonce")
  local serial, signature = header(what.headers, "Wechatpay-Serial"), header(what.headers, "Wechatpay-Signature")
  if not timestamp or not nonce or not serial or not signature then return missing "one of the headers Wechatpay-..." end
  local good, why, code = check_time(timestamp, what)
  if not good then return nil, why, code end
  local key = what.keys[serial]
  if not key then return nil, "the message is signed with another key: " .. serial:sub(1, 80), "unknown_key" end
  if signature:sub(1, #PROBE) == PROBE then return forged "this is a probe: its signature is wrong on purpose" end
  local bytes = #signature <= TEXT_MAX and crypto.unbase64(signature)
  if not bytes or not crypto.rsa_verify(key, wechat_message(timestamp, nonce, body), bytes) then return forged() end
  return true
end

---The text inside of a notification's `resource`, or of an encrypted certificate. secret: the APIv3 key.
function signatures.wechat_pay_open(resource, secret)
  if type(resource) ~= "table" or resource.algorithm ~= "AEAD_AES_256_GCM" then
    return forged "the resource is not sealed with AEAD_AES_256_GCM"
  end
  local nonce, sealed = resource.nonce, resource.ciphertext
  if type(nonce) ~= "string" or #nonce ~= 12 or type(sealed) ~= "string" then return missing "nonce or ciphertext of the resource" end
  sealed = crypto.unbase64(sealed)
  local beside = resource.associated_data
  local text = sealed and crypto.aes_gcm_open(secret, nonce, sealed, type(beside) == "string" and beside or "")
  if not text then return forged "the resource can't be opened with this key" end
  return text
end

---The Authorization header of a request. what: { method, target = path and query, body?, merchant, serial = of its certificate,
---key = secret, timestamp = seconds, nonce }
function signatures.wechat_pay_authorization(what)
  local message = what.method .. "\n" .. what.target .. "\n" .. wechat_message(tostring(what.timestamp), what.nonce, what.body or "")
  return ('WECHATPAY2-SHA256-RSA2048 mchid="%s",serial_no="%s",timestamp="%s",nonce_str="%s",signature="%s"'):format(
    what.merchant, what.serial, tostring(what.timestamp), what.nonce, crypto.base64(crypto.rsa_sign(what.key, message)))
end

---What a mini-program needs to open the payment. what: { app, prepay, key = secret, timestamp = seconds, nonce }
function signatures.wechat_pay_client(what)
  local timestamp, package = tostring(what.timestamp), "prepay_id=" .. what.prepay
  local message = what.app .. "\n" .. wechat_message(timestamp, what.nonce, package)
  return { appId = what.app, timeStamp = timestamp, nonceStr = what.nonce, package = package, signType = "RSA",
           paySign = crypto.base64(crypto.rsa_sign(what.key, message)) }
end

-- --- Alipay ------------------------------------------------------------------------------------------------------------

---A body of application/x-www-form-urlencoded as a table; nil when it is none, or has a name twice.
function signatures.form(body)
  local out = {}
  local function decoded(text)
    if text:find "%%%X" or text:find "%%.%X" or text:find "%%.?$" then return nil end
    return (text:gsub("+", " "):gsub("%%(%x%x)", function(two) return crypto.unhex(two) end))
  end
  for pair in check_body(body):gmatch "[^&]+" do
    local name, value = pair:match "^([^=]*)=(.*)$"
    name, value = decoded(name or pair), decoded(value or "")
    if not name or not value or out[name] then return nil, "the body is no form", "forged" end
    out[name] = value
  end
  return out
end

---The text that is signed: all parameters but the signature and its kind, sorted, as k=v joined with &.
function signatures.alipay_message(params, with_sign_type)
  local names, parts = {}, {}
  for name in pairs(params) do
    if name ~= "sign" and (with_sign_type or name ~= "sign_type") then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = name .. "=" .. tostring(params[name]) end
  return table.concat(parts, "&")
end

---what: { params = of the form, key = Alipay's public key }. It has no time of its own: remember notify_id, and that it was done.
function signatures.alipay(what)
  local params = what.params
  if type(params.sign) ~= "string" then return missing "sign" end
  if params.sign_type and params.sign_type ~= "RSA2" then return forged "only RSA2 signatures are taken" end
  local bytes = #params.sign <= TEXT_MAX and crypto.unbase64(params.sign)
  if not bytes or not crypto.rsa_verify(what.key, signatures.alipay_message(params), bytes) then return forged() end
  return true
end

---The signature of a request; it covers sign_type, which a notification's does not.
function signatures.alipay_sign(params, secret)
  return crypto.base64(crypto.rsa_sign(secret, signatures.alipay_message(params, true)))
end

-- --- Stripe ------------------------------------------------------------------------------------------------------------

---what: { headers, or header = the text of Stripe-Signature; body, secret, now_ms?, tolerance_ms? }. While a secret is being changed there
---are several signatures; one that fits is enough.
function signatures.stripe(what)
  local body = check_body(what.body)
  local text = what.header or header(what.headers, "Stripe-Signature")
  if not text then return missing "the header Stripe-Signature" end
  if #text > TEXT_MAX then return forged() end
  local timestamp, candidates = nil, {}
  for name, value in text:gmatch "([^,=]+)=([^,]*)" do
    name = name:match "^%s*(.-)%s*$"
    if name == "t" and timestamp then return forged "the message has two times" end
    if name == "t" then timestamp = value end
    if name == "v1" then candidates[#candidates + 1] = value end
  end
  if not timestamp or #candidates == 0 then return missing "t or v1 in Stripe-Signature" end
  local good, why, code = check_time(timestamp, what)
  if not good then return nil, why, code end
  for _, candidate in ipairs(candidates) do
    local mac = crypto.unhex(candidate)
    if mac and crypto.hmac_verify(what.secret, timestamp .. "." .. body, mac) then return true end
  end
  return forged()
end

-- --- Standard Webhooks ---------------------------------------------------------------------------------------------------

---The key inside of a secret "whsec_...".
local function webhook_key(secret) return crypto.decode_secret(secret, "base64", "whsec_") end

---what: { headers, body, secret, now_ms?, tolerance_ms? }
function signatures.standard_webhooks(what)
  local body = check_body(what.body)
  local id, timestamp = header(what.headers, "webhook-id"), header(what.headers, "webhook-timestamp")
  local text = header(what.headers, "webhook-signature")
  if not id or not timestamp or not text then return missing "one of the headers webhook-id, webhook-timestamp, webhook-signature" end
  local good, why, code = check_time(timestamp, what)
  if not good then return nil, why, code end
  if #text > TEXT_MAX then return forged() end
  local key, message = webhook_key(what.secret), id .. "." .. timestamp .. "." .. body
  for candidate in text:gmatch "%S+" do
    local mac = crypto.unbase64(candidate:match "^v1,(.+)$" or "")
    if mac and crypto.hmac_verify(key, message, mac) then return true end
  end
  return forged()
end

---The headers of a message of our own. what: { id, body, secret, timestamp = seconds }
function signatures.standard_webhooks_headers(what)
  local timestamp = tostring(what.timestamp)
  local mac = crypto.hmac(webhook_key(what.secret), what.id .. "." .. timestamp .. "." .. check_body(what.body))
  return { ["webhook-id"] = what.id, ["webhook-timestamp"] = timestamp, ["webhook-signature"] = "v1," .. crypto.base64(mac) }
end

return signatures
