"""What a plugin may touch is what `needs` in its plugin.lua names, and nothing else. Each test has a plugin that asks and one that does not."""

from market import feira, ok, problem, write_shop

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
      ["POST /hold/{order}"] = { run = "events.hold", auth = "server" },
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
function events.hold(call)
  local op = { kind = "hold", id = "h", debit = account "ann", credit = ledger.account("points/spent", "points"), amount = 1, reference = call.params.order }
  assert(ledger.apply { op })
  return { status = 200, body = {} }
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
    shop = own_shop(settings={"plugins": "{ points = {}, thief = {} }", "test_payments": "true"}, plugins={"points": POINTS, "thief": THIEF})
    sku = shop.product(price=500, stock=7)
    assert ok(post(shop.sk, "/v1/x/points/give", {"to": "ann", "amount": 50, "id": "a"}), 200) == {"balance": 50}
    assert ok(post(shop.sk, "/v1/x/points/give", {"to": "ann", "amount": 50, "id": "a"}), 200) == {"balance": 50}  # the same transfer
    assert ok(post(shop.sk, "/v1/x/points/spend", {"from": "ann", "amount": 20, "id": "s"}), 200) == {"balance": 30}
    problem(post(shop.sk, "/v1/x/points/spend", {"from": "ann", "amount": 31, "id": "t"}), 409, "too_few")
    problem(post(shop.sk, "/v1/x/points/give-and-fail", {"to": "ann", "amount": 5, "id": "b"}), 500)
    assert ok(shop.sk.request("GET", "/v1/x/points/of/ann"), 200) == {"balance": 30}
    assert ok(shop.sk.request("GET", "/v1/x/thief/looks/ann"), 200) == {"n": 30}
    assert ok(shop.sk.request("GET", f"/v1/x/points/stock/{sku}"), 200) == {"pieces": 7}

    # what a plugin holds for an order is its own affair
    ok(shop.sk.request("PUT", "/v1/customers/ann", {}), 201)
    ok(post(shop.sk, f"/v1/x/points/hold/{shop.paid_order({sku: 1}, customer='ann')['id']}"), 200)
    doctor = ok(shop.operator.request("GET", "/v1/doctor"), 200)
    assert [f for f in doctor["findings"] if f["check"] == "holds"][0]["level"] == "ok", doctor

    before = shop.state()
    problem(post(shop.sk, "/v1/x/thief/steal"), 500)
    problem(post(shop.sk, "/v1/x/thief/stock"), 500)
    problem(shop.sk.request("GET", "/v1/x/thief/stock"), 500)
    assert shop.state() == before
    log = shop.server.stderr()
    assert 'the plugin thief may not move accounts of points; add \\"points:write\\" to needs.ledger' in log, log
    assert "the plugin thief may not move accounts of stock, which belong to the shop" in log, log
    assert 'the plugin thief may not read accounts of stock; add \\"stock:read\\"' in log, log
    shop.server.terminate()
    shop.server.start()
    assert ok(shop.sk.request("GET", "/v1/x/points/of/ann"), 200) == {"balance": 30}


# --- what belongs to the shop ----------------------------------------------------------------------------------------------------

ASKS = """
local store, plugin = require "feira.store", require "feira.plugin"
local events = {}
local shop = store.of "shop"
function events.customer(call) return { status = 200, body = { row = shop.customers:get(call.params.id) } } end
function events.by_phone(call) return { status = 200, body = { row = shop.customers:find { phone = call.params.id }[1] } } end
function events.orders(call)
  local rows = {}
  for row in shop.orders:each { where = { customer = call.params.id } } do rows[#rows + 1] = row end
  return { status = 200, body = { orders = rows, found = #shop.orders:find { customer = call.params.id } } }
end
function events.product(call) return { status = 200, body = { row = shop.products:get(call.params.id) } } end
function events.write(call) shop.customers:update(call.params.id, { orders = 9 }) end
function events.cancel(call) return { status = 200, body = plugin.call("orders.cancel", { order = call.params.id, reason = "a plugin says so" }) } end
function events.refund(call) return { status = 200, body = plugin.call("orders.refund", { order = call.params.id, lines = { { line = 1, qty = 1 } } }) } end
function events.wrong(call) return { status = 200, body = plugin.call("orders.cancel", { ordre = call.params.id }) } end
function events.cancel_and_fail(call) plugin.call("orders.cancel", { order = call.params.id }) error "no further" end
return events
"""

ROUTES = """
    routes = {
      ["GET /customer/{id}"] = { run = "events.customer", auth = "server" },
      ["GET /by-phone/{id}"] = { run = "events.by_phone", auth = "server" },
      ["GET /orders/{id}"] = { run = "events.orders", auth = "server" },
      ["GET /product/{id}"] = { run = "events.product", auth = "server" },
      ["POST /write/{id}"] = { run = "events.write", auth = "server" },
      ["POST /cancel/{id}"] = { run = "events.cancel", auth = "server" },
      ["POST /refund/{id}"] = { run = "events.refund", auth = "server" },
      ["POST /wrong/{id}"] = { run = "events.wrong", auth = "server" },
      ["POST /cancel-and-fail/{id}"] = { run = "events.cancel_and_fail", auth = "server" },
    },
"""

MAY = plugin(
    "may",
    ROUTES
    + """
    needs = {
      collections = { "customers:read", "orders:read", "products:read" },
      procedures = { "orders.cancel", { name = "orders.refund", why = "Returns." } },
      personal = { { field = "customer.phone_hash", purpose = "one reward per person" }, { field = "order.note", purpose = "gift cards" } },
    },
    """,
    events=ASKS,
)
MAY_NOT = plugin("may-not", ROUTES, events=ASKS)
SEES = plugin(
    "sees",
    ROUTES
    + """
    needs = { collections = { "customers:read" }, personal = { { field = "customer.phone", purpose = "calls" }, { field = "customer.name", purpose = "calls" } } },
    """,
    events=ASKS,
)


def three(own_shop):
    return own_shop(
        settings={"plugins": '{ may = {}, ["may-not"] = {}, sees = {} }', "test_payments": "true"},
        plugins={"may": MAY, "may-not": MAY_NOT, "sees": SEES},
    )


def test_a_plugin_reads_of_the_shop_what_needs_names_and_no_personal_field_without_a_purpose(own_shop):
    shop = three(own_shop)
    sku = shop.product(price=500, stock=10)
    for who, phone in ("ann", "+44 20 7946 0000"), ("bob", "0044-2079460000"), ("cid", "+44 20 7946 0001"):
        ok(shop.sk.request("PUT", f"/v1/customers/{who}", {"name": who.title(), "email": f"{who}@example.com", "phone": phone, "tags": ["new"]}), 201)
    order = shop.place({sku: 2}, customer="ann")

    def look(plugin, path):
        return shop.sk.request("GET", f"/v1/x/{plugin}/{path}")

    ann, bob, cid = (ok(look("may", f"customer/{who}"), 200)["row"] for who in ("ann", "bob", "cid"))
    assert set(ann) == {"id", "customer", "created_at", "updated_at", "orders", "tags", "phone_hash"}
    assert (ann["customer"], ann["orders"], ann["tags"]) == ("ann", 1, ["new"])
    assert ann["phone_hash"] == bob["phone_hash"] != cid["phone_hash"] and "7946" not in ann["phone_hash"]
    seen = ok(look("sees", "customer/ann"), 200)["row"]
    assert (seen["phone"], seen["name"]) == ("+44 20 7946 0000", "Ann") and not {"email", "phone_hash"} & set(seen)
    assert "row" not in ok(look("may", "customer/nobody"), 200)

    found = ok(look("may", "orders/ann"), 200)
    assert found["found"] == 1
    row = found["orders"][0]
    assert (row["order"], row["state"], row["total"], row["customer"]) == (order["id"], "placed", order["total"], "ann")
    assert row["lines"][0]["sku"] == sku and not {"contact", "address", "holds"} & set(row)
    assert ok(look("may", f"product/{sku}"), 200)["row"]["price"] == 500

    before = shop.state()
    for path in "customer/ann", "orders/ann", f"product/{sku}":
        problem(look("may-not", path), 500)
    problem(look("sees", "orders/ann"), 500)
    problem(look("may", "by-phone/1"), 500)
    problem(post(shop.sk, "/v1/x/may/write/ann"), 500)
    assert shop.state() == before
    log = shop.server.stderr()
    for noun in "customers", "orders", "products":
        assert f'the plugin may-not may not read the shop\'s {noun}; add \\"{noun}:read\\" to needs.collections' in log, log
    assert "customers belong to the shop, whose procedures change them" in log


def test_a_plugin_calls_the_shops_procedures_that_needs_names_in_its_own_transaction(own_shop):
    shop = three(own_shop)
    sku = shop.product(price=500, stock=10)
    ok(shop.sk.request("PUT", "/v1/customers/ann", {}), 201)
    order, other = shop.place({sku: 2}, customer="ann"), shop.place({sku: 1})
    paid = shop.paid_order({sku: 2}, customer="ann")

    before = shop.state()
    problem(post(shop.sk, f"/v1/x/may-not/cancel/{order['id']}"), 500)
    problem(post(shop.sk, f"/v1/x/may/wrong/{order['id']}"), 500)
    problem(post(shop.sk, f"/v1/x/may/cancel-and-fail/{order['id']}"), 500)
    problem(post(shop.sk, "/v1/x/may/cancel/ord_nobody"), 404)
    assert shop.state() == before
    log = shop.server.stderr()
    assert 'the plugin may-not may not call orders.cancel; add \\"orders.cancel\\" to needs.procedures' in log, log
    assert 'did you mean \\"order\\"' in log, log

    assert ok(post(shop.sk, f"/v1/x/may/cancel/{order['id']}"), 200)["state"] == "cancelled"
    assert ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)["close_reason"] == "a plugin says so"
    problem(post(shop.sk, f"/v1/x/may/cancel/{order['id']}"), 409)
    assert ok(shop.sk.request("GET", f"/v1/orders/{other['id']}"), 200)["state"] == "placed"
    answer = ok(post(shop.sk, f"/v1/x/may/refund/{paid['id']}"), 200)
    assert answer == {"order": paid["id"], "state": "paid", "total": 1000, "paid": 1000, "refunded": 500}


def test_needs_of_the_shop_that_do_not_exist_are_refused_with_a_suggestion(tmp_path):
    def says(needs, text):
        write_shop(tmp_path, settings={"plugins": "{ asks = {} }"}, plugins={"asks": plugin("asks", f"needs = {needs},")})
        answer = feira("check", tmp_path)
        assert answer.returncode == 3 and text in answer.stdout + answer.stderr, answer

    says('{ collections = { "products:write" } }', "what belongs to the shop is changed by its procedures")
    says('{ collections = { "carts:read" } }', "write customers, orders or products")
    says('{ procedures = { "orders.cancle" } }', 'did you mean "orders.cancel"?')
    says('{ procedures = { "stock.adjust" } }', "write orders.block, orders.cancel, orders.complete, orders.fulfil, orders.pay, orders.refund or orders.unblock")


# --- behind the question mark, and what settings name ------------------------------------------------------------------------------

LISTS = plugin(
    "lists",
    """
    routes = { ["GET /echo"] = { run = "events.echo", auth = "anyone", query = {
                 limit = { type = "integer", min = 1, max = 100, about = "How many." }, open = { type = "boolean", optional = true },
                 sort = { type = "choice", choices = { "new", "old" }, optional = true }, text = { type = "string", max = 10, optional = true } } },
               ["GET /plain"] = { run = "events.echo", auth = "anyone" } },
    """,
    events="return { echo = function(call) return { status = 200, body = { query = call.query, described = call.query ~= nil } } end }\n",
)


def test_query_parameters_are_checked_typed_and_described(own_shop):
    shop = own_shop(settings={"plugins": "{ lists = {} }"}, plugins={"lists": LISTS})

    def ask(query, path="echo"):
        return shop.pk.request("GET", f"/v1/x/lists/{path}{query}")

    full = ok(ask("?limit=7&open=true&sort=old&text=a%20b&else=1"), 200)["query"]
    assert full == {"limit": 7, "open": True, "sort": "old", "text": "a b"}
    assert ok(ask("?limit=1"), 200)["query"] == {"limit": 1}
    assert ok(ask("?limit=1", "plain"), 200) == {"described": False}
    for query, field in {
        "": "limit", "?limit=0": "limit", "?limit=101": "limit", "?limit=1.5": "limit", "?limit=x": "limit", "?limit=": "limit",
        "?limit=1&open=yes": "open", "?limit=1&sort=best": "sort", "?limit=1&text=12345678901": "text",
    }.items():  # fmt: skip
        assert problem(ask(query), 422, field=field)["detail"].startswith(field + ": ")
    assert ask("?limit=1&limit=2").status in (400, 422)
    operation = ok(shop.pk.request("GET", "/v1/openapi.json"), 200)["paths"]["/v1/x/lists/echo"]["get"]
    params = {p["name"]: p for p in operation["parameters"]}
    assert params["limit"]["required"] and params["limit"]["in"] == "query" and params["limit"]["description"] == "How many."
    assert (params["limit"]["schema"]["type"], params["limit"]["schema"]["maximum"]) == ("integer", 100)
    assert not params["sort"]["required"] and params["sort"]["schema"]["enum"] == ["new", "old"]


def test_a_list_does_not_fit_behind_the_question_mark(tmp_path):
    routes = 'routes = { ["GET /a"] = { run = "events.a", auth = "anyone", query = { ids = { type = "list", of = "string" } } } },'
    write_shop(tmp_path, settings={"plugins": "{ lists = {} }"}, plugins={"lists": plugin("lists", routes, events="return { a = function() end }")})
    answer = feira("check", tmp_path)
    assert answer.returncode == 3 and "which an address can't carry" in answer.stdout, answer


WELCOME = """local promo = require "feira.promo"
return promo.campaign { id = "welcome", title = "Welcome", give = promo.amount_off { amount = "1.00" } }
"""
GIVES = plugin(
    "gives",
    """
    settings = { reward = { type = "campaign", optional = true, about = "What is given." },
                 more = { type = "list", default = {}, about = "More.", of = { type = "campaign", about = "One." } } },
    campaigns = { gives = { run = "rules.make", fields = { id = { type = "string", about = "Its id." },
                  beside = { type = "campaign", optional = true, about = "Another." } } } },
    """,
    rules="""
local promo = require "feira.promo"
return { make = function(f) return promo.campaign { id = f.id, title = f.id, give = promo.amount_off { amount = "1.00" } } end }
""",
)


def test_a_campaign_that_a_setting_names_must_be_there(tmp_path):
    def check(settings, **campaigns):
        campaigns = {"welcome": WELCOME, "used": "return {}\n", **campaigns}
        write_shop(tmp_path, settings={"plugins": f"{{ gives = {settings} }}"}, plugins={"gives": GIVES}, campaigns=campaigns)
        return feira("check", tmp_path)

    def use(beside):
        return f'local promo = require "feira.promo"\nreturn promo.use "gives" {{ id = "used", beside = "{beside}" }}\n'

    assert check('{ reward = "welcome", more = { "welcome", "used" } }', used=use("welcome")).returncode == 0
    answer = check('{ reward = "wellcome" }')
    assert answer.returncode == 3, answer
    assert 'reward: names the campaign "wellcome", which is not there; did you mean "welcome"?' in answer.stdout, answer
    assert "shop.lua" in answer.stdout
    answer = check('{ more = { "welcome", "elsewhere" } }')
    assert answer.returncode == 3 and 'names the campaign "elsewhere", which is not there; add it' in answer.stdout, answer
    answer = check("{}", used=use("wellcom"))
    assert answer.returncode == 3 and "campaigns/used.lua:2" in answer.stdout and 'did you mean "welcome"?' in answer.stdout, answer
