"""New rules under which quotes or orders keep failing, and quarantine does not help: the shop goes back to those before, once."""

import json

from market import feira, ok, problem, unique, write_shop
from test_plugins import plugin
from test_quarantine import stopped
from test_stops import eventually, told


def needed(fails, kind="pricing"):
    """A plugin whose rule must not be left out, or whose subscriber must not be missed; it fails for every other piece."""
    bad = 'error "the second one breaks me"' if fails else ""
    return plugin(
        "needed",
        'pricing = { price = "rules.price" }, on = { ["order.placed"] = { run = "events.placed", when = "in_transaction", stopped = "refuse" } },',
        rules=f"return {{ price = function(line) if {str(kind == 'pricing').lower()} and line.qty % 2 == 0 then {bad} end end }}",
        events=f"return {{ placed = function(event) if {str(kind == 'order').lower()} and event.total // 1000 % 2 == 0 then {bad} end end }}",
    )


ON = {"plugins": "{ needed = {} }"}


def open_with(own_shop, plugin_):
    shop = own_shop(settings=ON, plugins={"needed": plugin_})
    shop.sku = shop.product(price=1000, stock=100000)
    return shop


def publish(shop, plugin_, name="A shop"):
    write_shop(shop.folder, settings={**ON, "name": f'"{name}"'}, plugins={"needed": plugin_})
    done = feira("publish", shop.folder)
    assert done.returncode == 0, done


def quotes(shop, n):
    return [shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": shop.sku, "qty": 1 + i % 2}]}).status for i in range(n)]


def orders(shop, n):
    def place(qty):
        token = shop.quote({shop.sku: qty})["token"]
        return shop.pk.request("POST", "/v1/orders", {"quote_token": token}, idempotency=unique("o")).status

    return [place(1 + i % 2) for i in range(n)]


def history(shop):
    return [g["how"] for g in ok(shop.operator.request("GET", "/v1/generations"), 200)["items"]]


def live(shop):
    return ok(shop.operator.request("GET", "/v1/generations"), 200)["live"]


def test_new_rules_that_refuse_half_of_the_quotes_are_left(own_shop):
    shop = open_with(own_shop, needed(False))
    before = live(shop)
    assert quotes(shop, 40) == [200] * 40
    publish(shop, needed(True))
    bad = live(shop)
    answers = quotes(shop, 60)
    assert answers.count(500) == 30, "thirty failures are enough"
    eventually(lambda: live(shop) == before)
    assert quotes(shop, 40) == [200] * 40
    assert history(shop)[0] == "rescue"
    (line,) = told(shop, "generation.rolled_back")
    assert (line["generation"], line["back_to"], line["what"]) == (bad, before, "quotes")
    assert (line["failures"], line["calls"], line["failures_before"]) == (30, 60, 0) and line["calls_before"] >= 40
    assert "plugins/needed/rules.lua:1:" in line["last"] and "publish" in line["text"]
    assert not stopped(shop)
    assert "feira_generations_rescued_total 1\n" in shop.pk.request("GET", "/metrics").body.decode()
    # Whoever publishes the same again gets what he asked for: no to and fro.
    publish(shop, needed(True))
    assert live(shop) == bad
    assert quotes(shop, 100).count(500) == 50
    assert live(shop) == bad and len(told(shop, "generation.rolled_back")) == 1
    (line,) = told(shop, "generation.failing")
    assert "less than ten minutes ago" in line["why_not_rolled_back"]


def test_orders_that_fail_are_seen_among_many_quotes(own_shop):
    shop = open_with(own_shop, needed(False))
    before = live(shop)
    publish(shop, needed(True, "order"))
    answers = []
    while answers.count(500) < 30:
        assert len(answers) < 200
        answers += orders(shop, 2)
        quotes(shop, 10)
    eventually(lambda: live(shop) == before)
    assert orders(shop, 10) == [201] * 10
    (line,) = told(shop, "generation.rolled_back")
    assert line["what"] == "orders" and "plugins/needed/events.lua:1:" in line["last"]


def test_what_failed_before_is_no_reason_to_go_back(own_shop):
    shop = open_with(own_shop, needed(True))
    quotes(shop, 60)
    publish(shop, needed(True), name="Another name")
    now = live(shop)
    quotes(shop, 200)
    assert live(shop) == now and not told(shop, "generation.rolled_back")
    reasons = [line["why_not_rolled_back"] for line in told(shop, "generation.failing")]
    assert reasons == ["These rules are not new.", "It was so under the rules before, too."]


def test_rules_that_somebody_went_back_to_are_kept(own_shop):
    shop = open_with(own_shop, needed(True))
    bad = live(shop)
    publish(shop, needed(False))
    assert feira("rollback", shop.folder).returncode == 0 and live(shop) == bad
    quotes(shop, 100)
    assert live(shop) == bad and not told(shop, "generation.rolled_back")


def test_where_quarantine_helps_nothing_is_rolled_back(own_shop):
    shop = open_with(own_shop, needed(False))
    fails = plugin(
        "needed",
        'on = { ["order.placed"] = { run = "events.placed", when = "in_transaction" } },',
        events='return { placed = function(event) if event.total // 1000 % 2 == 0 then error "the second one breaks me" end end }',
    )
    publish(shop, fails)
    now = live(shop)
    answers = orders(shop, 120)
    assert answers.count(500) == 20 and set(answers[-40:]) == {201}
    assert stopped(shop)["needed"]["quarantined"]
    assert live(shop) == now and not told(shop, "generation.rolled_back") and not told(shop, "generation.failing")


def test_what_clients_do_wrong_is_no_failure(own_shop):
    shop = open_with(own_shop, needed(False))
    publish(shop, needed(False), name="Another name")
    now = live(shop)
    for _ in range(100):
        problem(shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": "NOTHING", "qty": 1}]}), 422, "unknown_sku")
        problem(shop.pk.request("POST", "/v1/orders", {"lines": [{"sku": shop.sku, "qty": 1}], "expected_total": 1}, idempotency=unique("o")), 409)
    assert live(shop) == now and not told(shop, "generation.failing")
    assert json.loads(feira("quote", shop.folder, "-", "--json", input=json.dumps({"lines": [{"sku": shop.sku, "qty": 1}]})).stdout)["total"] == 1000
