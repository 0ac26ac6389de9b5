-- What is promised of money that comes through a provider: it is kept for an order that waits for exactly it, once, and goes straight back
-- otherwise. An attempt is known by its number; what the provider said is what the writer was told (note.kind "call").
return function(model)
  local WAITS_MS = 10 * 60000 -- an order whose time is over waits so long for payments that are under way
  local ARRIVES_MS = 60000 -- what a provider does not know after that never got there
  local MERCHANT, APP, CURRENCY, OPEN_MAX = "m-test", "app-test", "EUR", 10

  local function is_open(attempt) return attempt.state == "created" or attempt.state == "pending" end

  local function open_of(state, order)
    local n = 0
    for _, attempt in pairs(state.attempts) do
      if attempt.order == order.id and is_open(attempt) then n = n + 1 end
    end
    return n
  end

  function model.hold_up(state, order, deadline, now) return open_of(state, order) > 0 and now < deadline + WAITS_MS end

  -- --- a buyer begins ---------------------------------------------------------------------------------------------------

  model.rules.begin = {
    refusal = function(state, ask, now)
      local order, may = state.orders[ask.order], { payment_refused = true }
      may[model.rules.pay.refusal(state, ask, now) or "payment_refused"] = true
      if open_of(state, order) >= OPEN_MAX then may.too_many_payments = true end
      return may
    end,
    -- The attempt is kept before the provider hears of it.
    begun = function(state, ask, answer, now)
      local why = model.rules.pay.refusal(state, ask, now)
      if why then return "it had to be refused: " .. why end
      local order = state.orders[ask.order]
      local due, n = model.open_due(order)
      local amount = ask.amount or due.amount - due.paid
      if answer.amount ~= amount then return ("the amount is %d, not %d"):format(answer.amount, amount) end
      state.attempts[answer.payment] = { order = order.id, due = n, amount = amount, state = "created", expires = due.deadline, at = now }
    end,
    apply = function(state, _, answer)
      local attempt = state.attempts[answer.payment.id]
      if not attempt then return "there is no such attempt" end
      if is_open(attempt) ~= (answer.payment.state == "pending") then return "it is " .. attempt.state end
    end,
  }

  -- --- money comes in ---------------------------------------------------------------------------------------------------

  -- Kept for the order, or given back; either way this attempt has had its money.
  local function came_in(state, attempt, now)
    local order = state.orders[attempt.order]
    local due = order.dues[attempt.due]
    attempt.state = "succeeded"
    if order.state ~= "placed" or attempt.amount > due.amount - due.paid then
      model:count "money given back"
      return
    end
    model:count "money taken"
    model.receive(state, order, due, attempt.amount, now)
  end

  local function is_foreign(seen) return seen.merchant ~= MERCHANT or seen.app ~= APP end

  -- The provider was asked, and says it is paid: what does not fit the attempt goes back.
  local function paid(state, attempt, seen, now)
    if attempt.state == "succeeded" or is_foreign(seen) then return end
    if seen.currency ~= CURRENCY or seen.amount ~= attempt.amount then
      attempt.state = "succeeded"
      model:count "money given back"
    else
      came_in(state, attempt, now)
    end
  end

  local function close(attempt)
    if is_open(attempt) then attempt.state = "closed" end
  end

  local calls = model.calls

  calls["provider_calls.created"] = function(state, args)
    local attempt = state.attempts[args.payment]
    if attempt.state ~= "succeeded" then attempt.state = "pending" end
  end

  -- The buyer's request came again, and so does the provider's.
  calls["provider_calls.begin_again"] = function(state, args)
    local attempt = state.attempts[args.payment]
    if attempt.state == "closed" or attempt.state == "failed" then attempt.state = "pending" end
  end

  calls["provider_calls.not_created"] = function(state, args)
    local attempt = state.attempts[args.payment]
    if args.refused and attempt.state == "created" then attempt.state = "failed" end
    if not args.refused and attempt.state == "closed" then attempt.state = "pending" end -- it may be on its way there
  end

  calls["provider_calls.done"] = function(state, args, now)
    local attempt, result = state.attempts[args.key], args.result
    if not attempt or not result then return end -- of a refund; or nobody knows
    if result.state == "paid" then
      paid(state, attempt, result, now)
    elseif result.state == "closed" then
      close(attempt)
    elseif args.job == "query" and result.state == "unknown" then
      local is_over = now >= attempt.expires or state.orders[attempt.order].state ~= "placed"
      if is_over and now >= attempt.at + ARRIVES_MS then close(attempt) end
    end
  end

  calls["provider_calls.notified"] = function(state, args, now)
    local event = args.event
    if state.events[event.id] then return end
    local attempt = event.kind == "payment" and state.attempts[event.number]
    if not attempt then return end -- it may be known when it is told again
    state.events[event.id] = true
    if event.state == "closed" then return close(attempt) end
    if event.state ~= "paid" or attempt.state == "succeeded" then return end
    if not is_foreign(event) and event.currency == CURRENCY and event.amount == attempt.amount then came_in(state, attempt, now) end
  end
end
