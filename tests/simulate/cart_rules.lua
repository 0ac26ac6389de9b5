-- What is promised of checkouts: kept carts that become one order each, however often and from wherever they are completed.
return function(model)
  local rules = model.rules

  -- Its answers are priced anew each time; what is kept under the key is the id alone.
  rules.open_cart = {
    reads = true,
    refusal = rules.quote.refusal,
    apply = function(state, ask, answer, now)
      if answer.quote then return rules.quote.apply(state, ask, answer.quote, now) end
    end,
  }

  rules.complete_cart = {
    refusal = function(state, ask, now)
      return not state.carts[ask.cart] and rules.place.refusal(state, ask, now, model) or nil
    end,
    apply = function(state, ask, answer, now)
      local id = state.carts[ask.cart]
      if id then return id ~= answer.id and "it is another order" or model.document(state.orders[id], answer) end
      local why = rules.place.apply(state, ask, answer, now, model)
      state.carts[ask.cart] = answer.id
      return why
    end,
  }
end
