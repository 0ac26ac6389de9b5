-- feira.webhooks: what the shop itself is told of its endpoints (runtime/host/webhooks/webhook_send.c does the sending).
local events = require "feira.events"
local sql = require "feira.sql"
local time = require "feira.time"

local webhooks = {}

local find = sql.statement "SELECT label, why FROM webhook_endpoints WHERE endpoint_id = ?1 AND state = 3"

---Timer: an endpoint was disabled.
---@param args { key: string, due_ms: integer }
function webhooks.disabled(args)
  local row = events.heard "webhook.disabled" and find:row(args.key)
  if row then -- else nobody asks, or it works again already
    local label = row.label ~= "" and row.label or nil
    events.emit("webhook.disabled", { webhook = args.key, label = label, reason = row.why, at = time.format(time.now()) })
  end
  return { status = 200 }
end

return webhooks
