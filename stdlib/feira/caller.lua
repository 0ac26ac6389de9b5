-- feira.caller: who is calling. args.principal = { kind = "pk" | "ct" | "sk" | "operator" | "system", customer? }: a storefront
-- (its caller is a guest), a customer, a server, a person on the machine, the shop itself (timers).
local fail = require "feira.fail"

local caller = {}

---@param args { principal: { kind: string, customer: string? } }
---@return boolean true for those who may see and do everything that their key's scopes let through
function caller.is_trusted(args)
  local kind = args.principal and args.principal.kind
  return kind == "sk" or kind == "operator" or kind == "system"
end

---The customer who calls, or nil.
---@return string|nil
function caller.customer(args)
  local principal = args.principal
  return principal and principal.kind == "ct" and principal.customer or nil
end

---Fails unless the caller is a server or an operator.
function caller.require_trusted(args)
  if not caller.is_trusted(args) then fail.denied "This needs a secret key." end
end

return caller
