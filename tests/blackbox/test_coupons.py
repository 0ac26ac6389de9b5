"""plugins/coupons over HTTP: a coupon is used once however many orders want it at once and whatever happens in between. The rest is in its
own specs."""

import concurrent.futures

from market import feira, ok, problem, unique, write_shop

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
