-- What the shop promises about orders, payments, refunds, stock and quotes, one rule for each thing that can be asked:
--   refusal(state, ask, now, model)          why it might be refused as things are (a name, or a set of names), or nil
--   apply(state, ask, answer, now, model)    does it; gives what is wrong with the answer, or nil
return function(model)
  local rules, timers = model.rules, model.timers

  local STATES = {
    placed = "wrong_state", paid = "already_paid", cancelled = "order_cancelled", expired = "order_expired",
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
        differs("line refunded", line.given, seen.refunded or 0)
    end
    local sum = 0
    for _, payment in ipairs(answer.payments) do sum = sum + payment.amount end
    why = why or differs("sum of payments", order.paid, sum)
    sum = 0
    for _, refund in ipairs(answer.refunds) do sum = sum + refund.amount end
    return why or differs("sum of refunds", order.refunded, sum)
  end

  local function pieces(lines)
    local need = {}
    for _, line in ipairs(lines) do need[line.sku] = (need[line.sku] or 0) + line.qty end
    return need
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

  rules.place = {
    refusal = function(state, ask, now)
      local may = {}
      for sku, qty in pairs(pieces(ask.lines)) do
        if (state.on_hand[sku] or 0) - (state.held[sku] or 0) < qty then may.out_of_stock = true end
      end
      if ask.quote then
        if now >= ask.quoted_at + model.quote_ttl_ms then may.quote_expired = true end
      else
        for rulebook in pairs(ask.rulebooks) do
          if model.price(ask.lines, rulebook, model.prices) ~= ask.expected_total then may.price_changed = true end
        end
      end
      if ask.customer and ask.quote then
        if not ask.quote.versions[state.customers[ask.customer].version] then may.facts_changed = true end
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
        expires = now + model.pay_within_ms,
      }
      for i, line in ipairs(ask.lines) do
        order.lines[i] = { sku = line.sku, qty = line.qty, total = costs[i], back = 0, given = 0 }
        add(free and state.on_hand or state.held, line.sku, free and -line.qty or line.qty)
      end
      if ask.customer then
        local c = state.customers[ask.customer]
        state.customers[ask.customer] = { orders = c.orders + 1, version = c.version + 1 }
      end
      state.orders[answer.id] = order
      return document(order, answer)
    end,
  }

  local function changed(state, order)
    local c = state.customers[order.customer]
    if c then state.customers[order.customer] = { orders = c.orders - 1, version = c.version + 1 } end
  end

  rules.pay = {
    refusal = function(state, ask, now)
      local order = state.orders[ask.order]
      if order.state ~= "placed" then return STATES[order.state] end
      if now >= order.expires then return "order_expired" end
      if ask.amount and ask.amount ~= order.total then return "wrong_amount" end
    end,
    apply = function(state, ask, answer, now)
      local order = state.orders[ask.order]
      if order.state ~= "placed" then return "the order is " .. order.state end
      if now >= order.expires then return "it is too late" end
      if ask.amount and ask.amount ~= order.total then return "it is not what is due" end
      order.state, order.paid = "paid", order.total
      state.sales = state.sales + order.total
      for _, line in ipairs(order.lines) do
        add(state.held, line.sku, -line.qty)
        add(state.on_hand, line.sku, -line.qty)
      end
      return document(order, answer)
    end,
  }

  local function release(state, order)
    for _, line in ipairs(order.lines) do add(state.held, line.sku, -line.qty) end
  end

  -- Gives units of lines back: what a line gave back after k of n units is always k/n of what it cost.
  local function give(state, order, qty_of, restock)
    local amount = 0
    for i, line in ipairs(order.lines) do
      local qty = qty_of[i]
      if qty then
        line.back = line.back + qty
        local part = model.ratio(line.total, line.back, line.qty) - line.given
        line.given = line.given + part
        amount = amount + part
        if restock then add(state.on_hand, line.sku, qty) end
      end
    end
    order.refunded = order.refunded + amount
    state.sales = state.sales - amount
  end

  local function everything(order)
    local qty_of, any = {}, false
    for i, line in ipairs(order.lines) do
      if line.qty > line.back then qty_of[i], any = line.qty - line.back, true end
    end
    return qty_of, any
  end

  rules.cancel = {
    refusal = function(state, ask)
      local order = state.orders[ask.order]
      if order.state == "placed" or (order.state == "paid" and ask.trusted) then return end
      return STATES[order.state]
    end,
    apply = function(state, ask, answer)
      local order = state.orders[ask.order]
      if order.state == "placed" then
        release(state, order)
      elseif order.state == "paid" and ask.trusted then
        give(state, order, (everything(order)), true)
      else
        return "the order is " .. order.state
      end
      order.state = "cancelled"
      changed(state, order)
      return document(order, answer)
    end,
  }

  rules.refund = {
    refusal = function(state, ask)
      local order = state.orders[ask.order]
      if order.state ~= "paid" then return STATES[order.state] end
      local _, any = everything(order)
      if not any then return "refund_exceeds" end
      for i, qty in pairs(ask.units or {}) do
        if qty > order.lines[i].qty - order.lines[i].back then return "refund_exceeds" end
      end
    end,
    apply = function(state, ask, answer)
      local order = state.orders[ask.order]
      if order.state ~= "paid" then return "the order is " .. order.state end
      local units = ask.units or everything(order)
      for i, qty in pairs(units) do
        if qty > order.lines[i].qty - order.lines[i].back then return "more goes back than was bought" end
      end
      give(state, order, units, ask.restock ~= false)
      return document(order, answer)
    end,
  }

  timers["orders.expire"] = function(state, note)
    local order = state.orders[note.key]
    if not order or order.state ~= "placed" or order.expires > note.at then return end
    order.state = "expired"
    release(state, order)
    changed(state, order)
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
