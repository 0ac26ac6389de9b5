"""What merchants write in campaigns, in their words, through the whole of the program: each campaign below is quoted to the unit."""

import pytest

from market import ok

HEAD = 'local promo = require "feira.promo"\n'

# name: the campaign, and carts of (tag, unit price, qty) with what is taken off them.
CASES = {
    "every": ("""return promo.campaign { id = "every", title = "每满300减50", scope = promo.tag "in",
                 give = promo.amount_off { amount = "50.00", every = "300.00", cap = "200.00" } }""",
              [([(29999, 1)], 0), ([(30000, 1)], 5000), ([(65000, 1)], 10000), ([(160000, 1)], 20000)]),
    "second": ("""return promo.campaign { id = "second", title = "第二件半价", scope = promo.tag "in",
                  give = promo.nth_unit { n = 2, percent = 50, among = "same_sku" } }""",
               [([(10000, 3)], 5000), ([(10000, 1), (8000, 1)], 0)]),
    "second-of-all": ("""return promo.campaign { id = "second-of-all", scope = promo.tag "in",
                         give = promo.nth_unit { n = 2, percent = 50, among = "scope" } }""",
                      [([(10000, 1), (8000, 1), (6000, 1), (4000, 1)], 6000)]),
    "pick": ("""return promo.campaign { id = "pick", title = "任选3件99元", scope = promo.tag "in", give = promo.n_for { n = 3, price = "99.00" } }""",
             [([(5900, 1), (4900, 1), (3900, 1), (3500, 1)], 4800), ([(3000, 3)], 0), ([(5000, 7)], 10200)]),
    "ladder": ("""return promo.campaign { id = "ladder", title = "多买多折", scope = promo.tag "in", give = promo.tiered { by = "qty", mode = "whole", steps = {
                    { at = 2, give = promo.percent_off { percent = 10 } },
                    { at = 3, give = promo.percent_off { percent = 20 } },
                    { at = 5, give = { promo.percent_off { percent = 30 }, promo.free_shipping {} } } } } }""",
               [([(5000, 1)], 0), ([(5000, 3)], 3000), ([(5000, 5)], 7500)]),
    "flash": ("""return promo.campaign { id = "flash", scope = promo.tag "in", alone = true, give = promo.fixed_price { price = "9.90", max_units = 1 } }""",
              [([(2990, 3)], 2000)]),
    "zhe": ("""return promo.campaign { id = "zhe", title = "八五折", when = promo.none { promo.store "north" }, give = promo.zhe("8.5", { cap = "20.00" }) }""",
            [([(10000, 1)], 1500), ([(20000, 1)], 2000), ([(333, 1)], 50)]),
    "cheapest": ("""return promo.campaign { id = "cheapest", scope = promo.tag "in", when = promo.qty { at_least = 3 }, give = promo.cheapest_free {} }""",
                 [([(1000, 1), (300, 1)], 0), ([(1000, 2), (300, 1)], 300)]),
    "bundle": ("""return promo.campaign { id = "bundle", give = promo.bundle { price = "100.00",
                    items = { { of = promo.tag "in" }, { of = promo.none { promo.tag "in" }, qty = 1 } } } }""",
               [([(9000, 1), (3000, 1, "out")], 2000), ([(9000, 1)], 0)]),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_campaign_comes_to_what_its_words_say(own_shop, name):
    text, carts = CASES[name]
    shop = own_shop(campaigns={name: HEAD + text})
    for lines, off in carts:
        cart = {shop.product(price=price, tags=list(tag) or ["in"]): qty for price, qty, *tag in lines}
        quote = shop.quote(cart)
        assert quote["discount"] == off, (lines, quote)
        assert quote["total"] == quote["subtotal"] - off
        assert sum(line["total"] for line in quote["lines"]) == quote["total"]


def test_campaigns_that_exclude_one_another_and_the_set_that_costs_least(own_shop):
    two = HEAD + """return {
        promo.campaign { id = "tenth", group = "g", priority = 5, give = promo.percent_off { percent = 10 } },
        promo.campaign { id = "fifth", group = "g", give = promo.percent_off { percent = 20 } },
        promo.campaign { id = "five", not_with = { "fifth" }, give = promo.amount_off { amount = "5.00" } } }"""
    for policies, off, out in ("{}", 1500, {"fifth"}), ('{ stacking = "best" }', 2000, {"tenth", "five"}):
        shop = own_shop(campaigns={"two": two}, settings={"policies": policies})
        sku = shop.product(price=10000)
        quote = ok(shop.pk.request("POST", "/v1/quotes?explain=full", {"lines": [{"sku": sku, "qty": 1}]}), 200)
        assert quote["discount"] == off
        assert {c["id"] for c in quote["campaigns"] if not c["applied"] and c["reason"]["code"] == "lost"} == out
        assert quote.get("proven") == (True if "best" in policies else None)
