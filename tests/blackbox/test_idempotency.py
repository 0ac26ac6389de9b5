"""A mutating request may be sent again: it is done once, and answered the same."""

import threading

import pytest
from market import ok, problem, unique


def test_the_same_request_gets_the_same_answer_byte_for_byte(shop):
    sku = shop.product(stock=5)
    body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}
    key = unique("same")
    first = shop.pk.request("POST", "/v1/orders", body, idempotency=key)
    assert first.status == 201 and "idempotency-replayed" not in first.headers
    before = shop.state()
    for _ in range(3):
        again = shop.client(shop.pk.key).request("POST", "/v1/orders", body, idempotency=key)
        assert again.status == 201 and again.body == first.body and again.headers["idempotency-replayed"] == "true"
    assert shop.state() == before and shop.available(sku)["held"] == 1


def test_another_request_under_the_same_key_is_refused(shop):
    sku = shop.product(stock=5)
    key = unique("other")
    body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}
    ok(shop.pk.request("POST", "/v1/orders", body, idempotency=key), 201)
    before = shop.state()
    problem(shop.pk.request("POST", "/v1/orders", {**body, "note": "x"}, idempotency=key), 422, "idempotency_mismatch")
    assert shop.state() == before


def test_keys_of_two_callers_are_two_keys(shop):
    sku = shop.product(stock=5)
    body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}
    alice, bob = shop.customer(), shop.customer()
    ids = {ok(client.request("POST", "/v1/orders", body, idempotency="one and the same"), 201)["id"] for client in (alice, bob)}
    assert len(ids) == 2


@pytest.mark.parametrize("route", ["/v1/orders", "/v1/orders/{order}/payments", "/v1/orders/{order}/cancel", "/v1/orders/{order}/refunds"])
def test_the_routes_that_move_money_need_a_key(shop, route):
    sku = shop.product()
    order = shop.place({sku: 1})
    body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000} if route == "/v1/orders" else {"provider": "test"} if "payments" in route else {}
    before = shop.state()
    problem(shop.sk.request("POST", route.replace("{order}", order["id"]), body), 400, "idempotency_key_required")
    assert shop.state() == before


@pytest.mark.parametrize("key", ["", "x" * 256, "café", "a\tb", " "])
def test_a_key_that_is_not_one_is_refused(shop, key):
    sku = shop.product()
    body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}
    before = shop.state()
    answer = shop.pk.request("POST", "/v1/orders", body, idempotency=key)
    problem(answer, 400)
    assert shop.state() == before


def test_the_longest_key_is_taken(shop):
    sku = shop.product()
    body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}
    ok(shop.pk.request("POST", "/v1/orders", body, idempotency="k" * 255), 201)


def test_a_conflict_is_not_remembered(shop):
    sku = shop.product(stock=0)
    key = unique("later")
    body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}
    problem(shop.pk.request("POST", "/v1/orders", body, idempotency=key), 409, "out_of_stock")
    shop.stock(sku, 1)
    ok(shop.pk.request("POST", "/v1/orders", body, idempotency=key), 201)


def test_optional_keys_work_on_every_mutating_route(shop):
    sku, name, key = unique("OPT"), unique("c"), unique("k")
    for method, target, body in [
        ("PUT", f"/v1/products/{sku}", {"title": "x", "price": 1}),
        ("PATCH", f"/v1/products/{sku}", {"price": 2}),
        ("PUT", f"/v1/customers/{name}", {"name": "x"}),
    ]:
        first = shop.sk.request(method, target, body, idempotency=f"{key}-{method}-{len(target)}")
        again = shop.sk.request(method, target, body, idempotency=f"{key}-{method}-{len(target)}")
        assert first.status in (200, 201) and again.status == first.status and again.body == first.body, target


def test_many_copies_at_once_are_one_order(shop):
    sku = shop.product(stock=50)
    body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}
    for _ in range(10):
        key, answers = unique("copies"), []
        gate = threading.Barrier(16)

        def send(client, key=key, answers=answers, gate=gate):
            gate.wait()
            answers.append(client.request("POST", "/v1/orders", body, idempotency=key))

        threads = [threading.Thread(target=send, args=(shop.client(shop.pk.key),)) for _ in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        done = [a for a in answers if a.status == 201]
        assert done and len({a.body for a in done}) == 1
        assert {a.status for a in answers} <= {201, 409}, [a for a in answers if a.status not in (201, 409)]
    assert shop.available(sku)["held"] == 10


def test_answers_outlive_a_kill(own_shop):
    shop = own_shop()
    sku = shop.product(stock=5)
    body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}
    placed = shop.pk.request("POST", "/v1/orders", body, idempotency="place")
    order = ok(placed, 201)
    paid = shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "test"}, idempotency="pay")
    assert paid.status == 201
    for _ in range(3):
        shop.server.kill()
        shop.server.start()
        again = shop.pk.request("POST", "/v1/orders", body, idempotency="place")
        assert again.status == 201 and again.body == placed.body and again.headers["idempotency-replayed"] == "true"
        again = shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "test"}, idempotency="pay")
        assert again.status == 201 and again.body == paid.body
    assert shop.available(sku) == {"on_hand": 4, "held": 0, "available": 4}
