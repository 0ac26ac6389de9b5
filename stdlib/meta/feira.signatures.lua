---@meta feira.signatures
-- What payment providers and other systems sign, verified, and what they want signed. A check gives true, or nil with a sentence and a
-- code: "missing", "late", "unknown_key" or "forged". The body is the text that came over the wire, byte for byte; headers are a table,
-- whatever the case of their names. A time may be 300 seconds off. None of them says that a message comes once: remember its id.

---What a check gets. now_ms and tolerance_ms are for specs.
---@class feira.SignedMessage
---@field headers table
---@field body string
---@field secret feira.Secret? of Stripe and Standard Webhooks
---@field keys table<string, feira.PublicKey>? of WeChat Pay, by serial or id
---@field header string? the text of Stripe-Signature, instead of headers
---@field now_ms integer?
---@field tolerance_ms integer? 300,000 unless said

---What a request to WeChat Pay needs.
---@class feira.WechatPayRequest
---@field method string
---@field target string path and query
---@field body string?
---@field merchant string
---@field serial string of its certificate
---@field key feira.Secret
---@field timestamp integer|string seconds
---@field nonce string

local signatures = {}

---A notification of WeChat Pay, API v3. "unknown_key": fetch the certificates, once.
---@param what feira.SignedMessage
---@return true|nil
---@return string? sentence
---@return string? code
function signatures.wechat_pay(what) end

---The text inside of a notification's resource, or of an encrypted certificate.
---@param resource { algorithm: string, nonce: string, ciphertext: string, associated_data: string? }
---@param secret feira.Secret the APIv3 key
---@return string|nil text
---@return string? sentence
---@return string? code
function signatures.wechat_pay_open(resource, secret) end

---The Authorization header of a request to WeChat Pay.
---@param what feira.WechatPayRequest
---@return string
function signatures.wechat_pay_authorization(what) end

---What a mini-program needs to open the payment.
---@param what { app: string, prepay: string, key: feira.Secret, timestamp: integer|string, nonce: string }
---@return { appId: string, timeStamp: string, nonceStr: string, package: string, signType: string, paySign: string }
function signatures.wechat_pay_client(what) end

---A body of application/x-www-form-urlencoded as a table; nil when it is none, or has a name twice.
---@param body string
---@return table<string, string>|nil
function signatures.form(body) end

---A notification of Alipay, RSA2. It has no time of its own.
---@param what { params: table<string, string>, key: feira.PublicKey }
---@return true|nil
---@return string? sentence
---@return string? code
function signatures.alipay(what) end

---The text that Alipay signs: all parameters but the signature (and its kind, unless with_sign_type), sorted.
---@param params table<string, string>
---@param with_sign_type boolean?
---@return string
function signatures.alipay_message(params, with_sign_type) end

---@param params table<string, string>
---@param secret feira.Secret
---@return string sign
function signatures.alipay_sign(params, secret) end

---An event of Stripe. While a secret is being changed it has several signatures; one that fits is enough.
---@param what feira.SignedMessage
---@return true|nil
---@return string? sentence
---@return string? code
function signatures.stripe(what) end

---A message by the Standard Webhooks specification; the secret begins with "whsec_".
---@param what feira.SignedMessage
---@return true|nil
---@return string? sentence
---@return string? code
function signatures.standard_webhooks(what) end

---The three headers of a message of our own.
---@param what { id: string, body: string, secret: feira.Secret, timestamp: integer|string }
---@return table<string, string>
function signatures.standard_webhooks_headers(what) end

return signatures
