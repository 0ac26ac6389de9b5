"""Paying through a provider that is a plugin: plugins/test-payments, with the gateway that misbehaves when it is told to. After each test the
gateway's money is the shop's, to the unit."""

import contextlib
import json
import pathlib
import sqlite3
import threading
import time

import pytest
from feira_tools.gateway import HOWS, Gateway
from feira_tools.server import free_port
from feira_tools.wire import Client, NoAnswer
from market import feira, ok, problem, unique

KEY = "the-key-of-the-gateway"
HERE = pathlib.Path(__file__).resolve().parents[2] / "plugins" / "test-payments"


def plugin_at(*ports, names=("test-payments",)):
    """The plugin as it ships, but for the port of its gateway; several under other names are several channels."""
    out = {}
    for name, port in zip(names, ports):
        out[name] = {f.stem: f.read_text().replace(":8421", f":{port}").replace('name = "test-payments"', f'name = "{name}"') for f in HERE.glob("*.lua")}
    return out


class Till:
    """A shop, its gateways, and what a buyer does."""

    def __init__(self, shop, gateways):
        self.shop, self.gateways = shop, gateways
        self.sku = shop.product(price=1000, stock=1000)

    @property
    def gateway(self):
        return self.gateways["test-payments"]

    def place(self, qty=1, **more):
        return self.shop.place({self.sku: qty}, **more)

    def begin(self, order, provider="test-payments", key=None, **more):
        return self.shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": provider, **more}, idempotency=key or unique("pay"))

    def payment(self, order, **more):
        return ok(self.begin(order, **more), 201)["payment"]

    def tell(self, number, provider="test-payments", **more):
        return self.gateways[provider].send(self.shop.server.port, self.gateways[provider].event(number, **more), provider=provider)

    def look(self, order):
        return ok(self.shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)

    def until(self, order, what, seconds=20):
        end = time.monotonic() + seconds
        while True:
            found = self.look(order)
            if what(found):
                return found
            assert time.monotonic() < end, found
            time.sleep(0.05)

    def rows(self, sql, *values):
        with contextlib.closing(sqlite3.connect(f"file:{self.shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
            return db.execute(sql, values).fetchall()

    def settled(self):
        return not self.rows("SELECT 1 FROM refund_parts WHERE state <> 3")

    def check_books(self):
        """Gateway money = shop money, for each provider and currency; and every unit of it is an order's, or went back."""
        for name, gateway in self.gateways.items():
            ours = {}
            for currency, amount in self.rows(
                "SELECT a.unit, a.debits_posted - a.credits_posted FROM ledger_accounts a WHERE a.name = ?1 OR a.name LIKE ?1 || '/%'", f"payments/{name}"
            ):
                ours[currency] = amount
            theirs = {currency: of["kept"] for currency, of in gateway.books().items()}
            assert {k: v for k, v in ours.items() if v} == {k: v for k, v in theirs.items() if v}
        assert self.rows("SELECT name FROM ledger_accounts WHERE name LIKE 'payments-unowned%' AND debits_posted <> credits_posted") == []
        findings = ok(self.shop.operator.request("GET", "/v1/doctor"), 200)
        assert findings["healthy"], [f for f in findings["findings"] if f["level"] == "error"]


@pytest.fixture
def open_till(own_shop, monkeypatch):
    monkeypatch.setenv("FEIRA_SECRET_GATEWAY_KEY", KEY)
    tills = []

    def make(names=("test-payments",), **settings):
        gateways = {name: Gateway(KEY) for name in names}
        ports = [g.port for g in gateways.values()]
        turned_on = ", ".join(f'["{name}"] = {{ key = "GATEWAY_KEY" }}' for name in names)
        options = ["--call-local", "--resolve", ",".join(f"gateway.test-payments.example:{port}:127.0.0.1" for port in ports)]
        shop = own_shop(settings={"plugins": f"{{ {turned_on} }}", **settings}, plugins=plugin_at(*ports, names=names), options=options)
        tills.append(Till(shop, gateways))
        return tills[-1]

    yield make
    for till in tills:
        for gateway in till.gateways.values():
            gateway.close()


@pytest.fixture
def till(open_till):
    return open_till()


def test_a_payment_is_begun_paid_and_told(till):
    order = till.place(2)
    payment = till.payment(order)
    assert payment["state"] == "pending" and payment["provider"] == "test-payments" and payment["amount"] == 2000
    assert payment["client"] == {"pay_url": f"https://gateway.test-payments.example/{payment['id']}"}
    seen = till.look(order)
    assert seen["state"] == "placed" and seen["payments"][0]["state"] == "pending"
    till.gateway.pay(payment["id"])
    status, answer = till.tell(payment["id"])
    assert (status, json.loads(answer)) == (200, {"code": "SUCCESS"})
    seen = till.look(order)
    assert seen["state"] == "paid" and seen["paid"] == 2000
    assert [(p["id"], p["state"], p["amount"]) for p in seen["payments"]] == [(payment["id"], "succeeded", 2000)]
    till.check_books()


def test_a_payment_sent_again_when_nothing_is_owed_any_more_does_not_reach_the_provider(till):
    order, key = till.place(), unique("pay")
    till.gateway.break_["create"] = 1
    problem(till.begin(order, key=key), 503, "provider_failed")
    ok(till.shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("c")), 200)
    problem(till.begin(order, key=key), 409, "order_cancelled")
    assert till.gateway.payments == {}
    till.check_books()


def test_a_payment_sent_again_after_it_was_closed_is_open_again(till):
    order, key = till.place(), unique("pay")
    till.gateway.lose["create"] = 1
    problem(till.begin(order, key=key), 503, "provider_failed")
    number = till.look(order)["payments"][0]["id"]
    closed = {"id": unique("evt"), "type": "payment", "number": number, "state": "closed", "merchant": "m-test", "app": "app-test"}
    assert till.gateway.send(till.shop.server.port, till.gateway.signed(closed))[0] == 200
    assert till.look(order)["payments"][0]["state"] == "closed"
    assert ok(till.begin(order, key=key), 201)["payment"]["id"] == number
    assert till.look(order)["payments"][0]["state"] == "pending"  # so it is asked about, and closed when its time is over
    assert till.rows("SELECT 1 FROM journal_timers WHERE key = ?1", number)
    till.gateway.pay(number)
    assert till.tell(number)[0] == 200
    assert till.look(order)["state"] == "paid"
    till.check_books()


def test_the_same_request_begins_one_payment(till):
    order, key = till.place(), unique("pay")
    till.gateway.lose["create"] = 1
    problem(till.begin(order, key=key), 503, "provider_failed")
    first = ok(till.begin(order, key=key), 201)["payment"]
    again = till.begin(order, key=key)
    assert again.headers["idempotency-replayed"] == "true" and ok(again, 201)["payment"] == first
    assert list(till.gateway.payments) == [first["id"]]
    assert [p["id"] for p in till.look(order)["payments"]] == [first["id"]]


def test_a_refused_payment_can_be_sent_again_or_paid_otherwise(till):
    order, key = till.place(), unique("pay")
    till.gateway.deny["create"] = 1
    problem(till.begin(order, key=key), 409, "payment_refused")
    assert till.look(order)["payments"][0]["state"] == "failed"
    assert till.payment(order, key=key)["state"] == "pending"
    paid = till.shop.pay(order)
    assert paid["state"] == "paid"
    till.until(order, lambda o: all(p["state"] in ("succeeded", "closed") for p in o["payments"]))
    till.check_books()


@pytest.mark.parametrize("how", HOWS)
def test_a_bad_event_changes_nothing(till, how):
    order = till.place()
    payment = till.payment(order)
    till.gateway.pay(payment["id"])
    status, answer = till.tell(payment["id"], how=how)
    assert status == {"unknown_number": 404}.get(how, 422 if how.startswith("wrong_") else 401)
    assert json.loads(answer)["code"] == "FAIL"
    if how.startswith("wrong_"):  # the gateway is asked, and knows better than its event
        assert till.until(order, lambda o: o["state"] == "paid")["paid"] == 1000
    else:
        assert till.look(order)["state"] == "placed"
        assert till.tell(payment["id"])[0] == 200
        assert till.look(order)["state"] == "paid"
    till.check_books()


def test_an_event_told_many_times_at_once_has_one_effect(till):
    order = till.place()
    payment = till.payment(order)
    till.gateway.pay(payment["id"])
    same = till.gateway.event(payment["id"])
    others = [till.gateway.event(payment["id"]) for _ in range(5)]
    statuses = []

    def tell(message):
        statuses.append(till.gateway.send(till.shop.server.port, message)[0])

    threads = [threading.Thread(target=tell, args=(m,)) for m in [same] * 15 + others * 3]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert statuses == [200] * 30
    assert till.look(order)["paid"] == 1000
    assert till.rows("SELECT count(*) FROM payments") == [(1,)]
    till.check_books()


def test_money_of_another_amount_goes_back(till):
    order = till.place()
    payment = till.payment(order)
    till.gateway.pay(payment["id"], amount=999)
    assert till.tell(payment["id"])[0] == 422
    seen = till.until(order, lambda o: o["payments"][0].get("given_back", {}).get("state") == "succeeded")
    assert seen["state"] == "placed" and seen["paid"] == 0
    assert seen["payments"][0]["amount"] == 999 and seen["payments"][0]["given_back"]["reason"] == "mismatched"
    assert till.shop.pay(order)["state"] == "paid"
    till.check_books()


def test_money_of_another_currency_goes_back_in_it(till):
    order = till.place()
    payment = till.payment(order)
    till.gateway.pay(payment["id"], currency="USD")
    assert till.tell(payment["id"])[0] == 422
    till.until(order, lambda o: o["payments"][0].get("given_back", {}).get("state") == "succeeded")
    assert till.gateway.books()["USD"] == {"taken": 1000, "given": 1000, "kept": 0}
    till.check_books()


def test_two_channels_pay_one_order_and_the_second_goes_back(open_till):
    till = open_till(names=("test-payments", "other-payments"))
    order = till.place()
    one, two = till.payment(order), till.payment(order, provider="other-payments")
    till.gateways["test-payments"].pay(one["id"])
    till.gateways["other-payments"].pay(two["id"])
    assert till.tell(two["id"], provider="other-payments")[0] == 200
    assert till.tell(one["id"])[0] == 200
    seen = till.until(order, lambda o: any(p.get("given_back", {}).get("state") == "succeeded" for p in o["payments"]))
    assert seen["state"] == "paid" and seen["paid"] == 1000 and seen["refunded"] == 0
    assert {p["id"]: p.get("given_back", {}).get("reason") for p in seen["payments"]} == {two["id"]: None, one["id"]: "twice"}
    till.check_books()


def test_two_transactions_under_one_number(till):
    order = till.place()
    payment = till.payment(order)
    first, second = till.gateway.pay(payment["id"]), till.gateway.pay(payment["id"], twice=True)
    assert till.tell(payment["id"], transaction=second)[0] == 200
    assert till.tell(payment["id"], transaction=first)[0] == 200
    assert till.tell(payment["id"], transaction=first)[0] == 200
    till.until(order, lambda o: any(p.get("given_back", {}).get("state") == "succeeded" for p in o["payments"]))
    assert till.gateway.books()["GBP"] == {"taken": 2000, "given": 1000, "kept": 1000}
    till.check_books()


def test_money_for_a_cancelled_order_goes_back(till):
    order = till.place()
    payment = till.payment(order)
    till.gateway.pay(payment["id"])
    till.gateway.lose["query"] = 1  # or cancelling would find it by itself
    ok(till.shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("c")), 200)
    assert till.tell(payment["id"])[0] == 200
    seen = till.until(order, lambda o: o["payments"][0].get("given_back", {}).get("state") == "succeeded")
    assert seen["state"] == "cancelled" and seen["payments"][0]["given_back"]["reason"] == "late" and seen["refunded"] == 0
    till.check_books()


def test_at_the_end_of_its_time_a_payment_is_asked_for_and_closed(open_till):
    till = open_till(pay_within='"3s"')
    unpaid, silent = till.place(), till.place()
    first, second = till.payment(unpaid), till.payment(silent)
    till.gateway.pay(second["id"])  # and nobody tells
    assert till.until(silent, lambda o: o["state"] != "placed")["state"] == "paid"
    assert till.until(unpaid, lambda o: o["state"] != "placed")["state"] == "expired"
    assert till.gateway.payments[first["id"]]["state"] == "closed"
    assert till.look(unpaid)["payments"][0]["state"] == "closed"
    # Who pays all the same gets it back.
    till.gateway.pay(first["id"], late=True)
    assert till.tell(first["id"])[0] == 200
    assert till.until(unpaid, lambda o: o["payments"][0].get("given_back", {}).get("state") == "succeeded")["state"] == "expired"
    till.check_books()


def test_deposit_and_balance_through_a_provider(open_till):
    till = open_till(pay_within='"3s"')
    dues = [{"label": "deposit", "amount": 300, "within": "30m"}, {"label": "balance", "amount": 700, "within": "72h"}]
    order = till.place(dues=dues)
    deposit = till.payment(order)
    assert deposit["amount"] == 300
    till.gateway.pay(deposit["id"])
    till.tell(deposit["id"])
    seen = till.look(order)
    assert seen["state"] == "placed" and [d["paid"] for d in seen["dues"]] == [300, 0] and seen["expires_at"] == seen["dues"][1]["deadline"]
    part, rest = till.payment(order, amount=100), till.payment(order, due="balance", amount=600)
    for p in (rest, part):
        till.gateway.pay(p["id"])
        till.tell(p["id"])
    assert till.look(order)["state"] == "paid"
    ok(till.shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("c")), 200)
    till.until(order, lambda o: o["refunds"][0]["state"] == "succeeded")
    assert till.gateway.books()["GBP"] == {"taken": 1000, "given": 1000, "kept": 0}
    till.check_books()


def paid_order(till, qty=1):
    order = till.place(qty)
    payment = till.payment(order)
    till.gateway.pay(payment["id"])
    assert till.tell(payment["id"])[0] == 200
    return till.look(order)


def test_a_refund_is_a_job(till):
    order = paid_order(till, 4)
    asked = ok(till.shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    assert asked["refunds"][0]["state"] in ("requested", "succeeded") and asked["refunded"] == 1000
    assert till.until(order, lambda o: o["refunds"][0]["state"] == "succeeded")["refunded"] == 1000
    till.check_books()


def test_two_refunds_at_once_give_no_money_twice(till):
    order = paid_order(till, 4)
    till.gateway.break_["refund"] = 1000  # nothing is given back yet; it is promised all the same
    statuses = []

    def refund():
        client = till.shop.client(till.shop.sk.key)
        answer = client.request("POST", f"/v1/orders/{order['id']}/refunds", {"lines": [{"line": 1, "qty": 3}]}, idempotency=unique("refund"))
        statuses.append(answer.status)

    threads = [threading.Thread(target=refund) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(statuses) == [201] + [409] * 7
    problem(till.shop.refund(order, lines=[{"line": 1, "qty": 2}]), 409, "refund_exceeds")
    seen = till.look(order)
    assert seen["refunded"] == 3000 and seen["refunds"][0]["state"] == "requested"
    till.gateway.break_["refund"] = 0
    number = seen["refunds"][0]["parts"][0]["number"]
    ok(till.shop.sk.request("POST", f"/v1/refunds/{number}/retry", {}, idempotency=unique("retry")), 200)
    till.until(order, lambda o: o["refunds"][0]["state"] == "succeeded")
    till.check_books()


def test_a_refund_event_before_the_answer(till):
    order = paid_order(till)
    told = []
    # The gateway tells of the refund before it answers the request for it, and its answer is lost.
    till.gateway.lose["refund"] = 1

    def before(what, refund):
        if what == "refund":
            told.append(till.gateway.send(till.shop.server.port, till.gateway.refund_event(refund["number"])))

    till.gateway.before_answer = before
    ok(till.shop.refund(order), 201)
    till.until(order, lambda o: o["refunds"][0]["state"] == "succeeded")
    assert told[0][0] == 200
    assert till.gateway.asked["refund"] == 1
    till.check_books()


def test_a_refund_event_before_its_payment_is_known(till):
    order = till.place()
    payment = till.payment(order)
    status, _ = till.gateway.send(till.shop.server.port, till.gateway.refund_event("ref_00000000000000000000000000-p1"))
    assert status == 404  # to be told again: no such refund yet
    till.gateway.pay(payment["id"])
    assert till.tell(payment["id"])[0] == 200
    assert till.look(order)["state"] == "paid"
    till.check_books()


def test_an_event_that_comes_before_creates_own_answer(till):
    order, told = till.place(), []

    def before(what, payment):
        if what == "create":
            till.gateway.pay(payment["number"])
            told.append(till.tell(payment["number"]))

    till.gateway.before_answer = before
    payment = till.payment(order)
    assert told[0][0] == 200 and payment["state"] == "succeeded"
    assert till.look(order)["state"] == "paid"
    till.check_books()


def test_a_refund_that_waits_for_a_person(till):
    order = paid_order(till)
    till.gateway.processing = -1
    ok(till.shop.refund(order), 201)
    till.until(order, lambda o: o["refunds"][0]["state"] == "processing")
    number = till.look(order)["refunds"][0]["parts"][0]["number"]
    problem(till.shop.sk.request("POST", f"/v1/refunds/{number}/settle", {"note": "by bank"}, idempotency=unique("s")), 409, "refund_under_way")
    problem(till.shop.sk.request("POST", "/v1/refunds/ref_none-p1/retry", {}, idempotency=unique("s")), 404)
    listed = ok(till.shop.sk.request("GET", "/v1/refunds?state=processing"), 200)["items"]
    assert [r["number"] for r in listed] == [number] and listed[0]["order"] == order["id"]
    till.gateway.finish_refund(number)
    assert till.gateway.send(till.shop.server.port, till.gateway.refund_event(number))[0] == 200
    assert till.look(order)["refunds"][0]["state"] == "succeeded"
    till.check_books()


def test_who_pays_what(till):
    order = till.place()
    problem(till.begin(order, amount=1001), 422, field="/amount")
    problem(till.begin(order, due="tip"), 422, field="/due")
    problem(till.begin(order, provider="nobody"), 422, field="/provider")
    stranger = till.shop.customer()
    problem(stranger.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "test-payments"}, idempotency=unique("p")), 404)
    problem(till.shop.client("").request("POST", "/v1/payments/nobody/notify", {}), 404)
    till.shop.pay(order)
    problem(till.begin(order), 409, "already_paid")


def test_ten_payments_at_most_are_under_way(till):
    order = till.place()
    for _ in range(10):
        till.payment(order)
    problem(till.begin(order), 409, "too_many_payments")


def test_a_crash_loses_nothing(till):
    order = till.place()
    payment = till.payment(order)
    till.gateway.pay(payment["id"])
    done = paid_order(till, 2)
    till.gateway.break_["refund"] = 3
    ok(till.shop.refund(done), 201)
    till.shop.server.kill()
    till.shop.server.start()
    assert till.tell(payment["id"])[0] == 200
    assert till.look(order)["state"] == "paid"
    number = till.look(done)["refunds"][0]["parts"][0]["number"]
    till.gateway.break_["refund"] = 0
    ok(till.shop.sk.request("POST", f"/v1/refunds/{number}/retry", {}, idempotency=unique("retry")), 200)
    till.until(done, lambda o: o["refunds"][0]["state"] == "succeeded")
    till.check_books()


DAMAGE = [
    ("money that came in", "error", "DELETE FROM payments WHERE provider = 'test-payments'"),
    ("money that came in", "error", "UPDATE payment_attempts SET given_back = 'late' WHERE given_back IS NULL AND state = 3"),
    ("money that came in", "error", "UPDATE payment_attempts SET given_back = NULL WHERE given_back IS NOT NULL"),
    ("money that came in", "error", "DELETE FROM refund_parts WHERE reason IS NOT NULL"),
    ("money that came in", "error", "UPDATE payment_attempts SET state = 3, received = amount WHERE state = 2"),
    ("parts of refunds", "error", "UPDATE refund_parts SET state = 3 WHERE state <> 3"),
    ("parts of refunds", "error", "UPDATE refund_parts SET state = 2 WHERE state = 3"),
    ("parts of refunds", "error", "UPDATE refund_parts SET amount = amount + 1"),
    ("refunds given twice", "error", "UPDATE provider_events SET outcome = 'given_twice'"),
    ("refunds by hand", "warning", "UPDATE refund_parts SET state = 4 WHERE state = 1"),
    ("payments under way", "warning", "UPDATE payment_attempts SET expires_at = 1 WHERE state = 2"),
    ("events of providers", "warning", "UPDATE provider_events SET outcome = 'unknown', at = 1"),
]


def test_the_doctor_finds_money_that_is_nobodys(till):
    paid_order(till)
    late = till.place()
    payment = till.payment(late)
    till.gateway.pay(payment["id"])
    till.gateway.lose["query"] = 1
    ok(till.shop.sk.request("POST", f"/v1/orders/{late['id']}/cancel", {}, idempotency=unique("c")), 200)
    till.tell(payment["id"])
    till.until(late, lambda o: o["payments"][0].get("given_back", {}).get("state") == "succeeded")
    till.check_books()
    till.gateway.break_["refund"] = 1000
    ok(till.shop.refund(paid_order(till)), 201)
    till.payment(till.place())
    till.shop.server.terminate()
    data = till.shop.server.data
    with contextlib.closing(sqlite3.connect(data / "shop.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = (data / "shop.db").read_bytes()
    checks = {name for name, _, _ in DAMAGE}

    def levels():
        found = json.loads(feira("doctor", till.shop.folder, "--json").stdout)["findings"]
        return {f["check"]: f["level"] for f in found}

    assert {levels()[check] for check in checks} == {"ok"}
    for check, level, damage in DAMAGE:
        with contextlib.closing(sqlite3.connect(data / "shop.db")) as db:
            assert db.execute(damage).rowcount > 0, damage
            db.commit()
        assert levels()[check] == level, damage
        for rest in data.glob("shop.db-*"):
            rest.unlink()
        (data / "shop.db").write_bytes(whole)


def test_books_that_differ_are_seen(till):
    """The negative control of all that is above."""
    order = paid_order(till)
    till.check_books()
    till.gateway.pay(till.payment(till.place())["id"])  # and nobody tells
    with pytest.raises(AssertionError):
        till.check_books()
    till.gateway.transactions.popitem()
    till.check_books()
    till.gateway.refunds["r"] = {"number": "r", "transaction": next(iter(till.gateway.transactions)), "amount": 1, "currency": "GBP", "state": "succeeded"}
    with pytest.raises(AssertionError):
        till.check_books()
    assert till.look(order)["state"] == "paid"


def test_a_provider_that_is_stopped_waits(till):
    order, paid = till.place(), paid_order(till)
    payment = till.payment(order)
    ok(till.shop.operator.request("POST", "/v1/stops", {"name": "test-payments", "reason": "a test"}), 201)
    problem(till.begin(order), 503)
    till.gateway.pay(payment["id"])
    assert till.tell(payment["id"])[0] == 503  # told again later
    ok(till.shop.refund(paid), 201)
    time.sleep(1)
    assert till.look(paid)["refunds"][0]["state"] == "requested" and till.gateway.asked["refund"] == 0
    ok(till.shop.operator.request("DELETE", "/v1/stops/test-payments"), 200)
    till.until(paid, lambda o: o["refunds"][0]["state"] == "succeeded")
    assert till.tell(payment["id"])[0] == 200
    assert till.look(order)["state"] == "paid"
    till.check_books()


class Buyer(threading.Thread):
    """Buys, pays, is told of and refunded, again and again, whatever happens to the server: what got no answer is sent again."""

    def __init__(self, till, n, rounds):
        super().__init__(daemon=True)
        self.till, self.n, self.rounds, self.client, self.orders, self.fault = till, n, rounds, None, [], None

    def ask(self, method, target, body=None, key=None, headers=()):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                self.client = self.client or Client(self.till.shop.server.port, self.till.shop.server.keys()["sk"])
                answer = self.client.request(method, target, body, idempotency=key, headers=headers)
                if answer.status < 500:
                    return answer
            except (NoAnswer, OSError):
                self.client = None
            time.sleep(0.05)
        raise AssertionError(f"{method} {target} got no answer")

    def once(self, n):
        key, gateway = f"{self.n}-{n}", self.till.gateway
        cart = {"lines": [{"sku": self.till.sku, "qty": 2}], "expected_total": 2000}
        order = ok(self.ask("POST", "/v1/orders", cart, f"order-{key}"), 201)
        self.orders.append(order["id"])
        payment = ok(self.ask("POST", f"/v1/orders/{order['id']}/payments", {"provider": "test-payments"}, f"pay-{key}"), 201)["payment"]
        transaction = gateway.pay(payment["id"])
        for _ in range(1 + n % 2):
            body, headers = gateway.event(payment["id"], transaction=transaction)
            assert self.ask("POST", "/v1/payments/test-payments/notify", body, headers=tuple(headers.items())).status == 200
        if n % 3 == 0:
            gateway.lose["refund"] += 1
        if n % 2 == 0:
            ok(self.ask("POST", f"/v1/orders/{order['id']}/refunds", {"lines": [{"line": 1, "qty": 1}]}, f"refund-{key}"), 201)

    def run(self):
        try:
            for n in range(self.rounds):
                self.once(n)
        except Exception as e:  # shown by the test
            self.fault = e


def test_kills_leave_the_same_money_on_both_sides(own_shop, monkeypatch):
    monkeypatch.setenv("FEIRA_SECRET_GATEWAY_KEY", KEY)
    gateway = Gateway(KEY)
    options = ["--call-local", "--resolve", f"gateway.test-payments.example:{gateway.port}:127.0.0.1"]
    shop = own_shop(settings={"plugins": '{ ["test-payments"] = { key = "GATEWAY_KEY" } }'}, plugins=plugin_at(gateway.port), options=options, port=free_port())
    till = Till(shop, {"test-payments": gateway})
    buyers = [Buyer(till, n, 12) for n in range(6)]
    for b in buyers:
        b.start()
    for _ in range(4):
        time.sleep(0.4)
        shop.server.kill()
        shop.server.start()
    for b in buyers:
        b.join(120)
        assert not b.is_alive() and not b.fault, b.fault
    shop.hang_up()
    orders = [o for b in buyers for o in b.orders]
    assert len(orders) == len(set(orders)) == 72
    gateway.lose.clear()
    for number, in till.rows("SELECT number FROM refund_parts WHERE state = 1"):  # their next try is a minute away
        shop.sk.request("POST", f"/v1/refunds/{number}/retry", {}, idempotency=unique("retry"))
    end = time.monotonic() + 20
    while not till.settled() and time.monotonic() < end:
        time.sleep(0.1)
    assert till.rows("SELECT state, count(*) FROM refund_parts GROUP BY 1") == [(3, 36)]
    assert till.rows("SELECT count(*), sum(paid), sum(refunded) FROM orders WHERE state = 2") == [(72, 144000, 36000)]
    assert gateway.books() == {"GBP": {"taken": 144000, "given": 36000, "kept": 108000}}
    till.check_books()
    gateway.close()


ODD = {
    "plugin": """return { name = "odd", version = "1.0.0", api = 1, title = "Odd",
  payments = { create = "pay.create", query = "pay.query", close = "pay.close", refund = "pay.refund", notify = "pay.notify", reply = "pay.reply" } }""",
    "pay": """local json = require "feira.json"
local function oddly(how)
  if how == "raise" then error "out of order" end
  if how == "endless" then while true do end end
  if how == "huge" then return { state = "paid", transaction = ("x"):rep(300), amount = 1000, currency = "GBP" } end
  return ({ number = 5, text = "paid", list = { 1, 2 }, half = { state = "paid" }, what = { state = "paid?" }, none = { amount = 1000 },
    nobody = { state = "paid", transaction = "", amount = 1000, currency = "GBP" }, less = { state = "paid", transaction = "t", amount = -1000, currency = "GBP" },
    words = { state = "paid", transaction = "t", amount = "1000", currency = "GBP" }, coin = { state = "paid", transaction = "t", amount = 1000 } })[how]
end
local pay = {}
function pay.create(payment)
  if payment.details.create then return oddly(payment.details.how) end
  return { reference = payment.details.how }
end
function pay.query(what) return what.reference == "well" and { state = "pending" } or oddly(what.reference) end
function pay.close(what) return oddly(what.reference) end
function pay.refund(refund) return oddly(refund.payment_reference) end
function pay.notify(call)
  local value = json.decode(call.body)
  if value.how then return oddly(value.how) end
  return value
end
function pay.reply() return oddly "list" end
return pay""",
}
ODDITIES = ("raise", "endless", "huge", "number", "text", "list", "half", "what", "none", "nobody", "less", "words", "coin", "nil")


def test_whatever_a_provider_gives_takes_no_money_and_stops_nothing(own_shop):
    shop = own_shop(settings={"plugins": "{ odd = {} }", "pay_within": '"2s"', "limits": "{ odd = { handler = { fuel = 100000 } } }"}, plugins={"odd": ODD})
    sku = shop.product(price=1000, stock=100)

    def begin(order, **details):
        return shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "odd", "details": details}, idempotency=unique("pay"))

    def notify(body):
        return shop.client("").request("POST", "/v1/payments/odd/notify", body)

    orders = {}
    for how in ODDITIES:
        orders[how] = shop.place({sku: 1})
        answer = begin(orders[how], how=how, create="yes")
        assert answer.status in (201, 500, 503), (how, answer)
        begin(orders[how], how=how)
        assert notify({"how": how}).status >= 400, how
    for event in ({}, {"id": 1}, {"id": "e"}, {"id": "e", "kind": "money"}, {"id": "e", "kind": "payment"}, {"id": "e", "kind": "payment", "number": "n"},
                  {"id": "e", "kind": "payment", "number": "n", "state": "paid"}, {"id": "e" * 201, "kind": "other"},
                  {"id": "e", "kind": "payment", "number": "n", "state": "paid", "transaction": "t", "amount": 0, "currency": "GBP"},
                  {"id": "e", "kind": "payment", "number": {}, "state": "paid", "transaction": "t", "amount": 1, "currency": "GBP"},
                  {"id": "e", "kind": "refund", "number": "n", "state": []}):
        assert notify(event).status == 500, event
    assert notify({"id": "e", "kind": "other", "more": "x" * 9000}).status == 500
    ok(notify({"id": "e", "kind": "other"}), 200)  # its reply is odd as well: a plain one goes out
    # A payment that is well is paid meanwhile, and its refund is odd.
    good = shop.place({sku: 1})
    payment = ok(begin(good, how="well"), 201)["payment"]
    ok(notify({"id": "g", "kind": "payment", "number": payment["id"], "state": "paid", "transaction": "t-good", "amount": 1000, "currency": "GBP"}), 200)
    ok(shop.refund(good), 201)
    end = time.monotonic() + 20
    while True:
        with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT reference, state, asked, why FROM payment_attempts WHERE reference IS NOT NULL").fetchall()
            money = db.execute("SELECT count(*) FROM payments").fetchone(), db.execute("SELECT count(*) FROM refund_parts WHERE state = 3").fetchone()
            tries = db.execute("SELECT tries FROM refund_parts").fetchone()
        waiting = [r for r in rows if r[0] not in ("well", "nil") and not (r[2] > 0 and r[3])]
        if not waiting and tries[0]:
            break
        assert time.monotonic() < end, (waiting, tries)
        time.sleep(0.1)
    assert money == ((1,), (0,))
    assert ok(shop.sk.request("GET", f"/v1/orders/{good['id']}"), 200)["refunds"][0]["state"] == "requested"
    assert shop.pay(shop.place({sku: 1}))["state"] == "paid"
