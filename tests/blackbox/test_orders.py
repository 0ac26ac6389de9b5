"""Orders: placed at the price that was shown, paid, cancelled, read only by those they belong to."""

import pytest
from market import ok, problem, unique

ADDRESS = {"name": "Ada", "line1": "1 High Street", "city": "Leeds", "postal_code": "LS1 1AA", "country": "GB"}


def test_an_order_from_the_quote_that_was_shown(shop):
    sku = shop.product(price=1000, stock=5, tags=["sale"])
    quote = shop.quote({sku: 2}, shipping={"option": "standard", "region": "GB"})
    ok(shop.sk.request("PATCH", f"/v1/products/{sku}", {"price": 9900}), 200)
    body = {"quote_token": quote["token"], "contact": {"name": "Ada", "email": "ada@shop.example"}, "address": ADDRESS, "note": "Ring twice"}
    order = ok(shop.pk.request("POST", "/v1/orders", body, idempotency=unique("o")), 201)
    assert order["id"].startswith("ord_") and order["state"] == "placed" and order["customer"] is None
    assert order["total"] == quote["total"] == 1800 + 495 and order["discount"] == 200 and order["paid"] == order["refunded"] == 0
    line = order["lines"][0]
    assert (line["line"], line["sku"], line["qty"], line["unit_price"], line["total"], line["refunded_qty"], line["refunded"]) == (1, sku, 2, 1000, 1800, 0, 0)
    assert order["shipping"]["total"] == 495 and order["note"] == "Ring twice" and order["address"]["city"] == "Leeds"
    assert order["contact"]["email"] == "ada@shop.example" and order["generation"] == quote["generation"]
    assert [c["id"] for c in order["campaigns"]] == ["sale"] and order["payments"] == [] and order["refunds"] == []
    assert shop.available(sku) == {"on_hand": 5, "held": 2, "available": 3}


def test_a_spoiled_token_is_refused(shop):
    sku = shop.product()
    token = shop.quote({sku: 1})["token"]
    before = shop.state()
    for bad in (token[:-2], token + "A", token[:-1] + ("A" if token[-1] != "A" else "B"), "A" + token[1:], "", "x" * 5000):
        answer = shop.pk.request("POST", "/v1/orders", {"quote_token": bad}, idempotency=unique("o"))
        assert answer.status in (409, 422), answer
        problem(answer, answer.status)
    assert shop.state() == before


def test_a_token_is_good_only_for_who_asked(shop):
    sku = shop.product(tags=["vip-goods"])
    vip, other = shop.customer(tags=["vip"]), shop.customer()
    token = shop.quote({sku: 1}, by=vip)["token"]
    for client in (other, shop.pk):
        answer = client.request("POST", "/v1/orders", {"quote_token": token}, idempotency=unique("o"))
        assert answer.status in (403, 404, 409, 422), answer
    assert ok(vip.request("POST", "/v1/orders", {"quote_token": token}, idempotency=unique("o")), 201)["customer"] == vip.customer


def test_an_expired_quote_is_refused_with_a_fresh_one(own_shop):
    import time

    shop = own_shop(settings={"quote_ttl": '"1s"'})
    sku = shop.product()
    token = shop.quote({sku: 1})["token"]
    time.sleep(1.2)
    document = problem(shop.pk.request("POST", "/v1/orders", {"quote_token": token}, idempotency=unique("o")), 409, "quote_expired")
    fresh = document["quote"]["token"]
    ok(shop.pk.request("POST", "/v1/orders", {"quote_token": fresh}, idempotency=unique("o")), 201)


def test_an_order_at_another_total_is_refused_with_a_fresh_quote(shop):
    sku = shop.product(price=1000)
    before = shop.state()
    body = {"lines": [{"sku": sku, "qty": 2}], "expected_total": 1999}
    document = problem(shop.pk.request("POST", "/v1/orders", body, idempotency=unique("o")), 409, "price_changed")
    assert document["quote"]["total"] == 2000 and document["quote"]["token"]
    assert shop.state() == before
    body["expected_total"] = 2000
    ok(shop.pk.request("POST", "/v1/orders", body, idempotency=unique("o")), 201)


def test_what_is_not_there_cannot_be_sold(shop):
    plenty, few = shop.product(stock=10), shop.product(stock=2)
    before = shop.state()
    body = {"lines": [{"sku": plenty, "qty": 1}, {"sku": few, "qty": 3}], "expected_total": 4000}
    document = problem(shop.pk.request("POST", "/v1/orders", body, idempotency=unique("o")), 409, "out_of_stock", "/lines/1/qty")
    assert "quote" in document
    assert shop.state() == before, "the first line's stock was given back"


def test_two_lines_of_one_sku_share_its_stock(shop):
    sku = shop.product(stock=3)
    lines = [{"sku": sku, "qty": 2}, {"sku": sku, "qty": 2}]
    problem(shop.pk.request("POST", "/v1/orders", {"lines": lines, "expected_total": 4000}, idempotency=unique("o")), 409, "out_of_stock")
    lines[1]["qty"] = 1
    order = ok(shop.pk.request("POST", "/v1/orders", {"lines": lines, "expected_total": 3000}, idempotency=unique("o")), 201)
    assert [x["qty"] for x in order["lines"]] == [2, 1] and shop.available(sku)["available"] == 0


def test_stock_in_two_places_is_one_stock_to_the_buyer(shop):
    sku = shop.product(stock=0)
    shop.stock(sku, 2)
    shop.stock(sku, 2, location="shed")
    shop.paid_order({sku: 3})
    assert shop.available(sku) == {"on_hand": 1, "held": 0, "available": 1}


def test_untracked_goods_never_run_out(shop):
    sku = shop.product(stock=0, track_stock=False)
    assert shop.paid_order({sku: 1000})["state"] == "paid"


def test_paying_sells_what_was_held(shop):
    sku = shop.product(price=700, stock=5)
    order = shop.place({sku: 2})
    paid = shop.pay(order)
    assert paid["state"] == "paid" and paid["paid"] == paid["total"] == 1400
    assert [(p["provider"], p["amount"]) for p in paid["payments"]] == [("test", 1400)] and paid["payments"][0]["id"].startswith("pay_")
    assert shop.available(sku) == {"on_hand": 3, "held": 0, "available": 3}


def test_an_order_is_paid_once_and_for_what_it_costs(shop):
    order = shop.place({shop.product(price=700): 1})
    target = f"/v1/orders/{order['id']}/payments"
    for amount in (701, 0, -700, 2**63 - 1):
        problem(shop.sk.request("POST", target, {"provider": "test", "amount": amount}, idempotency=unique("p")), 422, field="/amount")
    problem(shop.sk.request("POST", target, {"provider": "gold"}, idempotency=unique("p")), 422, field="/provider")
    problem(shop.sk.request("POST", target, {}, idempotency=unique("p")), 422, field="/provider")
    assert shop.pay(order, amount=700)["state"] == "paid"
    before = shop.state()
    problem(shop.sk.request("POST", target, {"provider": "test"}, idempotency=unique("p")), 409)
    assert shop.state() == before


def test_the_test_provider_must_be_asked_for(own_shop):
    shop = own_shop(settings={"test_payments": None})
    order = shop.place({shop.product(): 1})
    problem(shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "test"}, idempotency=unique("p")), 422, field="/provider")


def test_a_free_order_is_paid_at_once(shop):
    order = shop.place({shop.product(price=0, stock=3): 1})
    assert order["state"] == "paid" and order["total"] == 0


def test_cancelling_an_unpaid_order_gives_the_stock_back(shop):
    sku = shop.product(stock=5)
    customer = shop.customer()
    order = shop.place({sku: 4}, by=customer)
    cancelled = ok(customer.request("POST", f"/v1/orders/{order['id']}/cancel", {"reason": "changed my mind"}, idempotency=unique("c")), 200)
    assert cancelled["state"] == "cancelled" and shop.available(sku) == {"on_hand": 5, "held": 0, "available": 5}
    problem(shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "test"}, idempotency=unique("p")), 409)
    problem(shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("c")), 409)


def test_cancelling_a_paid_order_refunds_it_and_is_for_servers(shop):
    sku = shop.product(price=1000, stock=5)
    customer = shop.customer()
    order = shop.pay(shop.place({sku: 4}, by=customer), by=customer)
    answer = customer.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("c"))
    assert answer.status in (403, 409), answer
    cancelled = ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("c")), 200)
    assert cancelled["state"] == "cancelled" and cancelled["refunded"] == 4000
    assert shop.available(sku) == {"on_hand": 5, "held": 0, "available": 5}


def test_a_till_gives_its_own_prices_and_times(shop):
    sku, customer = shop.product(price=1000), shop.customer()
    reference = unique("INV")
    body = {
        "lines": [{"sku": sku, "qty": 1, "unit_price": 255}, {"sku": sku, "qty": 2, "unit_price": 0}],
        "expected_total": 255, "placed_at": "2010-12-01T08:26:00Z", "customer": customer.customer, "campaigns": "none", "reference": reference,
    }
    order = ok(shop.sk.request("POST", "/v1/orders", body, idempotency=unique("o")), 201)
    assert order["total"] == 255 and order["placed_at"].startswith("2010-12-01T08:26:00") and order["reference"] == reference
    assert order["customer"] == customer.customer and order["campaigns"] == []
    found = ok(shop.sk.request("GET", f"/v1/orders?reference={reference}"), 200)["items"]
    assert [o["id"] for o in found] == [order["id"]]
    # An old sale is not an unpaid order that is long overdue.
    assert shop.pay(order)["state"] == "paid"


@pytest.mark.parametrize(
    "more, field",
    [
        ({"customer": "someone"}, "/customer"),
        ({"reference": "INV-1"}, "/reference"),
        ({"placed_at": "2010-12-01T08:26:00Z"}, "/placed_at"),
        ({"campaigns": "none"}, "/campaigns"),
        ({"unit_price": 1}, "/lines/0/unit_price"),
    ],
)
@pytest.mark.parametrize("caller", ["pk", "ct"])
def test_what_only_a_server_may_say_is_refused_from_others(shop, caller, more, field):
    sku = shop.product(price=1000)
    client = shop.pk if caller == "pk" else shop.customer()
    line = {"sku": sku, "qty": 1, **({"unit_price": 1} if "unit_price" in more else {})}
    body = {"lines": [line], "expected_total": 1000, **{k: v for k, v in more.items() if k != "unit_price"}}
    before = shop.state()
    problem(client.request("POST", "/v1/orders", body, idempotency=unique("o")), 403, field=field)
    assert shop.state() == before


WRONG = [
    ({"lines": None}, "/quote_token"),
    ({"expected_total": None}, "/expected_total"),
    ({"expected_total": "1000"}, "/expected_total"),
    ({"expected_total": 1000.5}, "/expected_total"),
    ({"expected_total": -1}, "/expected_total"),
    ({"total": 1}, "/total"),
    ({"discount": 999}, "/discount"),
    ({"state": "paid"}, "/state"),
    ({"paid": 1000}, "/paid"),
    ({"contact": "Ada"}, "/contact"),
    ({"contact": {"name": 1}}, "/contact/name"),
    ({"address": {"line1": "x", "city": "y", "country": "United Kingdom"}}, "/address/country"),
    ({"address": {"city": "y", "country": "GB"}}, "/address/line1"),
    ({"address": {**ADDRESS, "line1": "x" * 10001}}, "/address/line1"),
    ({"note": 5}, "/note"),
    ({"note": "x" * 100001}, "/note"),
    ({"quote_token": 5}, "/quote_token"),
]


@pytest.mark.parametrize("change, field", WRONG, ids=[f"{i}{field.replace('/', '-')}" for i, (_, field) in enumerate(WRONG)])
def test_a_wrong_order_is_refused_by_field_and_changes_nothing(shop, change, field):
    sku = shop.product(price=1000)
    body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000, **change}
    # None takes a member away.
    body = {k: v for k, v in body.items() if not (k in change and v is None)}
    before = shop.state()
    problem(shop.pk.request("POST", "/v1/orders", body, idempotency=unique("o")), 422, field=field)
    assert shop.state() == before


def test_a_wrong_time_is_refused(shop):
    sku = shop.product(price=1000)
    for at in ("yesterday", "2010-12-01", "2010-12-01T08:26:00", "2010-13-01T08:26:00Z", "2010-02-30T08:26:00Z", 1291191960, "9999999-01-01T00:00:00Z"):
        body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000, "placed_at": at}
        problem(shop.sk.request("POST", "/v1/orders", body, idempotency=unique("o")), 422, field="/placed_at")


def test_orders_are_listed_by_customer_state_and_cursor(shop):
    customer = shop.customer()
    sku = shop.product(stock=100)
    placed = [shop.place({sku: 1}, by=customer) for _ in range(5)]
    shop.pay(placed[0], by=customer)
    mine, cursor = [], None
    while True:
        page = ok(customer.request("GET", "/v1/orders?limit=2" + (f"&cursor={cursor}" if cursor else "")), 200)
        mine += [o["id"] for o in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert sorted(mine) == sorted(o["id"] for o in placed)
    paid = ok(shop.sk.request("GET", f"/v1/orders?customer={customer.customer}&state=paid"), 200)["items"]
    assert [o["id"] for o in paid] == [placed[0]["id"]]
    problem(shop.sk.request("GET", "/v1/orders?state=lost"), 422, field="state")


# --- whose order is it -------------------------------------------------------------------------------------------------
def attempts(order):
    base = f"/v1/orders/{order['id']}"
    return [
        ("GET", base, None),
        ("POST", f"{base}/payments", {"provider": "test"}),
        ("POST", f"{base}/cancel", {}),
        ("POST", f"{base}/refunds", {}),
    ]


@pytest.mark.parametrize("state", ["placed", "paid", "cancelled"])
@pytest.mark.parametrize("owner", ["customer", "guest"])
def test_an_order_of_another_is_not_there(shop, owner, state):
    alice, bob = shop.customer(), shop.customer()
    by = alice if owner == "customer" else shop.pk
    order = shop.place({shop.product(): 1}, by=by)
    if state == "paid":
        shop.pay(order)
    if state == "cancelled":
        ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("c")), 200)
    before = shop.state()
    for method, target, body in attempts(order):
        for client in (bob, shop.pk):
            answer = client.request(method, target, body, idempotency=unique("i") if method == "POST" else None)
            # A storefront or customer may not refund at all, whoever owns the order: 403 tells him nothing about it.
            missing = client.request(method, target.replace(order["id"], "ord_00000000000000000000000000"), body, idempotency=unique("i") if method == "POST" else None)
            assert answer.status == missing.status and answer.status in (403, 404), (method, target, answer)
            if not (client is shop.pk or target.endswith("refunds")):
                problem(answer, 404)
    assert ok(bob.request("GET", "/v1/orders"), 200)["items"] == []
    answer = bob.request("GET", f"/v1/orders?customer={alice.customer}")
    assert answer.status in (403, 404) or answer.json()["items"] == [], answer
    assert shop.state() == before


def test_nobody_gets_nothing(shop):
    order = shop.place({shop.product(): 1})
    nobody = shop.client("")
    for method, target, body in [*attempts(order), ("GET", "/v1/orders", None), ("GET", "/v1/products", None), ("POST", "/v1/quotes", {"lines": []})]:
        problem(nobody.request(method, target, body, idempotency=unique("i")), 401)


@pytest.mark.parametrize("bad", ["ord_", "ord_x", "x", "ord_" + "0" * 26, "ord_" + "Z" * 26, "ord_%00", "ord_" + "a" * 300])
def test_an_id_that_never_was_is_404(shop, bad):
    answer = shop.sk.request("GET", f"/v1/orders/{bad}")
    assert answer.status in ((400, 404) if "%00" in bad else (404,)), answer
