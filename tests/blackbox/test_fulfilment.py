"""What is sent, in parts and from where; what of it comes back; how an order ends."""

import contextlib
import random
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from market import ok, problem, unique
from test_blocks import HOLDS


def fulfil(shop, order, by=None, key=None, **body):
    return (by or shop.sk).request("POST", f"/v1/orders/{order['id']}/fulfilments", body, idempotency=key or unique("ful"))


def complete(shop, order, by=None):
    return (by or shop.sk).request("POST", f"/v1/orders/{order['id']}/complete", {}, idempotency=unique("complete"))


def cancel(shop, order, by=None):
    return (by or shop.sk).request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("cancel"))


def look(shop, order):
    return ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)


def on_hand(shop, sku):
    return {place["location"]: place["on_hand"] for place in ok(shop.sk.request("GET", f"/v1/products/{sku}"), 200)["stock"]}


def places(answer):
    """Of the fulfilment that was just made: [(line, qty, {location: qty})]."""
    lines = ok(answer, 201)["fulfilments"][-1]["lines"]
    return [(part["line"], part["qty"], {f["location"]: f["qty"] for f in part.get("from", [])}) for part in lines]


def test_an_order_is_sent_in_parts(shop):
    one, two = shop.product(), shop.product()
    order = shop.paid_order([{"sku": one, "qty": 3}, {"sku": two, "qty": 1}])
    assert order["fulfilments"] == []
    first = ok(fulfil(shop, order, lines=[{"line": 1, "qty": 2}], carrier="Post", tracking="RX 1"), 201)
    assert first["state"] == "fulfilling" and [line["fulfilled_qty"] for line in first["lines"]] == [2, 0]
    (sent,) = first["fulfilments"]
    assert sent["id"].startswith("ful_") and (sent["carrier"], sent["tracking"]) == ("Post", "RX 1") and sent["at"].endswith("Z")
    assert sent["lines"] == [{"line": 1, "sku": one, "qty": 2, "from": [{"location": "main", "qty": 2}]}]
    problem(fulfil(shop, order, lines=[{"line": 1, "qty": 2}]), 409, "nothing_to_send", field="/lines/0/qty")
    rest = ok(fulfil(shop, order), 201)
    assert rest["state"] == "fulfilled" and [(p["line"], p["qty"]) for p in rest["fulfilments"][1]["lines"]] == [(1, 1), (2, 1)]
    assert rest == look(shop, order)
    problem(fulfil(shop, order), 409)
    problem(cancel(shop, order), 409)
    assert ok(complete(shop, order), 200)["state"] == "completed"
    problem(complete(shop, order), 409)
    problem(cancel(shop, order), 409)
    # Returns are still possible.
    assert ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)["state"] == "completed"


@pytest.mark.parametrize(
    "body, status, field",
    [
        ({"lines": []}, 422, "/lines"),
        ({"lines": [{"line": 0, "qty": 1}]}, 422, "/lines/0/line"),
        ({"lines": [{"line": 2, "qty": 1}]}, 422, "/lines/0/line"),
        ({"lines": [{"line": 1, "qty": 0}]}, 422, "/lines/0/qty"),
        ({"lines": [{"line": 1}]}, 422, "/lines/0/qty"),
        ({"lines": [{"line": 1, "qty": 1}, {"line": 1, "qty": 2}]}, 409, "/lines/1/qty"),
        ({"lines": [{"line": 1, "qty": 1, "location": "nowhere"}]}, 409, "/lines/0/location"),
        ({"lines": [{"line": 1, "qty": 1, "location": "no where"}]}, 422, "/lines/0/location"),
        ({"carrier": ""}, 422, "/carrier"),
        ({"tracking": "x" * 201}, 422, "/tracking"),
        ({"sku": "X"}, 422, "/sku"),
    ],
)
def test_a_wrong_fulfilment_changes_nothing(shop, body, status, field):
    order = shop.paid_order({shop.product(): 2})
    before = shop.state()
    problem(fulfil(shop, order, **body), status, field=field)
    assert shop.state() == before


def test_only_what_is_paid_is_sent_and_only_what_is_sent_is_completed(shop):
    order = shop.place({shop.product(): 1})
    problem(fulfil(shop, order), 409)
    problem(complete(shop, order), 409)
    shop.pay(order)
    problem(complete(shop, order), 409)
    other = shop.paid_order({shop.product(): 1})
    ok(cancel(shop, other), 200)
    problem(fulfil(shop, other), 409, "order_cancelled")


def test_the_same_request_again_sends_nothing_again(shop):
    order = shop.paid_order({shop.product(): 3})
    key = unique("ful")
    first = fulfil(shop, order, key=key, lines=[{"line": 1, "qty": 1}])
    again = fulfil(shop, order, key=key, lines=[{"line": 1, "qty": 1}])
    assert first.status == again.status == 201 and first.body == again.body
    assert look(shop, order)["lines"][0]["fulfilled_qty"] == 1


def test_a_customer_confirms_and_only_his_own(shop):
    anna, bert = shop.customer(), shop.customer()
    order = shop.paid_order({shop.product(): 2}, by=anna)
    problem(fulfil(shop, order, by=anna), 403)
    ok(fulfil(shop, order, lines=[{"line": 1, "qty": 1}]), 201)
    problem(complete(shop, order, by=anna), 409)  # not all of it was sent
    ok(fulfil(shop, order), 201)
    problem(complete(shop, order, by=bert), 404)
    problem(complete(shop, order, by=shop.pk), 403)
    assert ok(complete(shop, order, by=anna), 200)["state"] == "completed"


def test_a_refund_of_what_was_not_sent_ends_the_sending(shop):
    sku = shop.product(stock=10)
    order = shop.paid_order({sku: 5})
    ok(fulfil(shop, order, lines=[{"line": 1, "qty": 2}]), 201)
    after = ok(shop.refund(order, lines=[{"line": 1, "qty": 2}]), 201)
    assert after["state"] == "fulfilling" and on_hand(shop, sku) == {"main": 7}
    problem(fulfil(shop, order, lines=[{"line": 1, "qty": 2}]), 409, "nothing_to_send")
    assert ok(shop.refund(order, amount=100), 201)["state"] == "fulfilling"  # money alone sends nothing
    after = ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    assert after["state"] == "fulfilled" and on_hand(shop, sku) == {"main": 8}
    # What is refunded now was sent.
    after = ok(shop.refund(order, lines=[{"line": 1, "qty": 1}], restock=False), 201)
    assert after["state"] == "fulfilled" and on_hand(shop, sku) == {"main": 8}
    assert ok(shop.refund(order), 201)["refunded"] == after["paid"] and on_hand(shop, sku) == {"main": 9}


def test_what_was_sent_can_come_back_before_the_rest_is_sent(shop):
    sku = shop.product(stock=10)
    order = shop.paid_order({sku: 3})
    problem(shop.refund(order, lines=[{"line": 1, "qty": 1, "sent": True}]), 409, field="/lines/0/qty")
    ok(fulfil(shop, order, lines=[{"line": 1, "qty": 1}]), 201)
    problem(shop.refund(order, lines=[{"line": 1, "amount": 1, "sent": True}]), 422, field="/lines/0/sent")
    problem(shop.refund(order, lines=[{"line": 1, "qty": 2, "sent": True}]), 409, field="/lines/0/qty")
    assert ok(shop.refund(order, lines=[{"line": 1, "qty": 1, "sent": True}]), 201)["state"] == "fulfilling"
    problem(shop.refund(order, lines=[{"line": 1, "qty": 1, "sent": True}]), 409)
    assert places(fulfil(shop, order)) == [(1, 2, {"main": 2})]
    assert look(shop, order)["state"] == "fulfilled" and on_hand(shop, sku) == {"main": 8}


def test_a_paid_order_that_is_refunded_whole_has_nothing_to_send(shop):
    order = shop.paid_order({shop.product(): 2})
    assert ok(shop.refund(order), 201)["state"] == "paid"
    problem(fulfil(shop, order), 409, "nothing_to_send")
    assert ok(cancel(shop, order), 200)["state"] == "cancelled"


# --- from where ----------------------------------------------------------------------------------------------------------------


def test_a_line_split_over_places_is_sent_from_them_and_comes_back_to_them(shop):
    sku = shop.product(stock=4)
    shop.stock(sku, 3, location="north")
    shop.stock(sku, 2, location="south")
    order = shop.paid_order({sku: 8})
    assert on_hand(shop, sku) == {"main": 0, "north": 0, "south": 1}
    assert places(fulfil(shop, order, lines=[{"line": 1, "qty": 2, "location": "north"}])) == [(1, 2, {"north": 2})]
    problem(fulfil(shop, order, lines=[{"line": 1, "qty": 2, "location": "north"}]), 409, "not_there", field="/lines/0/location")
    # Not sent are 4 of main, 1 of north, 1 of south: the first place first.
    ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    assert on_hand(shop, sku) == {"main": 1, "north": 0, "south": 1}
    ok(shop.refund(order, lines=[{"line": 1, "qty": 1}], restock=False), 201)
    assert places(fulfil(shop, order)) == [(1, 4, {"main": 2, "north": 1, "south": 1})]
    # With the customer: 2 of main, 3 of north, 1 of south.
    ok(shop.refund(order, lines=[{"line": 1, "qty": 3}]), 201)
    assert on_hand(shop, sku) == {"main": 3, "north": 1, "south": 1}
    ok(shop.refund(order), 201)
    assert on_hand(shop, sku) == {"main": 3, "north": 3, "south": 2}


def held(shop, sku):
    return {place["location"]: place["held"] for place in ok(shop.sk.request("GET", f"/v1/products/{sku}"), 200)["stock"]}


def test_pieces_are_taken_from_one_place_where_that_has_them_all(shop):
    sku = shop.product(stock=2)
    shop.stock(sku, 5, location="north")
    shop.stock(sku, 9, location="south")
    shop.place({sku: 2})
    assert held(shop, sku) == {"main": 2, "north": 0, "south": 0}
    shop.place({sku: 6})  # no place before it has six
    assert held(shop, sku) == {"main": 2, "north": 0, "south": 6}
    order = shop.paid_order({sku: 7})
    assert held(shop, sku) == {"main": 2, "north": 0, "south": 6} and on_hand(shop, sku) == {"main": 2, "north": 0, "south": 7}
    assert places(fulfil(shop, order)) == [(1, 7, {"north": 5, "south": 2})]
    problem(shop.sk.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 2}], "expected_total": 2000}, idempotency=unique("o")), 409, "out_of_stock")


@pytest.mark.parametrize("round", range(3))
def test_the_last_pieces_of_two_places_are_sold_once(shop, round):
    sku = shop.product(stock=1)
    shop.stock(sku, 1, location="north")
    clients = [shop.client(shop.server.keys()["sk"]) for _ in range(6)]
    body = {"lines": [{"sku": sku, "qty": 2}], "expected_total": 2000}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda client: client.request("POST", "/v1/orders", body, idempotency=unique("o")), clients))
    assert sorted(a.status for a in answers) == [201] + [409] * 5 and held(shop, sku) == {"main": 1, "north": 1}


def test_what_expires_or_is_cancelled_is_free_again_where_it_was(shop):
    sku = shop.product(stock=2)
    shop.stock(sku, 3, location="north")
    order = shop.place({sku: 4})
    assert shop.available(sku)["available"] == 1
    ok(cancel(shop, order), 200)
    assert on_hand(shop, sku) == {"main": 2, "north": 3} and shop.available(sku)["available"] == 5
    order = shop.paid_order({sku: 5})
    ok(cancel(shop, order), 200)
    assert on_hand(shop, sku) == {"main": 2, "north": 3}


def test_goods_that_nobody_counts_are_sent_from_nowhere(shop):
    sku = shop.product(stock=0, track_stock=False)
    order = shop.paid_order({sku: 2})
    assert places(fulfil(shop, order)) == [(1, 2, {})]
    order = shop.paid_order({sku: 1})
    problem(fulfil(shop, order, lines=[{"line": 1, "qty": 1, "location": "main"}]), 409, "not_there")


def test_lines_of_one_sku_share_its_places(shop):
    sku = shop.product(stock=2)
    shop.stock(sku, 2, location="north")
    order = shop.paid_order([{"sku": sku, "qty": 2}, {"sku": sku, "qty": 2}])
    assert places(fulfil(shop, order, lines=[{"line": 2, "qty": 1}, {"line": 1, "qty": 2}])) == [(2, 1, {"main": 1}), (1, 2, {"main": 1, "north": 1})]
    assert places(fulfil(shop, order)) == [(2, 1, {"north": 1})]


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_sending_and_refunding_comes_out_even(shop, seed):
    """Against a model that keeps every single piece: who has it, and where it was taken."""
    rng = random.Random(seed)
    skus = [shop.product(stock=rng.randrange(3, 7)) for _ in range(3)]
    for sku in skus:
        for place in "east", "west":
            shop.stock(sku, rng.randrange(3, 7), location=place)
    stock = {sku: on_hand(shop, sku) for sku in skus}
    lines = [{"sku": rng.choice(skus), "qty": rng.randrange(1, 3)} for _ in range(rng.randrange(1, 5))]
    order = shop.paid_order(lines)
    taken = {sku: {p: stock[sku][p] - on_hand(shop, sku)[p] for p in stock[sku]} for sku in skus}
    waiting = {n: line["qty"] for n, line in enumerate(lines, 1)}
    sent = dict.fromkeys(waiting, 0)
    sent_from = {sku: dict.fromkeys(stock[sku], 0) for sku in skus}
    back = {sku: 0 for sku in skus}
    for _ in range(12):
        n = rng.choice(list(waiting))
        sku = lines[n - 1]["sku"]
        if rng.random() < 0.5 and waiting[n]:
            qty = rng.randrange(1, waiting[n] + 1)
            ((_, _, places_of),) = places(fulfil(shop, order, lines=[{"line": n, "qty": qty}]))
            assert sum(places_of.values()) == qty
            for place, k in places_of.items():
                sent_from[sku][place] += k
                assert sent_from[sku][place] <= taken[sku][place]
            waiting[n], sent[n] = waiting[n] - qty, sent[n] + qty
        elif waiting[n] + sent[n]:
            qty = rng.randrange(1, waiting[n] + sent[n] + 1)
            ok(shop.refund(order, lines=[{"line": n, "qty": qty}]), 201)
            dropped = min(qty, waiting[n])
            waiting[n], sent[n], back[sku] = waiting[n] - dropped, sent[n] - (qty - dropped), back[sku] + qty
        now = look(shop, order)
        was_sent, open_units = bool(now["fulfilments"]), sum(waiting.values())
        assert now["state"] == ("paid" if not was_sent else "fulfilling" if open_units else "fulfilled")
        for s in skus:
            came = {p: on_hand(shop, s)[p] - (stock[s][p] - taken[s][p]) for p in stock[s]}
            assert sum(came.values()) == back[s] and all(0 <= came[p] <= taken[s][p] for p in came), (s, came, taken[s])
        if was_sent and not open_units and not sum(sent.values()):
            break
    doctor = ok(shop.operator.request("GET", "/v1/doctor"), 200)
    assert [f for f in doctor["findings"] if f["level"] not in ("ok", "note")] == [], doctor


def test_orders_from_before_pieces_were_counted_go_on_as_if_they_had_been(own_shop):
    shop = own_shop()
    sku = shop.product(stock=4)
    shop.stock(sku, 3, location="north")
    order = shop.paid_order({sku: 7})
    ok(shop.refund(order, lines=[{"line": 1, "qty": 2}]), 201)
    ok(shop.refund(order, lines=[{"line": 1, "qty": 1}], restock=False), 201)
    shop.hang_up()
    shop.server.terminate()
    with contextlib.closing(sqlite3.connect(shop.server.data / "shop.db")) as db, db:
        assert db.execute("DELETE FROM order_pieces").rowcount > 0
    shop.server.start()
    # Dropped are 3 of main; 1 of main and 3 of north wait.
    assert places(fulfil(shop, order, lines=[{"line": 1, "qty": 2}])) == [(1, 2, {"main": 1, "north": 1})]
    after = ok(shop.refund(order), 201)
    assert (after["state"], after["refunded"]) == ("fulfilled", 7000) and on_hand(shop, sku) == {"main": 3, "north": 3}


# --- blocks and time -----------------------------------------------------------------------------------------------------------


def test_a_blocked_order_is_not_sent_until_the_block_is_gone(own_shop):
    shop = own_shop(settings={"plugins": "{ holds = {} }"}, plugins={"holds": HOLDS})
    order = shop.paid_order({shop.product(): 2})
    ok(fulfil(shop, order, lines=[{"line": 1, "qty": 1}]), 201)
    ok(shop.sk.request("POST", f"/v1/x/holds/block/{order['id']}", {"name": "group", "reason": "The group is not full."}), 200)
    before = shop.state()
    told = problem(fulfil(shop, order), 409, "order_blocked")
    assert "holds/group" in told["detail"] and "The group is not full." in told["detail"]
    assert shop.state() == before
    ok(shop.operator.request("POST", "/v1/stops", {"plugin": "holds"}), 201)
    problem(fulfil(shop, order), 409, "order_blocked")  # stopped is not lifted
    ok(shop.operator.request("DELETE", "/v1/stops/holds"), 200)
    # A refund of the rest ends it, and the block with it.
    after = ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    assert (after["state"], after["blocks"]) == ("fulfilled", [])
    problem(shop.sk.request("POST", f"/v1/x/holds/block/{order['id']}", {"name": "late"}), 409)
    other = shop.paid_order({shop.product(): 1})
    ok(shop.sk.request("POST", f"/v1/x/holds/block/{other['id']}", {"name": "group"}), 200)
    ok(shop.sk.request("POST", f"/v1/x/holds/unblock/{other['id']}", {"name": "group"}), 200)
    assert ok(fulfil(shop, other), 201)["state"] == "fulfilled"


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_an_order_is_completed_by_itself_when_the_time_is_over(own_shop):
    shop = own_shop(settings={"complete_after": '"1s"'})
    sent, refunded, early = (shop.paid_order({shop.product(): 2}) for _ in range(3))
    ok(fulfil(shop, sent), 201)
    ok(fulfil(shop, early), 201)
    assert ok(complete(shop, early), 200)["state"] == "completed"
    ok(fulfil(shop, refunded, lines=[{"line": 1, "qty": 1}]), 201)
    ok(shop.refund(refunded, lines=[{"line": 1, "qty": 1}]), 201)
    assert until(lambda: {look(shop, o)["state"] for o in (sent, refunded)} == {"completed"})
    never = own_shop(settings={"complete_after": '"never"'})
    order = never.paid_order({never.product(): 1})
    ok(fulfil(never, order), 201)
    time.sleep(1.5)
    assert look(never, order)["state"] == "fulfilled"


def test_a_plugin_sends_and_completes(own_shop):
    plugin = {
        "plugin": """return { name = "keys", version = "1.0.0", api = 1, title = "Sends licence keys",
  needs = { procedures = { "orders.fulfil", "orders.complete" } },
  on = { ["order.paid"] = { run = "events.paid", when = "in_transaction" }, ["order.fulfilled"] = { run = "events.fulfilled", when = "in_transaction" } } }""",
        "events": """local plugin = require "feira.plugin"
return {
  paid = function(event) plugin.call("orders.fulfil", { order = event.order, carrier = "e-mail" }) end,
  fulfilled = function(event) plugin.call("orders.complete", { order = event.order }) end,
}""",
    }
    shop = own_shop(settings={"plugins": "{ keys = {} }"}, plugins={"keys": plugin})
    order = shop.paid_order({shop.product(): 2})
    assert order["state"] == "completed" and order["fulfilments"][0]["carrier"] == "e-mail"


def test_an_event_of_many_lines_with_long_names_fits(own_shop):
    plugin = {
        "plugin": """return { name = "packs", version = "1.0.0", api = 1, title = "Packs",
  collections = { heard = { fields = { order = "order", lines = "json" } } },
  on = { ["order.fulfilling"] = { run = "events.sent", when = "after_commit" } },
  routes = { ["GET /heard"] = { run = "events.heard", auth = "server" } } }""",
        "events": """local store, json = require "feira.store", require "feira.json"
return {
  sent = function(event) store.heard:insert { order = event.order, lines = { count = event.lines and #event.lines or -1 } } end,
  heard = function()
    local all = {}
    for row in store.heard:each() do all[#all + 1] = row.lines.count end
    return { status = 200, body = { all = json.array(all) } }
  end,
}""",
    }
    shop = own_shop(settings={"plugins": "{ packs = {} }"}, plugins={"packs": plugin})
    products = [{"sku": f"{n:03}" + "茶" * 61, "title": "Tea", "price": 1, "stock": 9} for n in range(110)]
    ok(shop.sk.request("POST", "/v1/products/import", {"products": products}), 200)
    order = shop.paid_order([{"sku": p["sku"], "qty": 1} for p in products])
    for lines in range(1, 51), range(51, 61), range(61, 111):
        long = {"carrier": "茶" * 100, "tracking": "茶" * 200}
        ok(fulfil(shop, order, lines=[{"line": n, "qty": 1} for n in lines], **long), 201)
    other = shop.paid_order([{"sku": p["sku"], "qty": 1} for p in products])
    ok(fulfil(shop, other, lines=[{"line": n, "qty": 1} for n in range(1, 101)]), 201)
    assert until(lambda: len(ok(shop.sk.request("GET", "/v1/x/packs/heard"), 200)["all"]) == 4)
    assert sorted(ok(shop.sk.request("GET", "/v1/x/packs/heard"), 200)["all"]) == [-1, 10, 50, 50]


@pytest.mark.parametrize("round", range(5))
def test_a_race_to_cancel_and_to_send_has_one_winner(shop, round):
    sku = shop.product(stock=2)
    order = shop.paid_order({sku: 2})
    with ThreadPoolExecutor(4) as pool:
        clients = [shop.client(shop.server.keys()["sk"]) for _ in range(4)]
        jobs = [pool.submit(fulfil, shop, order, by=clients[0]), pool.submit(cancel, shop, order, by=clients[1]),
                pool.submit(fulfil, shop, order, by=clients[2]), pool.submit(cancel, shop, order, by=clients[3])]
        statuses = [job.result().status for job in jobs]
    assert sorted(statuses) in ([200, 409, 409, 409], [201, 409, 409, 409]), statuses
    after = look(shop, order)
    if after["state"] == "cancelled":
        assert after["refunded"] == after["paid"] and on_hand(shop, sku) == {"main": 2} and after["fulfilments"] == []
    else:
        assert after["state"] == "fulfilled" and after["refunded"] == 0 and len(after["fulfilments"]) == 1
