"""plugins/coupons over HTTP: a coupon is used once however many orders want it at once and whatever happens in between. The rest is in its
own specs."""

import concurrent.futures

from market import feira, ok, problem, unique, write_shop
from test_history import in_guide

NEW20 = """local promo = require "feira.promo"
return promo.campaign {
  id = "new20", coupon = { grant_on = "customer.joined", valid_for = "7d", %s }, when = promo.subtotal { at_least = "99.00" },
  give = promo.amount_off { amount = "20.00" },
}
"""
SETTINGS = {"currency": '"CNY"', "plugins": "{ coupons = {} }", "shipping": None}


def coupon_shop(own_shop, more="", **options):
    shop = own_shop(settings=SETTINGS, campaigns={"new20": NEW20 % more}, **options)
    shop.product("ROBE", price=9900, stock=1000)
    return shop


def order(client, expected=7900, key=None):
    body = {"lines": [{"sku": "ROBE", "qty": 1}], "expected_total": expected}
    return client.request("POST", "/v1/orders", body, idempotency=key or unique("order"))


def at_once(shop, customer, work):
    """The answers to work(client, item) of five clients of one customer; each has a connection of its own."""
    clients = [shop.client(customer.key) for _ in range(5)]
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        return list(pool.map(work, clients, range(5)))


def states(client):
    return [c["state"] for c in ok(client.request("GET", "/v1/x/coupons/me"), 200)["items"]]


def test_of_five_orders_at_once_with_one_coupon_one_wins_and_the_others_see_a_fresh_quote(own_shop):
    shop = coupon_shop(own_shop)
    for _ in range(10):
        ann = shop.customer()
        answers = at_once(shop, ann, lambda client, _: order(client))
        assert sorted(a.status for a in answers) == [201, 409, 409, 409, 409]
        assert all(a.json()["quote"]["total"] == 9900 for a in answers if a.status == 409)
        assert states(ann) == ["held"]


def test_of_five_tokens_with_one_coupon_one_is_taken(own_shop):
    shop = coupon_shop(own_shop)
    ann = shop.customer()
    body = {"lines": [{"sku": "ROBE", "qty": 1}]}
    tokens = [ok(ann.request("POST", "/v1/quotes", body), 200)["token"] for _ in range(5)]
    answers = at_once(shop, ann, lambda client, i: client.request("POST", "/v1/orders", {"quote_token": tokens[i]}, idempotency=unique("order")))
    assert sorted(a.status for a in answers) == [201, 409, 409, 409, 409]
    assert states(ann) == ["held"]


def test_the_last_coupon_goes_to_one_of_many_who_take_it(own_shop):
    shop = coupon_shop(own_shop)
    campaigns = {"new20": (NEW20 % "claim = true, total = 1").replace('grant_on = "customer.joined", ', "")}
    write_shop(shop.folder, SETTINGS, campaigns)
    assert feira("publish", shop.folder, "--data", shop.server.data).returncode == 0
    people = [shop.customer() for _ in range(20)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        take = lambda who: who.request("POST", "/v1/x/coupons/campaigns/new20/claim", {}, idempotency=unique("take"))  # noqa: E731
        answers = list(pool.map(take, people))
    assert sorted(a.status for a in answers) == [201] + [409] * 19
    assert sum(len(states(who)) for who in people) == 1


def test_an_order_of_the_past_does_not_say_that_its_code_is_unknown(own_shop):
    shop = typed_shop(own_shop)
    code = a_code(shop)
    body = {"lines": [{"sku": "ROBE", "qty": 1}], "codes": [code], "expected_total": 7900}
    made = ok(shop.pk.request("POST", "/v1/orders", body, idempotency=unique("o")), 201)
    told = ok(shop.sk.request("GET", f"/v1/orders/{made['id']}/explanation"), 200)
    assert [c["id"] for c in told["campaigns"] if c["applied"]] == ["new20"]
    assert [c["status"] for c in told["codes"]] == ["not_asked"]


def test_while_the_plugin_is_stopped_its_campaigns_take_nothing_off(own_shop):
    shop = coupon_shop(own_shop)
    ann = shop.customer()
    assert shop.quote({"ROBE": 1}, by=ann)["total"] == 7900
    assert feira("stop", shop.folder, "coupons", "--data", shop.server.data).returncode == 0
    assert shop.quote({"ROBE": 1}, by=ann)["total"] == 9900
    assert feira("resume", shop.folder, "coupons", "--data", shop.server.data).returncode == 0
    assert shop.quote({"ROBE": 1}, by=ann)["total"] == 7900


def test_what_a_campaign_says_wrongly_of_its_coupon_is_found_where_it_stands(own_shop):
    shop = coupon_shop(own_shop)
    wrong = {
        'valid_for = 7': "valid_for",
        'per_costumer = 1': "per_customer",
        'per_customer = 0': "per_customer",
    }
    for text, word in wrong.items():
        campaign = NEW20.replace('valid_for = "7d", ', "") % text
        write_shop(shop.folder, SETTINGS, {"new20": campaign})
        checked = feira("check", shop.folder)
        assert checked.returncode != 0 and "campaigns/new20.lua:2" in checked.stdout and word in checked.stdout, checked.stdout
    write_shop(shop.folder, {**SETTINGS, "plugins": None}, {"new20": NEW20 % ""})
    checked = feira("check", shop.folder)
    assert checked.returncode != 0 and 'there is no plugin "coupons"' in checked.stdout, checked.stdout


def test_what_a_server_made_up_as_a_tag_is_no_coupon(own_shop):
    shop = coupon_shop(own_shop)
    ann = shop.customer()
    ok(order(ann), 201)
    ok(shop.sk.request("PUT", f"/v1/customers/{ann.customer}", {"tags": ["coupons.held:new20"]}), 200)
    problem(order(ann), 409, "coupon_gone")
    assert states(ann) == ["held"]


def test_servers_see_the_names_of_a_fact(own_shop):
    shop = coupon_shop(own_shop)
    ann = shop.customer()
    facts = ok(shop.sk.request("GET", f"/v1/customers/{ann.customer}/facts"), 200)["facts"]
    assert facts == {"coupons.held": ["new20"]}
    order(ann)
    assert ok(shop.sk.request("GET", f"/v1/customers/{ann.customer}/facts"), 200)["facts"] == {"coupons.held": []}


TYPED = """local promo = require "feira.promo"
return {
  promo.campaign { id = "new20", coupon = { typed = "anyone", per_customer = 1 }, when = promo.subtotal { at_least = "99.00" },
    give = promo.amount_off { amount = "20.00" } },
  promo.campaign { id = "ten", codes = { "TEN" }, when = promo.subtotal { at_least = "120.00" }, give = promo.amount_off { amount = "1.00" } },
  promo.campaign { id = "old", codes = { "OLD" }, window = { to = "2020-01-01" }, scope = promo.sku "NONE", give = promo.amount_off { amount = "1.00" } },
}
"""


def typed_shop(own_shop, **settings):
    shop = own_shop(settings={**SETTINGS, **settings}, campaigns={"new20": TYPED})
    shop.product("ROBE", price=9900, stock=1000)
    return shop


def said(client, *codes, lang=None):
    """{code: what is said of it}"""
    body = {"lines": [{"sku": "ROBE", "qty": 1}], "codes": list(codes)}
    quote = ok(client.request("POST", "/v1/quotes" + (f"?lang={lang}" if lang else ""), body), 200)
    return {c["code"]: c for c in quote["codes"]}


def a_code(shop, batch=0):
    made = ok(shop.sk.request("POST", "/v1/x/coupons/batches", {"campaign": "new20", "count": 1, "id": f"b{batch}"}, idempotency=unique("b")), 201)
    return ok(shop.sk.request("GET", f"/v1/x/coupons/batches/{made['batch']}/codes"), 200)["codes"][0]


def test_of_five_guests_with_one_code_one_has_it(own_shop):
    shop = typed_shop(own_shop)
    for batch in range(5):
        code = a_code(shop, batch)
        clients = [shop.client(shop.server.keys()["pk"]) for _ in range(5)]
        body = {"lines": [{"sku": "ROBE", "qty": 1}], "codes": [code], "expected_total": 7900}
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            answers = list(pool.map(lambda c: c.request("POST", "/v1/orders", body, idempotency=unique("order")), clients))
        assert sorted(a.status for a in answers) == [201, 409, 409, 409, 409]
        assert all(a.json()["quote"]["codes"] == [{"code": code, "status": "used_up"}] for a in answers if a.status == 409)
    assert feira("doctor", shop.folder, "--data", shop.server.data).returncode == 0


def test_a_word_with_one_use_is_had_by_one_of_many_customers(own_shop):
    shop = typed_shop(own_shop)
    ok(shop.sk.request("POST", "/v1/x/coupons/words", {"code": "ONCE", "campaign": "new20", "uses": 1}, idempotency=unique("w")), 201)
    customers = [shop.customer() for _ in range(12)]
    body = {"lines": [{"sku": "ROBE", "qty": 1}], "codes": ["once"], "expected_total": 7900}
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda c: c.request("POST", "/v1/orders", body, idempotency=unique("order")), customers))
    assert sorted(a.status for a in answers) == [201] + [409] * 11


def test_each_code_says_in_words_what_became_of_it(own_shop):
    shop = typed_shop(own_shop)
    english = said(shop.pk, "ten", "OLD", "NOSUCH", a_code(shop), lang="en")
    assert [c["status"] for c in english.values()] == ["minimum_not_met", "expired", "unknown", "applied"]
    assert english["ten"]["text"] == "CN¥41.00 more, and the code applies." and english["ten"]["more"] == 4100
    assert english["OLD"]["text"].startswith("The code could be used until 2020-01-01")
    chinese = said(shop.pk, "ten", "NOSUCH", lang="zh-CN")
    assert chinese["ten"]["text"] == "再买¥21.00即可使用此优惠码。" and chinese["NOSUCH"]["text"] == "没有这个优惠码。"


def test_the_guests_of_a_storefront_guess_together_and_each_customer_for_himself(own_shop):
    shop = typed_shop(own_shop, code_guesses=5)
    other = ok(shop.operator.request("POST", "/v1/keys", {"kind": "pk", "label": "other"}, idempotency=unique("k")), 201)["key"]
    ann = shop.customer()
    code = a_code(shop)
    for _ in range(9):  # a cart is priced again and again with the same in it
        assert said(shop.pk, "GUESS0")["GUESS0"]["status"] == "unknown"
    said(shop.pk, "TEN", "OLD", code[:-1] + ("7" if code[-1] != "7" else "8"))  # these are known, or mistyped
    said(shop.pk, *[f"GUESS{i}" for i in range(1, 5)])
    assert {c["status"] for c in said(shop.pk, code, "TEN", "GUESS9").values()} == {"too_many_guesses"}
    assert said(shop.client(other), code)[code]["status"] == "applied"
    assert said(ann, code)[code]["status"] == "applied"
    said(ann, *[f"GUESS{i}" for i in range(5)])
    assert said(ann, code)[code]["status"] == "too_many_guesses"
    assert said(shop.customer(), code)[code]["status"] == "applied"
    assert said(shop.sk, *[f"GUESS{i}" for i in range(9)], code)[code]["status"] == "applied"
    blocked = ok(ann.request("POST", "/v1/quotes", {"lines": [{"sku": "ROBE", "qty": 1}], "codes": [code]}), 200)
    assert blocked["discount"] == 0
    ok(ann.request("POST", "/v1/orders", {"quote_token": blocked["token"]}, idempotency=unique("o")), 201)


def test_an_order_by_token_takes_the_code_that_its_quote_showed(own_shop):
    shop = typed_shop(own_shop)
    code = a_code(shop)
    quote = ok(shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": "ROBE", "qty": 1}], "codes": [code]}), 200)
    made = ok(shop.pk.request("POST", "/v1/orders", {"quote_token": quote["token"]}, idempotency=unique("o")), 201)
    assert made["total"] == 7900
    again = shop.pk.request("POST", "/v1/orders", {"quote_token": quote["token"]}, idempotency=unique("o"))
    assert problem(again, 409, "coupon_gone")["quote"]["total"] == 9900


def test_the_example_of_the_guide_about_codes(own_shop):
    shop = own_shop(campaigns={"codes": in_guide("Codes")})
    sku, ann = shop.product(price=4200), shop.customer()
    body = {"lines": [{"sku": sku, "qty": 1}], "codes": ["five", "Spring", "no"], "at": "2026-05-01T00:00:00Z"}
    quote = ok(shop.sk.request("POST", "/v1/quotes", {**body, "customer": ann.customer}), 200)
    assert quote["discount"] == 420
    assert [(c["status"], c.get("more")) for c in quote["codes"]] == [("minimum_not_met", 1220), ("applied", None), ("unknown", None)]
    later = ok(shop.sk.request("POST", "/v1/quotes", {**body, "at": "2026-06-01T12:00:00Z"}), 200)
    assert [c["status"] for c in later["codes"]] == ["minimum_not_met", "expired", "unknown"]


def test_while_the_plugin_is_stopped_its_codes_are_not_guesses(own_shop):
    shop = typed_shop(own_shop, code_guesses=2)
    codes = [a_code(shop, n) for n in range(4)]
    ok(shop.operator.request("POST", "/v1/stops", {"name": "coupons"}, idempotency=unique("s")), 200, 201)
    for code in codes:
        assert said(shop.pk, code, "TEN")[code]["status"] == "stopped"
    ok(shop.operator.request("DELETE", "/v1/stops/coupons", idempotency=unique("r")), 200, 204)
    assert said(shop.pk, codes[0])[codes[0]]["status"] == "applied"
