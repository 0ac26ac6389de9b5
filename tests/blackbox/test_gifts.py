"""Gifts, add-ons and price lists, from what a merchant writes to what an order holds, sends and gives back."""

import functools
import json

import pytest
from market import feira, ok, problem, unique
from test_campaign_limits import all_at_once
from test_reload import publish

HEAD = 'local promo = require "feira.promo"\n'


@pytest.fixture
def gives(own_shop):
    """A shop whose campaign gives shop.mug to whoever buys shop.tea for 100.00; `more` goes into promo.gift."""
    def make(more="", stock=10, price=3900, extra="", **options):
        text = HEAD + f"""return {{ promo.campaign {{ id = "cups", title = "A mug", scope = promo.sku "TEA", when = promo.subtotal {{ at_least = "100.00" }},
            give = promo.gift {{ sku = "MUG"{more} }} }}, {extra} }}"""
        shop = own_shop(campaigns={"cups": text}, **options)
        shop.tea = shop.product("TEA", price=10000, stock=1000)
        shop.mug = shop.product("MUG", price=price, compare_at=9900, stock=stock, weight_g=9000)
        return shop

    return make


def gifts_of(document):
    return [(line["sku"], line["qty"], line["unit_price"], line["total"]) for line in document["lines"] if line.get("gift")]


def by_token(shop, lines, **more):
    token = shop.quote(lines, **more)["token"]
    return lambda: shop.sk.request("POST", "/v1/orders", {"quote_token": token}, idempotency=unique("order"))


def why(shop, lines, campaign="cups", path="/v1/quotes?explain=full"):
    quote = ok(shop.pk.request("POST", path, {"lines": [{"sku": s, "qty": n} for s, n in lines.items()]}), 200)
    found = next(c for c in quote["campaigns"] if c["id"] == campaign)
    return found.get("reason", "applied")


def test_a_gift_is_held_sold_and_given_back_with_its_order(gives):
    shop = gives()
    quote = shop.quote({"TEA": 1})
    line = quote["lines"][1]
    assert (quote["total"], quote["subtotal"], quote["discount"]) == (10000, 13900, 3900)
    assert {k: line[k] for k in ("sku", "title", "qty", "unit_price", "total", "origin", "gift")} == {
        "sku": "MUG", "title": "Thing MUG", "qty": 1, "unit_price": 3900, "total": 0, "origin": "cups", "gift": True}
    assert "compare_at" not in line  # what a gift is said to be worth is what it costs now
    order = ok(by_token(shop, {"TEA": 1})(), 201)
    assert gifts_of(order) == [("MUG", 1, 3900, 0)] and order["total"] == 10000
    assert shop.available("MUG") == {"on_hand": 10, "held": 1, "available": 9}
    ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("cancel")), 200)
    assert shop.available("MUG") == {"on_hand": 10, "held": 0, "available": 10}
    order = shop.paid_order({"TEA": 2})
    assert gifts_of(order) == [("MUG", 1, 3900, 0)]
    assert shop.available("MUG")["on_hand"] == 9
    sent = ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/fulfilments", {}, idempotency=unique("send")), 201)
    assert [(x["sku"], x["qty"]) for x in sent["fulfilments"][0]["lines"]] == [("TEA", 2), ("MUG", 1)]
    assert gifts_of(sent) == [("MUG", 1, 3900, 0)] and sent["lines"][1]["origin"] == "cups"


def test_what_a_refund_of_what_earned_it_means_for_a_gift(gives):
    shop = gives()
    # Part of it goes back: the gift stays, and may be sent back for nothing.
    order = shop.paid_order({"TEA": 2})
    part = ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    assert (part["refunded"], part["lines"][1]["refunded_qty"]) == (10000, 0)
    back = ok(shop.refund(order, lines=[{"line": 2, "qty": 1}]), 201)
    assert (back["refunded"], back["lines"][1]["refunded_qty"], back["refunds"][1]["amount"]) == (10000, 1, 0)
    assert shop.available("MUG")["on_hand"] == 10
    # All that was ordered goes back before the gift was sent: it is not sent.
    order = shop.paid_order({"TEA": 1})
    assert shop.available("MUG")["on_hand"] == 9
    back = ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    assert [line["refunded_qty"] for line in back["lines"]] == [1, 1]
    assert shop.available("MUG")["on_hand"] == 10
    problem(shop.sk.request("POST", f"/v1/orders/{order['id']}/fulfilments", {}, idempotency=unique("send")), 409, "nothing_to_send")
    # After it was sent it stays with the customer, until it is named.
    order = shop.paid_order({"TEA": 1})
    ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/fulfilments", {}, idempotency=unique("send")), 201)
    back = ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    assert [line["refunded_qty"] for line in back["lines"]] == [1, 0]
    assert shop.available("MUG")["on_hand"] == 9
    back = ok(shop.refund(order, lines=[{"line": 2, "qty": 1}]), 201)
    assert shop.available("MUG")["on_hand"] == 10
    # An order that is taken back whole takes the gift with it.
    order = shop.paid_order({"TEA": 1})
    ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("cancel")), 200)
    assert shop.available("MUG") == {"on_hand": 10, "held": 0, "available": 10}
    assert shop.available("TEA")["held"] == 0
    assert feira("doctor", shop.folder).returncode == 0


def test_an_order_with_a_gift_is_computed_again_as_it_was(gives):
    shop = gives(', substitute = "CUP"', stock=1)
    shop.product("CUP", price=700, tags=["blue"])
    for _ in range(2):
        shop.paid_order({"TEA": 1})
    shop.product("MUG", price=5000, stock=50)
    shop.product("CUP", price=1, title="Another")
    answer = feira("replay", shop.folder)
    assert answer.returncode == 0 and "2 orders" in answer.stdout, answer


def test_who_was_given_something_has_not_bought_it(gives):
    shop = gives(extra="""
        promo.campaign { id = "again", when = promo.bought { sku = "MUG", at_least = 1 }, give = promo.percent_off { percent = 10 } },""")
    buyer = shop.customer()
    shop.paid_order({"TEA": 1}, by=buyer)
    assert gifts_of(shop.quote({"TEA": 1}, by=buyer)) == [("MUG", 1, 3900, 0)]
    assert shop.quote({"TEA": 1}, by=buyer)["total"] == 10000
    shop.paid_order({"MUG": 1}, by=buyer)
    assert shop.quote({"TEA": 1}, by=buyer)["total"] == 9000


def test_a_gift_that_was_sold_out_between_the_quote_and_the_order(gives):
    shop = gives(stock=1)
    first, second = by_token(shop, {"TEA": 1}), by_token(shop, {"TEA": 1})
    assert gifts_of(ok(first(), 201)) == [("MUG", 1, 3900, 0)]
    said = problem(second(), 409, "out_of_stock")
    assert gifts_of(said["quote"]) == [] and said["quote"]["total"] == 10000
    assert shop.available("TEA")["held"] == 1  # nothing was taken
    order = ok(shop.sk.request("POST", "/v1/orders", {"quote_token": said["quote"]["token"]}, idempotency=unique("order")), 201)
    assert gifts_of(order) == []
    assert why(shop, {"TEA": 1}) == {"code": "gift_sold_out", "sku": "MUG"}
    # Without a token the order is priced now.
    assert gifts_of(shop.place({"TEA": 1})) == []
    shop.stock("MUG", 5)
    assert gifts_of(shop.place({"TEA": 1})) == [("MUG", 1, 3900, 0)]


def test_twenty_want_the_last_gift_and_one_has_it(gives):
    shop = gives(stock=1)
    key = shop.server.keys()["sk"]
    token = [shop.quote({"TEA": 1})["token"] for _ in range(20)]
    answers = all_at_once([functools.partial(shop.client(key).request, "POST", "/v1/orders", {"quote_token": x}, idempotency=unique("o")) for x in token])
    assert sorted(a.status for a in answers) == [201] + [409] * 19
    assert all(gifts_of(a.json()["quote"]) == [] for a in answers if a.status == 409)
    assert shop.available("MUG") == {"on_hand": 1, "held": 1, "available": 0} and shop.available("TEA")["held"] == 1


def test_checkouts_and_batches_give_and_add(gives):
    shop = gives(extra="""promo.campaign { id = "pens", give = promo.add_on_price { sku = "PEN", price = "1.00" } },""")
    shop.product("PEN", price=500)
    lines = [{"sku": "TEA", "qty": 1}, {"sku": "PEN", "qty": 2, "from": "pens"}]
    made = ok(shop.sk.request("POST", "/v1/checkouts", {"lines": lines}, idempotency=unique("c")), 201)
    assert gifts_of(made["quote"]) == [("MUG", 1, 3900, 0)] and made["quote"]["total"] == 10000 + 100 + 500
    body = {"quote_token": made["quote"]["token"]}
    order = ok(shop.sk.request("POST", f"/v1/checkouts/{made['id']}/complete", body, idempotency=unique("c")), 201)
    assert gifts_of(order) == [("MUG", 1, 3900, 0)] and order["lines"][1]["origin"] == "pens" and order["total"] == 10600
    carts = [{"lines": lines}, {"lines": [{"sku": "PEN", "qty": 1, "from": "cups"}]}, {"lines": lines[:1]}]
    answer = ok(shop.sk.request("POST", "/v1/quotes/batch", {"carts": carts}), 200)
    first, second, third = answer["results"] if "results" in answer else answer["quotes"]
    assert "unknown_add_on" in str(second)
    assert str(first).count("'gift': True") == str(third).count("'gift': True") == 1
    table = feira("explain", shop.folder, "-", input=json.dumps({"lines": lines}))
    assert table.returncode == 0 and "MUG" in table.stdout and "cups" in table.stdout, table


def test_what_is_bought_comes_before_what_is_given(gives):
    shop = gives(stock=2)
    assert gifts_of(shop.quote({"TEA": 1, "MUG": 1})) == [("MUG", 1, 3900, 0)]
    assert gifts_of(shop.quote({"TEA": 1, "MUG": 2})) == []
    order = shop.place({"TEA": 1, "MUG": 1})
    assert [(x["sku"], x["total"]) for x in order["lines"]] == [("TEA", 10000), ("MUG", 3900), ("MUG", 0)]
    assert shop.available("MUG") == {"on_hand": 2, "held": 2, "available": 0}


def test_a_cart_may_be_refused_or_given_something_else(gives):
    shop = gives(', when_none = "refuse"', stock=0)
    said = problem(shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": "TEA", "qty": 1}]}), 409, "gift_sold_out")
    assert "MUG" in said["detail"]
    assert shop.quote({"MUG": 1})["total"] == 3900
    shop = gives(', qty = 2, every = "100.00", substitute = "CUP"', stock=3)
    shop.product("CUP", price=2000, track_stock=False, stock=0)
    assert gifts_of(shop.quote({"TEA": 3})) == [("MUG", 2, 3900, 0), ("CUP", 4, 2000, 0)]


def test_a_gift_that_nobody_sells_is_told_when_rules_are_looked_at(gives):
    shop = gives(', substitute = "NOBODY"', extra="""
        promo.campaign { id = "addon", give = promo.add_on_price { sku = { "MUG", "NEITHER" }, price = "1.00" } },
        promo.campaign { id = "list", give = promo.price_list { MUG = "1.00", NAUGHT = "2.00", NOTHING = "2.00" } },""")
    (shop.folder / "campaigns" / "more.lua").write_text("return {}\n", encoding="utf-8")
    found = publish(shop)["findings"]
    assert [(f["rule"], f["level"], f["field"], f["subject"]) for f in found] == [
        ("unknown_sku", "warn", "price_list.prices", "campaign list"), ("unknown_sku", "warn", "add_on_price.sku", "campaign addon"),
        ("unknown_sku", "warn", "gift.substitute", "campaign cups")]  # fmt: skip
    assert [f["at"] for f in found] == ["campaigns/cups.lua:5", "campaigns/cups.lua:4", "campaigns/cups.lua:2"]
    assert '"NAUGHT", nor 1 more that it names.' in found[0]["text"] and '"NEITHER".' in found[1]["text"] and '"NOBODY".' in found[2]["text"]


def test_a_price_that_is_none_lower_is_told_when_it_goes_live(gives):
    shop = gives(price=100, extra="""
        promo.campaign { id = "addon", give = promo.add_on_price { sku = { "MUG", "TEA" }, price = "1.01" } },
        promo.campaign { id = "list", give = promo.price_list { MUG = "1.00", TEA = "100.01" } },""")
    (shop.folder / "campaigns" / "more.lua").write_text("return {}\n", encoding="utf-8")
    found = publish(shop)["findings"]
    assert [(f["rule"], f["subject"], f["text"]) for f in found] == [
        ("price_not_lower", "campaign list", 'No price is raised, and less is asked already for "TEA".'),
        ("price_not_lower", "campaign addon", 'No price is raised, and less is asked already for "MUG".')]  # fmt: skip


def test_a_gift_that_a_gate_stands_before_is_told_when_it_goes_live(gives):
    gates = """
        promo.gate { id = "adults", scope = promo.tag "spirits", when = promo.customer_tag "adult", reason = "From 18." },
        promo.purchase_limit { id = "few", scope = promo.sku "TEA", units_per_customer = 3 },"""
    shop = gives(', substitute = "RUM"', extra=gates)
    shop.product("RUM", tags=["spirits"])
    (shop.folder / "campaigns" / "more.lua").write_text("return {}\n", encoding="utf-8")
    (found,) = publish(shop)["findings"]
    assert (found["rule"], found["field"], found["at"]) == ("gate_not_asked", "gift.substitute", "campaigns/cups.lua:2")
    assert found["text"] == 'Gifts are given without asking a gate, and one stands before "RUM".'


def test_an_add_on_is_offered_taken_and_ordered(own_shop):
    text = HEAD + """return promo.campaign { id = "mug-addon", title = "加9.9元得马克杯", scope = promo.category "tea", when = promo.subtotal { at_least = "99.00" },
        give = promo.add_on_price { sku = "MUG-01", price = "9.90", max_units = 1 } }"""
    shop = own_shop(campaigns={"addon": text})
    for sku, price, category in ("TEA-120", 12000, "tea/green"), ("TEA-90", 9000, "tea"), ("MUG-01", 3900, "mugs"):
        shop.product(sku, price=price, category=category)
    mug = {"sku": "MUG-01", "qty": 1, "from": "mug-addon"}
    tea = [{"sku": "TEA-120", "qty": 1}]
    quote = ok(shop.pk.request("POST", "/v1/quotes?offers=1&lang=en", {"lines": tea}), 200)
    offer = quote["offers"][0]
    assert {k: offer[k] for k in ("campaign", "sku", "price", "max_units", "code", "name")} == {
        "campaign": "mug-addon", "sku": "MUG-01", "price": 990, "max_units": 1, "code": "add_on", "name": "Thing MUG-01"}
    assert offer["text"] == "Add Thing MUG-01 for £9.90."
    quote = shop.quote(tea + [mug])
    assert quote["total"] == 12990 and quote["lines"][1]["origin"] == "mug-addon" and "gift" not in quote["lines"][1]
    assert ok(shop.pk.request("POST", "/v1/quotes?offers=1", {"lines": tea + [mug]}), 200)["offers"] == []
    assert shop.quote([{"sku": "TEA-90", "qty": 1}, mug])["total"] == 12900
    assert ok(shop.pk.request("POST", "/v1/quotes?offers=1", {"lines": [{"sku": "TEA-90", "qty": 1}]}), 200)["offers"][0]["more"] == 900
    said = problem(shop.pk.request("POST", "/v1/quotes", {"lines": tea + [{**mug, "from": "nobody"}]}), 422, "unknown_add_on", "/lines/1/from")
    assert "leave from out" in said["detail"]
    order = ok(by_token(shop, tea + [mug])(), 201)
    assert (order["total"], order["lines"][1]["total"], order["lines"][1]["origin"]) == (12990, 990, "mug-addon")
    assert shop.available("MUG-01")["held"] == 1
    assert shop.place(tea + [mug])["total"] == 12990


def test_a_price_list_of_a_table(own_shop):
    rows = [(f"P-{i}", 100 + i) for i in range(10000)]
    text = HEAD + 'return promo.campaign { id = "trade", when = promo.customer_tag "trade", give = promo.price_list(promo.data "trade.csv") }'
    shop = own_shop(campaigns={"trade": text.replace('(promo.data "trade.csv")', '{ prices = { ["P-0"] = "9.00" } }')})
    (shop.folder / "campaigns" / "trade.csv").write_text(
        "sku,title,price\n" + "".join(f"{sku},Thing,{price / 100:.2f}\n" for sku, price in rows), encoding="utf-8")
    (shop.folder / "campaigns" / "trade.lua").write_text(text, encoding="utf-8")
    publish(shop)
    for sku in ("P-7", "P-9999", "Q"):
        shop.product(sku, price=100000)
    friend = shop.customer(tags=["trade"])
    line = shop.quote({"P-7": 2, "P-9999": 1, "Q": 1}, by=friend)["lines"]
    assert [(x["unit_price"], x.get("compare_at")) for x in line] == [(107, 100000), (10099, 100000), (100000, None)]
    assert shop.quote({"P-7": 1})["total"] == 100000
    broken = text.replace("trade.csv", "broken.csv")
    (shop.folder / "campaigns" / "broken.csv").write_text("sku,price\nA,9.00\nB,free\n", encoding="utf-8")
    (shop.folder / "campaigns" / "trade.lua").write_text(broken, encoding="utf-8")
    checked = feira("check", shop.folder)
    assert checked.returncode == 3
    assert "campaigns/trade.lua:2" in checked.stdout and "prices[2].price" in checked.stdout and '"free" is not an amount' in checked.stdout


MISTAKES = {
    "promo.gift {}": "sku is missing",
    'promo.gift { sku = "MUG", qty = 0 }': "gift.qty: 0 is too small",
    'promo.gift { sku = "MUG", every = 300 }': 'write "300.00" in quotes',
    'promo.gift { sku = "MUG", when_none = "substitute" }': 'write substitute = "SKU" beside it',
    'promo.gift { sku = "MUG", when_none = "skip", substitute = "CUP" }': "leave one of them out",
    'promo.gift { sku = "MUG", every = "1.00", every_qty = 2 }': "give one of them",
    'promo.gift { sku = "MUG", whennone = "skip" }': "did you mean when_none?",
    'promo.add_on_price { sku = "MUG", price = 9.9 }': 'write "9.90" in quotes',
    'promo.add_on_price { sku = {}, price = "9.90" }': "the list of names is empty",
    'promo.add_on_price { sku = "MUG", price = "9.90", on = promo.tag "a" }': "is what every measures",
    "promo.price_list {}": "expected prices by SKU, got none",
    "promo.price_list { A = 9 }": 'write "9.00" in quotes',
    'promo.price_list { A = "9.00", { sku = "B", price = "1.00" } }': "A stands among rows",
    'promo.price_list { { sku = "B", price = "1.00" }, { sku = "B", price = "2.00" } }': "has a price already, in row 1",
    'promo.tiered { steps = { { at = 2, give = promo.add_on_price { sku = "A", price = "1.00" } } } }': "a step can't hold add_on_price",
}


def test_mistakes_are_told_with_the_line_of_the_campaign(tmp_path):
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "shop.lua").write_text('return { name = "Shop", currency = "GBP", zone = "Europe/London" }\n', encoding="utf-8")
    for i, give in enumerate(MISTAKES):
        (tmp_path / "campaigns" / f"c{i:02}.lua").write_text(f'{HEAD}\nreturn promo.campaign {{ id = "c{i}", give = {give} }}\n', encoding="utf-8")
    for i, said in enumerate(MISTAKES.values()):
        checked = feira("check", tmp_path / "campaigns" / f"c{i:02}.lua").stdout.splitlines()
        assert any(line.startswith(f"campaigns/c{i:02}.lua:3: ") and said in line for line in checked), (said, checked)


def test_a_gift_that_failed_its_condition_is_gone_with_the_next_quote(gives):
    shop = gives()
    assert gifts_of(shop.quote({"TEA": 1})) == [("MUG", 1, 3900, 0)]
    cheap = shop.product(price=9900)
    assert gifts_of(shop.quote({cheap: 1})) == []
    assert why(shop, {cheap: 1})["code"] == "no_lines"
    said = ok(shop.pk.request("POST", "/v1/quotes?explain=full&lang=zh-CN", {"lines": [{"sku": "TEA", "qty": 1}]}), 200)
    assert said["campaigns"][0]["lines"] == [{"line": 1, "amount": 3900, "units": 1}]
