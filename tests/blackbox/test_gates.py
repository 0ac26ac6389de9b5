"""Gates: who may buy what, and when. A closed one refuses the cart, or hides the line."""

from market import feira, ok, problem, unique

GATES = {
    "gates": """local promo = require "feira.promo"
return {
  promo.gate { id = "members", title = "Members only", scope = promo.tag "members", when = promo.customer_tag "member",
               reason = "Members can buy this, and everybody can become one." },
  promo.gate { id = "soon", scope = promo.tag "soon", effect = "hide", when = promo.window { from = "2090-01-01 00:00" },
               reason = "On sale from 2090." },
  promo.gate { id = "few", scope = promo.tag "few", when = promo.qty { at_most = 2 }, reason = "Two each, so that there is enough for all." },
  promo.gate { id = "odd", scope = promo.tag "odd", effect = "hide", reason = "Sold in pairs.",
               when = function(cart)
                 if cart.qty == 13 then error "unlucky" end
                 return cart.qty % 2 == 0
               end },
  promo.campaign { id = "tenth", when = promo.subtotal { at_least = "20.00" }, give = promo.percent_off { percent = 10 } },
}
""",
}


def test_a_closed_gate_refuses_and_says_what_was_needed(own_shop):
    shop = own_shop(campaigns=GATES)
    cup, thing = shop.product(price=1000), shop.product(price=5000, tags=["members"])
    body = {"lines": [{"sku": cup, "qty": 1}, {"sku": thing, "qty": 1}]}
    refused = problem(shop.pk.request("POST", "/v1/quotes", body), 422, "gate_closed", "/lines/1")
    assert refused["detail"] == "Members can buy this, and everybody can become one."
    assert refused["gate"] == {
        "id": "members",
        "title": "Members only",
        "sku": thing,
        "reason": {"code": "customer_tag_missing", "wanted": "member"},
    }
    member, stranger = shop.customer(tags=["member"]), shop.customer()
    problem(stranger.request("POST", "/v1/quotes", body), 422, "gate_closed", "/lines/1")
    quote = shop.quote(body["lines"], by=member)
    assert quote["total"] == 5400 and "gates" not in quote
    problem(stranger.request("POST", "/v1/orders", {**body, "expected_total": 5400}, idempotency=unique("o")), 422, "gate_closed", "/lines/1")
    assert ok(member.request("POST", "/v1/orders", {"quote_token": quote["token"]}, idempotency=unique("o")), 201)["total"] == 5400


def test_a_limit_per_order(own_shop):
    shop = own_shop(campaigns=GATES)
    sku = shop.product(price=100, tags=["few"])
    assert shop.quote({sku: 2})["total"] == 200
    refused = problem(shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": sku, "qty": 2}, {"sku": sku, "qty": 1}]}), 422, "gate_closed")
    assert refused["gate"]["reason"] == {"code": "qty_above", "limit": 2, "seen": 3}


def test_a_hidden_line_is_shown_and_costs_nothing_and_is_not_ordered(own_shop):
    shop = own_shop(campaigns=GATES)
    cup, soon = shop.product(price=1500), shop.product(price=9000, tags=["soon"])
    quote = shop.quote({soon: 1, cup: 1})
    assert quote["total"] == 1500 and quote["discount"] == 0  # the tenth from 20.00 does not see it
    line = quote["lines"][0]
    assert line["sku"] == soon and line["subtotal"] == line["total"] == 0 and line["unit_price"] == 9000
    assert line["unavailable"] == {"gate": "soon", "because": "On sale from 2090.", "reason": {"code": "not_yet", "from": "2090-01-01T00:00:00Z"}}
    assert "unavailable" not in quote["lines"][1]
    before = shop.state()
    for body in {"quote_token": quote["token"]}, {"lines": [{"sku": soon, "qty": 1}, {"sku": cup, "qty": 1}], "expected_total": 1500}:
        refused = problem(shop.pk.request("POST", "/v1/orders", body, idempotency=unique("o")), 422, "gate_closed", "/lines/0")
        assert refused["gate"]["sku"] == soon
    assert shop.state() == before
    assert shop.place({cup: 1}, by=shop.pk)["total"] == 1500


def test_functions_explain_and_stops(own_shop):
    shop = own_shop(campaigns=GATES)
    sku = shop.product(price=100, tags=["odd"], stock=100)
    assert shop.quote({sku: 2})["total"] == 200
    assert shop.quote({sku: 3})["lines"][0]["unavailable"]["reason"] == {"code": "condition_false"}
    broken = shop.quote({sku: 13})
    assert broken["total"] == 0 and broken["lines"][0]["unavailable"]["reason"]["code"] == "failed"  # nobody knows, so nobody passes
    full = ok(shop.pk.request("POST", "/v1/quotes?explain=full", {"lines": [{"sku": sku, "qty": 3}]}), 200)
    gates = {g["id"]: g for g in full["gates"]}
    assert gates["odd"]["open"] is False and gates["odd"]["reason"] == {"code": "condition_false"}
    assert gates["members"]["open"] is True and gates["members"]["reason"] == {"code": "no_lines"}
    assert [c["id"] for c in full["campaigns"]] == ["tenth"]
    assert feira("stop", shop.folder, "odd").returncode == 0
    quote = ok(shop.pk.request("POST", "/v1/quotes?explain=full", {"lines": [{"sku": sku, "qty": 3}]}), 200)
    assert quote["total"] == 300 and {g["id"]: g.get("reason") for g in quote["gates"]}["odd"] == {"code": "stopped"}
    assert feira("resume", shop.folder, "odd").returncode == 0
    assert shop.quote({sku: 3})["total"] == 0


def test_a_gate_that_keeps_failing_is_quarantined_only_if_it_may_stand_open(own_shop):
    broken = """local promo = require "feira.promo"
local function fails(cart) return cart.nothing.at_all end
return {
  promo.gate { id = "strict", scope = promo.tag "strict", effect = "hide", reason = "Closed.", when = fails },
  promo.gate { id = "lax", scope = promo.tag "lax", effect = "hide", reason = "Closed.", when = fails, on_failure = "skip" },
}
"""
    shop = own_shop(campaigns={"broken": broken})
    strict, lax = shop.product(price=100, tags=["strict"]), shop.product(price=100, tags=["lax"])
    first = shop.quote({strict: 1, lax: 1})
    assert first["total"] == 100 and first["lines"][0]["unavailable"]["reason"]["code"] == "failed"
    assert [(g["id"], g["open"], g["reason"]["code"]) for g in first["gates"]] == [("lax", True, "failed")]
    for _ in range(30):
        shop.quote({strict: 1, lax: 1})
    full = ok(shop.pk.request("POST", "/v1/quotes?explain=full", {"lines": [{"sku": strict, "qty": 1}, {"sku": lax, "qty": 1}]}), 200)
    assert [(g["id"], g["open"], g["reason"]["code"]) for g in full["gates"]] == [("lax", True, "stopped"), ("strict", False, "failed")]
    stops = ok(shop.operator.request("GET", "/v1/stops"), 200)["items"]
    assert [s["campaign"] for s in stops if s["quarantined"]] == ["lax"]
    assert "feira_rule_errors_total" in shop.pk.request("GET", "/metrics").body.decode()


def test_who_was_shown_a_price_can_order_after_the_gate_has_closed(own_shop):
    soon = """local promo = require "feira.promo"
return promo.gate { id = "app", when = promo.channel "app", reason = "Only in the app." }
"""
    shop = own_shop(campaigns={"none": "return {}"})
    sku = shop.product(price=100)
    quote = shop.quote({sku: 1})
    (shop.folder / "campaigns" / "soon.lua").write_text(soon, encoding="utf-8")
    assert feira("publish", shop.folder).returncode == 0
    problem(shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": sku, "qty": 1}]}), 422, "gate_closed")
    assert ok(shop.pk.request("POST", "/v1/orders", {"quote_token": quote["token"]}, idempotency=unique("o")), 201)["total"] == 100


def test_an_import_is_not_asked_and_a_till_is(own_shop):
    shop = own_shop(campaigns=GATES)
    sku = shop.product(price=100, tags=["members"])
    assert shop.place({sku: 1}, campaigns="none")["total"] == 100
    line = [{"sku": sku, "qty": 1, "unit_price": 90}]
    problem(shop.sk.request("POST", "/v1/quotes", {"lines": line}), 422, "gate_closed", "/lines/0")


def test_the_command_line_shows_gates(own_shop, tmp_path):
    shop = own_shop(campaigns=GATES)
    sku = shop.product(price=100, tags=["soon"])
    cart = tmp_path / "cart.json"
    cart.write_text('{"lines": [{"sku": "%s", "qty": 1}]}' % sku)
    answer = feira("quote", shop.folder, cart)
    assert "! not for sale: On sale from 2090." in answer.stdout and "soon" in answer.stdout.split("not for sale")[1], answer
