-- What group buying promises, beside rules.lua: one campaign, "trio", three who pay half of S-G. A group is named here by the order of the
-- one who opened it.
return function(model)
  local SIZE = 3
  local hooks, terms = {}, model.trio
  model.hooks[#model.hooks + 1] = hooks

  local function free(group) return SIZE - group.paid - group.held end

  local function seats(state, group)
    local out = {}
    for order, seat in pairs(state.seats) do
      if seat.group == group.id then out[#out + 1] = order end
    end
    table.sort(out)
    return out
  end

  local function in_groups(state, customer)
    local n = 0
    for _, seat in pairs(state.seats) do
      if seat.customer == customer and seat.running then n = n + 1 end
    end
    return n
  end

  -- Why this order can't be placed, as things are; nil: it can.
  local function reason(state, ask, now)
    local customer = ask.customer
    if ask.group.join then
      local group = state.groups[ask.group.join]
      if group.state == "forming" then return "group_not_open" end
      for _, order in ipairs(seats(state, group)) do
        if state.seats[order].customer == customer then return "already_in_group" end
      end
      if group.state ~= "open" then return "group_over" end
      if now >= group.deadline then return "group_expired" end
      if free(group) == 0 then return "group_full" end
    end
    if in_groups(state, customer) > 0 then return "too_many_groups" end
    if state.units.left == 0 then return "sold_out" end
  end

  function hooks.refusal(state, ask, now) return ask.group and reason(state, ask, now) end

  function hooks.placed(state, order, ask, now)
    if not ask.group then return end
    local why = reason(state, ask, now)
    if why then return "it had to be refused: " .. why end
    local id = ask.group.join or order.id
    local group = state.groups[id] or { id = id, state = "forming", paid = 0, held = 0 }
    state.groups[id] = group
    state.seats[order.id] = { group = id, customer = ask.customer, state = "held", running = true, counted = true }
    group.held, state.units.left = group.held + 1, state.units.left - 1
    order.blocked = true
  end

  -- A seat and its piece that were paid or held are free.
  local function let_go(state, group, seat)
    if seat.state == "held" then group.held = group.held - 1 end
    if seat.state == "paid" then group.paid = group.paid - 1 end
    if seat.counted then state.units.left = state.units.left + 1 end
  end

  local function leave(state, order_id)
    local seat = state.seats[order_id]
    local group, others = state.groups[seat.group], false
    let_go(state, group, seat)
    state.seats[order_id] = nil
    for _, order in ipairs(seats(state, group)) do
      local other = state.seats[order]
      others = others or (other.running and other.state ~= "lapsed")
    end
    if group.state == "forming" or not others then group.state, group.ended = "dropped", true end
  end

  -- The group has ended; gives the orders whose seats it closed. Where late payers lead groups of their own, those who have lapsed stay.
  local function close(state, group, how, lapsed_stay)
    group.state, group.ended = how, true
    local out = {}
    for _, order in ipairs(seats(state, group)) do
      local seat = state.seats[order]
      if seat.running and not (seat.state == "lapsed" and lapsed_stay) then
        if seat.state ~= "paid" then let_go(state, group, seat) end
        seat.state = seat.state == "paid" and "over" or "lapsed"
        seat.running = false
        out[#out + 1] = order
      end
    end
    return out
  end

  local function cancel(state, id)
    local order = state.orders[id]
    if order.state == "placed" or order.state == "paid" then model.cancel(state, order) end
  end

  local function succeed(state, group)
    for _, order in ipairs(close(state, group, "succeeded", terms.on_late == "new_group")) do
      if state.seats[order].state == "over" then
        state.orders[order].blocked = false
      else
        cancel(state, order)
      end
    end
  end

  local function fail(state, group)
    for _, order in ipairs(close(state, group, "failed")) do
      if state.seats[order].state == "over" then state.units.left = state.units.left + 1 end
      cancel(state, order)
    end
  end

  local function turn_away(state, seat)
    if seat.counted then state.units.left = state.units.left + 1 end
    seat.running, seat.counted = false, false
  end

  local function too_late(state, order, seat, now)
    if terms.on_late == "new_group" then
      state.groups[order.id] = { id = order.id, state = "open", paid = 1, held = 0, deadline = now + terms.open_for_ms }
      seat.group, seat.state = order.id, "paid"
    else
      turn_away(state, seat)
      model.cancel(state, order)
    end
  end

  function hooks.paid(state, order, now)
    local seat = state.seats[order.id]
    if not seat or not seat.running or seat.state == "paid" then return end
    local group = state.groups[seat.group]
    if group.state == "open" and now >= group.deadline then
      fail(state, group)
    elseif group.ended or (seat.state == "lapsed" and free(group) == 0) then
      too_late(state, order, seat, now)
    else
      if seat.state == "held" then group.held = group.held - 1 end
      group.paid, seat.state = group.paid + 1, "paid"
      if group.state == "forming" then group.state, group.deadline = "open", now + terms.open_for_ms end
      if group.paid == SIZE then succeed(state, group) end
    end
  end

  function hooks.ended(state, order)
    local seat = state.seats[order.id]
    if not seat or not seat.running then return end
    if state.groups[seat.group].ended then turn_away(state, seat) else leave(state, order.id) end
  end

  function hooks.refunded(state, order)
    local seat = state.seats[order.id]
    if not seat or not seat.running or seat.state ~= "paid" or order.state ~= "paid" or order.refunded < order.paid then return end
    leave(state, order.id)
    order.blocked = false
  end

  model.timers["plugin:group-buy.lapse"] = function(state, note)
    local seat = state.seats[note.key]
    if not seat or seat.state ~= "held" or state.orders[note.key].state == "paid" then return end
    seat.state = "lapsed"
    state.groups[seat.group].held = state.groups[seat.group].held - 1
  end

  -- The runtime has a name of its own for a group; it is first heard with the timer of its deadline.
  model.timer_sets["plugin:group-buy.expire"] = function(state, note)
    for _, group in pairs(state.groups) do
      if not group.name and group.deadline == note.due then group.name = note.key end
    end
  end

  model.timers["plugin:group-buy.expire"] = function(state, note)
    for _, group in pairs(state.groups) do
      if group.name == note.key and group.state == "open" then
        fail(state, group)
        return
      end
    end
  end

  -- --- at the end -----------------------------------------------------------------------------------------------------

  model.more_facts[#model.more_facts + 1] = function(state, say)
    local count = {}
    for _, group in pairs(state.groups) do count[group.state] = (count[group.state] or 0) + 1 end
    for _, name in ipairs(model.sorted(count)) do say("groups %s %d", name, count[name]) end
    for _, order in ipairs(model.sorted(state.seats)) do
      local seat = state.seats[order]
      local group = state.groups[seat.group]
      say("seat %s %s running %s of %s paid %d held %d", order, seat.state, tostring(seat.running), group.state, group.paid, group.held)
    end
    say("pieces left for groups %d", state.units.left)
  end

  model.more_seen[#model.more_seen + 1] = function(rows, say)
    for _, r in ipairs(rows "SELECT state, count(*) FROM p_group_buy__groups GROUP BY state ORDER BY state") do
      say("groups %s %d", r[1], r[2])
    end
    local found = rows [[
      SELECT s."order", s.state, s.running, g.state, g.paid, g.held
      FROM p_group_buy__seats s JOIN p_group_buy__groups g ON g."group" = s."group" ORDER BY s."order"]]
    for _, r in ipairs(found) do
      say("seat %s %s running %s of %s paid %d held %d", r[1], r[2], tostring(r[3] == 1), r[4], r[5], r[6])
    end
    local left = rows [[SELECT credits_posted - debits_posted - debits_pending FROM ledger_accounts WHERE name = 'group-buy/units/trio']]
    say("pieces left for groups %d", left[1] and left[1][1] or terms.units)
  end
end
