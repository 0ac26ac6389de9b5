"""promo.grant: what campaigns give later, told to plugins when orders are paid and completed, and taken back with them."""

import pytest
from market import feira, ok, unique, write_shop
from test_campaign_limits import cancel
from test_history import in_guide

HEAD = 'local promo = require "feira.promo"\n'
STAMPS = {
    "plugin": """return { name = "stamps", version = "1.0.0", api = 1, title = "Stamps",
  collections = { stamps = { fields = { grant = { type = "string", max = 100 }, customer = "customer", count = "integer", amount = "money" },
                             key = "grant", index = { { "customer" } } } },
  routes = { ["GET /me"] = { run = "events.mine", auth = "customer" } },
  on = { ["campaign.granted"] = { run = "events.granted", when = "in_transaction" }, ["campaign.taken_back"] = { run = "events.back", when = "in_transaction" } } }
""",
    "events": """local json, plugin, store = require "feira.json", require "feira.plugin", require "feira.store"
local events = {}
function events.granted(event)
  if event.to == plugin.name then
    store.stamps:insert { grant = event.grant, customer = event.customer, count = event.what.stamps, amount = event.amount }
  end
end
function events.back(event) if event.to == plugin.name then store.stamps:delete(event.grant) end end
function events.mine(call)
  local out = {}
  for i, row in ipairs(store.stamps:find { customer = call.customer }) do out[i] = { row.count, row.amount } end
  return { status = 200, body = { stamps = json.array(out) } }
end
return events
""",
}


def stamps(client):
    return ok(client.request("GET", "/v1/x/stamps/me"), 200)["stamps"]


def test_a_plugin_of_the_shop_is_told_once_and_told_to_take_it_back(own_shop):
    shop = own_shop(settings={"plugins": "{ stamps = {} }"}, plugins={"stamps": STAMPS}, campaigns={"card": HEAD + """return {
  promo.campaign { id = "card", scope = promo.tag "cup", give = promo.grant { to = "stamps", what = { stamps = 2 } } },
  promo.campaign { id = "tenth", priority = -1, stage = "order", give = promo.percent_off { percent = 10 } } }"""})
    cup, bread, ann = shop.product(price=1000, stock=99, tags=["cup"]), shop.product(price=500, stock=99), shop.customer()
    order = shop.place({cup: 2, bread: 1}, by=ann)
    assert stamps(ann) == []
    shop.pay(order, by=ann)
    assert stamps(ann) == [[2, 1800]]
    ok(shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    assert stamps(ann) == [[2, 1800]]
    ok(shop.refund(order), 201)
    assert stamps(ann) == []
    cancel(shop, order)
    cancel(shop, shop.paid_order({cup: 1}, by=ann))
    assert stamps(ann) == []
    shop.paid_order({cup: 1})  # a guest's, by a server
    assert stamps(ann) == []


def test_the_example_of_the_guide(own_shop):
    shop = own_shop(settings={"plugins": "{ coupons = {}, points = { earn_on = 'paid' } }"}, campaigns={"thanks": in_guide("Something for the next time")})
    sku, ann = shop.product(price=3000, stock=99, tags=["new"]), shop.customer()
    quote = shop.quote({sku: 2}, by=ann)
    assert quote["discount"] == 0 and [(g["campaign"], g["to"]) for g in quote["grants"]] == [("bonus", "points"), ("double", "points"), ("thanks", "coupons")]
    order = shop.paid_order({sku: 2}, by=ann)
    assert ok(ann.request("GET", "/v1/x/points/me"), 200)["balance"] == 220
    ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/fulfilments", {}, idempotency=unique("f")), 201)
    assert ok(ann.request("GET", "/v1/x/coupons/me"), 200)["items"] == []
    ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/complete", {}, idempotency=unique("c")), 200)
    assert [c["campaign"] for c in ok(ann.request("GET", "/v1/x/coupons/me"), 200)["items"]] == ["next-time"]
    assert shop.quote({sku: 1}, by=ann)["discount"] == 500


@pytest.mark.parametrize("grant,says", [
    ('{ to = "stamps", what = { stamps = 1 } }', 'shop.lua turns on no plugin "stamps"'),
    ('{ to = "volume-pricing", what = { stamps = 1 } }', "does not hear campaign.granted"),
    ('{ to = "coupons", what = "new20" }', "expected a table"),
    ('{ what = {} }', "to is missing"),
])
def test_a_grant_that_nobody_would_hear_is_found(tmp_path, grant, says):
    write_shop(tmp_path, settings={"plugins": "{ ['volume-pricing'] = {} }"},
               campaigns={"card": f'{HEAD}return promo.campaign {{ id = "card", give = promo.grant {grant} }}'})
    done = feira("check", tmp_path)
    assert done.returncode == 3 and says in done.stdout + done.stderr and "campaigns/card.lua" in done.stdout + done.stderr, done


@pytest.mark.parametrize("times,works", [('"1.5"', True), ("3", True), ("1", False), ("1.5", False), ('"0.5"', False)])
def test_how_many_times_points_are_multiplied_is_exact(tmp_path, times, works):
    write_shop(tmp_path, settings={"plugins": "{ points = {} }"},
               campaigns={"more": f'{HEAD}return promo.campaign {{ id = "more", scope = promo.tag "a", give = promo.points_multiplier {{ times = {times} }} }}'})
    assert (feira("check", tmp_path).returncode == 0) == works
