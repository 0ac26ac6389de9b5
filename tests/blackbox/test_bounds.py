"""As much as is promised is possible, and what is more is refused with a sentence, never with a fault."""

import json

import pytest
from market import ok, problem, unique

LINES_MAX = 2000


@pytest.fixture(scope="module")
def many(shop):
    """As many products as an order can have lines."""
    prefix = unique("many")
    products = [{"sku": f"{prefix}-{i}", "title": "One of many", "price": 3, "stock": 50} for i in range(LINES_MAX)]
    ok(shop.sk.request("POST", "/v1/products/import", {"products": products}), 200)
    return [p["sku"] for p in products]


def big_order(shop, many, qty=2):
    lines = [{"sku": sku, "qty": qty} for sku in many]
    return shop.pay(shop.place(lines, expected_total=3 * qty * len(lines)))


def test_the_largest_order_is_refunded_by_line_and_then_whole(shop, many):
    order = big_order(shop, many)
    half = ok(shop.refund(order, lines=[{"line": n + 1, "qty": 1} for n in range(LINES_MAX)]), 201)
    assert half["refunded"] == 3 * LINES_MAX
    whole = ok(shop.refund(order), 201)
    assert whole["refunded"] == whole["paid"]
    assert shop.available(many[-1]) == {"on_hand": 50, "held": 0, "available": 50}


def test_the_largest_order_is_sent_whole_and_comes_back(shop, many):
    order = big_order(shop, many)
    path = f"/v1/orders/{order['id']}/fulfilments"
    first = ok(shop.sk.request("POST", path, {"lines": [{"line": n + 1, "qty": 1} for n in range(LINES_MAX)]}, idempotency=unique("f")), 201)
    assert len(first["fulfilments"][0]["lines"]) == LINES_MAX and first["state"] == "fulfilling"
    assert ok(shop.sk.request("POST", path, {}, idempotency=unique("f")), 201)["state"] == "fulfilled"
    assert ok(shop.refund(order, lines=[{"line": n + 1, "amount": 1} for n in range(LINES_MAX)]), 201)["refunded"] == LINES_MAX
    assert ok(shop.refund(order, amount=LINES_MAX + 1), 201)["refunded"] == 2 * LINES_MAX + 1
    whole = ok(shop.refund(order), 201)
    assert whole["refunded"] == whole["paid"] and shop.available(many[-1])["available"] == 50


def test_the_largest_checkout_is_kept_and_completed(shop, many):
    lines = [{"sku": sku, "qty": 1} for sku in many]
    checkout = ok(shop.pk.request("POST", "/v1/checkouts", {"lines": lines}), 201)
    checkout = ok(shop.pk.request("PATCH", f"/v1/checkouts/{checkout['id']}", {"lines": lines[::-1], "note": "x" * 2000}), 200)
    assert len(checkout["lines"]) == LINES_MAX and checkout["quote"]["total"] == 3 * LINES_MAX
    order = ok(shop.pk.request("POST", f"/v1/checkouts/{checkout['id']}/complete", {"quote_token": checkout["quote"]["token"]}), 201)
    assert len(order["lines"]) == LINES_MAX
    ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("c")), 200)


def test_the_largest_order_is_cancelled_whole(shop, many):
    order = big_order(shop, many)
    gone = ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("c")), 200)
    assert gone["state"] == "cancelled" and gone["refunded"] == gone["paid"]
    assert shop.available(many[0])["available"] == 50


def test_a_page_of_large_orders_ends_early_and_says_where_to_go_on(shop, many):
    name = shop.customer().customer
    placed = []
    for _ in range(7):
        lines = [{"sku": sku, "qty": 1} for sku in many]
        order = shop.pay(shop.place(lines, customer=name, expected_total=3 * LINES_MAX))
        ok(shop.refund(order), 201)
        placed.append(order["id"])
    seen, cursor, pages = [], "", 0
    while cursor is not None:
        page = ok(shop.sk.request("GET", f"/v1/orders?customer={name}&limit=200{cursor and '&cursor=' + cursor}"), 200)
        assert page["items"], "a page has one at least"
        seen += [o["id"] for o in page["items"]]
        cursor = page["next_cursor"]
        pages += 1
    assert seen == placed[::-1] and pages > 1


def test_ten_thousand_changes_of_stock_at_once(shop):
    sku = shop.product(stock=0)
    changes = [{"sku": sku, "delta": 1, "reason": "count"}] * 10000
    ok(shop.sk.request("POST", "/v1/stock", {"changes": changes}, idempotency=unique("s")), 200)
    assert shop.available(sku)["on_hand"] == 10000


def test_a_catalogue_as_large_as_a_body_is_imported_at_once(shop):
    prefix = unique("cat")
    products = [{"sku": f"{prefix}-{i}", "title": "From a catalogue", "price": i, "stock": 1} for i in range(9000)]
    assert len(json.dumps(products)) < 1 << 20
    assert ok(shop.sk.request("POST", "/v1/products/import", {"products": products}), 200) == {"created": 9000, "updated": 0}


def test_more_than_one_request_can_carry_is_refused_and_changes_nothing(shop):
    prefix = unique("heap")
    products = [{"sku": f"{prefix}-{i}", "title": "x" * 300, "price": i} for i in range(150000)]
    problem(shop.operator.request("POST", "/v1/products/import", {"products": products}), 413, "too_much_at_once")
    problem(shop.sk.request("GET", f"/v1/products/{prefix}-0"), 404)


def test_no_order_is_so_large_that_nobody_could_pay_after_it(shop):
    sku = shop.product(price=10**15, stock=9000)
    lines = [{"sku": sku, "qty": 9000}]
    problem(shop.sk.request("POST", "/v1/orders", {"lines": lines, "expected_total": 9 * 10**18}, idempotency=unique("o")), 422, "invalid", "/lines")
    assert shop.available(sku)["held"] == 0
    shop.paid_order({sku: 1})
    shop.paid_order({shop.product(): 1})


def test_lengths_are_counted_in_characters(shop):
    sku = "%E8%8C%B6" * 64
    body = {"title": "茶" * 300, "price": 1, "category": "茶" * 200, "brand": "茶" * 100, "description": "茶" * 20000}
    ok(shop.sk.request("PUT", f"/v1/products/{sku}", body), 200, 201)
    shop.stock("茶" * 64, 3, "m" * 40)
    order = shop.place({"茶" * 64: 1}, note="茶" * 2000, reference="茶" * 64)
    assert order["note"] == "茶" * 2000
    problem(shop.sk.request("PUT", "/v1/products/" + "%F0%9D%84%9E" * 64, body), 422, "invalid", "sku")
    problem(shop.sk.request("PUT", "/v1/products/" + "a" * 65, body), 422, "invalid", "sku")


@pytest.mark.parametrize("limit", ["0x10", "1e2", "%205", "5.0", "+5", "", "0", "201", "9" * 30])
def test_a_limit_is_digits(shop, limit):
    problem(shop.pk.request("GET", f"/v1/products?limit={limit}"), 422, "invalid", "limit")


def test_one_change_of_stock_or_a_list_but_not_both(shop):
    sku = shop.product(stock=0)
    one = {"sku": sku, "delta": 1, "reason": "count"}
    problem(shop.sk.request("POST", "/v1/stock", {**one, "changes": [one]}, idempotency=unique("s")), 422, "invalid", "/sku")
    assert shop.available(sku)["on_hand"] == 0


@pytest.mark.parametrize("name", ["Authorization", "Idempotency-Key", "Content-Type"])
def test_two_answers_to_one_question_are_refused(shop, name):
    """Taking the first of two would be a guess, and a proxy may guess otherwise."""
    values = {"Authorization": f"Bearer {shop.sk.key}", "Idempotency-Key": unique("o"), "Content-Type": "application/json"}
    body = {"lines": [{"sku": shop.product(), "qty": 1}], "expected_total": 1000}
    client = shop.client("")
    ok(client.request("POST", "/v1/orders", body, headers=list(values.items())), 201)
    document = problem(client.request("POST", "/v1/orders", body, headers=[*values.items(), (name, "other")]), 400)
    assert name in document["detail"]


@pytest.mark.parametrize("key", ["", "a" * 256, "é", "a\tb"])
def test_a_key_that_is_none_is_called_invalid(shop, key):
    body = {"lines": [{"sku": shop.product(), "qty": 1}], "expected_total": 1000}
    problem(shop.sk.request("POST", "/v1/orders", body, idempotency=key), 400, "idempotency_key_invalid", "Idempotency-Key")


def test_a_list_of_products_with_very_many_variants_ends_early(own_shop):
    """None is in stock, so each has to be looked at to know that."""
    shop = own_shop()
    parents = [{"sku": f"P{i}", "title": "Many sizes", "price": 1} for i in range(150)]
    ok(shop.sk.request("POST", "/v1/products/import", {"products": parents}), 200)
    for i in range(0, 150, 50):
        variants = [{"sku": f"P{j}-{n}", "price": 1, "variant_of": f"P{j}"} for j in range(i, i + 50) for n in range(200)]
        ok(shop.sk.request("POST", "/v1/products/import", {"products": variants}), 200)
    seen, cursor = [], ""
    while len(seen) < 150:
        page = ok(shop.pk.request("GET", f"/v1/products?limit=200{cursor}"), 200)
        assert page["items"] and not any(p["available"] for p in page["items"])
        seen += [p["sku"] for p in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert seen[:150] == [p["sku"] for p in parents]
