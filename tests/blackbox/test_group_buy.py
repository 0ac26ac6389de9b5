"""plugins/group-buy over HTTP: the last seat is taken once, a group ends once, and a failed one gives everybody's money back once, whatever
happens in between. Its rules are tested by its own specs."""

import concurrent.futures
import contextlib
import json
import pathlib
import random
import sqlite3
import threading
import time
import urllib.parse

import pytest

from listening import Listener, silent
from market import feira, ok, problem, unique, write_shop

PRICE, HALF = 19800, 9900


def campaign(name="mask", **fields):
    said = {"sku": '"MASK"', "size": "3", "percent": "50", "open_for": '"24h"', **fields}
    body = ", ".join(f"{key} = {value}" for key, value in said.items())
    return {name: f'local promo = require "feira.promo"\nreturn promo.use "group-buy" {{ id = "{name}", {body} }}\n'}


def settings(**more):
    return {"currency": '"CNY"', "plugins": '{ ["group-buy"] = {} }', "shipping": None, **more}


@pytest.fixture
def group_shop(own_shop):
    def make(stock=1000, options=(), more=None, **fields):
        s = own_shop(settings=settings(**(more or {})), campaigns=campaign(**fields), options=list(options))
        s.product("MASK", price=PRICE, stock=stock)
        return s

    return make


def order(client, expected=HALF, key=None, qty=1, **inputs):
    body = {"lines": [{"sku": "MASK", "qty": qty}], "expected_total": expected, "inputs": {"group-buy": inputs}}
    return client.request("POST", "/v1/orders", body, idempotency=key or unique("order"))


def pay(client, placed):
    return client.request("POST", f"/v1/orders/{placed['id']}/payments", {"provider": "test"}, idempotency=unique("pay"))


def group_of(client, placed):
    return ok(client.request("GET", f"/v1/x/group-buy/orders/{placed['id']}"), 200)


def opened(shop, name="mask"):
    """A leader whose group is open: the client, the order, the group."""
    leader = shop.customer()
    placed = ok(order(leader, open=name), 201)
    ok(pay(leader, placed), 201)
    return leader, placed, group_of(leader, placed)


def joined(shop, link, client=None):
    client = client or shop.customer()
    placed = ok(order(client, join=link), 201)
    return client, ok(pay(client, placed), 201)


def together(calls):
    """All at the same moment, each on a thread of its own."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait()
        return call()

    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def fault(shop):
    """What is broken in the books and rows of a shop: groups and money, as SQL sees them. None is what it must say."""
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
        names = {n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        groups, seats = sorted(n for n in names if "group" in n and n.endswith(("groups", "seats")))
        rows = [dict(zip(("group", "state", "terms", "paid", "held"), r)) for r in db.execute(f'SELECT "group", state, terms, paid, held FROM "{groups}"')]
        orders = dict((o, (s, p, r)) for o, s, p, r in db.execute('SELECT "order", state, paid, refunded FROM shop_orders'))
        for g in rows:
            mine = db.execute(f'SELECT "order", state FROM "{seats}" WHERE "group" = ?', (g["group"],)).fetchall()
            size = json.loads(g["terms"])["size"]
            paid = [o for o, s in mine if s in ("paid", "over")]
            if len(paid) > size or g["paid"] != len(paid):
                return f"{g}: {len(paid)} have paid"
            if g["state"] == "failed" and any(orders[o] != ("cancelled", HALF, HALF) for o in paid):
                return f"{g}: {[orders[o] for o in paid]}"
            if g["state"] == "succeeded" and (len(paid) != size or any(orders[o][0] != "paid" for o in paid)):
                return f"{g}: {[orders[o] for o in paid]}"
        twice = db.execute("SELECT order_id, count(*) FROM refunds GROUP BY order_id HAVING count(*) > 1").fetchall()
        if twice:
            return f"refunded twice: {twice}"
    checked = feira("doctor", shop.folder, "--data", shop.server.data)
    return None if checked.returncode == 0 else checked.stdout


def test_fifty_want_the_last_seat_and_one_gets_it(group_shop):
    s = group_shop(options=["--workers", "2"], limits="{ units = 1000 }")
    for _ in range(3):
        leader, placed, group = opened(s)
        link = group["mine"]["link"]
        joined(s, link)
        crowd = [s.customer() for _ in range(50)]
        answers = together([lambda c=c: order(c, join=link) for c in crowd])
        won = [(c, a.json()) for c, a in zip(crowd, answers) if a.status == 201]
        assert len(won) == 1, [a.status for a in answers]
        for a in answers:
            if a.status != 201:
                problem(a, 409, "group_full")
        assert group_of(leader, placed)["held"] == 1
        ok(pay(*won[0]), 201)
        assert group_of(leader, placed)["state"] == "succeeded"
        s.hang_up()
    assert s.available("MASK")["held"] == 0 and s.available("MASK")["on_hand"] == 1000 - 9
    assert fault(s) is None


def test_many_leave_and_join_and_the_seats_come_out_even(group_shop):
    """Random members come, pay, cancel and leave at once: never more than there are seats, and the books agree with the rows."""
    s = group_shop(options=["--workers", "2"], size="8")
    leader, placed, group = opened(s)
    link = group["mine"]["link"]

    clients = [s.customer() for _ in range(16)]  # each has a connection of its own

    def life(seed):
        chance, client = random.Random(seed), clients[seed]
        for _ in range(6):
            answer = order(client, join=link)
            if answer.status != 201:
                assert answer.status == 409, answer
                continue
            mine = answer.json()
            if chance.random() < 0.3:
                assert client.request("POST", f"/v1/orders/{mine['id']}/cancel", {}, idempotency=unique("cancel")).status == 200
            elif pay(client, mine).status == 201 and chance.random() < 0.6:
                left = client.request("POST", f"/v1/x/group-buy/orders/{mine['id']}/leave", {}, idempotency=unique("leave"))
                assert left.status in (200, 409), left
            else:
                return

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(life, range(16)))
    now = group_of(leader, placed)
    assert now["paid"] + now["held"] + now["left"] == 8
    assert fault(s) is None


def test_one_customer_opens_one_group_however_often_he_asks_at_once(group_shop):
    s = group_shop(options=["--workers", "2"])
    ann = s.customer("ann")
    clients = [s.client(ann.key) for _ in range(12)]
    answers = together([lambda c=c: order(c, open="mask") for c in clients])
    assert sorted(a.status for a in answers) == [201] + [409] * 11, answers
    key = unique("again")  # the same request again is the same order
    bob = s.customer("bob")
    first, second = order(bob, open="mask", key=key), order(bob, open="mask", key=key)
    assert first.status == 201 and first.json()["id"] == second.json()["id"]
    assert fault(s) is None


def wait_for(what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come")


def test_a_group_whose_time_passes_while_the_shop_is_down_fails_at_the_start(group_shop):
    s = group_shop(open_for='"4s"')
    leader, placed, group = opened(s)
    bob, b = joined(s, group["mine"]["link"])
    late = s.customer()
    unpaid = ok(order(late, join=group["mine"]["link"]), 201)
    s.hang_up()
    s.server.kill()
    time.sleep(4.2)
    s.server.start()
    leader = s.client(leader.key)
    wait_for(lambda: group_of(leader, placed)["state"] == "failed")
    for o in (placed, b):
        now = ok(s.sk.request("GET", f"/v1/orders/{o['id']}"), 200)
        assert (now["state"], now["paid"], now["refunded"], len(now["refunds"])) == ("cancelled", HALF, HALF, 1)
    assert ok(s.sk.request("GET", f"/v1/orders/{unpaid['id']}"), 200)["state"] == "cancelled"
    problem(pay(s.client(late.key), unpaid), 409)
    assert s.available("MASK") == {"on_hand": 1000, "held": 0, "available": 1000}
    assert fault(s) is None


def test_killed_at_any_instant_around_its_end_it_failed_and_gave_back_or_neither(group_shop):
    """SIGKILL between what says that a group failed and what gives the money back: there is no between."""
    s = group_shop(open_for='"1s"', size="5", options=["--workers", "1"])
    chance, found = random.Random(7), {"before": 0, "after": 0}
    for _ in range(30):
        clients = [s.customer() for _ in range(3)]
        leader, placed, group = opened(s)
        begun = time.monotonic()
        try:
            members = [joined(s, group["mine"]["link"], c) for c in clients]
        except AssertionError:  # a busy machine: its second was over before all had paid
            s.hang_up()
            time.sleep(1.2)
            continue
        s.hang_up()
        time.sleep(max(0, 1.0 + chance.uniform(-0.02, 0.3) - (time.monotonic() - begun)))
        s.server.kill()
        with contextlib.closing(sqlite3.connect(f"file:{s.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
            cancelled = db.execute("SELECT count(*) FROM shop_orders WHERE \"order\" IN (?, ?, ?, ?) AND state = 'cancelled' AND refunded = paid",
                                   (placed["id"], *(o["id"] for _, o in members))).fetchone()[0]
        assert cancelled in (0, 4), cancelled
        found["after" if cancelled else "before"] += 1
        s.server.start()
        leader = s.client(leader.key)
        wait_for(lambda leader=leader, placed=placed: group_of(leader, placed)["state"] == "failed")
        assert fault(s) is None
        if sum(found.values()) == 10:
            break
    assert sum(found.values()) >= 3, found
    assert s.available("MASK")["available"] == 1000


def test_a_publish_leaves_open_groups_as_they_are_while_people_join(group_shop):
    s = group_shop(options=["--workers", "2"], size="6")
    groups = [(*opened(s), [s.customer() for _ in range(5)]) for _ in range(5)]
    stop = threading.Event()

    def publish():
        for i in range(20):
            write_shop(s.folder, settings(), campaign(size=str(2 + i % 3), percent=str(10 + i % 5)))
            done = feira("publish", s.folder, "--data", s.server.data)
            assert done.returncode == 0, done.stderr
            if stop.is_set():
                return

    publisher = threading.Thread(target=publish)
    publisher.start()
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda g: [joined(s, g[2]["mine"]["link"], c) for c in g[3]], groups))
    stop.set()
    publisher.join()
    for leader, placed, _, _ in groups:
        now = group_of(leader, placed)
        assert (now["state"], now["size"], now["paid"], now["percent"]) == ("succeeded", 6, 6, 500000)
    assert fault(s) is None


def test_open_groups_keep_the_rules_they_began_under(own_shop):
    """Not only the campaign: rules.lua itself is another one, and older groups go by the old one until they end."""
    here = pathlib.Path(__file__).resolve().parents[2] / "plugins" / "group-buy"
    files = {f.stem: f.read_text(encoding="utf-8") for f in here.glob("*.lua")}
    s = own_shop(settings=settings(), campaigns=campaign(), plugins={"group-buy": files})
    s.product("MASK", price=PRICE, stock=100)
    old = opened(s)
    assert "return paid >= rules.seats(terms)" in files["rules"]
    files["rules"] = files["rules"].replace("return paid >= rules.seats(terms)", "return paid >= rules.seats(terms) - 1")
    write_shop(s.folder, settings(), campaign(), plugins={"group-buy": files})
    assert feira("publish", s.folder, "--data", s.server.data).returncode == 0
    new = opened(s)
    assert new[2]["mine"]["link"].split("~")[2] != old[2]["mine"]["link"].split("~")[2]
    for leader, placed, group in (old, new):
        joined(s, group["mine"]["link"])
    assert group_of(*old[:2])["state"] == "open" and group_of(*new[:2])["state"] == "succeeded"
    joined(s, old[2]["mine"]["link"])
    assert group_of(*old[:2])["state"] == "succeeded" and group_of(*old[:2])["paid"] == 3


def test_a_stop_loses_nobody_who_paid_in_time(group_shop):
    s = group_shop(open_for='"6s"')
    leader, placed, group = opened(s)
    link = group["mine"]["link"]
    members = [s.customer(), s.customer()]
    orders = [ok(order(m, join=link), 201) for m in members]
    assert feira("stop", s.folder, "group-buy", "--data", s.server.data).returncode == 0
    for m, o in zip(members, orders):
        ok(pay(m, o), 201)  # the shop takes money all the same; the plugin hears of it later
    problem(leader.request("GET", f"/v1/x/group-buy/orders/{placed['id']}"), 503)
    stranger = s.customer()
    assert order(stranger, join=link).status == 409  # without the plugin there is no such price
    assert order(stranger, expected=PRICE, join=link).status == 201  # at the usual one it is an order like any
    time.sleep(6.2)
    assert feira("resume", s.folder, "group-buy", "--data", s.server.data).returncode == 0
    wait_for(lambda: group_of(leader, placed)["state"] == "succeeded")
    for o in orders:
        assert ok(s.sk.request("GET", f"/v1/orders/{o['id']}"), 200)["blocks"] == []
    assert fault(s) is None


def test_the_progress_is_told_to_whoever_watches(group_shop):
    s = group_shop()
    leader, placed, group = opened(s)
    path = f"/v1/x/group-buy/groups/{group['group']}/progress"
    watchers = [Listener(s.server.port, path, s.server.keys()["pk"]) for _ in range(10)]
    link = group["mine"]["link"]
    joined(s, link)
    joined(s, link)
    for one in watchers:
        seen = [(d["state"], d["paid"], d["held"]) for d in one.states(lambda d: d["state"] != "open")]
        assert seen == [("open", 1, 0), ("open", 1, 1), ("open", 2, 0), ("open", 2, 1), ("succeeded", 3, 0)]
        assert one.next() is None
    told = ok(s.pk.request("GET", path), 200)  # over: the state, and no stream
    assert told["state"] == "succeeded" and "mine" not in told and leader.customer not in json.dumps(told)


def test_ids_of_others_lead_nowhere(group_shop):
    s = group_shop()
    leader, placed, group = opened(s)
    bob = s.customer()
    problem(bob.request("GET", f"/v1/x/group-buy/orders/{placed['id']}"), 404)
    problem(bob.request("POST", f"/v1/x/group-buy/orders/{placed['id']}/leave", {}, idempotency=unique("leave")), 404)
    problem(s.pk.request("GET", f"/v1/x/group-buy/orders/{placed['id']}"), 404)
    assert "mine" not in ok(bob.request("GET", f"/v1/x/group-buy/groups/{group['group']}"), 200)
    assert ok(bob.request("GET", "/v1/x/group-buy/me"), 200)["items"] == []
    assert [g["mine"]["leads"] for g in ok(leader.request("GET", "/v1/x/group-buy/me"), 200)["items"]] == [True]
    mine = group["mine"]["link"]
    for link in ("x", "a.b", mine[:-2] + ("A" if mine[-2] != "A" else "B") + mine[-1]):
        problem(s.pk.request("GET", f"/v1/x/group-buy/links/{link}"), 404)
    problem(order(bob, expected=PRICE, join="x"), 422, "link_unknown")
    told = ok(s.pk.request("GET", f"/v1/x/group-buy/links/{group['mine']['link']}"), 200)
    assert told["join"] and "mine" not in told


ODD = ("x", "a" * 70, "a" * 300, "a" * 2000, "é" * 40, "-1", "grp_" + "0" * 26, "..%2f", "~~~~", "a~b~c~p5", "a~b~c~p" + "9" * 30 + "." + "A" * 22, "'", '"', "%25", "...")


def test_odd_ids_are_nobodys_and_no_failure_of_the_plugin(group_shop):
    s = group_shop()
    client = s.customer()
    for word in ODD:
        part = urllib.parse.quote(word, safe="%")
        for who in (s.pk, client, s.sk):
            for path in (f"groups/{part}", f"groups/{part}/progress", f"links/{part}", f"orders/{part}", f"campaigns/{part}/report"):
                assert who.request("GET", f"/v1/x/group-buy/{path}").status in (403, 404), path
        assert client.request("POST", f"/v1/x/group-buy/orders/{part}/leave", {}, idempotency=unique("leave")).status == 404
        for inputs in ({"open": word}, {"join": word}, {"open": word, "join": word}):
            assert order(client, expected=PRICE, **inputs).status in (409, 422), inputs
            assert client.request("POST", "/v1/quotes", {"lines": [{"sku": "MASK", "qty": 1}], "inputs": {"group-buy": inputs}}).status in (200, 422)
    opened(s)  # it works as before


def test_no_order_is_sent_before_its_group_is_full(group_shop):
    s = group_shop()
    leader, placed, group = opened(s)
    assert [b["plugin"] for b in ok(leader.request("GET", f"/v1/orders/{placed['id']}"), 200)["blocks"]] == ["group-buy"]
    send = lambda: s.sk.request("POST", f"/v1/orders/{placed['id']}/fulfilments", {}, idempotency=unique("send"))  # noqa: E731
    problem(send(), 409, "order_blocked")
    joined(s, group["mine"]["link"])
    joined(s, group["mine"]["link"])
    ok(send(), 201)


def test_watching_costs_the_groups_nothing(group_shop):
    s = group_shop()
    _, _, group = opened(s)
    one = Listener(s.server.port, f"/v1/x/group-buy/groups/{group['group']}/progress", s.server.keys()["pk"])
    one.next()
    _, _, other = opened(s)
    joined(s, other["mine"]["link"])
    assert silent(one)
    one.close()
