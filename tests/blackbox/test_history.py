"""Who is new, which order of a customer this is, and what was bought before: campaigns that ask, over HTTP, with orders that are real."""

import pathlib
import re
import sqlite3
import threading

import pytest
from market import feira, ok, problem, unique
from test_campaign_limits import cancel

HEAD = 'local promo = require "feira.promo"\n'
GUIDE = pathlib.Path(__file__).resolve().parents[2] / "plugins" / "README.md"


def one(when, **more):
    fields = "".join(f", {k} = {v}" for k, v in more.items())
    return {"one": f'{HEAD}return promo.campaign {{ id = "one", when = {when}, give = promo.percent_off {{ percent = 10 }}{fields} }}\n'}


def in_guide(heading):
    """The first file of campaigns in a section of the author's guide: it is run here as it stands there."""
    section = GUIDE.read_text(encoding="utf-8").split(f"\n### {heading}\n", 1)[1].split("\n### ", 1)[0]
    return next(text for text in re.findall(r"```lua\n(.*?)```", section, re.S) if text.startswith("-- corner/campaigns/"))


def told(shop, lines, by=None, lang=None):
    """What is off in all, and by id why not: the code, its values, the sentence."""
    query = "?explain=full" + (f"&lang={lang}" if lang else "")
    quote = ok((by or shop.pk).request("POST", "/v1/quotes" + query, {"lines": [{"sku": s, "qty": n} for s, n in lines.items()]}), 200)
    return quote["discount"], {c["id"]: c.get("reason") for c in quote["campaigns"]}


def test_the_example_of_the_guide(own_shop):
    shop = own_shop(campaigns={"regulars": in_guide("Who is new, and what was bought")})
    tea, mug = shop.product(price=1000, stock=1000, category="tea"), shop.product(price=2000, stock=1000)
    ann = shop.customer()
    assert told(shop, {mug: 1})[0] == 0
    assert told(shop, {mug: 1}, ann)[0] == 300
    shop.paid_order({tea: 3}, by=ann)
    assert told(shop, {tea: 1, mug: 1}, ann)[0] == 100
    for _ in range(3):
        shop.place({mug: 1}, by=ann)
    assert told(shop, {mug: 1}, ann)[0] == 500


def test_orders_count_until_they_end_and_a_refund_ends_none(own_shop):
    shop = own_shop(campaigns=one("promo.first_order()"))
    sku, ann = shop.product(price=1000, stock=1000), shop.customer()
    assert told(shop, {sku: 1}, ann)[0] == 100
    order = shop.place({sku: 1}, by=ann)
    assert told(shop, {sku: 1}, ann) == (0, {"one": {"code": "not_first_order", "seen": 2}})
    cancel(shop, order)
    assert told(shop, {sku: 1}, ann)[0] == 100
    order = shop.paid_order({sku: 1}, by=ann)
    ok(shop.refund(order), 201)
    assert told(shop, {sku: 1}, ann)[0] == 0
    cancel(shop, order)
    assert told(shop, {sku: 1}, ann)[0] == 100


def test_of_a_thousand_first_orders_at_once_one_is_the_first(own_shop):
    shop = own_shop(campaigns=one("promo.first_order()"))
    sku, ann = shop.product(price=1000, stock=100000), shop.customer()
    body = {"lines": [{"sku": sku, "qty": 1}]}
    token = ok(ann.request("POST", "/v1/quotes", body), 200)["token"]
    answers, gate = [], threading.Barrier(20)

    def buy():
        client = shop.client(ann.key)
        gate.wait()
        for i in range(50):
            # Half by what was shown, half by the rules as they are: those are priced anew, and only the first costs that.
            sent = {"quote_token": token} if i % 2 == 0 else {**body, "expected_total": 900}
            answers.append(client.request("POST", "/v1/orders", sent, idempotency=unique("o")))
        client.close()

    threads = [threading.Thread(target=buy) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == 1000
    assert sorted(a.status for a in answers) == [201] + [409] * 999
    why = {a.json()["type"].rsplit("/", 1)[-1] for a in answers if a.status == 409}
    assert why <= {"facts_changed", "price_changed"}
    assert next(a.json() for a in answers if a.status == 201)["discount"] == 100
    assert feira("doctor", shop.folder, "--data", shop.server.data).returncode == 0


def test_bought_is_what_was_paid_for_less_what_went_back(own_shop):
    shop = own_shop(campaigns=one('promo.bought { category = "tea", at_least = 3 }'))
    tea, mug = shop.product(price=1000, stock=1000, category="tea/green"), shop.product(price=2000, stock=1000)
    ann = shop.customer()

    def seen():
        off, reasons = told(shop, {mug: 1}, ann)
        return "applied" if off == 200 else reasons["one"]["seen"]

    assert told(shop, {mug: 1}) == (0, {"one": {"code": "sign_in"}})
    assert seen() == 0
    waits = shop.place({tea: 5, mug: 1}, by=ann)
    assert seen() == 0  # not paid
    order = shop.pay(waits, by=ann)
    assert seen() == "applied"
    ok(shop.refund(order, lines=[{"line": 1, "qty": 3}]), 201)
    assert seen() == 2
    shop.paid_order({tea: 1}, by=ann)
    assert seen() == "applied"
    cancel(shop, order)
    assert seen() == 1


def test_a_payment_changes_what_was_quoted_before(own_shop):
    shop = own_shop(campaigns=one("promo.none { promo.bought {} }"))
    sku, ann = shop.product(price=1000, stock=1000), shop.customer()
    order = shop.place({sku: 1}, by=ann)
    token = ok(ann.request("POST", "/v1/quotes", {"lines": [{"sku": sku, "qty": 1}]}), 200)["token"]
    shop.pay(order, by=ann)
    refusal = problem(ann.request("POST", "/v1/orders", {"quote_token": token}, idempotency=unique("o")), 409, "facts_changed")
    assert refusal["quote"]["discount"] == 0


def test_money_that_was_paid_within_some_days(own_shop):
    shop = own_shop(campaigns=one('promo.bought { tag = "in", at_least = "25.00", within = "30d" }'))
    sku, ann = shop.product(price=1000, stock=1000, tags=["in"]), shop.customer()
    shop.paid_order({sku: 3}, by=ann)
    body = {"lines": [{"sku": sku, "qty": 1}], "customer": ann.customer}
    assert ok(shop.sk.request("POST", "/v1/quotes", body), 200)["discount"] == 100
    later = {**body, "at": "2099-01-01T00:00:00Z"}
    quote = ok(shop.sk.request("POST", "/v1/quotes?explain=full", later), 200)
    assert quote["campaigns"][0]["reason"] == {"code": "bought_below", "needed": 2500, "seen": 0}


def test_what_was_sold_elsewhere_long_ago_was_bought_then(own_shop):
    shop = own_shop(campaigns=one('promo.bought { within = "30d" }'))
    sku, ann = shop.product(price=1000, stock=1000), shop.customer()
    shop.paid_order({sku: 1}, campaigns="none", customer=ann.customer, placed_at="2020-01-01T00:00:00Z")
    assert told(shop, {sku: 1}, ann)[0] == 0
    shop.paid_order({sku: 1}, by=ann)
    assert told(shop, {sku: 1}, ann)[0] == 100


@pytest.mark.parametrize("lang,words", [("en", "first order"), ("zh-CN", "首单")])
def test_reasons_are_said_in_the_languages_there_are(own_shop, lang, words):
    shop = own_shop(campaigns=one("promo.first_order()"))
    sku, ann = shop.product(price=1000, stock=1000), shop.customer()
    shop.place({sku: 1}, by=ann)
    assert words in told(shop, {sku: 1}, ann, lang)[1]["one"]["text"]


def test_what_is_kept_when_an_order_is_cancelled(own_shop):
    shop = own_shop(campaigns=one("promo.none { promo.tag 'no' }", limits='{ uses = 3, after_cancel = "keep" }'))
    sku = shop.product(price=1000, stock=1000)

    def left():
        return told(shop, {sku: 1})[0]

    cancel(shop, shop.place({sku: 1}))
    cancel(shop, shop.paid_order({sku: 1}))
    assert left() == 100
    order = shop.paid_order({sku: 1})
    assert left() == 0
    ok(shop.refund(order), 201)  # nothing is said of refunds
    assert left() == 100
    cancel(shop, order)
    assert left() == 100  # it was given back before
    cancel(shop, shop.place({sku: 1}))
    assert left() == 0
    assert feira("doctor", shop.folder, "--data", shop.server.data).returncode == 0


def test_purchases_of_a_shop_from_before_are_found(own_shop):
    """The rows that an earlier program did not write are made from its orders when it is opened."""
    shop = own_shop(campaigns=one("promo.bought { at_least = 3 }"))
    sku, ann = shop.product(price=1000, stock=1000), shop.customer()
    order = shop.paid_order({sku: 5}, by=ann)
    ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    cancel(shop, shop.paid_order({sku: 9}, by=ann))
    shop.hang_up()
    shop.server.terminate()
    with sqlite3.connect(shop.server.data / "shop.db") as db:
        kept = db.execute("SELECT customer, order_id, items FROM purchases").fetchall()
        made = (pathlib.Path(__file__).resolve().parents[2] / "stdlib/schema/020-purchases.sql").read_text()
        db.execute("DROP TABLE purchases")
        db.executescript(made)
        assert db.execute("SELECT customer, order_id, items FROM purchases").fetchall() == kept
    db.close()
    assert kept and '4,4000' in kept[0][2].replace(" ", "")
