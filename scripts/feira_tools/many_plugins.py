"""Writes plugins, so that there are many: each has what plugins have (settings, a collection, a campaign type, a procedure, a route, a
subscriber, a timer), in two files of some forty lines, and a campaign that uses it."""

MANIFEST = '''return {{
  name = "p-{n}", version = "1.0.0", api = 1, title = "Plugin {n}", about = "One of many, so that there are many.",
  needs = {{ procedures = {{ {{ name = "orders.cancel", why = "Takes back what was not collected." }} }} }},
  settings = {{
    percent = {{ type = "percent", min = 1, max = 50, default = 5, about = "Taken off what is in the scope." }},
    least = {{ type = "money", default = "10.00", about = "From this subtotal on." }},
    days = {{ type = "integer", min = 1, max = 90, default = 14, about = "How long a claim waits." }},
  }},
  collections = {{
    claims = {{ fields = {{ customer = "customer", order = "order", amount = "money", done = {{ type = "boolean", default = false }} }},
               unique = {{ "order" }}, index = {{ {{ "customer", "done" }} }} }},
  }},
  campaigns = {{ off = {{ run = "rules.off", about = "Percent off above a subtotal.", fields = {{
    sku = {{ type = "sku", about = "The product." }},
  }} }} }},
  procedures = {{ settle = {{ run = "events.settle", args = {{ order = "order" }} }} }},
  routes = {{ ["GET /claims"] = {{ run = "events.list", auth = "customer" }} }},
  on = {{ ["order.paid"] = {{ run = "events.paid", when = "in_transaction" }} }},
  timers = {{ expire = "events.expire" }},
}}
'''
RULES = '''local promo = require "feira.promo"
local money = require "feira.money"
local rules = {{}}

-- Enough of a rule to be compiled, loaded and numbered like one: it looks at the cart, and at what the merchant set.
local function enough(cart, settings)
  return cart.subtotal >= settings.least
end

function rules.off(fields, settings)
  return promo.campaign {{
    id = "p-{n}", title = "Plugin {n}", scope = promo.sku(fields.sku), priority = 10,
    when = function(cart) return enough(cart, settings) and cart.qty > {k} end,
    give = promo.percent_off {{ percent = settings.percent // 10000 }},
  }}
end

function rules.describe(settings)
  local lines = {{}}
  for name, value in pairs(settings) do
    lines[#lines + 1] = name .. " = " .. tostring(value)
  end
  return table.concat(lines, ", "), money
end

return rules
'''
EVENTS = '''local store = require "feira.store"
local plugin = require "feira.plugin"
local timers = require "feira.timers"
local events = {{}}

local DAY_MS = 24 * 60 * 60 * 1000

function events.settle(args)
  local claim = store.claims:find {{ order = args.order }}
  if claim then store.claims:update(claim.id, {{ done = true }}) end
  return {{ status = 200, body = {{ done = claim ~= nil }} }}
end

function events.list(call)
  local found = {{}}
  for _, claim in ipairs(store.claims:list {{ customer = call.customer, done = false }}) do
    found[#found + 1] = {{ order = claim.order, amount = claim.amount }}
  end
  return {{ status = 200, body = {{ items = found }} }}
end

function events.paid(payload)
  if payload.amount and payload.amount > {k} then
    timers.set("expire", payload.order, (payload.now or 0) + plugin.settings.days * DAY_MS)
  end
end

function events.expire(args)
  plugin.call("settle", {{ order = args.key }})
end

return events
'''

CAMPAIGN = 'local promo = require "feira.promo"\nreturn promo.use "p-{n}.off" {{ sku = "NONE-{n}" }}\n'


def write(shop, count):
    """Plugins p-1 to p-COUNT in the folder of a shop, turned on in its shop.lua, which must not turn on any yet."""
    for n in range(1, count + 1):
        folder = shop / "plugins" / f"p-{n}"
        folder.mkdir(parents=True)
        for name, text in (("plugin.lua", MANIFEST), ("rules.lua", RULES), ("events.lua", EVENTS)):
            (folder / name).write_text(text.format(n=n, k=n % 7))
        (shop / "campaigns" / f"use-{n}.lua").write_text(CAMPAIGN.format(n=n))
    text = (shop / "shop.lua").read_text()
    lines = "".join(f'    ["p-{n}"] = {{ percent = {1 + n % 50} }},\n' for n in range(1, count + 1))
    (shop / "shop.lua").write_text(text.replace("return {\n", "return {\n  plugins = {\n" + lines + "  },\n", 1))
