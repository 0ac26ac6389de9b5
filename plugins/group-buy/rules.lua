-- What a group costs, who may come in, and when it has come together. Pure, and kept with every group that began under it.
local links = require "links"
local money = require "feira.money"
local plugin = require "feira.plugin"
local promo = require "feira.promo"
local time = require "feira.time"

local rules = {}

-- The price ---------------------------------------------------------------------------------------------------------------------

-- On a ladder everybody pays the price of the first step; what a higher one brings goes back at the end.
---@param terms table the fields of the campaign
---@return { percent: integer?, price: integer? }
function rules.offer(terms)
  local from = terms.kind == "ladder" and terms.steps[1] or terms
  return { percent = from.percent, price = from.price }
end

-- 500000 → "50", 125000 → "12.5": exact.
local function percent_text(ppm) return ("%d.%04d"):format(ppm // 10000, ppm % 10000) end

---Whether groups can be opened at this moment.
function rules.is_time(terms, now)
  return not (terms.from and now < time.resolve(terms.from)) and not (terms.to and now >= time.resolve(terms.to))
end

-- What the cart asks of this campaign: nil, or what is taken off.
local function wanted(cart, fields)
  if cart.guest then return nil end
  if cart:input "open" == fields.id then return rules.is_time(fields, cart.now) and rules.offer(fields) or nil end
  local join = cart:input "join"
  local link = join and links.read(plugin.verify(join))
  return link and link.campaign == fields.id and link.offer or nil
end

local function take_off(cart, offer)
  if offer.percent then
    cart:all():percent_off(percent_text(offer.percent))
    return
  end
  for line in cart:lines() do
    if line.unit_price > offer.price then line:discount { amount = (line.unit_price - offer.price) * line.qty } end
  end
end

local function require_offer(where, at)
  if (where.percent == nil) == (where.price == nil) then error(at .. " says percent or price, one of them", 0) end
end

local function check_steps(steps)
  for i, step in ipairs(steps) do
    require_offer(step, ("steps[%d]"):format(i))
    local before = steps[i - 1]
    if before and step.size <= before.size then error(("steps[%d].size: each step is larger than the one before"):format(i), 0) end
    if before and (step.percent == nil) ~= (before.percent == nil) then error("steps: all say percent, or all say price", 0) end
    local dearer = before and (step.percent and step.percent < before.percent or step.price and step.price > before.price)
    if dearer then error(("steps[%d]: more people never pay more"):format(i), 0) end
  end
end

local function check_fields(fields)
  if fields.kind == "ladder" then
    if not fields.steps or fields.size or fields.percent or fields.price then
      error("a ladder says steps, and there its sizes and what holds from each on", 0)
    end
    check_steps(fields.steps)
  else
    if fields.steps then error("steps are for kind = \"ladder\"", 0) end
    if not fields.size then error("size: how many make a group?", 0) end
    require_offer(fields, "the campaign")
  end
end

function rules.group(fields)
  check_fields(fields)
  rules.is_time(fields, 0) -- a time that is none is found here
  return promo.campaign {
    id = fields.id,
    title = fields.title,
    priority = fields.priority,
    alone = fields.alone,
    not_with = fields.not_with[1] and fields.not_with,
    scope = promo.sku(fields.sku),
    when = function(cart) return wanted(cart, fields) ~= nil end,
    give = function(cart) take_off(cart, wanted(cart, fields)) end,
  }
end

-- The group -----------------------------------------------------------------------------------------------------------------------

---How many seats there are.
function rules.seats(terms)
  return terms.kind == "ladder" and terms.steps[#terms.steps].size or terms.size
end

---How many it takes.
function rules.least(terms) return terms.kind == "ladder" and terms.steps[1].size or terms.size end

---Which step of a ladder so many reach; 0: none.
function rules.step(terms, paid)
  local reached = 0
  for i, step in ipairs(terms.steps or {}) do
    if paid >= step.size then reached = i end
  end
  return reached
end

local WHOLE = 1000000 -- parts per million

local function off(offer, line)
  if offer.percent then return money.ratio(line.subtotal, offer.percent, WHOLE) end
  return math.max(0, line.unit_price - offer.price) * line.qty
end

---What of a line goes back when its ladder ended on a higher step than the one that was paid.
---@param line { unit_price: integer, qty: integer, subtotal: integer, total: integer } of the order
function rules.gives_back(terms, step, line)
  if step < 2 then return 0 end
  return math.min(line.total, off(terms.steps[step], line) - off(terms.steps[1], line))
end

local REASONS = {
  group_over = "This group has ended; open one of your own.",
  group_not_open = "This group is not open yet: whoever began it has not paid.",
  group_expired = "The time of this group has passed; open one of your own.",
  group_full = "This group is full; open one of your own.",
  already_in_group = "You are in this group already; send the link to others.",
  too_many_groups = "You are in as many groups of this offer as one can be; wait until one has ended.",
  too_many_orders = "You have bought in groups of this offer as often as one can.",
  only_new_customers = "This group is for those who have not bought here before; you can open one of your own.",
}

---@return string|nil reason, string? sentence
local function refuse(reason) return reason, REASONS[reason] end

---What one customer may do in one campaign.
---@param facts { running: integer, orders: integer }
function rules.limits_customer(terms, facts)
  if facts.running >= terms.per_customer.open_groups then return refuse "too_many_groups" end
  if terms.per_customer.orders and facts.orders >= terms.per_customer.orders then return refuse "too_many_orders" end
end

---Why somebody can't join; nil: he can. The last seat is the ledger's to give.
---@param group table its row
---@param facts { now: integer, member: boolean, is_new: boolean, running: integer, orders: integer }
function rules.refuses(group, terms, facts)
  if group.state == "forming" then return refuse "group_not_open" end
  if facts.member then return refuse "already_in_group" end
  if group.state ~= "open" then return refuse "group_over" end
  if facts.now >= group.deadline then return refuse "group_expired" end
  if group.paid + group.held >= rules.seats(terms) then return refuse "group_full" end
  if terms.kind == "old_brings_new" and not facts.is_new then return refuse "only_new_customers" end
  return rules.limits_customer(terms, facts)
end

---Whether nobody else can come.
function rules.is_full(terms, paid) return paid >= rules.seats(terms) end

---Whether there are enough of them when the time is over.
function rules.is_enough(terms, paid) return paid >= rules.least(terms) end

-- Before it goes live ---------------------------------------------------------------------------------------------------------------

-- Links that are out say a campaign's id, and what is on sale behind it must be what it was.
function rules.same_goods(subject)
  local made, live = subject.made_by, subject.history and subject.history.live
  if not made or made.plugin ~= "group-buy" or not live or not live.scope then return nil end
  local was = live.scope.sku
  was = type(was) == "table" and was[1] or was
  if was == nil or was == made.fields.sku then return nil end
  return { {
    rule = "same_goods", level = "block", field = "sku",
    text = ("%s sold %s in groups that may still be open; it can't sell %s now."):format(subject.id, was, made.fields.sku),
    satisfy = "Give the new product a campaign with an id of its own.",
  } }
end

return rules
