---@meta feira.crypto
-- Hashes, MACs, signatures and ciphers. Keys are handles: a secret of the settings, or a public key made from its text. What uses a
-- secret needs a handler, a job or a procedure; the rest works everywhere. "Bytes" are strings of Lua.

---A setting of type secret. tostring() shows its name; its bytes never become a value of Lua.
---@class feira.Secret

---A public key of RSA.
---@class feira.PublicKey
local PublicKey = {}

---@return string|nil serial of a certificate, in capital hexadecimal digits
function PublicKey:serial() end

local crypto = {}

---@param bytes string
---@return string
function crypto.hex(bytes) end

---@param text string
---@return string|nil bytes nil when it is not hexadecimal
function crypto.unhex(text) end

---@param bytes string
---@return string
function crypto.base64(bytes) end

---Takes the one way to write the bytes, padding included.
---@param text string
---@return string|nil bytes
function crypto.unbase64(text) end

---Without padding.
---@param bytes string
---@return string
function crypto.base64url(bytes) end

---@param text string
---@return string|nil bytes
function crypto.unbase64url(text) end

---@param bytes string
---@return string hash 32 bytes
function crypto.sha256(bytes) end

---HMAC with SHA-256.
---@param key feira.Secret|string
---@param bytes string
---@return string mac 32 bytes
function crypto.hmac(key, bytes) end

---Compares in a time that says nothing.
---@param key feira.Secret|string
---@param bytes string
---@param mac string
---@return boolean
function crypto.hmac_verify(key, bytes, mac) end

---Compares in a time that depends on the lengths alone.
---@param a string
---@param b string
---@return boolean
function crypto.equal(a, b) end

---The bytes that a secret writes down in base64 or hexadecimal, behind a prefix that is left out: "whsec_...".
---@param secret feira.Secret
---@param form "base64"|"hex"
---@param prefix string?
---@return feira.Secret
function crypto.decode_secret(secret, form, prefix) end

---@param pem string PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE; an error when it is none. Who signed a certificate is not looked at
---@return feira.PublicKey
function crypto.public_key(pem) end

---RSA with SHA-256, PKCS #1 v1.5.
---@param key feira.PublicKey
---@param bytes string
---@param signature string bytes
---@return boolean
function crypto.rsa_verify(key, bytes, signature) end

---@param secret feira.Secret a private key in PEM
---@param bytes string
---@return string signature bytes
function crypto.rsa_sign(secret, bytes) end

---@param secret feira.Secret 32 bytes
---@param nonce string 12 bytes
---@param sealed string with the tag of 16 bytes at its end
---@param associated string? text that was not sealed but counts
---@return string|nil bytes nil when it was sealed otherwise, or changed since
function crypto.aes_gcm_open(secret, nonce, sealed, associated) end

---A nonce must never serve twice under one secret: crypto.random(12).
---@param secret feira.Secret
---@param nonce string
---@param bytes string
---@param associated string?
---@return string sealed
function crypto.aes_gcm_seal(secret, nonce, bytes, associated) end

---@param n integer 1..1024
---@return string bytes that nobody can guess
function crypto.random(n) end

return crypto
