"""Blocks: what a plugin puts on an order keeps it from being fulfilled, and ends with the order."""

import time

import pytest
from market import ok, problem, unique

HOLDS = {
    "plugin": """return { name = "holds", version = "1.0.0", api = 1, title = "Holds orders back",
  needs = { procedures = { "orders.block", { name = "orders.unblock", why = "The group is full." }, "orders.cancel" } },
  collections = { heard = { fields = { name = "string", payload = "json" } } },
  on = {
    ["order.paid"] = { run = "events.paid", when = "in_transaction" },
    ["order.blocked"] = { run = "events.blocked", when = "in_transaction" },
    ["order.unblocked"] = { run = "events.unblocked", when = "in_transaction" },
  },
  routes = {
    ["POST /block/{id}"] = { run = "events.block", auth = "server", body = { name = "string", reason = { type = "string", optional = true } } },
    ["POST /unblock/{id}"] = { run = "events.unblock", auth = "server", body = { name = "string" } },
    ["POST /wait/{id}"] = { run = "events.block", as = "handler", auth = "server", body = { name = "string" } },
    ["POST /as-another/{id}"] = { run = "events.as_another", auth = "server" },
    ["POST /block-and-fail/{id}"] = { run = "events.block_and_fail", auth = "server" },
    ["GET /heard"] = { run = "events.heard", auth = "server" },
  } }""",
    "events": """local store, plugin, json = require "feira.store", require "feira.plugin", require "feira.json"
local events = {}
function events.paid(event)
  if event.customer == "held" then plugin.call("orders.block", { order = event.order, name = "group", reason = "The group is not full yet." }) end
  if event.customer == "unwanted" then plugin.call("orders.cancel", { order = event.order, reason = "no" }) end
end
function events.blocked(event) store.heard:insert { name = "blocked", payload = event } end
function events.unblocked(event) store.heard:insert { name = "unblocked", payload = event } end
function events.block(call)
  return { status = 200, body = plugin.call("orders.block", { order = call.params.id, name = call.body.name, reason = call.body.reason }) }
end
function events.unblock(call)
  return { status = 200, body = plugin.call("orders.unblock", { order = call.params.id, name = call.body.name }) }
end
function events.as_another(call) plugin.call("orders.block", { order = call.params.id, name = "x", plugin = "other" }) end
function events.block_and_fail(call) plugin.call("orders.block", { order = call.params.id, name = "x" }) error "no further" end
function events.heard()
  local all = {}
  for row in store.heard:each() do all[#all + 1] = { name = row.name, payload = row.payload } end
  return { status = 200, body = { all = json.array(all) } }
end
return events
""",
}


@pytest.fixture
def market(own_shop):
    return own_shop(settings={"plugins": "{ holds = {} }"}, plugins={"holds": HOLDS})


def call(shop, what, order, **body):
    return shop.sk.request("POST", f"/v1/x/holds/{what}/{order['id']}", body)


def look(shop, order):
    return ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)


def heard(shop):
    return [(h["name"], h["payload"]) for h in ok(shop.sk.request("GET", "/v1/x/holds/heard"), 200)["all"]]


def lift(shop, order, path, by=None, **query):
    asked = "&".join(f"{k}={v}" for k, v in query.items())
    return (by or shop.sk).request("DELETE", f"/v1/orders/{order['id']}/blocks/{path}" + (f"?{asked}" if asked else ""), idempotency=unique("lift"))


def test_a_plugin_blocks_in_the_transaction_of_the_payment_and_takes_the_block_off(market):
    sku = market.product()
    ok(market.sk.request("PUT", "/v1/customers/held", {}), 201)
    order = market.place({sku: 1}, customer="held")
    assert order["blocks"] == []
    paid = market.pay(order)
    assert paid["state"] == "paid"
    (block,) = paid["blocks"]
    assert (block["plugin"], block["name"], block["reason"]) == ("holds", "group", "The group is not full yet.")
    assert block["since"].endswith("Z") and look(market, order)["blocks"] == [block]

    # Again is once: no second block, no second event, the first reason.
    assert ok(call(market, "block", order, name="group", reason="other"), 200) == {"order": order["id"], "state": "paid", "blocked": True}
    assert look(market, order)["blocks"] == [block]
    assert ok(call(market, "block", order, name="second"), 200)["blocked"]
    assert ok(call(market, "unblock", order, name="group"), 200)["blocked"]
    assert not ok(call(market, "unblock", order, name="second"), 200)["blocked"]
    assert not ok(call(market, "unblock", order, name="second"), 200)["blocked"]
    assert look(market, order)["blocks"] == []
    assert [(n, p["order"], p["plugin"], p["block"], p["blocks"]) for n, p in heard(market)] == [
        ("blocked", order["id"], "holds", "group", 1), ("blocked", order["id"], "holds", "second", 2),
        ("unblocked", order["id"], "holds", "group", 1), ("unblocked", order["id"], "holds", "second", 0),
    ]
    # A block that is gone may come again.
    assert ok(call(market, "block", order, name="group"), 200)["blocked"] and len(look(market, order)["blocks"]) == 1


def test_the_answer_is_the_order_as_who_heard_of_it_left_it(market):
    sku = market.product(stock=5)
    ok(market.sk.request("PUT", "/v1/customers/unwanted", {}), 201)
    assert market.paid_order({sku: 1}, customer="unwanted")["state"] == "cancelled"
    ok(market.sk.request("PUT", "/v1/customers/held", {}), 201)
    free = market.product(price=0)
    assert market.place({free: 1}, customer="held")["blocks"][0]["name"] == "group"
    assert market.available(sku)["available"] == 5


def test_a_handler_blocks_in_a_step_of_its_own(market):
    order = market.paid_order({market.product(): 1})
    assert ok(call(market, "wait", order, name="from-afar"), 200)["blocked"]
    assert [(b["plugin"], b["name"], b["reason"]) for b in look(market, order)["blocks"]] == [("holds", "from-afar", None)]


def test_who_blocks_is_not_the_plugins_to_say_and_a_failure_takes_the_block_back(market):
    order = market.paid_order({market.product(): 1})
    before = market.state()
    problem(call(market, "as-another", order), 500)
    problem(call(market, "block-and-fail", order), 500)
    problem(call(market, "block", {"id": "ord_nobody"}, name="x"), 404)
    problem(call(market, "block", order, name="no spaces"), 500)
    assert market.state() == before


def test_a_blocked_order_that_is_cancelled_gives_all_back_and_its_blocks_end(market):
    sku = market.product(stock=5)
    order = market.paid_order({sku: 2})
    ok(call(market, "block", order, name="group"), 200)
    done = ok(market.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {"reason": "no group"}, idempotency=unique("cancel")), 200)
    assert (done["state"], done["refunded"], done["blocks"]) == ("cancelled", done["paid"], [])
    assert market.available(sku)["available"] == 5
    problem(call(market, "block", order, name="late"), 409, "order_cancelled")
    assert not ok(call(market, "unblock", order, name="group"), 200)["blocked"]
    assert [n for n, _ in heard(market)] == ["blocked"]  # order.cancelled says the rest


def test_an_unpaid_order_expires_with_its_blocks_and_a_blocked_one_can_be_paid(own_shop):
    shop = own_shop(settings={"plugins": "{ holds = {} }", "pay_within": '"2s"'}, plugins={"holds": HOLDS})
    sku = shop.product()
    first, second = shop.place({sku: 1}), shop.place({sku: 1})
    for order in first, second:
        ok(call(shop, "block", order, name="early"), 200)
    assert shop.pay(first)["blocks"][0]["name"] == "early"
    end = time.monotonic() + 20
    while look(shop, second)["state"] == "placed" and time.monotonic() < end:
        time.sleep(0.1)
    assert (look(shop, second)["state"], look(shop, second)["blocks"]) == ("expired", [])


def test_an_operator_lifts_a_block_that_its_plugin_left_behind(market):
    customer = market.customer()
    order = market.paid_order({market.product(): 1}, by=customer)
    ok(call(market, "block", order, name="group"), 200)
    ok(market.operator.request("POST", "/v1/stops", {"plugin": "holds", "reason": "broken"}), 201)
    assert len(look(market, order)["blocks"]) == 1  # stopping the plugin lifts nothing
    problem(lift(market, order, "holds/group"), 422, field="reason")
    problem(lift(market, order, "holds/group", by=customer, reason="mine"), 403)
    problem(lift(market, order, "holds/other", reason="x"), 404)
    problem(lift(market, order, "another/group", reason="x"), 404)
    problem(lift(market, {"id": "ord_nobody"}, "holds/group", reason="x"), 404)
    assert ok(lift(market, order, "holds/group", reason="the%20plugin%20is%20broken"), 200)["blocks"] == []
    problem(lift(market, order, "holds/group", reason="again"), 404)
    ok(market.operator.request("DELETE", "/v1/stops/holds"), 200)
    assert [n for n, _ in heard(market)] == ["blocked"]  # a stopped plugin that hears in the transaction is left out


@pytest.mark.parametrize("refuses", [False, True])
def test_a_stopped_plugin_blocks_nothing_and_may_forbid_what_it_would_have_blocked(own_shop, refuses):
    plugin = dict(HOLDS)
    if refuses:
        plugin["plugin"] = plugin["plugin"].replace('run = "events.paid", when = "in_transaction"', 'run = "events.paid", when = "in_transaction", stopped = "refuse"')
        assert plugin["plugin"] != HOLDS["plugin"]
    shop = own_shop(settings={"plugins": "{ holds = {} }"}, plugins={"holds": plugin})
    ok(shop.sk.request("PUT", "/v1/customers/held", {}), 201)
    order = shop.place({shop.product(): 1}, customer="held")
    ok(shop.operator.request("POST", "/v1/stops", {"plugin": "holds"}), 201)
    pay = {"provider": "test"}
    answer = shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", pay, idempotency=unique("p"))
    if refuses:
        assert answer.status in (409, 503) and look(shop, order)["state"] == "placed", answer
        ok(shop.operator.request("DELETE", "/v1/stops/holds"), 200)
        assert shop.pay(order)["blocks"][0]["name"] == "group"
    else:
        assert ok(answer, 201)["blocks"] == []
