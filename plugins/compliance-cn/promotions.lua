-- P11 to P16, P19, P20, P22, P23: what is promised, and how it is kept.
local law = require "feira.law"

local promotions = {}

local function missing(add, t, names, field, what)
  for _, name in ipairs(names) do
    local v = t[name]
    if v == nil or v == "" then
      add("no " .. name, ("%s: it is not said (%s)."):format(what, name), ("Write %s.%s = ..."):format(field, name), field .. "." .. name)
    end
  end
end

local function by_name(prizes)
  local out = {}
  for _, p in ipairs(prizes or {}) do out[p.name] = p end
  return out
end

-- After its start a prize draw changes in favour of consumers only.
local function worse(add, live, now, field)
  local prizes = by_name(now.prizes)
  for _, was in ipairs(live.prizes or {}) do
    local is = prizes[was.name]
    if not is then
      add(was.name, ("The prize \"%s\" was announced and is gone."):format(was.name), "Keep it.", field .. ".prizes")
    else
      for _, name in ipairs { "value", "qty", "probability" } do
        local old, new = was[name], is[name]
        if name == "value" then
          old, new = law.minor(old), law.minor(new)
        elseif name == "probability" then
          old, new = law.ppm(old), law.ppm(new)
        end
        if old and (not new or new < old) then
          add(("%s: %s"):format(was.name, tostring(is[name])), ("The %s of \"%s\" was announced as %s and is less now."):format(name,
            was.name, tostring(was[name])), "Change it in favour of consumers only.", field .. ".prizes")
        end
      end
    end
  end
end

---P11
function promotions.lottery(subject, settings)
  local rule = settings.p11
  local add, found = law.findings("P11", rule)
  local lottery = law.declared(subject).lottery
  if not lottery then return found end
  local field, sum = "declares.lottery", 0
  missing(add, lottery, { "conditions", "from", "to", "redeem", "redeem_until" }, field,
    "A prize draw publishes its conditions and times")
  if #(lottery.prizes or {}) == 0 then
    add("no prizes", "A prize draw names its prizes.", "Write prizes = { { name = ..., value = ..., qty = ... } }.", field .. ".prizes")
  end
  for i, prize in ipairs(lottery.prizes or {}) do
    local at = ("%s.prizes[%d]"):format(field, i)
    local value, market = law.minor(prize.value), law.minor(prize.market_price)
    local worth = math.max(value or 0, market or 0)
    if worth > rule.max_prize then
      add(law.format(worth), ("The prize \"%s\" is worth %s."):format(prize.name, law.format(worth)),
        ("Let no prize be worth more than %s."):format(law.format(rule.max_prize)), at .. ".value")
    end
    if not value and not market then
      add("no value", ("Nobody says what \"%s\" is worth."):format(prize.name), "Write value = \"...\".", at .. ".value")
    end
    if prize.kind ~= "cash" and value and market and value ~= market then
      add(law.format(value), ("\"%s\" is not valued at its market price (%s)."):format(prize.name, law.format(market)),
        "Value it at the market price.", at .. ".value")
    end
    if not prize.qty and not prize.probability then
      add("neither", ("\"%s\" says neither how many there are nor how likely one is."):format(prize.name), "Write qty or probability.", at
        .. ".qty")
    end
    sum = sum + (law.ppm(prize.probability) or 0)
  end
  if sum > 1000000 then
    add(law.percent(sum) .. " %", "The probabilities add up to more than 100 %.", "Let them add up to 100 % at most.", field .. ".prizes")
  end
  if lottery.records_years and lottery.records_years < rule.records_years then
    add(lottery.records_years, ("Its records are kept for %d years."):format(lottery.records_years),
      ("Keep them for %d."):format(rule.records_years), field .. ".records_years")
  end
  local live = subject.history.live and subject.history.live.declares
  if live and live.lottery then worse(add, live.lottery, lottery, field) end
  return found
end

---P12
function promotions.limits(subject, settings)
  local rule = settings.p12
  local add, found = law.findings("P12", rule)
  local limited, d = law.declared(subject).limited, subject.declaration
  local limits = d.limits
  local has = limits and (limits.units or limits.uses or limits.budget)
  if has and not limited and rule.unsaid ~= "off" then
    add("limits", "Only so many get it, and nobody is told.",
      "Show the number, and say so: declares = { limited = { units = ..., shown = true } }.", "limits", rule.unsaid)
  end
  if not limited then return found end
  if not limited.units then add("no units", "How many there are is not said.", "Write limited.units.", "declares.limited.units") end
  if not limited.shown then add("not shown", "How many there are is not shown.", "Show it: shown = true.", "declares.limited.shown") end
  if limited.ends_when_gone == false then
    add("goes on", "It is still advertised when all are gone.", "End it then: ends_when_gone = true.", "declares.limited.ends_when_gone")
  end
  local ends = d.window and d.window.to
  if limited.countdown_to and limited.countdown_to ~= ends then
    add(limited.countdown_to, ("The countdown ends %s, the campaign %s."):format(limited.countdown_to, ends or "never"),
      "Count down to the end of the campaign.", "declares.limited.countdown_to")
  end
  return found
end

local EARNEST, ADVANCE = "定金", "订金"

---P13
function promotions.deposit(subject, settings)
  local rule = settings.p13
  local add, found = law.findings("P13", rule)
  local deposit = law.declared(subject).deposit
  if not deposit then return found end
  local field = "declares.deposit"
  local amount, price, share = law.minor(deposit.amount), law.minor(deposit.price), law.ppm(deposit.percent)
  if amount and price and price > 0 then share = (amount * 1000000 + price - 1) // price end
  if deposit.kind == "advance" then
    if deposit.word == EARNEST then add(deposit.word, "What can be taken back is called 定金.", "Call it 订金.", field .. ".word") end
    if deposit.buyer_cancels == "forfeits" then
      add("forfeits", "A 订金 is kept when the buyer cancels.", "Give it back: buyer_cancels = \"refund\".", field .. ".buyer_cancels")
    end
    return found
  end
  if not share then
    add("unknown", "How much of the price the deposit is can't be said.", "Write amount and price, or percent.", field)
  elseif share > rule.max_share then
    add(law.percent(share) .. " %", ("The deposit is %s %% of the price; what is above %s %% is no 定金."):format(law.percent(share),
      law.percent(rule.max_share)),
      ("Take at most %s %%."):format(law.percent(rule.max_share)), field .. ".amount")
  end
  if deposit.word == ADVANCE then
    add(deposit.word, "What is forfeited is called 订金.", "Call it 定金, or let it be taken back.", field .. ".word")
  end
  if (deposit.seller_breaks or 0) < rule.seller_returns then
    add(deposit.seller_breaks or "nothing", "A seller who does not deliver gives too little back.",
      ("Write seller_breaks = %d: percent of the deposit."):format(rule.seller_returns), field .. ".seller_breaks")
  end
  return found
end

---P13 of an order: { total, dues = { { label, amount } ... } }, or of a deposit { amount, price }.
function promotions.order_deposit(subject, settings)
  local rule = settings.p13
  local add, found = law.findings("P13", rule)
  local amount, price = subject.amount, subject.price
  if subject.kind == "order" then
    price = subject.total
    for _, due in ipairs(subject.dues or {}) do
      if not amount and (due.label == "deposit" or due.label == EARNEST) then amount = due.amount end
    end
  end
  if amount and price and amount * 1000000 > price * rule.max_share then
    add(("%s of %s"):format(law.format(amount), law.format(price)), ("The deposit is %s of %s."):format(law.format(amount),
      law.format(price)),
      ("Take at most %s %%: %s."):format(law.percent(rule.max_share), law.format(price * rule.max_share // 1000000)), "dues")
  end
  return found
end

---P14
function promotions.terms(subject, settings)
  local add, found = law.findings("P14", settings.p14)
  local terms, by = law.declared(subject).terms, subject.made_by
  local of_coupon = subject.declaration.codes or (by and by.plugin == "coupons")
  if not terms and of_coupon then
    add("no terms", "A coupon says nothing of what it is worth, where and until when.",
      "Write declares = { terms = { conversion, expires, scope } }.", "declares.terms")
  end
  if terms then missing(add, terms, { "conversion", "expires", "scope" }, "declares.terms", "Terms of coupons and points") end
  return found
end

---P15
function promotions.options(subject, settings)
  local add, found = law.findings("P15", settings.p15)
  for i, option in ipairs(law.declared(subject).options or {}) do
    if option.default then
      add(option.name, ("\"%s\" is chosen unless somebody takes it out."):format(option.name),
        "Leave it out until it is chosen: default = false.", ("declares.options[%d].default"):format(i))
    end
  end
  return found
end

---P16
function promotions.renewal(subject, settings)
  local rule = settings.p16
  local add, found = law.findings("P16", rule)
  local renewal = law.declared(subject).renewal
  if not renewal then return found end
  local field = "declares.renewal"
  if (renewal.notice_days or 0) < rule.notice_days then
    add(renewal.notice_days or "none", "The buyer is told too late that it renews.",
      ("Tell him %d days before."):format(rule.notice_days), field .. ".notice_days")
  end
  if not renewal.notice_text then
    add("no text", "It is not said at the beginning that it renews.", "Write notice_text.", field .. ".notice_text")
  end
  if not renewal.cancel_steps or renewal.cancel_steps > (renewal.join_steps or 1) then
    add(renewal.cancel_steps or "unknown", "Leaving takes more steps than joining.",
      "Let it be as easy: cancel_steps at most join_steps.", field .. ".cancel_steps")
  end
  return found
end

---P19
function promotions.stored_value(subject, settings)
  local add, found = law.findings("P19", settings.p19)
  local stored = law.declared(subject).stored_value
  if not stored then return found end
  missing(add, stored, { "terms", "refund" }, "declares.stored_value", "Money that is paid in before")
  if stored.bonus_apart ~= true then
    add("together", "What was given on top is not kept apart from what was paid in.", "Keep it apart: bonus_apart = true.",
      "declares.stored_value.bonus_apart")
  end
  return found
end

---P20
function promotions.returns(subject, settings)
  local rule = settings.p20
  local add, found = law.findings("P20", rule)
  local returns = law.declared(subject).returns
  if not returns then return found end
  local field = "declares.returns"
  if (returns.days or 0) < rule.days then
    if #(returns.except or {}) == 0 then
      add(returns.days or "none", ("Goods can go back for %d days only."):format(returns.days or 0), ("Let it be %d."):format(rule.days),
        field .. ".days")
    else
      for _, kind in ipairs(returns.except) do
        if not law.has(settings.returns_except, kind) then
          add(kind, ("\"%s\" is no reason not to take goods back."):format(kind), "The reasons are in the setting returns_except.", field
            .. ".except")
        end
      end
      if returns.confirmed ~= true then
        add("not confirmed", "The buyer does not confirm that these can't go back.", "Ask him when he buys: confirmed = true.", field
          .. ".confirmed")
      end
    end
  end
  if returns.settle_after_days and returns.settle_after_days < rule.days then
    add(returns.settle_after_days, "Rewards are settled before goods can't go back any more.",
      ("Settle after %d days."):format(rule.days), field .. ".settle_after_days")
  end
  return found
end

---P20 when a return is refused: { days = since receipt, category, confirmed }.
function promotions.return_refused(subject, settings)
  local rule = settings.p20
  local add, found = law.findings("P20", rule)
  local excepted = law.has(settings.returns_except, subject.category) and subject.confirmed == true
  if (subject.days or 0) <= rule.days and not excepted then
    add(("%d days"):format(subject.days or 0), ("The goods came %d days ago and may go back."):format(subject.days or 0),
      "Take them back.", "days")
  end
  return found
end

---P22
function promotions.contract(subject, settings)
  local add, found = law.findings("P22", settings.p22)
  local cancelling = law.declared(subject).cancelling
  if cancelling and cancelling.by_seller == "by_rule" then
    add("by_rule", "The shop may void orders by its own terms.", "Let a person decide, with a reason: by_seller = \"by_person\".",
      "declares.cancelling.by_seller")
  end
  return found
end

---P23
function promotions.honoured(subject, settings)
  local add, found = law.findings("P23", settings.p23)
  local cancelling = law.declared(subject).cancelling
  if cancelling and cancelling.price_errors == "by_rule" then
    add("by_rule", "Prices that were shown by mistake are not honoured, by a rule.", "Honour them, or let a person decide.",
      "declares.cancelling.price_errors")
  end
  return found
end

return promotions
