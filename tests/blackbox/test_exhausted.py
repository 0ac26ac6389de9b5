"""What is used up is said by the workers: at once, until something comes back, and never to whoever has used it."""

import threading
import time

import pytest
from market import ok, problem, unique
from test_ledger import eventually

COUPONS = {
    "plugin": """return { name = "coupons-of-test", version = "1.0.0", api = 1, title = "Coupons",
  routes = {
    ["POST /open/{id}"] = { run = "events.open", auth = "server", body = { n = { type = "integer", min = 1, about = "How many." } } },
    ["POST /use/{id}"] = { run = "events.use", auth = "anyone", unless_exhausted = "coupons-of-test/{id}" },
    ["POST /take/{id}"] = { run = "events.take", auth = "anyone", unless_exhausted = "coupons-of-test/{id}" },
    ["POST /return/{id}"] = { run = "events.give_back", auth = "server" },
    ["GET /left/{id}"] = { run = "events.left", auth = "anyone" },
    ["POST /ask/{id}"] = { run = "events.ask", auth = "anyone", as = "handler" },
  } }""",
    "events": """local fail, ids, ledger, time = require "feira.fail", require "feira.ids", require "feira.ledger", require "feira.time"
local events = {}
local function name(call) return "coupons-of-test/" .. call.params.id end
local function apply(op)
  if not ledger.apply { op } then fail.conflict("none", "The writer says that nothing is left.") end
  return { status = 201, body = {} }
end
function events.open(call)
  ledger.account("coupons-of-test/all", "uses")
  ledger.account(name(call), "uses", { no_overdraft = true, published = true })
  return apply { kind = "transfer", id = ids.new "open", debit = "coupons-of-test/all", credit = name(call), amount = call.body.n }
end
function events.use(call)
  return apply { kind = "transfer", id = ids.new "use", debit = name(call), credit = "coupons-of-test/all", amount = 1 }
end
function events.take(call)
  return apply { kind = "hold", id = ids.new "take", debit = name(call), credit = "coupons-of-test/all", amount = 1, expires = time.now() + 800 }
end
function events.give_back(call)
  return apply { kind = "transfer", id = ids.new "back", debit = "coupons-of-test/all", credit = name(call), amount = 1 }
end
function events.left(call)
  return { status = 200, body = { left = ledger.left(name(call)), exhausted = ledger.exhausted(name(call)), two = ledger.exhausted(name(call), 2) } }
end
function events.ask(call)
  if ledger.exhausted(name(call)) then fail.conflict("used_up", "The handler says that nothing is left.") end
  return { status = 200, body = {} }
end
return events
""",
}

AT = "/v1/x/coupons-of-test"


@pytest.fixture
def coupons(own_shop):
    return own_shop(settings={"plugins": '{ ["coupons-of-test"] = {} }'}, plugins={"coupons-of-test": COUPONS}, workers=2)


def opened(shop, n):
    id = unique("c")
    ok(shop.sk.request("POST", f"{AT}/open/{id}", {"n": n}), 201)
    return id


def use(shop, id, what="use", key=None):
    return shop.pk.request("POST", f"{AT}/{what}/{id}", {}, idempotency=key or unique("use"))


def procedures(shop):
    """How many commands the writer has run, and how many requests the workers refused."""
    text = shop.client("").request("GET", "/metrics").body.decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    of = lambda name: int(float(next(v for k, v in lines.items() if k.endswith(name))))
    return of("procedures_total"), of("exhausted_total")


def test_what_is_used_up_is_refused_without_the_writer(coupons):
    id = opened(coupons, 2)
    assert [use(coupons, id).status for _ in range(2)] == [201, 201]
    before = procedures(coupons)
    for _ in range(5):
        problem(use(coupons, id), 409, type="exhausted")
    after = procedures(coupons)
    assert after[0] == before[0] and after[1] == before[1] + 5
    assert ok(coupons.pk.request("GET", f"{AT}/left/{id}"), 200) == {"left": 0, "exhausted": True, "two": True}
    problem(use(coupons, id, "ask"), 409, type="used_up")


def test_who_used_the_last_one_is_answered_again_as_before(coupons):
    id, key = opened(coupons, 1), unique("last")
    assert use(coupons, id, key=key).status == 201
    again = use(coupons, id, key=key)
    assert again.status == 201 and again.headers["idempotency-replayed"] == "true"
    problem(use(coupons, id), 409, type="exhausted")


def test_what_comes_back_can_be_used_at_once(coupons):
    id = opened(coupons, 1)
    for _ in range(20):
        assert use(coupons, id).status == 201
        assert use(coupons, id).status == 409
        ok(coupons.sk.request("POST", f"{AT}/return/{id}", {}), 201)
        assert ok(coupons.pk.request("GET", f"{AT}/left/{id}"), 200) == {"left": 1, "exhausted": False, "two": True}


def test_a_hold_that_expires_wakes_it_up(coupons):
    id = opened(coupons, 1)
    assert use(coupons, id, "take").status == 201
    problem(use(coupons, id, "take"), 409, type="exhausted")
    assert eventually(lambda: use(coupons, id, "take").status == 201)


def test_it_is_known_after_a_restart(coupons):
    id = opened(coupons, 1)
    assert use(coupons, id).status == 201
    coupons.hang_up()
    coupons.server.kill()
    coupons.server.start()
    before = procedures(coupons)
    problem(use(coupons, id), 409, type="exhausted")
    assert procedures(coupons)[0] == before[0]


def test_a_frozen_budget_is_used_up_until_it_is_free(coupons):
    id = opened(coupons, 3)
    account = f"/v1/ledger/accounts/coupons-of-test%2F{id}"
    ok(coupons.operator.request("PATCH", account, {"frozen": True, "reason": "looks odd"}), 200)
    problem(use(coupons, id), 409, type="exhausted")
    ok(coupons.operator.request("PATCH", account, {"frozen": False, "reason": "is right"}), 200)
    assert use(coupons, id).status == 201


def test_what_nobody_opened_is_for_the_procedure_to_say(coupons):
    answer = use(coupons, "nothing")
    assert answer.status == 500  # the plugin moves an account that is not there; no worker calls it used up
    assert ok(coupons.pk.request("GET", f"{AT}/left/nothing"), 200) == {"exhausted": False, "two": False}


def test_takers_and_givers_at_once_never_lose_or_double_one(coupons):
    """Three units go round between eight takers and a giver; whoever got one gives it back. Each must be found again."""
    id, over, taken, lock = opened(coupons, 3), time.monotonic() + 3, [0], threading.Lock()
    wrong = []

    def take():
        client = coupons.client(coupons.server.keys()["sk"])
        while time.monotonic() < over:
            status = client.request("POST", f"{AT}/use/{id}", {}, idempotency=unique("race")).status
            if status == 201:
                with lock:
                    taken[0] += 1
                back = client.request("POST", f"{AT}/return/{id}", {}, idempotency=unique("back")).status
                # Read your own write: right after giving back, somebody has it or it is there.
                if back != 201:
                    wrong.append(back)
            elif status != 409:
                wrong.append(status)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong and taken[0] > 50
    assert ok(coupons.pk.request("GET", f"{AT}/left/{id}"), 200)["left"] == 3
    assert [use(coupons, id).status for _ in range(4)] == [201, 201, 201, 409]

CAMPAIGN = """local promo = require "feira.promo"
return promo.campaign {
  id = "while-they-last", title = "While they last", scope = promo.tag "launch",
  give = function(cart)
    local left = cart:left "coupons-of-test/launch"
    if left and left > 0 then cart:all():amount_off(100 * left) end
  end,
}
"""


def test_a_rule_sees_what_was_left_and_its_quote_keeps_it(own_shop):
    shop = own_shop(settings={"plugins": '{ ["coupons-of-test"] = {} }'}, plugins={"coupons-of-test": COUPONS}, campaigns={"launch": CAMPAIGN}, workers=2)
    sku = shop.product(price=1000, tags=["launch"])
    assert shop.quote({sku: 1})["total"] == 1000  # nobody opened it: nothing is known of it
    ok(shop.sk.request("POST", f"{AT}/open/launch", {"n": 2}), 201)
    seen = shop.quote({sku: 1})
    assert seen["total"] == 800
    assert use(shop, "launch").status == 201
    assert shop.quote({sku: 1})["total"] == 900
    assert use(shop, "launch").status == 201
    assert shop.quote({sku: 1})["total"] == 1000
    placed = ok(shop.pk.request("POST", "/v1/orders", {"quote_token": seen["token"]}, idempotency=unique("order")), 201)
    assert placed["total"] == 800  # the price that was shown


def test_a_plugins_rule_asks_about_its_own_accounts(own_shop):
    plugin = {**COUPONS, "plugin": COUPONS["plugin"].replace("routes = {", 'pricing = { p = { run = "rules.price", on_failure = "refuse" } },\n  routes = {', 1),
              "rules": 'return { price = function(line, cart) return cart:left(line.sku == "OWN" and "coupons-of-test/x" or "limited/x") end }'}
    shop = own_shop(settings={"plugins": '{ ["coupons-of-test"] = {} }'}, plugins={"coupons-of-test": plugin})
    ok(shop.sk.request("POST", f"{AT}/open/x", {"n": 7}), 201)
    shop.product("OWN", price=1000)
    assert shop.quote({"OWN": 1})["total"] == 7
    shop.product("OTHER", price=1000)
    refused = shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": "OTHER", "qty": 1}]})
    assert refused.status >= 400
