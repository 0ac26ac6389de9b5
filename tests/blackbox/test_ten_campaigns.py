"""Ten campaigns, as merchants write them: they load, together and each alone, and come to their amounts. The files are in tests/campaigns."""

import pathlib

import pytest
from market import feira, ok, problem, unique, write_shop

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "cases" / "campaigns"
FOLDER = SHARED if SHARED.is_dir() else ROOT / "tests" / "campaigns"
PLUGINS = """{ coupons = {}, invite = {}, ["group-buy"] = {}, ["member-tiers"] = {
    levels = { { id = "one", title = "1" }, { id = "two", title = "2", points = 100 }, { id = "three", title = "3", points = 1000 } } } }"""
SETTINGS = {"currency": '"CNY"', "zone": '"Asia/Shanghai"', "plugins": PLUGINS}


def files(start=""):
    return {f.stem: f.read_text(encoding="utf-8") for f in sorted(FOLDER.glob(start + "*.lua"))}


@pytest.fixture
def runs(own_shop):
    def make(number, **settings):
        return own_shop(settings={**SETTINGS, **settings}, campaigns=files(number))

    return make


def price(shop, lines, by=None, **more):
    """lines: (price, qty, fields of the product). The quote."""
    cart = [{"sku": shop.product(price=p, stock=99, **fields), "qty": n} for p, n, fields in lines]
    return ok((by or shop.sk).request("POST", "/v1/quotes", {"lines": cart, **more}), 200)


def test_all_ten_load_together(tmp_path):
    assert len(files()) == 10
    write_shop(tmp_path, settings=SETTINGS, campaigns=files())
    done = feira("check", tmp_path)
    assert done.returncode == 0, done


@pytest.mark.parametrize("cost,off", [(29999, 0), (30000, 5000), (65000, 10000), (160000, 20000)])
def test_01_every_300_minus_50(runs, cost, off):
    assert price(runs("01"), [(cost, 1, {"tags": ["double11"]})], at="2026-11-05T04:00:00Z")["discount"] == off


def test_02_second_at_half_price(runs):
    assert price(runs("02"), [(10000, 3, {"category": "tea"})])["discount"] == 5000


def test_03_three_for_99(runs):
    shop, pick = runs("03"), {"tags": ["pick3"]}
    assert price(shop, [(p, 1, pick) for p in (5900, 4900, 3900, 3500)])["total"] == 13400
    assert price(shop, [(3000, 3, pick)])["total"] == 9000
    assert price(shop, [(5000, 7, pick)])["total"] == 2 * 9900 + 5000


def test_04_a_mug_for_990(runs):
    shop = runs("04")
    shop.product("MUG-01", price=3900, stock=9, category="tea")
    for sku, cost in ("T120", 12000), ("T90", 9000):
        shop.product(sku, price=cost, stock=9, category="tea")

    def quote(*lines):
        return ok(shop.pk.request("POST", "/v1/quotes?offers=1", {"lines": list(lines)}), 200)

    tea, mug = {"sku": "T120", "qty": 1}, {"sku": "MUG-01", "qty": 1}
    offer = quote(tea)["offers"][0]
    assert {k: offer[k] for k in ("campaign", "sku", "price", "max_units")} == {"campaign": "mug-addon", "sku": "MUG-01", "price": 990, "max_units": 1}
    assert quote(tea, {**mug, "from": "mug-addon"})["total"] == 12990
    assert quote({"sku": "T90", "qty": 1}, {**mug, "from": "mug-addon"})["total"] == 12900


def test_05_the_more_the_cheaper(runs):
    post = '{ { id = "post", title = "Post", rates = { { price = "8.00" } } } }'
    shop = runs("05", shipping=post)
    three = price(shop, [(5000, 3, {"category": "tea"})], shipping={"option": "post"})
    five = price(shop, [(5000, 5, {"category": "tea"})], shipping={"option": "post"})
    assert three["discount"] == 3000 and three["shipping"]["total"] == 800
    assert five["discount"] == 7500 and five["shipping"]["total"] == 0


def test_06_a_coupon_for_newcomers(runs):
    shop = runs("06")
    ann = shop.customer()
    robe, sock = shop.product(price=9900, stock=9), shop.product(price=9898, stock=9)

    def quote(sku, **more):
        body = {"lines": [{"sku": sku, "qty": 1}], "customer": ann.customer, **more}
        return ok(shop.sk.request("POST", "/v1/quotes?explain=full", body), 200)

    assert quote(robe)["total"] == 7900
    why = next(c["reason"] for c in quote(sock)["campaigns"] if c["id"] == "new20")
    assert why["code"] == "subtotal_below" and (why["needed"], why["seen"]) == (9900, 9898)
    mine = ok(ann.request("GET", "/v1/x/coupons/me"), 200)["items"]
    assert len(mine) == 1
    ends = mine[0]["expires_at"]
    assert quote(robe, at=ends)["total"] == 9900
    ok(ann.request("PUT", f"/v1/customers/{ann.customer}", {}), 403)
    ok(shop.sk.request("PUT", f"/v1/customers/{ann.customer}", {"tags": ["again"]}), 200)
    assert len(ok(ann.request("GET", "/v1/x/coupons/me"), 200)["items"]) == 1


def test_07_early_access(runs):
    shop = runs("07")
    shop.product("TRIBUTE-2026", price=10000, stock=99)
    points = shop.product(price=10000, stock=99)
    two, three = shop.customer(), shop.customer()
    shop.paid_order({points: 1}, by=two)
    shop.paid_order({points: 10}, by=three)

    def quote(customer, qty, at="2026-04-01T04:00:00Z"):
        body = {"lines": [{"sku": "TRIBUTE-2026", "qty": qty}], "customer": customer.customer, "at": at}
        return shop.sk.request("POST", "/v1/quotes", body)

    early = problem(quote(two, 1), 422, "gate_closed")
    assert "4 月 2 日" in early["detail"] + str(early.get("gate"))
    assert ok(quote(three, 1), 200)["total"] == 10000
    problem(quote(three, 2), 422, "gate_closed")
    assert ok(quote(two, 1, "2026-04-02T02:00:00Z"), 200)["total"] == 10000


def test_08_three_friends_at_half_price(runs):
    shop = runs("08")
    shop.product("MASK-5", price=19800, stock=99)
    body = {"lines": [{"sku": "MASK-5", "qty": 1}]}
    ann, others = shop.customer(), [shop.customer() for _ in range(2)]
    assert ok(ann.request("POST", "/v1/quotes", body), 200)["total"] == 19800

    def join(customer, **inputs):
        sent = {**body, "expected_total": 9900, "inputs": {"group-buy": inputs}}
        order = ok(customer.request("POST", "/v1/orders", sent, idempotency=unique("o")), 201)
        shop.pay(order, by=customer)
        return ok(customer.request("GET", f"/v1/x/group-buy/orders/{order['id']}"), 200)

    link = join(ann, open="mask-3")["mine"]["link"]
    assert [join(c, join=link)["state"] for c in others] == ["open", "succeeded"]


def test_09_three_friends_earn_a_coupon(runs):
    shop = runs("09")
    sku, ann = shop.product(price=6000, stock=99), shop.customer()
    link = ok(ann.request("POST", "/v1/x/invite/links", {"campaign": "invite3"}, idempotency=unique("l")), 201)["link"]

    def coupons(client):
        return [c["state"] for c in ok(client.request("GET", "/v1/x/coupons/me"), 200)["items"]]

    orders, friends = [], [shop.customer() for _ in range(3)]
    problem(ann.request("POST", "/v1/x/invite/joins", {"link": link}, idempotency=unique("j")), 409, "own_link")
    for friend in friends:
        assert coupons(ann) == []
        ok(friend.request("POST", "/v1/x/invite/joins", {"link": link}, idempotency=unique("j")), 200)
        orders.append(shop.paid_order({sku: 1}, by=friend))
        ok(shop.sk.request("POST", f"/v1/orders/{orders[-1]['id']}/fulfilments", {}, idempotency=unique("f")), 201)
        assert coupons(friend) == []
        ok(shop.sk.request("POST", f"/v1/orders/{orders[-1]['id']}/complete", {}, idempotency=unique("c")), 200)
        assert coupons(friend) == ["live"]
    assert coupons(ann) == ["live"] and shop.quote({sku: 1}, by=ann)["total"] == 4000
    ok(shop.refund(orders[0]), 201)
    assert coupons(friends[0]) == ["revoked"] and coupons(ann) == ["revoked"]


def test_10_a_flash_sale(runs):
    shop = runs("10")
    shop.product("TEA-250", price=2990, stock=99)
    ann = shop.customer()

    def quote(at, **more):
        return ok(shop.sk.request("POST", "/v1/quotes", {"lines": [{"sku": "TEA-250", "qty": 3}], "at": at, **more}), 200)

    assert quote("2026-11-11T12:00:00Z", customer=ann.customer)["total"] == 990 + 2 * 2990
    for at in "2026-11-11T11:59:59Z", "2026-11-11T12:30:00Z":
        assert quote(at, customer=ann.customer)["total"] == 3 * 2990
    assert quote("2026-11-11T12:00:00Z")["total"] == 3 * 2990  # a guest has no limit of his own
