"""The plugin volume-pricing, which ships with the program: prices by quantity, group and date, with a floor."""

from market import feira, ok

SETTINGS = """{ ["volume-pricing"] = {
    steps = { { sku = "TEA", from = 10, price = "9.00" }, { sku = "TEA", from = 50, price = "2.00" } },
    groups = { { tag = "wholesale", off = 15 }, { tag = "staff", sku = "MUG", price = "4.00" } },
    schedule = { { sku = "POT", price = "25.00", from = "2020-01-01 00:00", to = "2090-01-01 00:00" },
                 { sku = "POT", price = "1.00", from = "2020-01-01 00:00", to = "2020-01-02 00:00" } },
    floor = 60,
  } }"""


def shop_with_prices(own_shop):
    shop = own_shop(settings={"plugins": SETTINGS})
    for sku, price in ("TEA", 1000), ("MUG", 600), ("POT", 3000):
        shop.product(sku, price=price, stock=1000)
    return shop


def line(shop, sku, qty, **more):
    found = shop.quote({sku: qty}, by=shop.sk, **more)["lines"][0]
    return found["unit_price"], found.get("compare_at"), found["total"]


def test_prices_go_by_quantity_group_and_date_and_not_below_the_floor(own_shop):
    shop = shop_with_prices(own_shop)
    assert line(shop, "TEA", 9) == (1000, None, 9000)
    assert line(shop, "TEA", 10) == (900, 1000, 9000)
    assert line(shop, "TEA", 50) == (600, 1000, 30000)  # 2.00 is below the floor
    assert line(shop, "POT", 1) == (2500, 3000, 2500)
    ok(shop.sk.request("PUT", "/v1/customers/dealer", {"tags": ["wholesale"]}), 201)
    ok(shop.sk.request("PUT", "/v1/customers/clerk", {"tags": ["staff"]}), 201)
    assert line(shop, "TEA", 1, customer="dealer") == (850, 1000, 850)
    assert line(shop, "TEA", 10, customer="dealer") == (850, 1000, 8500)
    assert line(shop, "MUG", 2, customer="clerk") == (400, 600, 800)
    assert line(shop, "MUG", 2) == (600, None, 1200)


def test_a_price_the_caller_gives_is_left_alone(own_shop):
    shop = shop_with_prices(own_shop)
    quote = shop.quote([{"sku": "TEA", "qty": 20, "unit_price": 950}], by=shop.sk)
    assert quote["total"] == 19000


def test_the_price_shown_is_the_price_paid_and_campaigns_come_after(own_shop):
    shop = shop_with_prices(own_shop)
    shop.product("TEA", price=1000, stock=0, tags=["sale"])
    quote = shop.quote({"TEA": 10})
    assert (quote["subtotal"], quote["discount"], quote["total"]) == (9000, 900, 8100)
    body = {"quote_token": quote["token"]}
    order = ok(shop.pk.request("POST", "/v1/orders", body, idempotency="o"), 201)
    assert order["total"] == 8100
    assert order["lines"][0]["unit_price"] == 900 and order["lines"][0]["compare_at"] == 1000


def test_settings_are_checked(own_shop, tmp_path):
    shop = own_shop()
    (shop.folder / "shop.lua").write_text(
        (shop.folder / "shop.lua").read_text().replace("return {", 'return {\n  plugins = { ["volume-pricing"] = { flor = 5 } },', 1)
    )
    answer = feira("check", shop.folder)
    assert answer.returncode == 3 and 'did you mean "floor"?' in answer.stdout + answer.stderr, answer
