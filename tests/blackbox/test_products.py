"""Products, variants, stock."""

import pytest
from market import ok, problem, unique
from test_history import in_guide


def test_a_product_is_made_read_changed_and_replaced(shop):
    sku = unique("TEA")
    body = {"title": "Green tea", "price": 1999, "compare_at": 2499, "cost": 900, "category": "tea/green", "tags": ["spring"], "brand": "Yun", "weight_g": 250}
    made = ok(shop.sk.request("PUT", f"/v1/products/{sku}", body), 201)
    assert made["sku"] == sku and made["price"] == 1999 and made["cost"] == 900 and made["status"] == "active"
    changed = ok(shop.sk.request("PATCH", f"/v1/products/{sku}", {"price": 1499, "compare_at": None}), 200)
    assert changed["price"] == 1499 and not changed.get("compare_at") and changed["title"] == "Green tea"
    replaced = ok(shop.sk.request("PUT", f"/v1/products/{sku}", {"title": "Other", "price": 5}), 200)
    assert replaced["title"] == "Other" and not replaced.get("category") and not replaced.get("cost")
    assert ok(shop.sk.request("GET", f"/v1/products/{sku}"), 200)["title"] == "Other"


def test_storefronts_do_not_see_cost_and_stock(shop):
    sku = shop.product(stock=3, cost=123)
    seen = ok(shop.pk.request("GET", f"/v1/products/{sku}"), 200)
    assert "cost" not in seen and "stock" not in seen and seen["available"] is True
    empty = shop.product(stock=0)
    assert ok(shop.pk.request("GET", f"/v1/products/{empty}"), 200)["available"] is False
    listed = next(p for p in every_product(shop.pk) if p["sku"] == sku)
    assert "cost" not in listed and "stock" not in listed


def test_drafts_are_not_shown_to_storefronts(shop):
    sku = shop.product(status="draft")
    problem(shop.pk.request("GET", f"/v1/products/{sku}"), 404)
    assert sku not in {p["sku"] for p in every_product(shop.pk)}
    assert ok(shop.sk.request("GET", f"/v1/products/{sku}"), 200)["status"] == "draft"


def every_product(client, more=""):
    items, cursor = [], None
    while True:
        page = ok(client.request("GET", f"/v1/products?limit=7{more}" + (f"&cursor={cursor}" if cursor else "")), 200)
        assert len(page["items"]) <= 7
        items += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return items


def test_lists_are_walked_by_cursor_without_gaps_or_repeats(shop):
    made = {shop.product(stock=0) for _ in range(20)}
    skus = [p["sku"] for p in every_product(shop.sk)]
    assert len(skus) == len(set(skus)) and made <= set(skus)


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=1000000", "limit=", "cursor=%21%21%21", "limit=1&limit=2"])
def test_a_query_that_makes_no_sense_is_refused(shop, query):
    answer = shop.sk.request("GET", f"/v1/products?{query}")
    problem(answer, 422 if answer.status == 422 else 400, field=query.split("=")[0])


def test_variants_take_from_their_parent_what_they_do_not_say(shop):
    parent = shop.product(category="clothes", tags=["sale"], brand="Yun", stock=0)
    small = unique("SMALL")
    ok(shop.sk.request("PUT", f"/v1/products/{small}", {"title": "Small one", "price": 700, "variant_of": parent, "options": {"size": "S"}}), 201)
    shop.stock(small, 5)
    seen = ok(shop.sk.request("GET", f"/v1/products/{small}"), 200)
    assert seen["category"] == "clothes" and seen["tags"] == ["sale"] and seen["brand"] == "Yun" and seen["options"] == {"size": "S"}
    variants = ok(shop.sk.request("GET", f"/v1/products/{parent}"), 200)["variants"]
    assert [v["sku"] if isinstance(v, dict) else v for v in variants] == [small]
    assert {p["sku"] for p in every_product(shop.sk, f"&variant_of={parent}")} == {small}
    # The tag that the parent gives counts in a campaign.
    assert shop.quote({small: 1})["discount"] == 70
    problem(shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": parent, "qty": 1}]}), 422, field="/lines/0/sku")


def test_a_variant_needs_a_parent_that_is_there_and_not_a_variant_itself(shop):
    problem(shop.sk.request("PUT", f"/v1/products/{unique('V')}", {"title": "x", "price": 1, "variant_of": "no-such-thing"}), 422, field="/variant_of")
    parent = shop.product(stock=0)
    child = shop.product(stock=0, variant_of=parent)
    problem(shop.sk.request("PUT", f"/v1/products/{unique('V')}", {"title": "x", "price": 1, "variant_of": child}), 422, field="/variant_of")
    own = unique("V")
    problem(shop.sk.request("PUT", f"/v1/products/{own}", {"title": "x", "price": 1, "variant_of": own}), 422, field="/variant_of")


WRONG_PRODUCTS = [
    ({"price": 1}, "/title"),
    ({"title": "x"}, "/price"),
    ({"title": "", "price": 1}, "/title"),
    ({"title": "x", "price": -1}, "/price"),
    ({"title": "x", "price": 1.5}, "/price"),
    ({"title": "x", "price": "1"}, "/price"),
    ({"title": "x", "price": True}, "/price"),
    ({"title": "x", "price": None}, "/price"),
    ({"title": "x", "price": 2**63 - 1}, "/price"),
    ({"title": "x", "price": 1, "tags": "a"}, "/tags"),
    ({"title": "x", "price": 1, "tags": [1]}, "/tags/0"),
    ({"title": "x", "price": 1, "status": "sold"}, "/status"),
    ({"title": "x", "price": 1, "weight_g": -1}, "/weight_g"),
    ({"title": "x", "price": 1, "colour": "red"}, "/colour"),
    ({"title": "x", "price": 1, "options": {"size": 3}}, "/options/size"),
    ({"title": "x", "price": 1, "track_stock": "yes"}, "/track_stock"),
    ({"title": "x" * 10001, "price": 1}, "/title"),
]


@pytest.mark.parametrize("body, field", WRONG_PRODUCTS, ids=[f"{i}-{field[1:]}" for i, (_, field) in enumerate(WRONG_PRODUCTS)])
def test_a_wrong_product_is_refused_by_field_and_changes_nothing(shop, body, field):
    before = shop.state()
    problem(shop.sk.request("PUT", f"/v1/products/{unique('WRONG')}", body), 422, field=field)
    assert shop.state() == before


def test_an_unknown_product_is_404(shop):
    problem(shop.sk.request("GET", "/v1/products/no-such-thing"), 404)
    problem(shop.sk.request("PATCH", "/v1/products/no-such-thing", {"price": 1}), 404)


def test_an_import_is_all_or_nothing(shop):
    a, b = unique("IMP"), unique("IMP")
    before = shop.state()
    bad = {"products": [{"sku": a, "title": "A", "price": 1, "stock": 3}, {"sku": b, "title": "B", "price": -1}]}
    problem(shop.sk.request("POST", "/v1/products/import", bad), 422, field="/products/1/price")
    assert shop.state() == before
    bad["products"][1]["price"] = 2
    assert ok(shop.sk.request("POST", "/v1/products/import", bad), 200) == {"created": 2, "updated": 0}
    assert shop.available(a)["available"] == 3
    assert ok(shop.sk.request("POST", "/v1/products/import", bad), 200) == {"created": 0, "updated": 2}


# --- stock ------------------------------------------------------------------------------------------------------------
def test_stock_moves_by_deltas_and_location(shop):
    sku = shop.product(stock=0)
    item = shop.stock(sku, 7)["items"][0]
    assert item == {"sku": sku, "location": "main", "on_hand": 7, "held": 0, "available": 7}
    assert shop.stock(sku, -2)["items"][0]["available"] == 5
    assert shop.stock(sku, 4, location="shed")["items"][0] == {"sku": sku, "location": "shed", "on_hand": 4, "held": 0, "available": 4}


def test_stock_cannot_go_below_zero(shop):
    sku = shop.product(stock=2)
    before = shop.state()
    problem(shop.sk.request("POST", "/v1/stock", {"sku": sku, "delta": -3, "reason": "lost"}, idempotency=unique("s")), 409)
    assert shop.state() == before and shop.available(sku)["available"] == 2


def test_several_stock_changes_succeed_or_fail_together(shop):
    a, b = shop.product(stock=1), shop.product(stock=1)
    changes = {"changes": [{"sku": a, "delta": 5, "reason": "count"}, {"sku": b, "delta": -9, "reason": "count"}]}
    problem(shop.sk.request("POST", "/v1/stock", changes, idempotency=unique("s")), 409)
    assert shop.available(a)["available"] == 1
    changes["changes"][1]["delta"] = -1
    items = ok(shop.sk.request("POST", "/v1/stock", changes, idempotency=unique("s")), 200)["items"]
    assert [i["available"] for i in items] == [6, 0]


@pytest.mark.parametrize(
    "body, field",
    [
        ({"delta": 1, "reason": "x"}, None),
        ({"sku": "no-such-thing", "delta": 1, "reason": "x"}, "/sku"),
        ({"sku": "{sku}", "reason": "x"}, "/delta"),
        ({"sku": "{sku}", "delta": 0, "reason": "x"}, "/delta"),
        ({"sku": "{sku}", "delta": 1.5, "reason": "x"}, "/delta"),
        ({"sku": "{sku}", "delta": "1", "reason": "x"}, "/delta"),
        ({"sku": "{sku}", "delta": 2**62, "reason": "x"}, "/delta"),
        ({"sku": "{sku}", "delta": 1}, "/reason"),
        ({"sku": "{sku}", "delta": 1, "reason": "x", "location": ""}, "/location"),
    ],
)
def test_a_wrong_stock_change_is_refused_and_changes_nothing(shop, body, field):
    sku = shop.product(stock=1)
    body = {k: sku if v == "{sku}" else v for k, v in body.items()}
    before = shop.state()
    problem(shop.sk.request("POST", "/v1/stock", body, idempotency=unique("s")), 422, field=field)
    assert shop.state() == before


def test_stock_without_a_key_for_the_attempt_is_refused(shop):
    sku = shop.product(stock=1)
    problem(shop.sk.request("POST", "/v1/stock", {"sku": sku, "delta": 1, "reason": "x"}), 400, "idempotency_key_required")


def test_attributes_are_what_rules_ask_for(own_shop):
    shop = own_shop(campaigns={"red": """local promo = require "feira.promo"
return {
  promo.campaign { id = "red", scope = promo.attribute("color", { "red", "pink" }), give = promo.percent_off { percent = 10 } },
  promo.campaign { id = "large", when = promo.attribute("size_mm", { at_least = 40 }), give = promo.amount_off { amount = "1" } },
}"""})
    red = {"color": "red", "size_mm": 25, "organic": True}
    parent = shop.product(price=1000, attributes=red, stock=0)
    small = shop.product(price=1000, variant_of=parent)
    large = shop.product(price=1000, variant_of=parent, attributes={"color": "blue", "size_mm": 40})
    assert ok(shop.sk.request("GET", f"/v1/products/{small}"), 200)["attributes"] == red
    assert shop.quote({small: 1})["discount"] == 100
    assert shop.quote({large: 1})["discount"] == 100 and shop.quote({large: 1, small: 1})["discount"] == 200
    ok(shop.sk.request("PATCH", f"/v1/products/{small}", {"attributes": {"color": "blue"}}), 200)
    assert shop.quote({small: 1})["discount"] == 0
    for bad, field in ({"color": 2.5}, "/attributes/color"), ({"color": {}}, "/attributes/color"), ({"a b": 1}, "/attributes/a b"), ({"a": ""}, "/attributes/a"):
        problem(shop.sk.request("PUT", f"/v1/products/{large}", {"title": "x", "price": 1, "attributes": bad}), 422, field=field)
    why = ok(shop.pk.request("POST", "/v1/quotes?explain=full", {"lines": [{"sku": small, "qty": 1}]}), 200)["campaigns"]
    assert {c["id"]: c["reason"]["code"] for c in why} == {"red": "no_lines", "large": "not_in_cart"}


def test_the_example_of_the_guide_about_attributes(own_shop):
    shop = own_shop(campaigns={"long": in_guide("Products by their attributes")})
    scarf = {"color": "red", "length_mm": 1800}
    long, short = shop.product(attributes=scarf), shop.product(attributes={**scarf, "length_mm": 1499})
    linen = shop.product(attributes={"organic": True})
    assert shop.quote({long: 1, linen: 1})["discount"] == 100
    assert shop.quote({long: 1})["discount"] == 0 and shop.quote({short: 1, linen: 1})["discount"] == 0
