"""Refunds of parts add up to exactly what was paid, whatever the parts and their order."""

import random

import pytest
from market import ok, problem, unique


def test_parts_add_up_to_the_whole(shop):
    # Three for 10.00 less a tenth of each line: 9.00 over 3 pieces does not divide; the third refund takes the rest.
    sku = shop.product(price=333, stock=10, tags=["sale"])
    order = shop.paid_order({sku: 3})
    total = order["total"]
    back = []
    for n in range(3):
        after = ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
        back.append(after["refunds"][-1]["amount"])
        assert after["lines"][0]["refunded_qty"] == n + 1 and after["refunded"] == sum(back)
    assert sum(back) == total and max(back) - min(back) <= 1
    assert shop.available(sku)["available"] == 10
    problem(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 409, "refund_exceeds")


@pytest.mark.parametrize("seed", range(8))
def test_random_parts_in_random_order_are_exact(shop, seed):
    rng = random.Random(seed)
    lines = [{"sku": shop.product(price=rng.randrange(1, 2000), stock=50, tags=rng.choice([[], ["sale"], ["coded"]])), "qty": rng.randrange(1, 12)} for _ in range(rng.randrange(1, 6))]
    shipping = {"option": "standard", "region": "GB"} if rng.random() < 0.5 else {}
    order = shop.paid_order(lines, by=shop.sk, codes=["WELCOME"], **({"shipping": shipping} if shipping else {}))
    pieces = [(n, 1) for n, line in enumerate(order["lines"], 1) for _ in range(line["qty"])]
    rng.shuffle(pieces)
    given = 0
    while pieces:
        take = {}
        for _ in range(min(len(pieces), rng.randrange(1, 6))):
            n, q = pieces.pop()
            take[n] = take.get(n, 0) + q
        after = ok(shop.refund(order, lines=[{"line": n, "qty": q} for n, q in take.items()]), 201)
        amount = after["refunds"][-1]["amount"]
        given += amount
        assert after["refunded"] == given <= after["paid"]
        assert after["refunds"][-1]["amount"] == sum(part["amount"] for part in after["refunds"][-1]["lines"])
    for line in after["lines"]:
        assert line["refunded"] == line["total"] and line["refunded_qty"] == line["qty"]
    if shipping and order["shipping"]["total"]:
        after = ok(shop.refund(order, shipping=True), 201)
    assert after["refunded"] == order["total"]
    problem(shop.refund(order), 409)


def test_everything_that_is_left(shop):
    sku = shop.product(price=333, stock=10)
    order = shop.paid_order({sku: 7}, shipping={"option": "standard", "region": "GB"})
    ok(shop.refund(order, lines=[{"line": 1, "qty": 2}]), 201)
    after = ok(shop.refund(order, reason="all of it"), 201)
    assert after["refunded"] == order["total"] and after["refunds"][-1]["reason"] == "all of it"
    assert after["refunds"][-1]["shipping"] == order["shipping"]["total"]


def test_stock_comes_back_only_when_it_should(shop):
    sku = shop.product(stock=10)
    order = shop.paid_order({sku: 4})
    ok(shop.refund(order, lines=[{"line": 1, "qty": 1}], restock=False), 201)
    assert shop.available(sku)["on_hand"] == 6
    ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    assert shop.available(sku)["on_hand"] == 7


@pytest.mark.parametrize(
    "body, status, field",
    [
        ({"lines": [{"line": 1, "qty": 3}]}, None, None),
        ({"lines": [{"line": 2, "qty": 1}]}, 422, "/lines/0/line"),
        ({"lines": [{"line": 0, "qty": 1}]}, 422, "/lines/0/line"),
        ({"lines": [{"line": 1, "qty": 0}]}, 422, "/lines/0/qty"),
        ({"lines": [{"line": 1, "qty": -1}]}, 422, "/lines/0/qty"),
        ({"lines": [{"line": 1, "qty": 0.5}]}, 422, "/lines/0/qty"),
        ({"lines": [{"line": 1}]}, 422, "/lines/0/qty"),
        ({"lines": []}, 422, "/lines"),
        ({"amount": 100}, 422, "/amount"),
        ({"lines": [{"line": 1, "qty": 2**62}]}, None, None),
        ({"lines": [{"line": 1, "qty": 1}, {"line": 1, "qty": 2}]}, None, None),
    ],
)
def test_a_wrong_refund_gives_nothing_back(shop, body, status, field):
    order = shop.paid_order({shop.product(): 2})
    before = shop.state()
    answer = shop.refund(order, **body)
    assert answer.status in ((status,) if status else (409, 422)), answer
    problem(answer, answer.status, field=field)
    assert shop.state() == before


def test_only_what_was_paid_can_be_refunded(shop):
    order = shop.place({shop.product(): 2})
    problem(shop.refund(order), 409)


def test_refunds_are_for_servers_with_the_scope(shop):
    customer = shop.customer()
    order = shop.pay(shop.place({shop.product(): 1}, by=customer), by=customer)
    for client in (customer, shop.pk):
        problem(client.request("POST", f"/v1/orders/{order['id']}/refunds", {}, idempotency=unique("r")), 403)
