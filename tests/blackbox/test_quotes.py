"""Quotes: what a cart costs, and why."""

import pytest
from market import ok, problem, unique


def test_a_plain_cart_adds_up(shop):
    a, b = shop.product(price=990), shop.product(price=1, compare_at=5)
    quote = shop.quote({a: 2, b: 3})
    assert [(x["sku"], x["qty"], x["unit_price"], x["subtotal"], x["total"], x["discounts"]) for x in quote["lines"]] == [
        (a, 2, 990, 1980, 1980, []),
        (b, 3, 1, 3, 3, []),
    ]
    assert quote["lines"][1]["compare_at"] == 5 and quote["lines"][0]["title"] == f"Thing {a}"
    assert quote["currency"] == "GBP" and quote["subtotal"] == quote["total"] == 1983 and quote["discount"] == 0
    assert quote["shipping"] is None and quote["generation"].startswith("g_") and quote["token"] and quote["expires_at"]


def test_a_campaign_says_what_it_took_from_which_line(shop):
    a, b = shop.product(price=995, tags=["sale"]), shop.product(price=500)
    quote = shop.quote({a: 3, b: 1})
    # A tenth of 29.85 is 2.985; half away from zero makes 2.99.
    assert quote["lines"][0]["discounts"][0]["campaign"] == "sale" and quote["lines"][0]["discounts"][0]["amount"] == 299
    assert quote["lines"][0]["total"] == 2985 - 299 and quote["lines"][1]["discounts"] == []
    assert quote["discount"] == 299 and quote["total"] == 2985 + 500 - 299
    assert {c["id"]: c.get("amount") for c in quote["campaigns"] if c["applied"]} == {"sale": 299}


def test_explain_says_why_not(shop):
    sku = shop.product(price=1000, tags=["coded"])
    full = ok(shop.pk.request("POST", "/v1/quotes?explain=full", {"lines": [{"sku": sku, "qty": 1}]}), 200)
    reasons = {c["id"]: c["reason"]["code"] for c in full["campaigns"] if not c["applied"]}
    assert reasons["welcome"] == "code_missing" and reasons["sale"] == "no_lines"
    assert "WELCOME" not in str(full), "a code is for those who have it"
    problem(shop.pk.request("POST", "/v1/quotes?explain=some", {"lines": [{"sku": sku, "qty": 1}]}), 422, field="explain")


def test_codes_are_taken_and_unknown_ones_are_named(shop):
    sku = shop.product(price=2000, tags=["coded"])
    quote = shop.quote({sku: 1}, codes=[" welcome ", "NOSUCH"])
    assert quote["total"] == 1500 and quote["unused_codes"] == ["NOSUCH"]


def test_campaign_files_compute_in_the_shops_currency(own_shop):
    text = """local promo, money, time = require "feira.promo", require "feira.money", require "feira.time"
return promo.campaign {
  id = "c", give = promo.amount_off { amount = money.format(money.parse "1.50" * 2) }, title = money.currency() .. time.resolve "2026-07-01 00:00",
}
"""
    shop = own_shop(campaigns={"c": text})
    quote = shop.quote({shop.product(price=1000): 1})
    assert quote["total"] == 700 and quote["campaigns"][0]["title"] == "GBP1782860400000", quote


def test_facts_of_a_customer_count_only_for_him(shop):
    sku = shop.product(price=1000, tags=["vip-goods"])
    vip, other = shop.customer(tags=["vip"]), shop.customer()
    assert shop.quote({sku: 1}, by=vip)["total"] == 500
    assert shop.quote({sku: 1}, by=other)["total"] == 1000
    assert shop.quote({sku: 1})["total"] == 1000
    assert shop.quote({sku: 1}, by=shop.sk, customer=vip.customer)["total"] == 500


def test_shipping_is_offered_by_rate_and_region(shop):
    light, heavy = shop.product(price=1000, weight_g=400), shop.product(price=1000, weight_g=4000)
    offers = {o["id"]: o["amount"] for o in shop.quote({light: 1}, shipping={"region": "GB"})["shipping_options"]}
    assert offers == {"standard": 495, "heavy": 300}
    assert {o["id"] for o in shop.quote({light: 1}, shipping={"region": "FR"})["shipping_options"]} == {"heavy"}
    quote = shop.quote({light: 1}, shipping={"option": "standard", "region": "GB"})
    assert quote["shipping"]["option"] == "standard" and quote["shipping"]["total"] == 495 and quote["total"] == 1495
    assert shop.quote({light: 5}, shipping={"option": "standard", "region": "GB"})["shipping"]["total"] == 0
    assert shop.quote({heavy: 1}, shipping={"option": "heavy"})["total"] == 1700
    problem(shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": heavy, "qty": 2}], "shipping": {"option": "heavy"}}), 422, field="/shipping/option")
    problem(shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": light, "qty": 1}], "shipping": {"option": "standard", "region": "FR"}}), 422, field="/shipping/region")


def test_the_same_cart_gives_the_same_quote(shop):
    skus = [shop.product(price=333 + n, tags=["sale"]) for n in range(10)]
    first, second = shop.quote(dict.fromkeys(skus, 3)), shop.quote(dict.fromkeys(skus, 3))
    for quote in (first, second):
        del quote["token"], quote["expires_at"]
    assert first == second


def test_a_quote_writes_nothing(shop):
    sku = shop.product(tags=["sale"])
    before = shop.state()
    shop.quote({sku: 1})
    assert shop.state() == before


def test_a_server_may_set_prices_and_the_clock(shop):
    sku = shop.product(price=1000, tags=["sale"])
    quote = shop.quote([{"sku": sku, "qty": 2, "unit_price": 700}], by=shop.sk)
    assert quote["subtotal"] == 1400 and quote["discount"] == 140
    assert shop.quote([{"sku": sku, "qty": 2, "unit_price": 700}], by=shop.sk, campaigns="none")["total"] == 1400
    assert shop.quote({sku: 1}, by=shop.sk, at="2011-04-01T10:00:00Z")["total"] == 900


@pytest.mark.parametrize(
    "more, field",
    [
        ({"lines": [{"sku": "{sku}", "qty": 1, "unit_price": 1}]}, "/lines/0/unit_price"),
        ({"customer": "17850"}, "/customer"),
        ({"at": "2011-04-01T10:00:00Z"}, "/at"),
        ({"campaigns": "none"}, "/campaigns"),
    ],
)
@pytest.mark.parametrize("caller", ["pk", "ct"])
def test_what_only_a_server_may_say_is_refused_from_others(shop, caller, more, field):
    sku = shop.product()
    client = shop.pk if caller == "pk" else shop.customer()
    body = {"lines": [{"sku": sku, "qty": 1}], **more}
    body["lines"] = [{k: sku if v == "{sku}" else v for k, v in line.items()} for line in body["lines"]]
    problem(client.request("POST", "/v1/quotes", body), 403, field=field)


WRONG = [
    ({}, "/lines"),
    ({"lines": []}, "/lines"),
    ({"lines": {}}, "/lines"),
    ({"lines": [1]}, "/lines/0"),
    ({"lines": [{"qty": 1}]}, "/lines/0/sku"),
    ({"lines": [{"sku": "{sku}"}]}, "/lines/0/qty"),
    ({"lines": [{"sku": "no-such-thing", "qty": 1}]}, "/lines/0/sku"),
    ({"lines": [{"sku": "{sku}", "qty": 0}]}, "/lines/0/qty"),
    ({"lines": [{"sku": "{sku}", "qty": -1}]}, "/lines/0/qty"),
    ({"lines": [{"sku": "{sku}", "qty": 1.5}]}, "/lines/0/qty"),
    ({"lines": [{"sku": "{sku}", "qty": "1"}]}, "/lines/0/qty"),
    ({"lines": [{"sku": "{sku}", "qty": True}]}, "/lines/0/qty"),
    ({"lines": [{"sku": "{sku}", "qty": None}]}, "/lines/0/qty"),
    ({"lines": [{"sku": "{sku}", "qty": 1000001}]}, "/lines/0/qty"),
    ({"lines": [{"sku": "{sku}", "qty": 2**63 - 1}]}, "/lines/0/qty"),
    ({"lines": [{"sku": "{sku}", "qty": 1, "price": 1}]}, "/lines/0/price"),
    ({"lines": [{"sku": "{sku}", "qty": 1, "total": 1}]}, "/lines/0/total"),
    ({"lines": [{"sku": "{sku}", "qty": 1}], "discount": 100}, "/discount"),
    ({"lines": [{"sku": "{sku}", "qty": 1}], "total": 1}, "/total"),
    ({"lines": [{"sku": "{sku}", "qty": 1}], "codes": "A"}, "/codes"),
    ({"lines": [{"sku": "{sku}", "qty": 1}], "codes": ["x"] * 21}, "/codes"),
    ({"lines": [{"sku": "{sku}", "qty": 1}], "codes": [{"$ne": None}]}, "/codes/0"),
    ({"lines": [{"sku": "{sku}", "qty": 1}], "shipping": {"option": "rocket"}}, "/shipping/option"),
    ({"lines": [{"sku": "{sku}", "qty": 1}] * 2001}, "/lines"),
]


@pytest.mark.parametrize("body, field", WRONG, ids=[f"{i}{field.replace('/', '-')}" for i, (_, field) in enumerate(WRONG)])
def test_a_wrong_cart_is_refused_by_field(shop, body, field):
    sku = shop.product()
    if isinstance(body.get("lines"), list):
        body = {**body, "lines": [{k: sku if v == "{sku}" else v for k, v in x.items()} if isinstance(x, dict) else x for x in body["lines"]]}
    problem(shop.pk.request("POST", "/v1/quotes", body), 422, field=field)


@pytest.mark.parametrize("prices", [(2**53 - 1, 1000000), (2**62, 2)])
def test_a_cart_that_no_amount_can_hold_is_refused(shop, prices):
    price, qty = prices
    sku = shop.product()
    problem(shop.sk.request("POST", "/v1/quotes", {"lines": [{"sku": sku, "qty": qty, "unit_price": price}]}), 422)


def test_draft_and_archived_products_cannot_be_bought(shop):
    for status in ("draft", "archived"):
        sku = shop.product(status=status)
        problem(shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": sku, "qty": 1}]}), 422, field="/lines/0/sku")


def test_a_failing_function_is_skipped_and_said(own_shop):
    campaigns = {
        "bad": """local promo = require "feira.promo"
return promo.campaign { id = "bad", title = "Bad", scope = promo.tag "sale", give = function(cart) for line in cart:lines() do line:discount { amount = line.subtotal + 1, reason = "x" } end end }
""",
        "loop": """local promo = require "feira.promo"
return promo.campaign { id = "loop", title = "Loop", scope = promo.tag "sale", give = function() while true do end end }
""",
        "good": """local promo = require "feira.promo"
return promo.campaign {
  id = "good", title = "Good", scope = promo.tag "sale",
  give = function(cart)
    for line in cart:lines() do if line.qty >= 3 then line:discount { amount = line.unit_price, reason = "third one is on us" } end end
  end,
}
""",
    }
    shop = own_shop(campaigns=campaigns)
    sku = shop.product(unique("F"), price=1000, tags=["sale"])
    quote = ok(shop.pk.request("POST", "/v1/quotes?explain=full", {"lines": [{"sku": sku, "qty": 3}]}), 200)
    assert quote["total"] == 2000 and quote["lines"][0]["discounts"] == [{"campaign": "good", "amount": 1000, "reason": "third one is on us"}]
    said = {c["id"]: c for c in quote["campaigns"]}
    assert said["bad"]["reason"]["code"] == "failed" and said["loop"]["reason"]["code"] == "failed" and said["good"]["applied"]
