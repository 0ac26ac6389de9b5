-- Who invited whom, and what that brings. Everything happens in the transactions of orders; an invitation that does not count never stands
-- in the way of one.
local fail = require "feira.fail"
local ids = require "feira.ids"
local json = require "feira.json"
local plugin = require "feira.plugin"
local rules = require "rules"
local store = require "feira.store"
local time = require "feira.time"

local events = {}

local function customer_of(id) return store.of("shop").customers:get { customer = id } end

-- Links ------------------------------------------------------------------------------------------------------------------------------

local function terms_of(campaign) return plugin.campaign(campaign) or fail.not_found "There is no such invitation." end

local function document(row)
  local campaign = plugin.campaign(row.campaign)
  local terms = campaign and campaign.fields
  return {
    campaign = row.campaign, link = plugin.sign(row.campaign .. "~" .. row.link), friends = row.friends, earned = row.earned,
    needed = terms and terms.friends, most = terms and terms.most,
  }
end

function events.create_link(call)
  local id, inviter = terms_of(call.body.campaign).id, call.customer
  local row = store.links:get { campaign = id, inviter = inviter }
  if not row then
    local link = ids.new "inv"
    store.links:insert { link = link, campaign = id, inviter = inviter }
    row = store.links:get(link)
  end
  return { status = 201, body = document(row) }
end

function events.links(call)
  local out = {}
  for i, row in ipairs(store.links:find({ inviter = call.customer }, { limit = 100 })) do out[i] = document(row) end
  return { status = 200, body = { items = json.array(out) } }
end

-- Friends ----------------------------------------------------------------------------------------------------------------------------

-- orders: how many the friend may have by now, the one that is being placed included.
---@return boolean joined
---@return string? reason
---@return string? sentence
local function bind(friend, signed, orders)
  local campaign, link = rules.read(signed)
  local row = link and store.links:get(link)
  if not row or not plugin.campaign(campaign) then return false, "link_unknown", "This is no link of an invitation that is on." end
  local before = store.joins:get { friend = friend }
  if before then return before.link == link, "already_invited", "Somebody else invited you before." end
  local me, inviter = customer_of(friend), customer_of(row.inviter)
  if row.inviter == friend or (me and inviter and me.phone_hash and me.phone_hash == inviter.phone_hash) then
    return false, "own_link", "This is your own link; send it to a friend."
  end
  if not me or me.orders > orders then return false, "not_new", "An invitation is for those who have not ordered yet." end
  store.joins:insert { friend = friend, campaign = row.campaign, link = link, at = time.now(), state = "invited", person = me.phone_hash }
  return true
end

function events.join(call)
  local joined, reason, sentence = bind(call.customer, call.body.link, 0)
  if not joined then fail.conflict(reason, sentence, "/link") end
  return { status = 200, body = { campaign = store.joins:get({ friend = call.customer }).campaign } }
end

function events.placed(event)
  local link = event.inputs and event.inputs.link
  if link and event.customer then bind(event.customer, link, 1) end
end

-- Rewards ----------------------------------------------------------------------------------------------------------------------------

-- What a check of the shop (compliance-cn ...) says may not be paid is not paid, and the order goes on.
local function may_earn(inviter, order, campaign)
  local _, blocked = plugin.check {
    kind = "reward", trigger = "invitee_first_order", gives = "coupon", depth = 1, payees = { { role = "inviter", of = "buyer" } },
    customer = inviter, order = order, campaign = campaign,
  }
  return not blocked
end

-- Nobody's order fails because there are no coupons left.
local function reward(link, customer, order, inviter, campaign)
  if inviter and not may_earn(customer, order, campaign) then return false end
  local id = ("%s/%s"):format(order, inviter and "inviter" or "friend")
  if pcall(plugin.call, "coupons.grant", { customer = customer, campaign = campaign, id = id }) then
    store.rewards:insert { reward = id, link = link, customer = customer, order = order, inviter = inviter }
    return true
  end
  return false
end

local function take_back(row)
  local answer = plugin.call("coupons.revoke", { id = row.reward })
  store.rewards:delete(row.reward)
  return answer.revoked
end

local function is_known_person(join)
  local person = join.person
  return person ~= nil and store.joins:find({ person = person, state = "rewarded" }, { limit = 1 })[1] ~= nil
end

---The first order of a friend counts.
function events.granted(event)
  local join = event.to == plugin.name and store.joins:get { friend = event.customer }
  local campaign = join and plugin.campaign(event.campaign)
  if not campaign or join.state ~= "invited" or join.campaign ~= event.campaign then return end
  if is_known_person(join) then
    store.joins:update(join.id, { state = "same_person" })
    return
  end
  local terms, link = campaign.fields, store.links:get(join.link)
  store.joins:update(join.id, { state = "rewarded", order = event.order })
  reward(link.link, event.customer, event.order, false, terms.reward)
  local friends, earned = link.friends + 1, link.earned
  if earned < terms.most and friends // terms.friends > earned and reward(link.link, link.inviter, event.order, true, terms.reward) then
    earned = earned + 1
  end
  store.links:update(link.link, { friends = friends, earned = earned })
end

---All of it went back. A coupon that was used meanwhile stays, and counts as earned.
function events.taken_back(event)
  local join = event.to == plugin.name and store.joins:find({ order = event.order }, { limit = 1 })[1]
  if not join or join.state ~= "rewarded" then return end
  store.joins:update(join.id, { state = "undone" })
  local link, campaign = store.links:get(join.link), plugin.campaign(join.campaign)
  local own = store.rewards:get(event.order .. "/friend")
  if own then take_back(own) end
  local friends, earned = link.friends - 1, link.earned
  local needed = campaign and campaign.fields.friends or math.maxinteger
  if campaign and friends // needed < earned then
    local last
    for row in store.rewards:each { index = { "link", "inviter" }, where = { link = link.link, inviter = true } } do last = row end
    if last and take_back(last) then earned = earned - 1 end
  end
  store.links:update(link.link, { friends = friends, earned = earned })
end

return events
