-- The shop as anybody would describe it: tables and sums, nothing of the runtime's. It is told what was asked and what the writer carried
-- out, in that order, says what each answer has to be, and what must lie in the data at the end.
--
--   asked(ask)        a request is on its way. ask.what names a rule in `rules`; the ask has what that rule wants to know
--   carried(note)     the writer did what was asked under this key, or a timer; the model does the same
--   answered(ask)     what came back is what was promised
--   compare(seen)     the data are what the model has
local model = {}

-- --- money ------------------------------------------------------------------------------------------------------------

-- n * a / b, halves away from zero; nothing here is negative.
local function ratio(n, a, b) return (2 * n * a + b) // (2 * b) end
model.ratio = ratio

---Splits amount over what the lines still cost, by largest remainder, ties to the earlier line.
function model.split(amount, costs)
  local sum, given, parts, order = 0, 0, {}, {}
  for _, cost in ipairs(costs) do sum = sum + cost end
  for i, cost in ipairs(costs) do
    parts[i] = sum > 0 and amount * cost // sum or 0
    given = given + parts[i]
    order[i] = i
  end
  local function left(i) return sum > 0 and amount * costs[i] % sum or 0 end
  table.sort(order, function(a, b)
    if left(a) ~= left(b) then return left(a) > left(b) end
    return a < b
  end)
  for i = 1, amount - given do parts[order[i]] = parts[order[i]] + 1 end
  return parts
end

---What each line of a cart costs under a rulebook: a percentage off one SKU, then an amount off the whole from a sum on.
---@param cart { sku: string, qty: integer }[]
function model.price(cart, rulebook, prices)
  local costs, subtotal, total = {}, 0, 0
  for i, line in ipairs(cart) do
    local cost = prices[line.sku] * line.qty
    subtotal = subtotal + cost
    if line.sku == rulebook.sku then cost = cost - ratio(cost, rulebook.percent, 100) end
    costs[i] = cost
    total = total + cost
  end
  if rulebook.over and total >= rulebook.over then
    local off = math.min(rulebook.off, total)
    for i, part in ipairs(model.split(off, costs)) do costs[i] = costs[i] - part end
    total = total - off
  end
  return total, costs
end

-- --- the state ----------------------------------------------------------------------------------------------------------

function model.new(prices, pay_within_ms)
  return setmetatable({
    prices = prices, pay_within_ms = pay_within_ms,
    state = {
      orders = {}, on_hand = {}, held = {}, came = {}, customers = {}, did = {}, sales = 0, groups = {}, seats = {}, sets = {},
      attempts = {}, events = {}, carts = {}, maybe = {},
      units = { left = 0 },
    },
    hooks = {}, -- what plugins do with orders: refusal, placed, paid, ended, refunded
    more_facts = {}, more_seen = {},
    waiting = {}, -- [key] = ask
    doubts = {}, -- transactions since the last good one whose commit failed: after a cut one of them may be there all the same
    open = {}, -- what the writer did in the transaction that is being told
    rulebooks = {}, -- those that may be live, { [rulebook] = true }
    rules = {}, -- by what is asked
    timers = {}, timer_sets = {}, -- by procedure: it has run, it was set
    calls = {}, -- by procedure that the shop itself called
    counts = {},
  }, { __index = model })
end

local function copy(v)
  if type(v) ~= "table" then return v end
  local out = {}
  for k, x in pairs(v) do out[k] = copy(x) end
  return out
end

local function diverge(...)
  error(("seed %d: "):format(sim.seed) .. string.format(...), 0)
end
model.diverge = diverge

function model:count(what) self.counts[what] = (self.counts[what] or 0) + 1 end

-- --- asking ---------------------------------------------------------------------------------------------------------------

-- What may be said to those who wait, as things are now.
local function look(self, ask)
  local now = sim.now()
  local rule = self.rules[ask.what]
  for rulebook in pairs(self.rulebooks) do ask.rulebooks[rulebook] = true end
  local reason = rule.refusal(self.state, ask, now, self)
  if type(reason) == "table" then
    for name in pairs(reason) do ask.may[name] = true end
  elseif reason then
    ask.may[reason] = true
  end
end

local function look_at_all(self)
  for _, ask in pairs(self.waiting) do look(self, ask) end
end
model.look_at_all = look_at_all

function model:asked(ask)
  if not self.rules[ask.what] then error("the model has no rule for " .. tostring(ask.what)) end
  if self.waiting[ask.key] then error("key " .. ask.key .. " is used twice") end
  ask.may, ask.rulebooks, ask.begins = {}, {}, sim.now()
  self.waiting[ask.key] = ask
  look(self, ask)
end

-- --- what the writer did ----------------------------------------------------------------------------------------------------

local function apply_one(self, state, note)
  if note.kind == "timer" then
    local timer = self.timers[note.name]
    if timer then timer(state, note, self) end
    return
  end
  if note.kind == "call" then
    local call = self.calls[note.name]
    if call then call(state, note.answer, note.at) end
    return
  end
  local ask = self.waiting[note.key]
  if not ask then return end -- of the world's own, before the shop opened
  if note.name:find("^begin:") then -- the first of two steps, each of which is kept
    local why = self.rules[ask.what].begun(state, ask, note.answer, note.at)
    if why then diverge("%s under key %s: %s; it began with %s", ask.what, note.key, why, note.body) end
    state.did["begun " .. note.key] = true
    return
  end
  if state.did[note.key] then diverge("%s under key %s was done twice", ask.what, note.key) end
  local answer = note.answer
  local why = self.rules[ask.what].apply(state, ask, answer, note.at, self)
  if why then
    diverge("%s under key %s (%s): %s; it was answered %d %s", ask.what, note.key, ask.body or "", why, note.status, note.body)
  end
  state.did[note.key] = { status = note.status, body = note.body }
end

-- A plugin's timer that a command set is told of before the command itself: what it is for is known when that is done.
local function apply(self, state, note)
  if note.kind == "set" then
    state.sets[#state.sets + 1] = note
    return
  end
  apply_one(self, state, note)
  for _, set in ipairs(state.sets) do
    local known = self.timer_sets[set.name]
    if known then known(state, set) end
  end
  state.sets = {}
end

---@param note { kind: string, name: string, key: string, status: integer, body: string, at: integer, due: integer }
function model:carried(note)
  if note.kind ~= "commit" and note.kind ~= "doubt" then
    note.answer = (note.kind == "ran" or note.kind == "call") and sim.json(note.body) or nil
    self.open[#self.open + 1] = note
    return
  end
  local did = self.open
  self.open = {}
  if note.kind == "doubt" then
    self.doubts[#self.doubts + 1] = did
    return
  end
  if note.status == 1 then self.doubts = {} end -- what was not synced before is written over
  self:before_commit()
  for _, one in ipairs(did) do
    apply(self, self.state, one)
    look_at_all(self)
  end
end

-- --- answers ------------------------------------------------------------------------------------------------------------------

-- Nothing was done, and asking again is right. The second kind only where the disk has its faults.
local NOT_NOW = {
  ["503 /problems/provider_failed"] = true, ["503 /problems/stopping"] = true, ["503 /problems/rules_retired"] = true,
  ["503 /problems/busy"] = true,
}
local TROUBLE = { [503] = true, [507] = true }

---true = this is the answer; false = it is to be asked again.
function model:answered(ask, status, body, raw)
  look(self, ask)
  if status >= 500 then
    local kind = ("%d %s"):format(status, (sim.json(body) or {}).type)
    if not NOT_NOW[kind] and not (self.trouble and TROUBLE[status]) then
      diverge("%s under key %s was answered %d %s", ask.what, ask.key, status, body)
    end
    self:count("told to come again: " .. kind)
    return false
  end
  local did = self.state.did[ask.key]
  if status >= 200 and status < 300 then
    if not self.rules[ask.what].reads then
      did = did or self.state.maybe[ask.key]
      if not did then diverge("%s under key %s was answered %d, and never done", ask.what, ask.key, status) end
      self.state.did[ask.key] = did
      did.body = did.body or body
      if did.status ~= status or did.body ~= body then
        diverge("%s under key %s was done with %d %s, and answered %d %s", ask.what, ask.key, did.status, did.body, status, body)
      end
    else
      local why = self.rules[ask.what].apply(self.state, ask, sim.json(body), sim.now(), self)
      if why then diverge("%s (%s): %s; it was answered %d %s", ask.what, ask.body or "", why, status, body) end
    end
    self:count(ask.what)
  else
    if did then diverge("%s under key %s was done with %d, and answered %d %s", ask.what, ask.key, did.status, status, body) end
    local kind = (sim.json(body) or {}).type or ""
    local reason = kind:match "^/problems/(.*)$" or kind
    if not ask.may[reason] then
      local may = {}
      for name in pairs(ask.may) do may[#may + 1] = name end
      table.sort(may)
      diverge("%s under key %s (%s) was refused with %d %s; it might have been: %s", ask.what, ask.key, ask.body or "", status, body,
        #may > 0 and table.concat(may, ", ") or "never")
    end
    self:count(ask.what .. " refused: " .. reason)
  end
  ask.raw = raw
  self.waiting[ask.key] = nil
  return true
end

-- --- the end, and after every fall ------------------------------------------------------------------------------------------------

local function sorted(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys)
  return keys
end
model.sorted = sorted

-- Lines of text, each one fact; two states are the same when these are.
local function facts(self, state)
  local out = {}
  local function say(...) out[#out + 1] = string.format(...) end
  for _, id in ipairs(sorted(state.orders)) do
    local o = state.orders[id]
    say("order %s %s total %d paid %d refunded %d", id, o.state, o.total, o.paid, o.refunded)
  end
  local sold, outside, skus = 0, 0, {}
  for sku in pairs(self.prices) do skus[sku] = true end
  for _, sku in ipairs(sorted(skus)) do
    local on_hand, held, came = state.on_hand[sku] or 0, state.held[sku] or 0, state.came[sku] or 0
    say("stock %s on hand %d held %d", sku, on_hand, held)
    sold, outside = sold + came - on_hand, outside + came
  end
  say("stock sold %d", sold)
  say("stock came %d", outside)
  say("sales %d", state.sales)
  for _, customer in ipairs(sorted(state.customers)) do say("customer %s orders %d", customer, state.customers[customer].orders) end
  for _, more in ipairs(self.more_facts) do more(state, say, self) end
  return out
end

local function first_difference(a, b)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then return a[i] or "nothing more", b[i] or "nothing more" end
  end
end

---seen: the same lines, read from the data. Of what was in doubt the data have one transaction whole, or nothing.
function model:compare(seen, when)
  local promised, found = first_difference(facts(self, self.state), seen)
  -- What changed nothing but the answer under a key leaves no trace to look at: it may be there, and the key tells.
  for _, doubt in ipairs(promised and {} or self.doubts) do
    local after = copy(self.state)
    local fits = pcall(function()
      for _, note in ipairs(doubt) do apply(self, after, note) end
    end)
    for _, note in ipairs(fits and not first_difference(facts(self, after), seen) and doubt or {}) do
      if note.kind == "ran" then self.state.maybe[note.key] = { status = note.status } end
    end
  end
  for i = promised and #self.doubts or 0, 1, -1 do -- the last one was written over those before
    local after = copy(self.state)
    local fits = pcall(function()
      for _, note in ipairs(self.doubts[i]) do
        apply(self, after, note)
        -- Which of several tries it was, the first answer tells.
        if note.kind == "ran" and after.did[note.key] then after.did[note.key].body = nil end
      end
    end)
    if fits and not first_difference(facts(self, after), seen) then
      self.state, promised = after, nil
      self:count "doubt done"
      look_at_all(self)
      break
    end
  end
  if promised then
    diverge("%s the data say \"%s\"; promised was \"%s\"%s", when, found, promised,
      #self.doubts > 0 and (" (or one of %d in doubt)"):format(#self.doubts) or "")
  end
  self.doubts, self.open = {}, {}
end

return model
