"""What sending costs and what tax comes on top: the tables of shop.lua, and plugins that know better."""

from market import feira, ok, problem, unique, write_shop

COURIER = {
    "plugin": """return { name = "courier", version = "1.0.0", api = 1, title = "Courier",
  settings = { per_kg = { type = "money", default = "2.00", about = "What a kilogram costs." } },
  shipping_rates = { zones = "rules.zones" }, tax_rates = { food = "rules.food" } }
""",
    "rules": """local rules = {}
function rules.zones(cart, settings)
  if cart.region ~= "GB" then return nil end
  local kg = (cart.weight_g + 999) // 1000
  local list = { { id = "day", title = "Same day", price = kg * settings.per_kg } }
  if cart.subtotal >= 5000 then list[2] = { id = "free", title = "Free", price = 0 } end
  return list
end
function rules.food(line) if line:in_category "food" then return 50000 end end
return rules
""",
}
EXCLUDED = """{ prices = "exclude", region = "GB", rates = { { title = "VAT", percent = 20 }, { title = "Delivery", percent = 20, shipping = true } } }"""
INCLUDED = EXCLUDED.replace("exclude", "include")


def shop_with(own_shop, tax, courier=COURIER):
    shop = own_shop(settings={"tax": tax, "plugins": "{ courier = {} }"}, plugins={"courier": courier})
    shop.product("TEA", price=1000, stock=100, weight_g=700, category="food/tea", tags=["sale"])
    shop.product("MUG", price=333, stock=100, weight_g=300)
    return shop


def options(quote):
    return {o["id"]: o["amount"] for o in quote.get("shipping_options", [])}


def test_a_plugin_offers_ways_to_send_beside_the_table(own_shop):
    shop = shop_with(own_shop, INCLUDED)
    found = options(shop.quote({"TEA": 2}, shipping={"region": "GB"}))
    assert found == {"standard": 495, "heavy": 700, "courier.day": 400}
    assert "courier.free" in options(shop.quote({"TEA": 6}, shipping={"region": "GB"}))
    assert "courier.day" not in options(shop.quote({"TEA": 2}, shipping={"region": "FR"}))
    chosen = {"option": "courier.day", "region": "GB"}
    quote = shop.quote({"TEA": 2}, shipping=chosen)
    assert quote["shipping"]["amount"] == 400 and quote["total"] == 1800 + 400
    order = ok(shop.pk.request("POST", "/v1/orders", {"quote_token": quote["token"]}, idempotency=unique("o")), 201)
    assert order["total"] == 2200 and order["shipping"]["option"] == "courier.day"
    answer = shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": "TEA", "qty": 1}], "shipping": {"option": "courier.free", "region": "GB"}})
    problem(answer, 422, field="/shipping/option")


def test_included_tax_is_said_and_changes_nothing(own_shop):
    quote = shop_with(own_shop, INCLUDED).quote({"TEA": 1, "MUG": 1})
    assert [line["tax"] for line in quote["lines"]] == [43, 56]  # 900 - 900/1.05; 333 - 333/1.2 = 55.5
    assert quote["total"] == 1233 and "payable" not in quote["lines"][0]
    assert quote["tax"]["included"] and quote["tax"]["amount"] == 99
    assert [(r["title"], r["rate_ppm"], r["net"]) for r in quote["tax"]["rates"]] == [("courier.food", 50000, 857), ("VAT", 200000, 277)]


def test_tax_on_top_is_paid_and_goes_back_to_the_unit(own_shop):
    shop = shop_with(own_shop, EXCLUDED)
    quote = shop.quote({"MUG": 7, "TEA": 1}, shipping={"option": "courier.day", "region": "GB"})
    mug = quote["lines"][0]
    assert (mug["total"], mug["tax"], mug["payable"]) == (2331, 466, 2797)
    assert quote["shipping"]["total"] == 600 and quote["shipping"]["payable"] == 720
    assert quote["total"] == 2797 + 945 + 720
    order = shop.paid_order({"MUG": 7, "TEA": 1}, shipping={"option": "courier.day", "region": "GB"}, expected_total=quote["total"])
    assert order["total"] == quote["total"] and order["lines"][0]["payable"] == 2797
    for part in ({"lines": [{"line": 1, "qty": 3}]}, {"lines": [{"line": 1, "qty": 4}]}, {}):
        last = ok(shop.refund(order, **part), 201)
    assert [r["amount"] for r in last["refunds"]] == [1199, 1598, 945 + 720]
    assert last["refunded"] == order["total"]


def test_a_rule_that_fails_refuses_the_quote_or_is_left_out(own_shop):
    broken = dict(COURIER, rules=COURIER["rules"].replace("local kg", "local kg = nil + 1\n  local kg"))
    shop = shop_with(own_shop, INCLUDED, broken)
    answer = shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": "TEA", "qty": 1}], "shipping": {"region": "GB"}})
    problem(answer, 500, type="internal")
    assert "shipping rule courier.zones: plugins/courier/rules.lua:" in shop.server.stderr()
    lenient = dict(broken, plugin=COURIER["plugin"].replace('"rules.zones"', '{ run = "rules.zones", on_failure = "skip" }'))
    write_shop(shop.folder, settings={"tax": INCLUDED, "plugins": "{ courier = {} }"}, plugins={"courier": lenient})
    assert feira("publish", shop.folder).returncode == 0
    assert options(shop.quote({"TEA": 1}, shipping={"region": "GB"})) == {"standard": 495, "heavy": 300}


def test_a_wrong_tax_table_is_refused_with_its_line(tmp_path):
    write_shop(tmp_path, settings={"tax": '{ prices = "gross", rates = {} }'})
    out = feira("check", tmp_path)
    assert out.returncode == 3 and "shop.lua:" in out.stdout + out.stderr and "tax.prices" in out.stdout + out.stderr
