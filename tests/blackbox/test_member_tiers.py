"""The plugin member-tiers, which ships with the program: points from paid orders, levels, and what they bring. Over HTTP."""

import contextlib
import random
import sqlite3
import threading
import time

from market import feira, ok, problem, unique

SETTINGS = """{ ["member-tiers"] = {
    levels = {
      { id = "bronze", title = "Bronze" },
      { id = "silver", title = "Silver", points = 100, keep = 50, off = 10 },
      { id = "gold", title = "Gold", points = 300, certificate = "taster" },
    },
    prices = { { level = "gold", sku = "POT", price = "15.00" } },
    period = "30d",
    betas = { { id = "flush", title = "First flush", level = "silver", seats = 5 } },
  } }"""

CAMPAIGNS = {
    "members": """local promo = require "feira.promo"
return {
  promo.use "member-tiers.gate" { id = "early", level = "silver", tag = { "early" } },
  promo.use "member-tiers.beta" { id = "flush", beta = "flush", sku = { "FLUSH" }, hide = true },
  promo.use "member-tiers" { id = "days", level = "gold", percent = 50, tag = { "days" } },
}
""",
}


def shop_with_levels(own_shop, **more):
    shop = own_shop(settings={"plugins": SETTINGS}, campaigns=CAMPAIGNS, **more)
    shop.product("MUG", price=1000, stock=100000)
    return shop


def member(shop, customer):
    return ok(shop.sk.request("GET", f"/v1/x/member-tiers/members/{customer}"), 200)


def points_in_the_ledger(shop, customer):
    """What the accounts say, read from outside: {posted of the customer, of all that were issued}."""
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT name, credits_posted - debits_posted FROM ledger_accounts WHERE name LIKE 'member-tiers/%'")
        accounts = dict(rows)
    return accounts.get(f"member-tiers/points/{customer}", 0), accounts.get("member-tiers/issued", 0)


def at_once(jobs):
    gate = threading.Barrier(len(jobs))
    answers = [None] * len(jobs)

    def run(i):
        gate.wait()
        answers[i] = jobs[i]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(jobs))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def test_a_paid_order_leads_to_a_level_and_the_level_to_a_price(own_shop):
    shop = shop_with_levels(own_shop)
    ann = shop.customer("ann")
    assert shop.quote({"MUG": 1}, by=ann)["total"] == 1000
    order = shop.place({"MUG": 10}, by=ann)
    assert member(shop, "ann")["points"] == 0
    shop.pay(order, by=ann)
    me = ok(ann.request("GET", "/v1/x/member-tiers/me"), 200)
    assert (me["points"], me["orders"], me["level"]["id"], me["level_number"]) == (100, 1, "silver", 2)
    assert me["changes"][0]["order"] == order["id"] and me["changes"][0]["reason"] == "paid"
    assert me["period"]["needed"] == 50 and me["period"]["ends_at"] > me["since"]
    line = shop.quote({"MUG": 1}, by=ann)["lines"][0]
    assert (line["unit_price"], line["compare_at"]) == (900, 1000)
    assert shop.quote({"MUG": 1})["total"] == 1000  # a guest
    facts = ok(shop.sk.request("GET", "/v1/customers/ann/facts"), 200)
    assert "2" in str(facts) and "member-tiers.level" in str(facts)


def test_a_refund_takes_points_level_and_price_back(own_shop):
    shop = shop_with_levels(own_shop)
    ann = shop.customer("ann")
    order = shop.paid_order({"MUG": 10}, by=ann)
    quote = shop.quote({"MUG": 1}, by=ann)
    assert quote["total"] == 900
    ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    now = member(shop, "ann")
    assert now["points"] == 90 and now["level"]["id"] == "bronze" and now["changes"][0]["reason"] == "refunded"
    conflict = problem(ann.request("POST", "/v1/orders", {"quote_token": quote["token"]}, idempotency=unique("o")), 409, "facts_changed")
    assert conflict["quote"]["total"] == 1000
    ok(shop.refund(order), 201)
    assert member(shop, "ann")["points"] == 0 == member(shop, "ann")["orders"]
    assert points_in_the_ledger(shop, "ann") == (0, 0)


def test_parts_of_a_refund_add_up_whatever_their_order(own_shop):
    shop = shop_with_levels(own_shop)
    prices = {"A": 333, "B": 1999, "C": 47, "D": 5101}
    for sku, price in prices.items():
        shop.product(sku, price=price, stock=1000)
    draw = random.Random(7)
    for round_number in range(6):
        name = f"buyer{round_number}"
        buyer = shop.customer(name)
        cart = {sku: draw.randint(1, 5) for sku in prices}
        order = shop.paid_order(cart, by=buyer)
        given = order["total"] // 100
        assert member(shop, name)["points"] == given
        units = [i + 1 for i, qty in enumerate(cart.values()) for _ in range(qty)]
        draw.shuffle(units)
        before = given
        for line in units:
            refunded = ok(shop.refund(order, lines=[{"line": line, "qty": 1}]), 201)["refunded"]
            left = member(shop, name)["points"]
            assert 0 <= left <= before, "points never come back by a refund"
            assert abs(left * order["total"] - given * (order["total"] - refunded)) * 2 <= order["total"], "as the money, to the half point"
            before = left
        assert before == 0
    assert points_in_the_ledger(shop, "buyer0") == (0, 0)


def test_gates_seats_and_certificates(own_shop):
    shop = shop_with_levels(own_shop)
    shop.product("POT", price=3000, tags=["early", "days"], stock=100)
    shop.product("FLUSH", price=500, stock=100)
    ann = shop.customer("ann")
    shut = problem(ann.request("POST", "/v1/quotes", {"lines": [{"sku": "POT", "qty": 1}]}), 422, "gate_closed", "/lines/0")
    assert shut["detail"] == "Only for members from Silver on." and shut["gate"]["reason"]["needed"] == 2
    problem(ann.request("POST", "/v1/x/member-tiers/betas/flush/seat", {}), 403)
    shop.paid_order({"MUG": 40}, by=ann)
    assert member(shop, "ann")["level"]["id"] == "silver"
    assert shop.quote({"POT": 1}, by=ann)["total"] == 2700
    granted = {"certificate": "taster", "reason": "passed"}
    problem(ann.request("POST", "/v1/x/member-tiers/members/ann/certificates", granted), 403)
    assert ok(shop.sk.request("POST", "/v1/x/member-tiers/members/ann/certificates", granted), 200)["level"] == "gold"
    quote = shop.quote({"POT": 2}, by=ann)
    assert (quote["subtotal"], quote["total"]) == (3000, 1500)
    assert shop.quote({"FLUSH": 1}, by=ann)["lines"][0]["unavailable"]["gate"] == "flush"
    ok(ann.request("POST", "/v1/x/member-tiers/betas/flush/seat", {}), 200)
    assert shop.quote({"FLUSH": 1}, by=ann)["total"] == 450


def test_the_operator_adjusts_with_a_reason_and_nobody_else(own_shop):
    shop = shop_with_levels(own_shop)
    shop.customer("ann")
    path, body = "/v1/x/member-tiers/members/ann/points", {"points": 100, "reason": "Lost parcel"}
    for client in shop.sk, shop.pk:
        problem(client.request("POST", path, body), 403)
    problem(shop.operator.request("POST", path, {"points": 100}), 422, field="/reason")
    first = shop.operator.request("POST", path, body, idempotency="adjust-1")
    again = shop.operator.request("POST", path, body, idempotency="adjust-1")
    assert first.json() == again.json() == {"customer": "ann", "points": 100, "level": "silver"}
    now = member(shop, "ann")
    assert now["points"] == 100 and now["movements"][0]["note"] == "Lost parcel" and now["changes"][0]["note"] == "Lost parcel"
    problem(shop.operator.request("POST", path, {"points": -101, "reason": "x"}), 409, "not_enough_points", "/points")
    assert member(shop, "ann")["points"] == 100


def test_many_orders_and_refunds_at_once_leave_exact_points(own_shop):
    shop = shop_with_levels(own_shop)
    ann = shop.customer("ann")
    orders = [shop.place([{"sku": "MUG", "qty": 3, "unit_price": 1000}], customer="ann") for _ in range(24)]
    clients = [shop.client(shop.sk.key) for _ in orders]

    def pay(i):
        return lambda: clients[i].request("POST", f"/v1/orders/{orders[i]['id']}/payments", {"provider": "test"}, idempotency=unique("p"))

    assert [a.status for a in at_once([pay(i) for i in range(24)])] == [201] * 24
    assert member(shop, "ann")["points"] == 24 * 30 and member(shop, "ann")["orders"] == 24

    def refund(i):
        return lambda: clients[i].request("POST", f"/v1/orders/{orders[i % 6]['id']}/refunds", {"lines": [{"line": 1, "qty": 1}]}, idempotency=unique("r"))

    statuses = [a.status for a in at_once([refund(i) for i in range(24)])]
    assert sorted(statuses) == [201] * 18 + [409] * 6
    now = member(shop, "ann")
    assert now["points"] == 18 * 30 == points_in_the_ledger(shop, "ann")[0] and now["orders"] == 18
    assert sum(m["points"] for m in now["movements"]) == now["points"]
    assert points_in_the_ledger(shop, "ann")[1] == -now["points"]
    assert ann.request("GET", "/v1/x/member-tiers/me").json()["points"] == now["points"]


def test_seats_are_never_more_than_there_are(own_shop):
    shop = shop_with_levels(own_shop)
    people = [shop.customer(f"m{i}") for i in range(15)]
    for person in people:
        ok(shop.operator.request("POST", f"/v1/x/member-tiers/members/{person.customer}/points", {"points": 100, "reason": "test"}), 200)

    def take(person):
        return lambda: person.request("POST", "/v1/x/member-tiers/betas/flush/seat", {})

    statuses = sorted(a.status for a in at_once([take(p) for p in people]))
    assert statuses == [200] * 5 + [409] * 10
    beta = ok(shop.pk.request("GET", "/v1/x/member-tiers/betas"), 200)["betas"][0]
    assert (beta["left"], beta["taken"]) == (0, 5)


def let_time_pass(shop, customer, days):
    """The clock of a running server is its machine's; so the dates are brought forward while it is off."""
    shop.server.terminate()
    with contextlib.closing(sqlite3.connect(shop.server.data / "shop.db")) as db:
        span = days * 86400000
        timers = db.execute("UPDATE journal_timers SET due_ms = due_ms - ? WHERE key = ? AND procedure LIKE '%member-tiers.review'", (span, customer))
        assert timers.rowcount == 1
        (table,) = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%member%tiers%members'").fetchone()
        assert db.execute(f'UPDATE "{table}" SET review_at = review_at - ? WHERE customer = ?', (span, customer)).rowcount == 1
        db.commit()
    shop.server.start()


def test_a_level_that_is_not_kept_goes_with_the_period_and_the_timer_outlives_a_restart(own_shop):
    shop = shop_with_levels(own_shop)
    ann = shop.customer("ann")
    shop.paid_order({"MUG": 10}, by=ann)
    let_time_pass(shop, "ann", 29)
    assert member(shop, "ann")["level"]["id"] == "silver"
    let_time_pass(shop, "ann", 2)
    deadline = time.monotonic() + 15
    while member(shop, "ann")["level"]["id"] != "bronze" and time.monotonic() < deadline:
        time.sleep(0.1)
    now = member(shop, "ann")
    assert now["level"]["id"] == "bronze" and now["points"] == 100 and now["period"] is None
    assert now["changes"][0]["reason"] == "not_kept" and now["changes"][0]["from"] == "silver"
    assert shop.quote({"MUG": 1}, by=shop.sk, customer="ann")["total"] == 1000


def test_a_stopped_plugin_brings_nothing_and_misses_nothing(own_shop):
    shop = shop_with_levels(own_shop)
    ann = shop.customer("ann")
    shop.paid_order({"MUG": 10}, by=ann)
    assert shop.quote({"MUG": 1}, by=ann)["total"] == 900
    assert feira("stop", shop.folder, "member-tiers").returncode == 0
    assert shop.quote({"MUG": 1}, by=ann)["total"] == 1000
    order = shop.paid_order({"MUG": 2}, by=ann)
    ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    problem(ann.request("GET", "/v1/x/member-tiers/me"), 503, "plugin_stopped")
    assert feira("resume", shop.folder, "member-tiers").returncode == 0
    deadline = time.monotonic() + 15
    while member(shop, "ann")["points"] != 110 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert member(shop, "ann")["points"] == 110 == points_in_the_ledger(shop, "ann")[0]
    assert shop.quote({"MUG": 1}, by=ann)["total"] == 900
