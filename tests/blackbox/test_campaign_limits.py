"""Limits of campaigns: the last use is had by one buyer, comes back when his order ends, and outlives the server."""

import contextlib
import json
import sqlite3
import threading
import time

import pytest
from market import feira, ok, problem, unique
from test_reload import publish

CAMPAIGN = """local promo = require "feira.promo"
return promo.campaign {{ id = "few", scope = promo.tag "few", give = promo.percent_off {{ percent = 10 }},
  limits = {{ {limits} }}, {more} }}
"""


def few(limits, more=""):
    return {"few": CAMPAIGN.format(limits=limits, more=more)}


@pytest.fixture
def sells(own_shop):
    def make(limits, more="", **options):
        shop = own_shop(campaigns=few(limits, more), **options)
        shop.sku = shop.product(price=1000, stock=1000, tags=["few"])
        return shop

    return make


def why(shop, by=None, qty=1):
    """How much is off, and why not."""
    quote = ok((by or shop.pk).request("POST", "/v1/quotes?explain=full", {"lines": [{"sku": shop.sku, "qty": qty}]}), 200)
    campaign = next(c for c in quote["campaigns"] if c["id"] == "few")
    return quote["discount"], campaign.get("reason")


def account(shop, name):
    answer = shop.sk.request("GET", "/v1/ledger/accounts?name=campaign/few/" + name)
    return ok(answer, 200)


def cancel(shop, order):
    return ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("cancel")), 200)


def order_by_token(client, shop, qty=1):
    token = ok(client.request("POST", "/v1/quotes", {"lines": [{"sku": shop.sku, "qty": qty}]}), 200)["token"]
    return lambda: client.request("POST", "/v1/orders", {"quote_token": token}, idempotency=unique("o"))


def all_at_once(tries):
    answers, gate = [None] * len(tries), threading.Barrier(len(tries))

    def go(i):
        gate.wait()
        answers[i] = tries[i]()

    threads = [threading.Thread(target=go, args=(i,)) for i in range(len(tries))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def test_fifty_want_the_last_use_and_one_has_it(sells):
    shop = sells("uses = 3")
    for _ in range(2):
        shop.paid_order({shop.sku: 1})
    key = shop.server.keys()["pk"]
    answers = all_at_once([order_by_token(shop.client(key), shop) for _ in range(50)])
    assert sorted(a.status for a in answers) == [201] + [409] * 49
    for a in answers:
        if a.status == 409:
            document = problem(a, 409, "limit_used_up")
            assert document["quote"]["discount"] == 0 and document["quote"]["total"] == 1000
    assert why(shop) == (0, {"code": "limit_used_up", "limit": "uses"})
    assert shop.available(shop.sku)["held"] == 1


def test_fifty_orders_of_one_customer_get_his_one_use(sells):
    shop = sells("per_customer = 1")
    token = shop.customer().key
    answers = all_at_once([order_by_token(shop.client(token), shop) for _ in range(50)])
    assert sorted(a.status for a in answers) == [201] + [409] * 49
    assert {a.json()["type"].rsplit("/", 1)[-1] for a in answers if a.status == 409} <= {"customer_limit_reached", "facts_changed"}
    assert why(shop, shop.client(token)) == (0, {"code": "customer_limit_reached", "limit": "per_customer"})
    assert why(shop, shop.customer())[0] == 100
    assert why(shop) == (0, {"code": "sign_in", "limit": "per_customer"})


def test_an_order_that_ends_gives_its_use_back(sells):
    shop = sells("uses = 1, per_customer = 1")
    ann = shop.customer()
    order = shop.place({shop.sku: 1}, by=ann)
    assert why(shop, ann)[0] == 0 and why(shop, shop.customer())[0] == 0
    cancel(shop, order)
    assert why(shop, ann)[0] == 100
    order = shop.paid_order({shop.sku: 2}, by=ann)
    ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    assert why(shop, ann)[0] == 0  # a part of it is not all
    ok(shop.refund(order), 201)
    assert why(shop, ann)[0] == 100
    cancel(shop, shop.paid_order({shop.sku: 1}, by=ann))
    assert why(shop, ann)[0] == 100
    assert feira("doctor", shop.folder, "--data", shop.server.data).returncode == 0


def test_what_is_to_be_kept_is_kept_by_a_refund_and_not_by_a_cancelled_order(sells):
    shop = sells('uses = 1, after_refund = "keep"')
    cancel(shop, shop.place({shop.sku: 1}))
    assert why(shop)[0] == 100
    ok(shop.refund(shop.paid_order({shop.sku: 1})), 201)
    assert why(shop)[0] == 0


def test_a_hold_lives_as_long_as_the_campaign_says(sells):
    shop = sells("uses = 1", 'pay_within = "1s"')
    order = shop.place({shop.sku: 1})
    assert why(shop)[0] == 0
    deadline = time.monotonic() + 15
    while why(shop)[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert why(shop)[0] == 100
    assert ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)["state"] == "expired"


def test_units_and_money_go_to_the_last_one(sells):
    shop = sells('units = 5, budget = "4.50"')
    shop.paid_order({shop.sku: 3})
    assert why(shop, qty=3)[0] == 150  # two units are left, and of them only 1.50
    shop.paid_order({shop.sku: 3})
    discount, reason = why(shop)
    assert discount == 0 and reason["code"] == "limit_used_up"


@pytest.mark.parametrize("damage", [
    "DELETE FROM ledger_transfers WHERE id LIKE '%/limits/1/post'",
    "DELETE FROM ledger_transfers WHERE id LIKE '%/limits/1'",
    "UPDATE orders SET limits = replace(limits, ',1,', ',2,')",
    "UPDATE orders SET state = 1",
])
def test_the_doctor_finds_orders_that_hold_too_little_or_too_long(sells, damage):
    shop = sells("uses = 9, per_customer = 9")
    ann = shop.customer()
    shop.paid_order({shop.sku: 1}, by=ann)
    cancel(shop, shop.place({shop.sku: 1}, by=ann))
    shop.server.terminate()

    def found():
        findings = json.loads(feira("doctor", shop.folder, "--json").stdout)["findings"]
        return {f["check"]: f["level"] for f in findings}["limits"]

    assert found() == "ok"
    with contextlib.closing(sqlite3.connect(shop.server.data / "shop.db")) as db, db:
        assert db.execute(damage).rowcount
    assert found() == "error"


def test_what_was_used_outlives_a_crash(sells):
    shop = sells("uses = 2, per_customer = 1")
    ann = shop.customer()
    shop.paid_order({shop.sku: 1}, by=ann)
    held = shop.place({shop.sku: 1}, by=shop.customer())
    key = ann.key
    shop.server.kill()
    shop.server.start()
    shop.hang_up()
    bob = shop.customer()
    assert why(shop, bob)[1] == {"code": "limit_used_up", "limit": "uses"}
    cancel(shop, held)
    assert why(shop, bob)[0] == 100
    assert why(shop, shop.client(key))[1] == {"code": "customer_limit_reached", "limit": "per_customer"}


def change(shop, limits, more=""):
    (shop.folder / "campaigns" / "few.lua").write_text(CAMPAIGN.format(limits=limits, more=more), encoding="utf-8")
    publish(shop)


def test_a_limit_that_is_changed_holds_at_once(sells):
    shop = sells("uses = 2")
    for _ in range(2):
        shop.paid_order({shop.sku: 1})
    assert why(shop)[0] == 0
    change(shop, "uses = 3")
    assert why(shop)[0] == 100
    change(shop, "uses = 1")
    assert why(shop)[1] == {"code": "limit_used_up", "limit": "uses"}
    change(shop, 'uses = 1, round = "2"')
    assert why(shop)[0] == 100
    shop.paid_order({shop.sku: 1})
    assert why(shop)[0] == 0


def test_what_takes_nothing_off_uses_nothing_up(sells):
    shop = sells("uses = 1")
    free = shop.product(price=0, tags=["few"])
    shop.paid_order({shop.product(price=500): 1})
    shop.place({free: 1})
    assert why(shop)[0] == 100


LISTENER = {
    "plugin": """return { name = "hears", version = "1.0.0", api = 1, title = "Hears",
  collections = { heard = { key = "what", fields = { what = { type = "string", about = "Which limit of which campaign." } } } },
  routes = { ["GET /heard/{what}"] = { run = "events.ask", auth = "anyone" } },
  on = { ["campaign.exhausted"] = { run = "events.gone", when = "in_transaction" } } }""",
    "events": """local store = require "feira.store"
local events = {}
function events.gone(event) store.heard:insert { what = event.campaign .. "." .. event.limit } end
function events.ask(call) return { status = 200, body = { heard = store.heard:get(call.params.what) ~= nil } } end
return events
""",
}


def test_plugins_hear_of_the_last_use(sells):
    shop = sells("uses = 2", plugins={"hears": LISTENER}, settings={"plugins": "{ hears = {} }"})
    for heard in (False, True):
        shop.place({shop.sku: 1})
        assert ok(shop.pk.request("GET", "/v1/x/hears/heard/few.uses"), 200) == {"heard": heard}


EARLY = {
    "early": """local promo = require "feira.promo"
return {
  promo.gate { id = "tribute-early", scope = promo.tag "tribute", unless = promo.customer_tag "gold", reason = "From Monday for everybody." },
  promo.purchase_limit { id = "tribute-one", scope = promo.tag "tribute", units_per_customer = 1, reason = "One for each customer." },
}
"""
}


def test_a_purchase_limit_refuses_the_second_one(own_shop):
    shop = own_shop(campaigns=EARLY)
    sku = shop.product(price=1000, tags=["tribute"])
    gold = shop.customer(tags=["gold"])
    ask = {"lines": [{"sku": sku, "qty": 1}]}
    assert problem(shop.customer().request("POST", "/v1/quotes", ask), 422, "gate_closed")["gate"]["id"] == "tribute-early"
    two = problem(gold.request("POST", "/v1/quotes", {"lines": [{"sku": sku, "qty": 2}]}), 422, "gate_closed")
    assert two["gate"]["id"] == "tribute-one" and two["gate"]["reason"]["code"] == "customer_limit_reached"
    answers = all_at_once([
        (lambda c: lambda: c.request("POST", "/v1/orders", {**ask, "expected_total": 1000}, idempotency=unique("o")))(shop.client(gold.key))
        for _ in range(10)
    ])
    assert [a.status for a in answers].count(201) == 1, answers
    assert problem(gold.request("POST", "/v1/quotes", ask), 422, "gate_closed")["gate"]["reason"]["code"] == "customer_limit_reached"
    order = next(a for a in answers if a.status == 201).json()
    cancel(shop, order)
    shop.place({sku: 1}, by=gold)


SPEC = """local t = require "feira.test"
t:describe("a day", function()
  t:it("ends at midnight of the shop", function()
    local function total() return t:quote { lines = { POT = 1 } }.total end
    t:product { sku = "POT", price = "10.00", stock = 10, tags = { "few" } }
    t:at "2026-07-01 23:58"
    t:expect(total(), 900)
    local order = t:pay(t:order { lines = { POT = 1 } })
    t:expect(total(), 1000)
    t:advance "1m"
    t:expect(total(), 1000)
    t:at "2026-07-02 00:00"
    t:expect(total(), 900)
    t:pay(t:order { lines = { POT = 1 } })
    t:expect(total(), 1000)
    t:refund(order) -- of yesterday: today has none the more
    t:expect(total(), 1000)
  end)
end)
"""


def test_a_day_ends_in_a_spec_with_its_clock(tmp_path):
    from market import write_shop

    folder = tmp_path / "shop"
    folder.mkdir()
    write_shop(folder, campaigns=few('uses = { 1, per = "day" }'))
    (folder / "test").mkdir()
    (folder / "test" / "limits.lua").write_text(SPEC, encoding="utf-8")
    done = feira("test", folder)
    assert done.returncode == 0, done.stdout + done.stderr


FLASH = {
    "flash": """local promo = require "feira.promo"
return promo.campaign { id = "flash", scope = promo.tag "flash", give = promo.fixed_price { price = "9.90", max_units = 1 },
  limits = { units = 100, units_per_customer = 1 }, pay_within = "5m", alone = true }
"""
}


def test_a_flash_sale_sells_one_unit_to_each_at_its_price(own_shop):
    shop = own_shop(campaigns=FLASH)
    sku = shop.product(price=2990, stock=1000, tags=["flash"])
    ann = shop.customer()
    assert shop.quote({sku: 3}, by=ann)["total"] == 990 + 2 * 2990
    assert shop.quote({sku: 3})["total"] == 3 * 2990  # a guest has no price of his own
    shop.paid_order({sku: 3}, by=ann)
    assert shop.quote({sku: 3}, by=ann)["total"] == 3 * 2990
    buyers = [shop.customer() for _ in range(110)]
    answers = [b.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 1}], "expected_total": 990}, idempotency=unique("o")) for b in buyers]
    assert [a.status for a in answers] == [201] * 99 + [409] * 11
    problem(answers[-1], 409, "price_changed")
