"""Campaigns for a share of the customers: always the same ones, made larger within what the rules allow."""

import pytest
from market import feira, ok, open_shop, problem, unique
from people import entries, operator

CANARY = """local promo = require "feira.promo"
return promo.campaign {{ id = "{id}", scope = promo.tag "{id}", share = {share}, give = promo.percent_off {{ percent = 10 }} }}
"""
BETA = """local promo = require "feira.promo"
return promo.campaign { id = "beta", scope = promo.tag "beta", when = promo.customer_tag "beta", give = promo.percent_off { percent = 10 } }
"""
PEOPLE = 120


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    campaigns = {
        "canary": CANARY.format(id="canary", share="{ percent = 50, up_to = 80 }"),
        "other": CANARY.format(id="other", share="50"),
        "all": CANARY.format(id="all", share="100"),
        "beta": BETA,
    }
    with open_shop(tmp_path_factory.mktemp("shares"), campaigns=campaigns) as s:
        s.skus = {tag: s.product(tags=[tag], price=1000, stock=1000) for tag in ("canary", "other", "all", "beta")}
        s.names = [f"customer-{n}" for n in range(PEOPLE)]
        for name in s.names:
            ok(s.sk.request("PUT", f"/v1/customers/{name}", {}), 200, 201)
        yield s


def inside(shop, tag):
    """Who gets it."""
    carts = [{"customer": name, "lines": [{"sku": shop.skus[tag], "qty": 1}]} for name in shop.names]
    return {c["customer"] for c in carts if shop.quote(c["lines"], by=shop.sk, customer=c["customer"])["total"] == 900}


def share(shop, campaign, percent, by=None):
    return (by or shop.operator).request("PUT", f"/v1/admin/shares/{campaign}", {"percent": percent})


def test_about_half_are_in_and_stay_in(house):
    first = inside(house, "canary")
    assert PEOPLE / 4 < len(first) < PEOPLE * 3 / 4  # a chance of 10^-8 to be wrong, and the same customers each time
    assert inside(house, "canary") == first
    other = inside(house, "other")
    assert other != first and other & first and first - other, "each campaign has its own half"


def test_it_is_widened_and_withdrawn_without_other_rules(house):
    first = inside(house, "canary")
    live = ok(house.operator.request("GET", "/v1/generations"), 200)["live"]
    ok(share(house, "canary", "80"), 200)
    more = inside(house, "canary")
    assert more > first, "whoever was in stays in"
    ok(share(house, "canary", "12.5"), 200)
    fewer = inside(house, "canary")
    assert fewer < first
    ok(share(house, "canary", "0"), 200)
    assert not inside(house, "canary")
    ok(share(house, "canary", "50"), 200)
    assert inside(house, "canary") == first
    assert ok(house.operator.request("GET", "/v1/generations"), 200)["live"] == live
    assert [e["details"]["percent"] for e in entries(house, "share.set", "canary")][-4:] == ["80", "12.5", "0", "50"]


def test_not_beyond_what_was_approved(house):
    who = operator(house, "business")
    problem(share(house, "canary", "80.1", by=who), 403, "outside_of_range")
    problem(share(house, "other", "51", by=who), 403, "outside_of_range")
    problem(share(house, "beta", "5", by=who), 404, "no_such_share")
    problem(share(house, "canary", "-1", by=who), 422, field="/percent")
    problem(share(house, "canary", "100.1", by=who), 422, field="/percent")
    assert [e["details"]["why"] for e in entries(house, "share.set.refused") if e["actor"] == who.name][:3] == ["outside_of_range", "outside_of_range", "no_such_share"]
    viewer = operator(house, "viewer")
    problem(share(house, "canary", "1", by=viewer), 403, "role_missing")
    problem(share(house, "canary", "1", by=house.sk), 403, "wrong_key_kind")


def test_guests_are_in_no_share_but_the_whole(house):
    assert house.quote({house.skus["canary"]: 1})["total"] == 1000
    assert house.quote({house.skus["all"]: 1})["total"] == 900


def test_a_tag_is_the_other_way(house):
    ok(house.sk.request("PUT", "/v1/customers/tester", {"tags": ["beta"]}), 200, 201)
    assert house.quote({house.skus["beta"]: 1}, by=house.sk, customer="tester")["total"] == 900
    assert house.quote({house.skus["beta"]: 1}, by=house.sk, customer=house.names[0])["total"] == 1000


def test_who_is_out_can_be_told_why(house):
    out = next(name for name in house.names if name not in inside(house, "canary"))
    body = {"customer": out, "lines": [{"sku": house.skus["canary"], "qty": 1}]}
    quote = ok(house.sk.request("POST", "/v1/quotes?explain=canary&lang=en", body), 200)
    assert "not_in_share" in str(quote) and "share of the customers" in str(quote)


def test_a_price_that_was_shown_holds_and_the_order_can_be_computed_again(house):
    name = sorted(inside(house, "canary"))[0]
    lines = [{"sku": house.skus["canary"], "qty": 1}]
    quote = ok(house.sk.request("POST", "/v1/quotes", {"customer": name, "lines": lines}), 200)
    ok(share(house, "canary", "0"), 200)
    placed = ok(house.sk.request("POST", "/v1/orders", {"quote_token": quote["token"]}, idempotency=unique("o")), 201)
    assert placed["total"] == quote["total"]
    ok(share(house, "canary", "50"), 200)
    house.place({house.skus["canary"]: 1}, customer=name)
    house.place({house.skus["canary"]: 1}, customer=next(n for n in house.names if n not in inside(house, "canary")))
    replay = feira("replay", house.folder, timeout=120)
    assert replay.returncode == 0, replay


def test_a_start_changes_nobody_and_other_bounds_begin_anew(house):
    ok(share(house, "canary", "80"), 200)
    before = inside(house, "canary")
    assert house.server.terminate() == 0
    house.hang_up()
    house.server.start()
    assert inside(house, "canary") == before
    assert "80 %" in feira("share", house.folder).stdout
    path = house.folder / "campaigns" / "canary.lua"
    path.write_text(CANARY.format(id="canary", share="{ percent = 20, up_to = 80 }"))
    ok(house.operator.request("POST", "/v1/generations", {}), 200)
    assert inside(house, "canary") < before
    done = feira("share", house.folder, "canary", "30")
    assert done.returncode == 0 and "30 %" in done.stdout
    assert feira("share", house.folder, "canary", "81").returncode == 1


def test_where_it_must_be_approved_only_the_range_is_free(tmp_path):
    steps = '{ steps = { { name = "one", roles = { "owner" } } } }'
    campaigns = {"canary": CANARY.format(id="canary", share="{ percent = 1, up_to = 10 }")}
    with open_shop(tmp_path, settings={"approvals": steps}, campaigns=campaigns) as s:
        who = operator(s, "business")
        ok(share(s, "canary", "10", by=who), 200)
        problem(share(s, "canary", "11", by=who), 403, "outside_of_range")
        (s.folder / "campaigns" / "canary.lua").write_text(CANARY.format(id="canary", share="{ percent = 1, up_to = 11 }"))
        assert ok(s.operator.request("POST", "/v1/generations", {}), 200)["result"] == "draft"
        problem(share(s, "canary", "11", by=who), 403, "outside_of_range")
