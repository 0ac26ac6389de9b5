-- feira.refund_desk: what a person does about refunds that a provider has not given back: looks at them, has one tried again, or says that
-- the money was given back by hand.
local caller = require "feira.caller"
local check = require "feira.check"
local fail = require "feira.fail"
local json = require "feira.json"
local page = require "feira.page"
local refund_parts = require "feira.refund_parts"
local time = require "feira.time"

local refund_desk = {}

local function document(part)
  return json.object("number", part.number, "refund", part.refund_id, "order", part.order_id, "customer", part.customer or json.null,
    "provider", part.provider, "payment", part.payment_id, "transaction", part.transaction_id, "amount", part.amount,
    "currency", part.currency, "state", part.state, "reason", part.reason, "why", part.why, "tries", part.tries,
    "reference", part.reference, "by_hand", part.by_hand, "at", time.format(part.created_at), "updated_at", time.format(part.updated_at))
end

local function named(args)
  caller.require_trusted(args)
  local number = args.params.number
  return refund_parts.find(number) or fail.not_found(("There is no part of a refund with the number %q."):format(number))
end

---Oldest first; without a state, those that wait for a person.
---@param args { principal: table, query: { state: string?, limit: string?, cursor: string? } }
function refund_desk.list(args)
  caller.require_trusted(args)
  local params = args.query or {}
  local limit, after = page.read(params)
  local state = check.text(params.state, "state", 20) or "manual"
  if not refund_parts.is_state(state) then
    fail.invalid("state", ("A refund has no state %q; there are %s."):format(state, table.concat(refund_parts.states, ", ")))
  end
  return page.write(refund_parts.list(state, after or 0, limit + 1), limit, document)
end

---Sends it again now, under the same number.
function refund_desk.retry(args)
  local part = named(args)
  if part.state == "succeeded" then fail.state("refund_succeeded", "The money is back already.") end
  if part.state == "processing" then fail.state("refund_under_way", "The provider works on it; it is asked again by itself.") end
  refund_parts.retry(part, time.now())
  return { status = 200, body = document(part) }
end

---A person has given the money back by another way.
---@param args { principal: table, params: { number: string }, body: { note: string } }
function refund_desk.settle(args)
  local part = named(args)
  local note = check.required(check.text(args.body and args.body.note, "/note", 200), "/note")
  if part.state == "succeeded" then fail.state("refund_succeeded", "The money is back already.") end
  if part.state ~= "manual" then
    fail.state("refund_under_way", "The provider may still give it back, and it would be given twice; it has not been given up yet.")
  end
  refund_parts.succeed(part, time.now(), nil, note)
  return { status = 200, body = document(part) }
end

return refund_desk
