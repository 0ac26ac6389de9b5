"""The last piece is sold once; what is not paid in time is sold again."""

import threading
import time

from market import ok, problem, unique

BUYERS = 50
ROUNDS = 10


def test_the_last_item_is_sold_once(shop):
    clients = [shop.client(shop.pk.key) for _ in range(BUYERS)]
    for _ in range(ROUNDS):
        sku = shop.product(stock=1)
        answers = []
        gate = threading.Barrier(BUYERS)

        def buy(client, sku=sku, answers=answers, gate=gate):
            gate.wait()
            answers.append(client.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}, idempotency=unique("race")))

        threads = [threading.Thread(target=buy, args=(client,)) for client in clients]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        statuses = sorted(a.status for a in answers)
        assert statuses == [201] + [409] * (BUYERS - 1), statuses
        assert shop.available(sku) == {"on_hand": 1, "held": 1, "available": 0}


def test_racing_refunds_give_back_no_more_than_was_paid(shop):
    order = shop.paid_order({shop.product(price=999, stock=100): 10})
    answers = []
    gate = threading.Barrier(20)

    def refund(client):
        gate.wait()
        answers.append(client.request("POST", f"/v1/orders/{order['id']}/refunds", {"lines": [{"line": 1, "qty": 1}]}, idempotency=unique("race")))

    threads = [threading.Thread(target=refund, args=(shop.client(shop.sk.key),)) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(a.status for a in answers) == [201] * 10 + [409] * 10
    assert ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)["refunded"] == 9990


def test_paying_and_cancelling_at_once_ends_as_one_of_them(shop):
    for _ in range(5):
        sku = shop.product(stock=1)
        order = shop.place({sku: 1})
        answers = {}
        gate = threading.Barrier(2)

        def send(what, client, body, order=order, answers=answers, gate=gate):
            gate.wait()
            answers[what] = client.request("POST", f"/v1/orders/{order['id']}/{what}", body, idempotency=unique("race"))

        threads = [
            threading.Thread(target=send, args=("payments", shop.client(shop.sk.key), {"provider": "test"})),
            threading.Thread(target=send, args=("cancel", shop.client(shop.sk.key), {})),
        ]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        after = ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)
        assert after["state"] == "cancelled" and after["paid"] == after["refunded"], "paid money is fulfilled or refunded"
        assert answers["cancel"].status == 200 and answers["payments"].status in (201, 409)
        assert shop.available(sku)["available"] == 1


def wait_for(what, seconds=15):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_an_unpaid_order_expires_and_its_stock_is_free(own_shop):
    shop = own_shop(settings={"pay_within": '"1s"'})
    sku = shop.product(stock=1)
    order = shop.place({sku: 1})
    problem(shop.pk.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}, idempotency=unique("o")), 409)
    wait_for(lambda: ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)["state"] == "expired")
    assert shop.available(sku) == {"on_hand": 1, "held": 0, "available": 1}
    problem(shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "test"}, idempotency=unique("p")), 409)
    paid = shop.pay(shop.place({sku: 1}))
    time.sleep(1.5)
    assert ok(shop.sk.request("GET", f"/v1/orders/{paid['id']}"), 200)["state"] == "paid", "what is paid does not expire"


def test_an_order_that_came_due_while_the_server_was_down_expires_at_the_start(own_shop):
    shop = own_shop(settings={"pay_within": '"1s"'})
    sku = shop.product(stock=1)
    order = shop.place({sku: 1})
    shop.server.kill()
    time.sleep(1.2)
    shop.server.start()
    wait_for(lambda: ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)["state"] == "expired")
    assert shop.available(sku)["available"] == 1
