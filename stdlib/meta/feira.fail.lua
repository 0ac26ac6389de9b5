---@meta feira.fail
-- How a handler or a procedure says no. None of these returns: the answer is a problem document, and what the procedure changed is
-- taken back. detail is one sentence for a person: what is wrong and what to do.
local fail = {}

---@param what { status: 400|401|403|404|409|413|422|503, detail: string, reason: string?, field: string? }
function fail.raise(what) end

---422: what was given can't be accepted.
---@param field string? JSON pointer: "/lines/0/qty"
---@param detail string
---@param reason string?
function fail.invalid(field, detail, reason) end

---409: the world moved.
---@param reason string stable name: "out_of_stock"
---@param detail string
---@param field string?
function fail.conflict(reason, detail, field) end

---409: not allowed in the state it is in.
---@param reason string
---@param detail string
function fail.state(reason, detail) end

---404: it is not there, or not the caller's.
---@param detail string
function fail.not_found(detail) end

---403.
---@param detail string
---@param field string?
function fail.denied(detail, field) end

---What was read has moved; the host reads again and repeats.
---@param detail string
function fail.retry(detail) end

return fail
