-- What the shop promises about orders, payments, refunds, stock and quotes, one rule for each thing that can be asked:
--   refusal(state, ask, now, model)          why it might be refused as things are (a name, or a set of names), or nil
--   apply(state, ask, answer, now, model)    does it; gives what is wrong with the answer, or nil
return function(model)
  local rules, timers = model.rules, model.timers

  -- What is said to those who come when an order is in a state that does not allow it.
  local STATES = {
    placed = "wrong_state", paid = "already_paid", fulfilling = "wrong_state", fulfilled = "wrong_state", completed = "wrong_state",
    cancelled = "order_cancelled", expired = "order_expired",
  }

  local function differs(what, expected, got)
    if expected ~= got then return ("%s is %s, not %s"):format(what, tostring(got), tostring(expected)) end
  end

  -- What an answer shows of an order.
  local function document(order, answer)
    local why = differs("state", order.state, answer.state) or differs("total", order.total, answer.total) or
      differs("paid", order.paid, answer.paid) or differs("refunded", order.refunded, answer.refunded) or
      differs("number of lines", #order.lines, #answer.lines)
    for i, line in ipairs(order.lines) do
      local seen = answer.lines[i] or {}
      why = why or differs("sku", line.sku, seen.sku) or differs("qty", line.qty, seen.qty) or
        differs("line total", line.total, seen.total) or differs("refunded_qty", line.back, seen.refunded_qty or 0) or
        differs("line refunded", line.given, seen.refunded or 0) or differs("fulfilled_qty", line.sent, seen.fulfilled_qty or 0)
    end
    for i, due in ipairs(order.dues) do
      local seen = answer.dues[i] or {}
      why = why or differs("due", due.amount, seen.amount) or differs("paid of due", due.paid, seen.paid)
    end
    local sum = 0
    why = why or differs("number of blocks", order.blocked and 1 or 0, #answer.blocks)
    for _, payment in ipairs(answer.payments) do
      if payment.state == "succeeded" and not payment.given_back then sum = sum + payment.amount end
    end
    why = why or differs("sum of payments", order.paid, sum)
    sum = 0
    for _, refund in ipairs(answer.refunds) do sum = sum + refund.amount end
    return why or differs("sum of refunds", order.refunded, sum)
  end

  model.document = document

  local function pieces(lines)
    local need = {}
    for _, line in ipairs(lines) do need[line.sku] = (need[line.sku] or 0) + line.qty end
    return need
  end

  -- What plugins do when something happens to an order.
  local function tell(what, ...)
    for _, hook in ipairs(model.hooks) do
      local why = hook[what] and hook[what](...)
      if why then return why end
    end
  end

  local function add(counts, sku, n) counts[sku] = (counts[sku] or 0) + n end

  -- --- quotes ---------------------------------------------------------------------------------------------------------

  -- What each line costs under one of the rulebooks that were live while this was asked: the one that the answer shows.
  local function some_rulebook(ask, lines, total, shown)
    for rulebook in pairs(ask.rulebooks) do
      local sum, costs = model.price(lines, rulebook, model.prices)
      local same = sum == total
      for i, cost in ipairs(costs) do same = same and shown[i] and shown[i].total == cost end
      if same then return costs end
    end
  end

  -- What is known of a customer changes with each of his orders; these are the versions that could be seen since the ask began.
  local function with_version(state, ask)
    local versions = ask.versions or {}
    if ask.customer then versions[state.customers[ask.customer].version] = true end
    return versions
  end

  rules.quote = {
    reads = true,
    refusal = function(state, ask) ask.versions = with_version(state, ask) end,
    apply = function(_, ask, answer)
      local costs = some_rulebook(ask, ask.lines, answer.total, answer.lines)
      if not costs then return "no rulebook that was live gives these prices" end
      ask.quote = { token = answer.token, total = answer.total, lines = ask.lines, costs = costs, versions = ask.versions }
    end,
  }

  -- --- orders ---------------------------------------------------------------------------------------------------------

  -- Workers are told what is sold out after a commit, before anybody is answered: in between, who asks is told what was.
  local was_sold_out = {}
  function model:before_commit()
    was_sold_out = {}
    for sku in pairs(self.prices) do was_sold_out[sku] = (self.state.on_hand[sku] or 0) <= (self.state.held[sku] or 0) end
  end

  rules.place = {
    refusal = function(state, ask, now)
      local may = {}
      for sku, qty in pairs(pieces(ask.lines)) do
        if (state.on_hand[sku] or 0) - (state.held[sku] or 0) < qty or was_sold_out[sku] then may.out_of_stock = true end
      end
      local why = tell("refusal", state, ask, now)
      if why then may[why] = true end
      if ask.quote then
        if now >= ask.quoted_at + model.quote_ttl_ms then may.quote_expired = true end
      elseif not ask.group then
        for rulebook in pairs(ask.rulebooks) do
          if model.price(ask.lines, rulebook, model.prices) ~= ask.expected_total then may.price_changed = true end
        end
      end
      if ask.customer and ask.quote then
        -- Where he changed while the quote was made, nobody knows which version it saw.
        local seen = ask.quote.versions
        if next(seen, next(seen)) or not seen[state.customers[ask.customer].version] then may.facts_changed = true end
      elseif ask.customer then -- several orders of one customer at once: one may have to be priced again and again
        ask.versions = with_version(state, ask)
        if next(ask.versions, next(ask.versions)) then may.facts_changed = true end
      end
      return may
    end,
    apply = function(state, ask, answer, now)
      local total, costs
      if ask.quote then
        total, costs = ask.quote.total, ask.quote.costs
      elseif ask.group then
        total, costs = ask.expected_total, { ask.expected_total }
      else
        total, costs = ask.expected_total, some_rulebook(ask, ask.lines, ask.expected_total, answer.lines)
        if not costs then return "no rulebook that was live gives these prices" end
      end
      for sku, qty in pairs(pieces(ask.lines)) do
        if (state.on_hand[sku] or 0) - (state.held[sku] or 0) < qty then return "there is too little of " .. sku end
      end
      if ask.quote and ask.customer and not ask.quote.versions[state.customers[ask.customer].version] then
        return "the customer has changed since the quote"
      end
      if ask.quote and now >= ask.quoted_until then return "the quote had expired" end
      if state.orders[answer.id] then return "there is such an order already" end
      local free = total == 0
      local order = {
        id = answer.id, state = free and "paid" or "placed", total = total, paid = 0, refunded = 0, lines = {}, customer = ask.customer,
        dues = {},
      }
      for i, due in ipairs(ask.dues or { { amount = total, within_ms = model.pay_within_ms } }) do
        if not free then order.dues[i] = { amount = due.amount, paid = 0, deadline = now + due.within_ms } end
      end
      for i, line in ipairs(ask.lines) do
        -- back, given: units and money that went back in all; spread_*: what these were when money last went back without units.
        order.lines[i] = {
          sku = line.sku, qty = line.qty, total = costs[i], back = 0, given = 0, spread_back = 0, spread_given = 0, sent = 0, sent_back = 0,
        }
        add(free and state.on_hand or state.held, line.sku, free and -line.qty or line.qty)
      end
      if ask.customer then
        local c = state.customers[ask.customer]
        state.customers[ask.customer] = { orders = c.orders + 1, version = c.version + 1 }
      end
      state.orders[answer.id] = order
      return tell("placed", state, order, ask, now) or document(order, answer)
    end,
  }

  local function changed(state, order)
    local c = state.customers[order.customer]
    if c then state.customers[order.customer] = { orders = c.orders - 1, version = c.version + 1 } end
  end

  -- What he bought and kept is known of him, too.
  local function purchased(state, order)
    local c = state.customers[order.customer]
    if c then state.customers[order.customer] = { orders = c.orders, version = c.version + 1 } end
  end

  local function open_due(order)
    for n, due in ipairs(order.dues) do
      if due.paid < due.amount then return due, n end
    end
  end
  model.open_due = open_due

  -- Money for a due of an order that waits for it.
  function model.receive(state, order, due, amount, now)
    due.paid, order.paid = due.paid + amount, order.paid + amount
    state.sales = state.sales + amount
    if open_due(order) then return end
    order.state = "paid"
    for _, line in ipairs(order.lines) do
      add(state.held, line.sku, -line.qty)
      add(state.on_hand, line.sku, -line.qty)
    end
    purchased(state, order)
    tell("paid", state, order, now)
  end

  rules.pay = {
    refusal = function(state, ask, now)
      local order = state.orders[ask.order]
      if order.state ~= "placed" then return STATES[order.state] end
      local due = open_due(order)
      if now >= due.deadline then return "order_expired" end
      if ask.amount and ask.amount > due.amount - due.paid then return "wrong_amount" end
    end,
    apply = function(state, ask, answer, now)
      local order = state.orders[ask.order]
      if order.state ~= "placed" then return "the order is " .. order.state end
      local due = open_due(order)
      local amount = ask.amount or due.amount - due.paid
      if now >= due.deadline then return "it is too late" end
      if amount > due.amount - due.paid then return "it is more than what is due" end
      model.receive(state, order, due, amount, now)
      return document(order, answer)
    end,
  }

  -- --- what goes back -------------------------------------------------------------------------------------------------

  local function money_back(state, order, amount)
    order.refunded = order.refunded + amount
    state.sales = state.sales - amount
  end

  -- An order that ends before it is paid: what it held is free, what was paid of it goes back.
  local function release(state, order)
    for _, line in ipairs(order.lines) do add(state.held, line.sku, -line.qty) end
    money_back(state, order, order.paid - order.refunded)
  end

  -- Of what was paid for a line, less what went back without units, k of n units are worth k/n. Those that were not sent go first.
  local function give_units(state, order, i, qty, restock, of_sent)
    local line = order.lines[i]
    local with_customer, left = line.sent - line.sent_back, line.qty - line.back
    local upto = line.spread_given +
      model.ratio(line.total - line.spread_given, line.back - line.spread_back + qty, line.qty - line.spread_back)
    money_back(state, order, upto - line.given)
    line.back, line.given = line.back + qty, upto
    line.sent_back = line.sent_back + (of_sent and qty or math.max(qty - (left - with_customer), 0))
    if restock then add(state.on_hand, line.sku, qty) end
  end

  local function give_amount(state, order, i, amount)
    local line = order.lines[i]
    money_back(state, order, amount)
    line.given = line.given + amount
    line.spread_back, line.spread_given = line.back, line.given
  end

  local function give_everything(state, order, restock)
    for i, line in ipairs(order.lines) do
      if line.qty > line.back then give_units(state, order, i, line.qty - line.back, restock) end
    end
  end

  local function unsent(line) return line.qty - line.sent - (line.back - line.sent_back) end

  local function all_unsent(order)
    local sum = 0
    for _, line in ipairs(order.lines) do sum = sum + unsent(line) end
    return sum
  end

  local function settle(order)
    if order.state == "fulfilling" and all_unsent(order) == 0 then order.state = "fulfilled" end
  end

  function model.cancel(state, order)
    if order.state == "placed" then release(state, order) else give_everything(state, order, true) end
    order.state, order.blocked = "cancelled", false
    changed(state, order)
    tell("ended", state, order)
  end

  rules.cancel = {
    refusal = function(state, ask)
      local order = state.orders[ask.order]
      if order.state ~= "placed" and order.state ~= "paid" then return STATES[order.state] end
    end,
    apply = function(state, ask, answer)
      local order = state.orders[ask.order]
      if order.state ~= "placed" and order.state ~= "paid" then return "the order is " .. order.state end
      model.cancel(state, order)
      return document(order, answer)
    end,
  }

  local REFUNDABLE = { paid = true, fulfilling = true, fulfilled = true, completed = true }

  -- Is there as much as is asked for? ask: units of a line, an amount of a line or of the order, or (nothing named) all of it.
  local function too_much(order, ask)
    local line = order.lines[ask.line or 1]
    if ask.units then
      return ask.units > line.qty - line.back or (ask.of_sent and ask.units > line.sent - line.sent_back)
    elseif ask.line then
      return ask.amount > line.total - line.given
    elseif ask.amount then
      local left = 0
      for _, one in ipairs(order.lines) do left = left + one.total - one.given end
      return ask.amount > left
    end
    for _, one in ipairs(order.lines) do
      if one.back < one.qty then return false end
    end
    return true
  end

  rules.refund = {
    refusal = function(state, ask)
      local order = state.orders[ask.order]
      if not REFUNDABLE[order.state] then return STATES[order.state] end
      if too_much(order, ask) then return "refund_exceeds" end
    end,
    apply = function(state, ask, answer)
      local order = state.orders[ask.order]
      if not REFUNDABLE[order.state] then return "the order is " .. order.state end
      if too_much(order, ask) then return "more goes back than was bought" end
      local restock = ask.restock ~= false
      if ask.units then
        give_units(state, order, ask.line, ask.units, restock, ask.of_sent)
      elseif ask.line then
        give_amount(state, order, ask.line, ask.amount)
      elseif ask.amount then
        local lefts = {}
        for i, line in ipairs(order.lines) do lefts[i] = line.total - line.given end
        for i, part in ipairs(model.split(ask.amount, lefts)) do
          if part > 0 then give_amount(state, order, i, part) end
        end
      else
        give_everything(state, order, restock)
      end
      purchased(state, order)
      tell("refunded", state, order)
      settle(order)
      return document(order, answer)
    end,
  }

  timers["orders.expire"] = function(state, note)
    local order = state.orders[note.key]
    if not order or order.state ~= "placed" or open_due(order).deadline > note.at then return end
    if model.hold_up(state, order, open_due(order).deadline, note.at) then return end
    order.state, order.blocked = "expired", false
    release(state, order)
    changed(state, order)
    tell("ended", state, order)
  end

  -- --- what is sent ---------------------------------------------------------------------------------------------------

  rules.send = {
    refusal = function(state, ask)
      local order = state.orders[ask.order]
      if order.state ~= "paid" and order.state ~= "fulfilling" then return STATES[order.state] end
      if order.blocked then return "order_blocked" end
      if all_unsent(order) == 0 or (ask.line and ask.units > unsent(order.lines[ask.line])) then return "nothing_to_send" end
    end,
    apply = function(state, ask, answer)
      local order = state.orders[ask.order]
      if order.state ~= "paid" and order.state ~= "fulfilling" then return "the order is " .. order.state end
      if order.blocked then return "the order is blocked" end
      for i, line in ipairs(order.lines) do
        local qty = not ask.line and unsent(line) or ask.line == i and ask.units or 0
        if qty > unsent(line) then return "more is sent than is left" end
        line.sent = line.sent + qty
      end
      order.state = "fulfilling"
      settle(order)
      return document(order, answer)
    end,
  }

  rules.complete = {
    refusal = function(state, ask)
      local order = state.orders[ask.order]
      if order.state ~= "fulfilled" then return STATES[order.state] end
    end,
    apply = function(state, ask, answer)
      local order = state.orders[ask.order]
      if order.state ~= "fulfilled" then return "the order is " .. order.state end
      order.state = "completed"
      return document(order, answer)
    end,
  }

  timers["orders.complete_by_itself"] = function(state, note)
    local order = state.orders[note.key]
    if order and order.state == "fulfilled" then order.state = "completed" end
  end

  -- --- stock ------------------------------------------------------------------------------------------------------------

  rules.stock = {
    refusal = function(state, ask)
      if (state.on_hand[ask.sku] or 0) - (state.held[ask.sku] or 0) + ask.delta < 0 then return "out_of_stock" end
    end,
    apply = function(state, ask, answer)
      add(state.on_hand, ask.sku, ask.delta)
      add(state.came, ask.sku, ask.delta)
      local seen = answer.items[1]
      local why = differs("on_hand", state.on_hand[ask.sku], seen.on_hand) or differs("held", state.held[ask.sku] or 0, seen.held)
      if state.on_hand[ask.sku] < (state.held[ask.sku] or 0) then why = "more is held than there is" end
      return why
    end,
  }

  -- --- reading ------------------------------------------------------------------------------------------------------------

  rules.look = {
    reads = true,
    refusal = function(state, ask)
      -- What it was at some moment since it was asked.
      local o = state.orders[ask.order]
      ask.seen = ask.seen or {}
      ask.seen[("%s %d %d"):format(o.state, o.paid, o.refunded)] = true
    end,
    apply = function(_, ask, answer)
      local seen = ("%s %d %d"):format(answer.state, answer.paid, answer.refunded)
      if not ask.seen[seen] then return "the order was never " .. seen end
    end,
  }

  -- --- rules ----------------------------------------------------------------------------------------------------------------

  rules.publish = { reads = true, refusal = function() end, apply = function() end }
end
