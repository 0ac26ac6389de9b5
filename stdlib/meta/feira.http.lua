---@meta feira.http
-- Requests to the hosts that needs.http of plugin.lua names; nothing else is reached, whatever a name resolves to. In handlers and jobs:
-- the call waits, and others run meanwhile; what follows sees a new snapshot of the store and a new time. No redirect is followed, nothing
-- is sent twice (but for GET and HEAD, on a connection that broke): whether to try again is for the caller, who knows what doing it
-- twice would do.

---@class feira.HttpRequest
---@field url string "https://api.example.com/path"
---@field method string? GET unless said
---@field query table<string, string|integer|boolean|feira.Secret>? behind the ?, encoded
---@field headers table<string, string|integer|feira.Secret>?
---@field bearer string|feira.Secret|nil for Authorization: Bearer
---@field basic { user: string, password: string|feira.Secret }|nil for Authorization: Basic
---@field json any? the body, as JSON
---@field form table<string, string|integer|boolean|feira.Secret>? the body, as a form
---@field body string? the body, as it is
---@field timeout integer|string|nil milliseconds or "5s", at most 30 seconds; 10 unless said
---@field max_bytes integer? of the answer's body, at most 1,000,000; 262,144 unless said

---@class feira.HttpAnswer
---@field status integer whatever it is: 404 and 503 are answers, too
---@field headers table<string, string> names in small letters
---@field body string

local http = {}

---What can happen outside comes back as nil, a sentence and a code: name_unknown, address_refused (it is not public), unreachable,
---certificate, timeout, too_large, broken_off, busy. After timeout and broken_off nobody knows whether it was done.
---@param request feira.HttpRequest
---@return feira.HttpAnswer|nil
---@return string? sentence
---@return string? code
function http.request(request) end

---@param url string
---@param request feira.HttpRequest? the rest
---@return feira.HttpAnswer|nil
---@return string? sentence
---@return string? code
function http.get(url, request) end

---@param url string
---@param request feira.HttpRequest? the rest
---@return feira.HttpAnswer|nil
---@return string? sentence
---@return string? code
function http.post(url, request) end

return http
