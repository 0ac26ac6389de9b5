"""Price history: what a product was offered for and sold for, written with what changes it, so that a "was" price can be proved."""

import contextlib
import json
import sqlite3
import time

import market
from market import feira, ok, problem, unique


def history(shop, sku, **query):
    text = "&".join(f"{k}={v}" for k, v in query.items())
    return ok(shop.sk.request("GET", f"/v1/products/{sku}/prices?{text}"), 200)


def patch(shop, sku, **members):
    return ok(shop.sk.request("PATCH", f"/v1/products/{sku}", members), 200)


def ago(days, hours=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400 - hours * 3600))


def offers(shop, sku):
    return [(o["price"], o["compare_at"], o["offered"]) for o in history(shop, sku)["offers"]]


def test_each_change_of_a_price_is_kept_and_nothing_else(shop):
    sku = shop.product(price=1000, stock=0)
    assert offers(shop, sku) == [(1000, None, True)]
    patch(shop, sku, title="Another name")
    patch(shop, sku, price=1000)
    assert offers(shop, sku) == [(1000, None, True)]
    patch(shop, sku, price=1500)
    time.sleep(0.002)
    patch(shop, sku, compare_at=1500, price=1200)
    time.sleep(0.002)
    patch(shop, sku, status="archived")
    found = history(shop, sku)
    assert offers(shop, sku) == [(1200, 1500, False), (1200, 1500, True), (1500, None, True), (1000, None, True)]
    listed = found["offers"]
    assert listed[0]["until"] is None
    assert [o["until"] for o in listed[1:]] == [o["from"] for o in listed[:-1]]
    assert found["lowest_offer"] == 1000 and found["lowest_deal"] is None and found["deals"]["items"] == []


def test_a_refused_change_leaves_no_row(shop):
    good, bad = unique("SKU"), unique("SKU")
    products = [{"sku": good, "title": "Tea", "price": 100}, {"sku": bad, "title": "Tea", "price": 100, "variant_of": "nothing-like-it"}]
    problem(shop.sk.request("POST", "/v1/products/import", {"products": products}), 422)
    problem(shop.sk.request("GET", f"/v1/products/{good}/prices"), 404)
    ok(shop.sk.request("POST", "/v1/products/import", {"products": products[:1]}), 200)
    ok(shop.sk.request("POST", "/v1/products/import", {"products": [{**products[0], "price": 90}]}), 200)
    assert [o[0] for o in offers(shop, good)][:1] == [90]


def test_a_deal_is_what_was_paid_for_one_unit_after_discounts_once_it_is_paid(shop):
    sku = shop.product(price=1000, tags=["sale"])  # a tenth off
    order = shop.place({sku: 3})
    assert history(shop, sku)["lowest_deal"] is None  # not paid
    shop.pay(order)
    found = history(shop, sku)
    assert found["lowest_deal"]["price"] == 900 and found["lowest_deal"]["order"] == order["id"], found
    assert [(d["price"], d["units"]) for d in found["deals"]["items"]] == [(900, 3)]
    shop.refund(order)  # it was a deal all the same
    assert history(shop, sku)["lowest_deal"]["price"] == 900
    unpaid = shop.place({sku: 1})
    ok(shop.sk.request("POST", f"/v1/orders/{unpaid['id']}/cancel", {}, idempotency=unique("cancel")), 200)
    assert [(d["price"], d["units"]) for d in history(shop, sku)["deals"]["items"]] == [(900, 3)]


def test_deals_are_found_by_the_time_they_were_made(shop):
    sku = shop.product(price=1000, stock=50)
    for days, price in ((40, 500), (20, 700), (6, 900), (0, 800)):
        patch(shop, sku, price=price)
        order = shop.place({sku: 1}, placed_at=ago(days, 1), expected_total=price)
        shop.pay(order)
    assert history(shop, sku, days=7)["lowest_deal"]["price"] == 800
    assert history(shop, sku, days=7, before=ago(1))["lowest_deal"]["price"] == 900
    assert history(shop, sku, days=30)["lowest_deal"]["price"] == 700
    assert history(shop, sku, days=60)["lowest_deal"]["price"] == 500
    none = history(shop, sku, days=7, before=ago(10))
    assert none["lowest_deal"] is None and none["last_deal"]["price"] == 700  # the last one before that week
    assert history(shop, sku, days=7, before=ago(100))["last_deal"] is None
    pages = history(shop, sku, days=60, limit=3)["deals"]
    more = history(shop, sku, days=60, limit=3, cursor=pages["next_cursor"])["deals"]
    assert [d["price"] for d in pages["items"] + more["items"]] == [800, 900, 700, 500] and more["next_cursor"] is None


def test_deals_that_are_too_old_are_forgotten_as_orders_are_paid(own_shop):
    shop = own_shop()
    sku = shop.product(price=1000, stock=100)

    def deals(where):
        with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
            return db.execute(f"SELECT count(*) FROM deal_prices WHERE hour {where}", (int(time.time() * 1000) - 1098 * 86400000,)).fetchone()[0]

    shop.pay(shop.place({sku: 1}, placed_at=ago(1000)))
    shop.pay(shop.place({sku: 1}, placed_at=ago(1200)))
    assert (deals("< ?"), deals(">= ?")) == (0, 1)  # too old already: it is not written
    shop.hang_up()
    assert shop.server.terminate() == 0
    with contextlib.closing(sqlite3.connect(shop.server.data / "shop.db")) as db, db:
        db.execute("UPDATE deal_prices SET hour = hour - 200 * 86400000")
    shop.server.start()
    assert (deals("< ?"), deals(">= ?")) == (1, 0)
    for _ in range(64):  # one of so many looks
        shop.paid_order({sku: 1})
    assert deals("< ?") == 0 and deals(">= ?") >= 1


def test_deals_at_one_price_within_an_hour_are_one_row_and_the_window_is_exact(own_shop):
    shop = own_shop()
    sku = shop.product(price=1000, stock=50)
    hour = int(time.time()) // 3600 * 3600 - 10 * 3600
    moments = {600: 1000, 1800: 800, 3000: 1000}  # seconds within the hour

    def at(seconds):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(hour + seconds))

    for seconds, price in moments.items():
        patch(shop, sku, price=price)
        shop.pay(shop.place({sku: 1}, placed_at=at(seconds), expected_total=price))
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM deal_prices").fetchone() == (2,)
    assert history(shop, sku, before=at(1800))["lowest_deal"]["price"] == 1000
    assert history(shop, sku, before=at(1801))["lowest_deal"]["price"] == 800
    day = 86400
    assert history(shop, sku, days=1, before=at(1800 + day))["lowest_deal"]["price"] == 800
    assert history(shop, sku, days=1, before=at(1801 + day))["lowest_deal"]["price"] == 1000
    assert history(shop, sku, days=1, before=at(3001 + day))["lowest_deal"] is None


def test_deals_are_kept_by_channel_where_a_rule_knows_it(own_shop):
    till = """local promo = require "feira.promo"
return promo.campaign { id = "till", title = "At the till", when = promo.channel "till", give = promo.percent_off { percent = 50 } }
"""
    shop = own_shop(campaigns={"till": till})
    sku = shop.product(price=1000, stock=50)
    shop.paid_order({sku: 1})
    shop.paid_order({sku: 1}, channel="till")
    assert history(shop, sku)["lowest_deal"]["channel"] == "till" and history(shop, sku)["lowest_deal"]["price"] == 500
    assert history(shop, sku, channel="till")["lowest_deal"]["price"] == 500
    assert history(shop, sku, channel="web")["lowest_deal"] is None
    assert {(d["channel"], d["price"]) for d in history(shop, sku)["deals"]["items"]} == {(None, 1000), ("till", 500)}


def test_what_is_free_is_no_deal(own_shop):
    gift = """local promo = require "feira.promo"
return promo.campaign { id = "gift", title = "One free", scope = promo.tag "gift", give = promo.percent_off { percent = 100 } }
"""
    shop = own_shop(campaigns={"gift": gift})
    sku, free = shop.product(price=1000), shop.product(price=500, tags=["gift"])
    shop.paid_order({sku: 1, free: 1})
    assert history(shop, free)["lowest_deal"] is None and history(shop, sku)["lowest_deal"]["price"] == 1000


def test_only_servers_that_read_orders_see_it(shop):
    sku = shop.product()
    path = f"/v1/products/{sku}/prices"
    assert shop.pk.request("GET", path).status == 403
    assert shop.customer().request("GET", path).status == 403
    key = ok(shop.operator.request("POST", "/v1/keys", {"kind": "sk", "label": "a test", "scopes": ["products:write"]}), 201)
    assert shop.client(key["key"]).request("GET", path).status == 403
    for query, field in (("days=0", "days"), ("days=1e2", "days"), ("before=yesterday", "before"), ("cursor=x", "cursor"), ("limit=0", "limit")):
        problem(shop.sk.request("GET", f"{path}?{query}"), 422, field=field)


def test_the_command_shows_both(shop):
    sku = shop.product(price=1234)
    shop.paid_order({sku: 2})
    shown = feira("prices", shop.folder, sku)
    assert shown.returncode == 0 and "12.34" in shown.stdout and "lowest deal" in shown.stdout and "2 units" in shown.stdout, shown
    assert json.loads(feira("prices", shop.folder, sku, "--days", "7", "--json").stdout)["days"] == 7
    assert feira("prices", shop.folder, "nothing-like-it").returncode == 1


def compared(shop, sku):
    """As a shopper sees it in the list of products, and in a quote; both must say the same. A server always sees what is there."""
    product = ok(shop.pk.request("GET", f"/v1/products/{sku}"), 200).get("compare_at")
    line = shop.quote({sku: 1})["lines"][0].get("compare_at")
    assert product == line, (product, line)
    return product


def past(shop, sku, rows, deals=()):
    """What can't be written by a client: a history. rows: (days ago, price, compare_at); deals: (days ago, price). The server must not run."""
    now = int(time.time() * 1000)
    with sqlite3.connect(shop.server.data / "shop.db") as db:
        (number,) = db.execute("SELECT id FROM products WHERE sku = ?", (sku,)).fetchone()
        db.execute("DELETE FROM product_prices WHERE product = ?", (number,))
        db.executemany("INSERT INTO product_prices VALUES (?, ?, ?, ?, 1)", [(number, now - int(d * 86400_000), price, was) for d, price, was in rows])
        for days, price in deals:
            at = now - int(days * 86400_000)
            db.execute(
                "INSERT INTO deal_prices (product, hour, channel, price, units, first_at, last_at, last_order) VALUES (?, ?, '', ?, 1, ?, ?, 'ord_x')",
                (number, at // 3600_000 * 3600_000, price, at, at),
            )
    db.close()


def test_a_comparison_is_shown_as_far_as_the_history_bears_it_out(own_shop):
    shop = own_shop(settings={"compare_at": '{ days = 30, by = "offers" }'}, campaigns={})
    histories = {
        "BORNE": ([(90, 1500, None), (5, 1000, 1500)], 1500),
        "RAISED": ([(90, 1200, None), (20, 1500, None), (5, 1000, 1500)], None),  # it cost 12.00 within the 30 days
        "LONG-AGO": ([(90, 1200, None), (40, 1500, None), (5, 1000, 1500)], 1500),
        "STEPS": ([(90, 1500, None), (10, 1200, 1500), (5, 1000, 1500)], 1500),  # the days before the first step count
        "ALWAYS": ([(90, 1000, 1500)], None),  # compared with what it never cost
        "NONE": ([(90, 1000, None)], None),
    }
    for sku, (rows, _) in histories.items():
        shop.product(sku, price=1000, **({"compare_at": rows[-1][2]} if rows[-1][2] else {}))
    shop.close()
    for sku, (rows, _) in histories.items():
        past(shop, sku, rows)
    shop.server.start()
    for sku, (rows, shown) in histories.items():
        assert compared(shop, sku) == shown, sku
        assert ok(shop.sk.request("GET", f"/v1/products/{sku}"), 200).get("compare_at") == rows[-1][2]
    order = shop.place({"BORNE": 1, "RAISED": 1})
    assert [line.get("compare_at") for line in order["lines"]] == [1500, None]


def test_a_comparison_may_go_by_deals_and_without_a_setting_all_are_shown(own_shop):
    shop = own_shop(settings={"compare_at": '{ days = 7, by = "deals" }'}, campaigns={})
    history_of = {"LOWER": ((8, 1500), (6, 1400)), "LAST": ((100, 1300), (40, 1500)), "UNSOLD": (), "AFTER": ((6, 1500), (1, 900))}
    for sku in history_of:
        shop.product(sku, price=1000, compare_at=1500)
    shop.close()
    for sku, deals in history_of.items():
        past(shop, sku, [(90, 1500, None), (5, 1000, 1500)], deals)
    shop.server.start()
    assert {sku: compared(shop, sku) for sku in history_of} == {"LOWER": None, "LAST": 1500, "UNSOLD": None, "AFTER": 1500}
    market.write_shop(shop.folder, campaigns={})
    ok(shop.operator.request("POST", "/v1/generations", {}), 200)
    assert {compared(shop, sku) for sku in history_of} == {1500}


def test_how_comparisons_are_borne_out_is_said_rightly(tmp_path):
    for value in ("7", '{ days = 7 }', '{ days = 0, by = "deals" }', '{ days = 7, by = "wish" }', '{ days = 7, by = "deals", more = 1 }'):
        market.write_shop(tmp_path, settings={"compare_at": value}, campaigns={})
        answer = feira("check", tmp_path)
        assert answer.returncode == 3 and 'compare_at: expected { days = 30, by = "offers" }' in answer.stdout, (value, answer)
