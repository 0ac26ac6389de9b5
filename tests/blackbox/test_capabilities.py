"""What a plugin may touch is what `needs` in its plugin.lua names, and nothing else. Each test has a plugin that asks and one that does not."""

from market import ok, problem

HEAD = 'return {{ name = "{name}", version = "1.0.0", api = 1, title = "A plugin of a test", {rest} }}\n'


def plugin(name, rest="", **files):
    return {"plugin": HEAD.format(name=name, rest=rest), **files}


def post(client, path, body=None):
    return client.request("POST", path, body or {})


# --- the ledger -------------------------------------------------------------------------------------------------------------

POINTS = plugin(
    "points",
    """
    routes = {
      ["POST /give"] = { run = "events.give", auth = "server", body = { to = "string", amount = "integer", id = "string" } },
      ["POST /spend"] = { run = "events.spend", auth = "server", body = { from = "string", amount = "integer", id = "string" } },
      ["POST /give-and-fail"] = { run = "events.give_and_fail", auth = "server", body = { to = "string", amount = "integer", id = "string" } },
      ["GET /of/{who}"] = { run = "events.balance", auth = "server" },
      ["GET /stock/{sku}"] = { run = "events.stock", auth = "server" },
    },
    needs = { ledger = { { name = "stock:read", why = "Shows how many are left." } } },
    """,
    events="""
local ledger, fail = require "feira.ledger", require "feira.fail"
local events = {}
local function account(who) return ledger.account("points/" .. who, "points", { no_overdraft = true }) end
function events.give(call)
  local body = call.body
  local issued = ledger.account("points/issued", "points")
  assert(ledger.apply { { kind = "transfer", id = body.id, debit = issued, credit = account(body.to), amount = body.amount } })
  return { status = 200, body = { balance = ledger.balance("points/" .. body.to) } }
end
function events.give_and_fail(call) events.give(call) error "and no further" end
function events.spend(call)
  local body = call.body
  local op = { kind = "transfer", id = body.id, debit = account(body.from), credit = ledger.account("points/spent", "points"), amount = body.amount }
  if not ledger.apply { op } then fail.conflict("too_few", "There are too few points.") end
  return { status = 200, body = { balance = ledger.balance("points/" .. body.from) } }
end
function events.balance(call) return { status = 200, body = { balance = ledger.balance("points/" .. call.params.who) } } end
function events.stock(call) return { status = 200, body = { pieces = ledger.balance("stock/" .. call.params.sku .. "/main") } } end
return events
""",
)

THIEF = plugin(
    "thief",
    """
    needs = { ledger = { "points:read" } },
    routes = {
      ["POST /steal"] = { run = "events.steal", auth = "server" },
      ["POST /stock"] = { run = "events.stock", auth = "server" },
      ["GET /stock"] = { run = "events.read_stock", auth = "server" },
      ["GET /looks/{who}"] = { run = "events.looks", auth = "server" },
    },
    """,
    events="""
local ledger = require "feira.ledger"
local events = {}
function events.steal()
  ledger.account("thief/loot", "points")
  ledger.apply { { kind = "transfer", id = "x", debit = "points/ann", credit = "thief/loot", amount = 1 } }
end
function events.stock() ledger.account("stock/TEA/main", "pcs") end
function events.read_stock() return { status = 200, body = { n = ledger.balance "stock/TEA/main" } } end
function events.looks(call) return { status = 200, body = { n = ledger.balance("points/" .. call.params.who) } } end
return events
""",
)


def test_a_plugin_moves_accounts_of_its_own_name_and_others_only_as_needs_says(own_shop):
    shop = own_shop(settings={"plugins": "{ points = {}, thief = {} }"}, plugins={"points": POINTS, "thief": THIEF})
    sku = shop.product(price=500, stock=7)
    assert ok(post(shop.sk, "/v1/x/points/give", {"to": "ann", "amount": 50, "id": "a"}), 200) == {"balance": 50}
    assert ok(post(shop.sk, "/v1/x/points/give", {"to": "ann", "amount": 50, "id": "a"}), 200) == {"balance": 50}  # the same transfer
    assert ok(post(shop.sk, "/v1/x/points/spend", {"from": "ann", "amount": 20, "id": "s"}), 200) == {"balance": 30}
    problem(post(shop.sk, "/v1/x/points/spend", {"from": "ann", "amount": 31, "id": "t"}), 409, "too_few")
    problem(post(shop.sk, "/v1/x/points/give-and-fail", {"to": "ann", "amount": 5, "id": "b"}), 500)
    assert ok(shop.sk.request("GET", "/v1/x/points/of/ann"), 200) == {"balance": 30}
    assert ok(shop.sk.request("GET", "/v1/x/thief/looks/ann"), 200) == {"n": 30}
    assert ok(shop.sk.request("GET", f"/v1/x/points/stock/{sku}"), 200) == {"pieces": 7}

    before = shop.state()
    problem(post(shop.sk, "/v1/x/thief/steal"), 500)
    problem(post(shop.sk, "/v1/x/thief/stock"), 500)
    problem(shop.sk.request("GET", "/v1/x/thief/stock"), 500)
    assert shop.state() == before
    log = shop.server.stderr()
    assert 'the plugin thief may not move accounts of points; add \\"points:write\\" to needs.ledger' in log, log
    assert 'the plugin thief may not move accounts of stock; add \\"stock:write\\"' in log, log
    assert 'the plugin thief may not read accounts of stock; add \\"stock:read\\"' in log, log
    shop.server.terminate()
    shop.server.start()
    assert ok(shop.sk.request("GET", "/v1/x/points/of/ann"), 200) == {"balance": 30}
