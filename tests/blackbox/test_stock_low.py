"""stock.low: told when fewer pieces are left than shop.lua says, once for each time it comes to that."""

import pytest
from market import feira, ok, unique, write_shop

HEARS = {
    "plugin": """return { name = "hears", version = "1.0.0", api = 1, title = "Hears",
  collections = { heard = { fields = { sku = "sku", location = "string", available = "integer" }, index = { "sku" } } },
  routes = { ["GET /low/{sku}"] = { run = "events.list", auth = "server" } },
  on = { ["stock.low"] = { run = "events.low", when = "in_transaction" } } }""",
    "events": """local heard, json = require("feira.store").heard, require "feira.json"
return {
  low = function(event) heard:insert { sku = event.sku, location = event.location, available = event.available } end,
  list = function(call)
    local all = {}
    for row in heard:each { where = { sku = call.params.sku } } do all[#all + 1] = { row.location, row.available } end
    return { status = 200, body = { all = json.array(all) } }
  end,
}""",
}


@pytest.fixture
def own(own_shop):
    return own_shop(settings={"plugins": "{ hears = {} }", "stock_low": "5"}, plugins={"hears": HEARS})


def low(shop, sku):
    return ok(shop.sk.request("GET", f"/v1/x/hears/low/{sku}"), 200)["all"]


def test_it_is_told_once_for_each_crossing(own):
    sku = own.product(stock=8)
    own.place({sku: 3})
    assert low(own, sku) == []  # 5 are left, which is what the shop wants to have
    order = own.place({sku: 1})
    assert low(own, sku) == [["main", 4]]
    own.place({sku: 2})
    assert low(own, sku) == [["main", 4]]
    ok(own.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("cancel")), 200)
    own.place({sku: 1})
    assert low(own, sku) == [["main", 4]]  # it was low all the time
    own.stock(sku, 10)
    own.place({sku: 12})
    assert low(own, sku) == [["main", 4], ["main", 0]]


def test_lines_of_one_order_and_changes_at_once_count_together(own):
    sku = own.product(stock=6)
    own.place([{"sku": sku, "qty": 3}, {"sku": sku, "qty": 3}])
    assert low(own, sku) == [["main", 0]]
    other = own.product(stock=6)
    changes = [{"sku": other, "delta": -3, "reason": "lost"}, {"sku": other, "delta": 2, "reason": "found"}]
    ok(own.sk.request("POST", "/v1/stock", {"changes": changes}, idempotency=unique("stock")), 200)
    assert low(own, other) == []
    own.stock(other, -1)
    assert low(own, other) == [["main", 4]]


def test_each_place_is_low_by_itself(own):
    sku = own.product(stock=6)
    own.stock(sku, 6, location="north")
    own.place({sku: 8})
    assert sorted(low(own, sku)) == [["main", 0], ["north", 4]]


def test_an_order_that_fails_tells_nothing(own):
    sku, none = own.product(stock=6), own.product(stock=1)
    own.place({none: 1})
    refused = own.sk.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 3}, {"sku": none, "qty": 1}], "expected_total": 4000},
                             idempotency=unique("order"))
    assert refused.status == 409
    assert low(own, sku) == []


def test_without_the_setting_nobody_is_told(own_shop):
    shop = own_shop(settings={"plugins": "{ hears = {} }"}, plugins={"hears": HEARS})
    sku = shop.product(stock=1)
    shop.place({sku: 1})
    assert low(shop, sku) == []


def test_a_wrong_setting_is_refused(tmp_path):
    for value in ("0", "-1", '"5"', "2.5", "true"):
        done = feira("check", write_shop(tmp_path, settings={"stock_low": value}))
        assert done.returncode == 3 and "stock_low: expected a whole number of pieces" in done.stdout + done.stderr, done
