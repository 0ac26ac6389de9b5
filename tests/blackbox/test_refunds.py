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
        ({"amount": 0}, 422, "/amount"),
        ({"amount": -1}, 422, "/amount"),
        ({"amount": "1.00"}, 422, "/amount"),
        ({"amount": 2001}, 409, "/amount"),
        ({"amount": 2**63 - 1}, 409, "/amount"),
        ({"amount": 1, "lines": [{"line": 1, "qty": 2}]}, 409, "/amount"),
        ({"lines": [{"line": 1, "amount": 0}]}, 422, "/lines/0/amount"),
        ({"lines": [{"line": 1, "amount": 2001}]}, 409, "/lines/0/amount"),
        ({"lines": [{"line": 1, "amount": 1000}, {"line": 1, "amount": 1001}]}, 409, "/lines/1/amount"),
        ({"lines": [{"line": 1, "amount": 1}, {"line": 1, "qty": 2}]}, 409, "/lines/0/amount"),
        ({"lines": [{"line": 1, "qty": 1, "amount": 100}]}, 422, "/lines/0/amount"),
        ({"lines": [{"line": 3, "amount": 100}]}, 422, "/lines/0/line"),
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


def parts(answer):
    return {part["line"]: (part["qty"], part["amount"]) for part in ok(answer, 201)["refunds"][-1]["lines"]}


def test_an_amount_of_a_line_comes_off_the_units_that_are_left(shop):
    sku = shop.product(price=1000, stock=10)
    order = shop.paid_order({sku: 4})
    assert parts(shop.refund(order, lines=[{"line": 1, "qty": 1}])) == {1: (1, 1000)}
    assert parts(shop.refund(order, lines=[{"line": 1, "amount": 500}], reason="a scratch")) == {1: (0, 500)}
    assert shop.available(sku)["available"] == 7  # money alone brings no goods back
    # 2500 are left of three units.
    assert parts(shop.refund(order, lines=[{"line": 1, "qty": 1}])) == {1: (1, 833)}
    assert parts(shop.refund(order, lines=[{"line": 1, "qty": 1}])) == {1: (1, 834)}
    after = ok(shop.refund(order), 201)
    assert after["refunds"][-1]["amount"] == 833 and after["refunded"] == after["paid"] == 4000
    assert shop.available(sku)["available"] == 10
    problem(shop.refund(order, lines=[{"line": 1, "amount": 1}]), 409, "refund_exceeds")


def test_goodwill_is_spread_over_the_lines_and_then_taken_from_the_shipping(shop):
    dear, cheap = shop.product(price=3000), shop.product(price=1000)
    order = shop.paid_order([{"sku": dear, "qty": 1}, {"sku": cheap, "qty": 1}], shipping={"option": "standard", "region": "GB"})
    assert parts(shop.refund(order, amount=401)) == {1: (0, 301), 2: (0, 100)}
    assert parts(shop.refund(order, lines=[{"line": 2, "qty": 1}])) == {2: (1, 900)}
    after = ok(shop.refund(order, amount=2699 + 95), 201)
    assert after["refunds"][-1]["shipping"] == 95 and after["lines"][0]["refunded"] == 3000
    after = ok(shop.refund(order, shipping=True), 201)
    assert after["refunds"][-1]["shipping"] == 400 and after["refunded"] == after["paid"]
    # Money is back, the dear one is not: it can still be put on the shelf again.
    after = ok(shop.refund(order), 201)
    assert after["refunds"][-1]["amount"] == 0 and shop.available(dear)["available"] == 10


def test_all_kinds_in_one_refund_whatever_their_order(shop):
    sku, other = shop.product(price=1000), shop.product(price=500)
    body = [{"line": 1, "amount": 100}, {"line": 1, "qty": 1}, {"line": 2, "qty": 1}]
    orders = [shop.paid_order([{"sku": sku, "qty": 2}, {"sku": other, "qty": 2}]) for _ in range(2)]
    one, two = (parts(shop.refund(o, lines=lines, amount=70)) for o, lines in zip(orders, (body, body[::-1])))
    # A unit of each, 100 of line 1, then 70 over 900 and 500.
    assert one == two == {1: (1, 1000 + 100 + 45), 2: (1, 500 + 25)}


def test_tax_goes_back_in_proportion_and_whole_in_the_end(own_shop):
    shop = own_shop(settings={"tax": '{ prices = "exclude", rates = { { title = "VAT", percent = 20 } } }'})
    order = shop.paid_order({shop.product(price=333): 3})
    assert (order["lines"][0]["tax"], order["lines"][0]["payable"], order["paid"]) == (200, 1199, 1199)
    taxes = [ok(shop.refund(order, **what), 201)["refunds"][-1]["lines"][0]["tax"]
             for what in ({"amount": 100}, {"lines": [{"line": 1, "qty": 2}]}, {"lines": [{"line": 1, "amount": 1}]}, {})]
    assert sum(taxes) == 200 and taxes[0] == 17 and taxes[2] == 0
