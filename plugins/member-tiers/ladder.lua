-- Levels as data: which one somebody is on, and which one he is entitled to. Levels are counted from 1; 0 is below the first.
local ladder = {}

local NOBODY = { points = 0, orders = 0, earned = 0 }

---The number of a level, or nil.
function ladder.position(settings, id)
  for i, level in ipairs(settings.levels) do
    if level.id == id then return i end
  end
end

-- A level that was not kept, and those above it, are reached again by what keeping them asks, within one period.
local function admits(level, i, member, certificates, lost)
  return member.points >= level.points and member.orders >= level.orders
    and (not level.certificate or certificates[level.certificate] == true)
    and not (lost and i >= lost and member.earned < level.keep)
end

---The highest level whose conditions are met, with those of all below it.
---@param member { points: integer, orders: integer, earned: integer, lost: string? }
---@param certificates table<string, true>
function ladder.entitled(settings, member, certificates)
  local lost = member.lost and ladder.position(settings, member.lost)
  for i, level in ipairs(settings.levels) do
    if not admits(level, i, member, certificates, lost) then return i - 1 end
  end
  return #settings.levels
end

---Where somebody is. A level that the settings do not have any more counts as far as its conditions are met.
---@param member table? nil: nobody has seen him yet
function ladder.level_of(settings, member)
  if not member then return ladder.entitled(settings, NOBODY, {}) end
  if member.level == "" then return 0 end
  return ladder.position(settings, member.level) or ladder.entitled(settings, member, {})
end

---What levels bring, made ready for the prices of many lines: { percentage off by number }, { { number, price } by SKU }.
function ladder.benefits(settings)
  local off, prices, most = {}, {}, 0
  for i, level in ipairs(settings.levels) do
    most = math.max(most, level.off)
    off[i] = most
  end
  for _, entry in ipairs(settings.prices) do
    local of_sku = prices[entry.sku] or {}
    of_sku[#of_sku + 1] = { number = ladder.position(settings, entry.level), price = entry.price }
    prices[entry.sku] = of_sku
  end
  return off, prices
end

function ladder.beta(settings, id)
  for _, beta in ipairs(settings.betas) do
    if beta.id == id then return beta end
  end
end

local function wrong(what, ...)
  error("member-tiers: " .. what:format(...), 0)
end

local function check_id(what, id, seen)
  if not id:find "^[%w_-]+$" then wrong("the %s %q has a character that ids can't have; use letters, digits, _ and -", what, id) end
  if seen[id] then wrong("there are two %ss %q; give each its own id", what, id) end
  seen[id] = true
end

---What a schema can't say of the settings; fails while files are loaded, so such settings never go live.
function ladder.check(settings)
  local levels, betas, points = {}, {}, 0
  for _, level in ipairs(settings.levels) do
    check_id("level", level.id, levels)
    if level.points < points then
      wrong("the level %q takes %d points, fewer than one below it; put the lowest level first", level.id, level.points)
    end
    points = level.points
  end
  for _, entry in ipairs(settings.prices) do
    if not levels[entry.level] then wrong("the price of %q is for a level %q, which is not there", entry.sku, entry.level) end
  end
  for _, beta in ipairs(settings.betas) do
    check_id("beta", beta.id, betas)
    if not levels[beta.level] then wrong("the beta %q is for a level %q, which is not there", beta.id, beta.level) end
  end
end

return ladder
