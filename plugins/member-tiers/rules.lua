-- What rules see of a member, what he pays, and the campaigns that shops make of levels.
local ladder = require "ladder"
local money = require "feira.money"
local plugin = require "feira.plugin"
local promo = require "feira.promo"

ladder.check(plugin.settings)

local rules = {}

local WHOLE = 1000000 -- parts per million

-- Facts ------------------------------------------------------------------------------------------------------------------------

function rules.level(rows, _, settings) return ladder.level_of(settings, rows[1]) end

function rules.points(rows) return rows[1] and rows[1].points or 0 end

---Somebody of whom it is not known when he joined was there before this plugin.
function rules.newcomer(rows, about, settings)
  local member = rows[1]
  return member ~= nil and member.joined ~= nil and member.placed == 0 and about.now < member.joined + settings.newcomer
end

---" a b ": a blank on both sides of each, so that one can be found.
function rules.betas(rows, _, settings)
  local text = " "
  for _, seat in ipairs(rows) do
    if ladder.beta(settings, seat.beta) then text = text .. seat.beta .. " " end
  end
  return text
end

-- Prices -----------------------------------------------------------------------------------------------------------------------

local off_by_level, prices_by_sku = ladder.benefits(plugin.settings)

---The lowest of what the level and those below it bring; never more than the price there is.
function rules.price(line, cart)
  local number = cart:fact "member-tiers.level" or 0
  if number == 0 then return nil end
  local best, off = line.unit_price, off_by_level[number]
  for _, entry in ipairs(prices_by_sku[line.sku] or {}) do
    if entry.number <= number then best = math.min(best, entry.price) end
  end
  if off > 0 then best = math.min(best, line.list_price - money.ratio(line.list_price, off, WHOLE)) end
  if best < line.unit_price then return best end
end

-- Campaigns --------------------------------------------------------------------------------------------------------------------

local function wrong(fields, what, ...)
  error(("%q: "):format(fields.id) .. what:format(...), 0)
end

local function level_number(fields, settings)
  local number = ladder.position(settings, fields.level)
  if number then return number end
  local ids = {}
  for i, level in ipairs(settings.levels) do ids[i] = level.id end
  return wrong(fields, "there is no level %q; there are %s", fields.level, table.concat(ids, ", "))
end

local function from_level(fields, settings)
  return promo.fact("member-tiers.level", { at_least = level_number(fields, settings) })
end

local function scope(fields)
  local parts = {}
  for _, word in ipairs { "sku", "tag", "category" } do
    local names = fields[word]
    if names and #names > 0 then parts[#parts + 1] = promo[word](names) end
  end
  if #parts > 1 then return promo.all(parts) end
  return parts[1]
end

local function window(fields)
  if fields.from or fields.to then return { from = fields.from, to = fields.to } end
end

local function percent(ppm) return ("%d.%04d"):format(ppm // 10000, ppm % 10000) end

local function gift(fields)
  if fields.percent and fields.amount then wrong(fields, "percent and amount are two ways to say it; leave one out") end
  if fields.percent then return promo.percent_off { percent = percent(fields.percent) } end
  if fields.amount then return promo.amount_off { amount = money.format(fields.amount) } end
  return wrong(fields, "it takes nothing off; write percent = 10, or amount = \"5.00\"")
end

local function bounded(fields, condition)
  if not fields.at_least then return condition end
  return { condition, promo.subtotal { at_least = money.format(fields.at_least) } }
end

function rules.discount(fields, settings)
  return promo.campaign {
    id = fields.id, title = fields.title, priority = fields.priority, window = window(fields), scope = scope(fields),
    when = bounded(fields, from_level(fields, settings)), give = gift(fields),
  }
end

function rules.welcome(fields)
  return promo.campaign {
    id = fields.id, title = fields.title, when = bounded(fields, promo.fact("member-tiers.newcomer", { is = true })), give = gift(fields),
  }
end

function rules.gate(fields, settings)
  local title = settings.levels[level_number(fields, settings)].title
  return promo.gate {
    id = fields.id, title = fields.title, window = window(fields), scope = scope(fields), when = from_level(fields, settings),
    reason = fields.reason or ("Only for members from %s on."):format(title), effect = fields.hide and "hide" or "refuse",
  }
end

function rules.beta(fields, settings)
  local beta = ladder.beta(settings, fields.beta)
  if not beta then wrong(fields, "there is no beta %q in the settings of member-tiers", fields.beta) end
  local wanted = " " .. beta.id .. " "
  return promo.gate {
    id = fields.id, title = fields.title, scope = scope(fields), effect = fields.hide and "hide" or "refuse",
    reason = fields.reason or ("Only for those with a seat: %s."):format(beta.title),
    when = {
      function(cart)
        local seats = cart:fact "member-tiers.betas"
        return seats ~= nil and seats:find(wanted, 1, true) ~= nil
      end,
      promo.qty { at_most = fields.each },
    },
  }
end

return rules
