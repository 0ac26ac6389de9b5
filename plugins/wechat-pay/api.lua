-- Requests to WeChat Pay, API v3: each is signed by the merchant, and no answer is believed that WeChat Pay did not sign.
local crypto = require "feira.crypto"
local http = require "feira.http"
local json = require "feira.json"
local signatures = require "feira.signatures"
local time = require "feira.time"

local api = {}

local HOST = "https://api.mch.weixin.qq.com"

---The public keys of WeChat Pay by serial number or id.
function api.keys(settings)
  local keys = {}
  for _, key in ipairs(settings.platform_keys) do keys[key.id] = crypto.public_key(key.pem) end
  return keys
end

function api.nonce() return crypto.hex(crypto.random(16)) end

function api.seconds() return time.now() // 1000 end

local function request(method, target, body, settings)
  local text = body and json.encode(body) or ""
  return http.request {
    method = method, url = HOST .. target, body = body and text or nil, timeout = "8s",
    headers = {
      ["Accept"] = "application/json", ["Content-Type"] = "application/json",
      ["Authorization"] = signatures.wechat_pay_authorization {
        method = method, target = target, body = text, merchant = settings.merchant, serial = settings.serial, key = settings.key,
        timestamp = api.seconds(), nonce = api.nonce(),
      },
    },
  }
end

local function decoded(answer)
  if answer.body == "" then return {} end
  local value = json.decode(answer.body)
  return type(value) == "table" and value or nil
end

---What WeChat Pay answered, as a table, and the status. nil, why and a code: nobody knows whether it was done.
function api.ask(method, target, body, settings)
  local answer, why, code = request(method, target, body, settings)
  if not answer then return nil, why, code end
  local value = decoded(answer)
  if not value or answer.status >= 500 or answer.status == 429 then
    return nil, ("WeChat Pay answered with status %d: %s"):format(answer.status, value and value.message or "no JSON"), "broken"
  end
  if answer.status < 300 then
    local good, reason = signatures.wechat_pay { headers = answer.headers, body = answer.body, keys = api.keys(settings) }
    if not good then return nil, "an answer that WeChat Pay did not sign: " .. reason, "forged" end
  end
  return value, answer.status
end

---Why it was refused, for a person.
function api.reason(answer, status)
  return ("%s (%s, status %d)"):format(answer.message or "no reason given", answer.code or "no code", status)
end

---"2026-11-22T10:00:00Z" as WeChat Pay writes times.
function api.beijing(text) return (time.format(time.parse(text) + 8 * 3600000):gsub("%.%d+", ""):gsub("Z$", "+08:00")) end

return api
