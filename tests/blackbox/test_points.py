"""The plugin points, which ships with the program: its specs, races for the same points, and what a kill leaves."""

import contextlib
import pathlib
import random
import shutil
import sqlite3
import threading
import time

import pytest
from feira_tools.wire import NoAnswer
from market import feira, ok, open_shop, unique

PLUGIN = pathlib.Path(__file__).resolve().parents[2] / "plugins" / "points"
AT = "/v1/x/points"
SETTINGS = '{ points = { earn_on = "paid", max_share = 100, sign_in = 7 } }'


@pytest.fixture
def open_points(tmp_path):
    shutil.copytree(PLUGIN, tmp_path / "plugins" / "points", ignore=shutil.ignore_patterns("test"))
    with contextlib.ExitStack() as stack:
        yield lambda settings=SETTINGS, **more: stack.enter_context(open_shop(tmp_path, settings={"plugins": settings, **more}))


@pytest.fixture
def shop(open_points):
    return open_points()


def at_once(jobs):
    gate, answers = threading.Barrier(len(jobs)), [None] * len(jobs)

    def run(i):
        gate.wait()
        answers[i] = jobs[i]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(jobs))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def give(shop, customer, points, id=None):
    body = {"id": id or unique("adjust"), "points": points, "reason": "a test"}
    return shop.operator.request("POST", f"{AT}/customers/{customer}/adjustments", body)


def balance(shop, customer):
    return ok(shop.sk.request("GET", f"{AT}/customers/{customer}"), 200)["balance"]


def spend(client, order, points):
    return client.request("POST", f"{AT}/orders/{order['id']}/spend", {"points": points})


def consistent(shop):
    """All points that are out are in somebody's account, and each account is what is left of its customer's lots."""
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
        accounts = dict(db.execute("SELECT name, credits_posted - debits_posted FROM ledger_accounts WHERE name LIKE 'points/%'"))
        table, = (name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%points%lots%'"))
        lots = dict(db.execute(f'SELECT customer, sum("left") FROM "{table}" GROUP BY customer'))
    assert sum(accounts.values()) == 0
    of = {name.removeprefix("points/of/"): value for name, value in accounts.items() if name.startswith("points/of/")}
    assert of == {**dict.fromkeys(of, 0), **lots}
    return accounts


def test_the_same_points_pay_one_order_whoever_is_first(shop):
    ann, sku = shop.customer(), shop.product(stock=100)
    ok(give(shop, ann.customer, 1000), 201)
    orders = [shop.place({sku: 1}, by=ann) for _ in range(12)]
    token = ann.key
    clients = [shop.client(token) for _ in orders]
    answers = at_once([lambda c=c, o=o: spend(c, o, 400) for c, o in zip(clients, orders)])
    statuses = [a.status for a in answers]
    assert sorted(statuses) == [201] * 2 + [409] * 10
    assert balance(shop, ann.customer) == 200
    paid = [ok(shop.sk.request("GET", f"/v1/orders/{o['id']}"), 200)["paid"] for o in orders]
    assert sorted(paid) == [0] * 10 + [400] * 2
    consistent(shop)


def test_one_order_takes_them_once_however_often_it_is_asked(shop):
    ann, sku = shop.customer(), shop.product()
    ok(give(shop, ann.customer, 1000), 201)
    order = shop.place({sku: 1}, by=ann)
    clients = [shop.client(ann.key) for _ in range(8)]
    answers = at_once([lambda c=c: spend(c, order, 300) for c in clients])
    assert {a.status for a in answers} == {201}
    assert balance(shop, ann.customer) == 700


def test_a_day_has_one_sign_in_and_an_adjustment_one_effect(shop):
    ann = shop.customer()
    clients = [shop.client(ann.key) for _ in range(8)]
    answers = at_once([lambda c=c: c.request("POST", f"{AT}/sign-ins", {}) for c in clients])
    assert sorted(a.status for a in answers) in ([200] * 7 + [201], [200] * 6 + [201] * 2)  # midnight may be in between
    signed = sum(7 for a in answers if a.status == 201)
    answers = at_once([lambda: give(shop, ann.customer, 50, "once") for _ in range(6)])
    assert {a.status for a in answers} == {201}
    assert balance(shop, ann.customer) == signed + 50
    consistent(shop)


def test_cancelling_and_paying_at_once_gives_them_back_or_not_and_never_both(shop):
    ann, sku = shop.customer(), shop.product(stock=100)
    ok(give(shop, ann.customer, 5000), 201)
    has = 5000
    for _ in range(10):
        order = shop.place({sku: 1}, by=ann)
        ok(spend(ann, order, 500), 201)
        payer, canceller = shop.client(shop.server.keys()["sk"]), shop.client(ann.key)
        at_once([
            lambda: payer.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "test"}, idempotency=unique("pay")),
            lambda: canceller.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("cancel")),
        ])
        state = ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)["state"]
        assert state in ("paid", "cancelled")
        has += 5 - 500 if state == "paid" else 0  # 5.00 were paid in money
        assert balance(shop, ann.customer) == has
    consistent(shop)


def test_bought_spent_and_refunded_leaves_a_debt_and_no_free_money(shop):
    ann, sku, dear = shop.customer(), shop.product(), shop.product(price=100000)
    first = shop.paid_order({dear: 1}, by=ann)
    assert balance(shop, ann.customer) == 1000
    second = shop.place({sku: 1}, by=ann)
    ok(spend(ann, second, 1000), 201)
    ok(shop.refund(first), 201)
    assert balance(shop, ann.customer) == -1000
    ok(give(shop, ann.customer, 400), 201)
    third = shop.place({sku: 1}, by=ann)
    assert spend(ann, third, 1).status == 409
    ok(shop.refund(second), 201)
    assert balance(shop, ann.customer) == 400
    assert consistent(shop)[f"points/owed/{ann.customer}"] == 0


def test_a_kill_loses_nothing_and_what_expired_meanwhile_is_gone_afterwards(open_points):
    settings = '{ points = { max_share = 100, valid = "1h" } }'
    shop = open_points(settings, pay_within='"3s"')
    ann, sku = shop.customer(), shop.product()
    ok(give(shop, ann.customer, 900, "x"), 201)
    order = shop.place({sku: 1}, by=ann)
    ok(spend(ann, order, 300), 201)
    shop.server.kill()
    shop.hang_up()
    time.sleep(3)
    shop.server.start()
    end = time.monotonic() + 10
    while balance(shop, ann.customer) != 900 and time.monotonic() < end:
        time.sleep(0.1)
    assert ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)["state"] == "expired"
    ok(give(shop, ann.customer, 900, "x"), 201)
    assert balance(shop, ann.customer) == 900
    items = ok(shop.sk.request("GET", f"{AT}/customers/{ann.customer}/statement"), 200)["items"]
    assert [(i["kind"], i["points"]) for i in items] == [("adjusted", 900), ("spent", -300), ("returned", 300)]
    consistent(shop)
    doctor = feira("doctor", shop.folder)
    assert doctor.returncode == 0, doctor.stdout


def buy_for_ever(shop, customer, sku, stop):
    """Places, spends, pays, cancels and refunds until the server is gone; what was not answered may have happened or not."""
    client, draw = shop.client(shop.server.keys()["sk"]), random.Random(customer.customer)
    with contextlib.suppress(NoAnswer, OSError):
        while not stop.is_set():
            order = shop.place({sku: draw.randint(1, 3)}, by=customer)
            spend(customer, order, draw.randint(1, 500))
            then = draw.choice(["cancel", "payments", "payments", "refunds", ""])
            if then in ("payments", "refunds"):
                client.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "test"}, idempotency=unique("pay"))
            if then == "refunds":
                client.request("POST", f"/v1/orders/{order['id']}/refunds", {"amount": draw.randint(1, 900)}, idempotency=unique("refund"))
            if then == "cancel":
                client.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("cancel"))


def test_killed_in_the_middle_and_all_given_back_there_is_what_was_given(shop):
    sku, names = shop.product(stock=100000), [unique("buyer") for _ in range(4)]
    for name in names:
        shop.customer(name)
        ok(give(shop, name, 3000, "first"), 201)
    for _ in range(3):
        stop = threading.Event()
        buyers = [threading.Thread(target=buy_for_ever, args=(shop, shop.customer(name), sku, stop)) for name in names]
        for b in buyers:
            b.start()
        time.sleep(0.7)
        shop.server.kill()
        stop.set()
        for b in buyers:
            b.join()
        shop.hang_up()
        shop.server.start()
        consistent(shop)
    seen = 0
    for name in names:
        cursor = ""
        while cursor is not None:
            listed = ok(shop.sk.request("GET", f"/v1/orders?customer={name}&limit=100{cursor}"), 200)
            for order in listed["items"]:
                seen += 1
                if order["state"] == "placed":
                    ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("cancel")), 200)
                elif order["refunded"] < order["paid"]:
                    ok(shop.refund(order), 201)
            cursor = f"&cursor={listed['next_cursor']}" if listed.get("next_cursor") else None
        assert balance(shop, name) == 3000
    assert seen > 50
    consistent(shop)
