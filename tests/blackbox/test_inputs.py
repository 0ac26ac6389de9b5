"""Inputs: what a client sends for a plugin with a quote or an order. Its manifest describes it; it is part of the evidence; only that plugin sees it."""

import json
import time

from market import ok, problem

HEAD = 'return {{ name = "{name}", version = "1.0.0", api = 1, title = "{name}", {rest} }}\n'

INVITE = {
    "plugin": HEAD.format(
        name="invite",
        rest="""
    inputs = { link = { type = "string", max = 64, about = "The link that was followed." }, friends = { type = "integer", min = 0, max = 9, optional = true } },
    collections = { placed = { fields = { order = "order", inputs = "json" } }, later = { fields = { inputs = "json" } } },
    campaigns = { invite = { run = "rules.campaign" } },
    pricing = { friends = { run = "rules.price" } },
    on = { ["order.placed"] = { run = "events.placed", when = "in_transaction" }, ["order.paid"] = { run = "events.paid", when = "in_transaction" } },
    routes = { ["GET /placed"] = { run = "events.list", auth = "server" } },
    """,
    ),
    "rules": """
local promo = require "feira.promo"
local rules = {}
function rules.campaign() return promo.campaign { id = "invited", give = function(cart)
  if cart:input "link" == "summer" then cart:all():percent_off(10) end
end } end
function rules.price(line, cart) if (cart:input "friends" or 0) >= 3 then return 900 end end
return rules
""",
    "events": """
local store = require "feira.store"
local events = {}
function events.placed(event) store.placed:insert { order = event.order, inputs = { got = event.inputs } } end
function events.paid(event) if event.inputs then error "inputs are for order.placed" end end
function events.list() return { status = 200, body = { placed = store.placed:find() } } end
return events
""",
}

# Sees nothing of what was sent for the other one.
NOSY = {
    "plugin": HEAD.format(
        name="nosy",
        rest="""
    inputs = { gift = "boolean" },
    collections = { placed = { fields = { inputs = "json" } } },
    campaigns = { nosy = { run = "rules.campaign" } },
    on = { ["order.placed"] = { run = "events.placed", when = "after_commit" } },
    routes = { ["GET /placed"] = { run = "events.list", auth = "server" } },
    """,
    ),
    "rules": """
local promo = require "feira.promo"
local rules = {}
function rules.campaign(fields) return promo.campaign { id = "nosy", give = function(cart)
  local seen, why = pcall(cart.input, cart, "link")
  if seen then error "it saw a link" end
  if cart:input "gift" then cart:all():percent_off(1) end
end } end
return rules
""",
    "events": """
local store = require "feira.store"
local events = {}
function events.placed(event) store.placed:insert { inputs = { got = event.inputs } } end
function events.list() return { status = 200, body = { placed = store.placed:find() } } end
return events
""",
}

CAMPAIGNS = {
    "used": 'local promo = require "feira.promo"\nreturn { promo.use "invite" {}, promo.use "nosy" {} }',
    "own": """local promo = require "feira.promo"
return promo.campaign { id = "own", give = function(cart) if cart:input "link" then cart:all():percent_off(50) end end }""",
}


def inputs_shop(own_shop):
    shop = own_shop(settings={"plugins": "{ invite = {}, nosy = {} }"}, plugins={"invite": INVITE, "nosy": NOSY}, campaigns=CAMPAIGNS)
    shop.product("TEA", price=1000, stock=1000)
    return shop


def quote(client, inputs, status=200, **more):
    answer = client.request("POST", "/v1/quotes?explain=full", {"lines": [{"sku": "TEA", "qty": 1}], "inputs": inputs, **more})
    return ok(answer, status) if status == 200 else answer


def outcome(document, campaign):
    return next(c for c in document["campaigns"] if c["id"] == campaign)


def test_a_rule_sees_what_was_sent_for_its_plugin_and_nothing_else(own_shop):
    shop = inputs_shop(own_shop)
    assert shop.quote({"TEA": 1})["total"] == 1000
    assert quote(shop.pk, {})["total"] == 1000
    assert quote(shop.pk, {"invite": {"link": "winter"}})["total"] == 1000
    assert quote(shop.pk, {"invite": {"link": "summer"}})["total"] == 900
    assert quote(shop.pk, {"invite": {"link": "winter", "friends": 3}})["total"] == 900
    assert quote(shop.pk, {"nosy": {"gift": True}})["total"] == 990
    both = quote(shop.pk, {"invite": {"link": "summer"}, "nosy": {"gift": True}})
    assert both["total"] == 891
    # What belongs to a plugin is no business of the shop's own campaigns.
    assert outcome(both, "own")["reason"]["code"] == "failed"
    assert outcome(both, "nosy")["applied"]


def test_what_no_manifest_describes_is_refused_at_the_door(own_shop):
    shop = inputs_shop(own_shop)
    for inputs, field, words in (
        ({"invit": {"link": "x"}}, "/inputs/invit", "invite"),
        ({"invite": {"lnk": "x"}}, "/inputs/invite/lnk", "link"),
        ({"invite": {}}, "/inputs/invite/link", ""),
        ({"invite": {"link": 5}}, "/inputs/invite/link", ""),
        ({"invite": {"link": "x" * 65}}, "/inputs/invite/link", "64"),
        ({"invite": {"link": "x", "friends": 10}}, "/inputs/invite/friends", ""),
        ({"invite": "x"}, "/inputs/invite", ""),
        (["invite"], "/inputs", ""),
        ({"nobody": {}}, "/inputs/nobody", ""),
    ):
        for path, body in (("/v1/quotes", {}), ("/v1/orders", {"expected_total": 1000})):
            answer = shop.pk.request("POST", path, {"lines": [{"sku": "TEA", "qty": 1}], "inputs": inputs, **body}, idempotency="x")
            document = problem(answer, 422, field=field)
            assert words in document["detail"], document


def test_a_shop_without_such_plugins_takes_none(shop):
    sku = shop.product()
    assert shop.quote({sku: 1}, inputs={})["total"] == 1000
    problem(shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": sku, "qty": 1}], "inputs": {"invite": {}}}), 422, field="/inputs/invite")


def test_an_order_has_the_inputs_of_its_quote_and_tells_each_plugin_its_own(own_shop):
    shop = inputs_shop(own_shop)
    shown = quote(shop.pk, {"invite": {"link": "summer"}, "nosy": {"gift": True}})
    order = ok(shop.pk.request("POST", "/v1/orders", {"quote_token": shown["token"]}, idempotency="a"), 201)
    assert order["total"] == 891
    refused = shop.pk.request("POST", "/v1/orders", {"quote_token": shown["token"], "inputs": {"invite": {"link": "x"}}}, idempotency="b")
    problem(refused, 422, field="/inputs")
    body = {"lines": [{"sku": "TEA", "qty": 1}], "expected_total": 900, "inputs": {"invite": {"link": "summer"}}}
    other = ok(shop.pk.request("POST", "/v1/orders", body, idempotency="c"), 201)
    plain = shop.place({"TEA": 1}, by=shop.pk)
    ok(shop.sk.request("POST", f"/v1/orders/{other['id']}/payments", {"provider": "test"}, idempotency="p"), 201)

    placed = ok(shop.sk.request("GET", "/v1/x/invite/placed"), 200)["placed"]
    assert [(row["order"], row["inputs"].get("got")) for row in placed] == [
        (order["id"], {"link": "summer"}),
        (other["id"], {"link": "summer"}),
        (plain["id"], None),
    ]
    later, until = [], time.monotonic() + 10
    while len(later) < 3 and time.monotonic() < until:
        time.sleep(0.05)
        later = [row["inputs"].get("got") for row in ok(shop.sk.request("GET", "/v1/x/nosy/placed"), 200)["placed"]]
    assert sorted(later, key=str) == sorted([{"gift": True}, None, None], key=str)


def test_openapi_shows_what_plugins_take(own_shop):
    shop = inputs_shop(own_shop)
    document = ok(shop.client("").request("GET", "/v1/openapi.json"), 200)
    for path in "/v1/quotes", "/v1/orders":
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        inputs = body["properties"]["inputs"]["properties"]
        assert set(inputs) == {"invite", "nosy"}
        assert inputs["invite"]["required"] == ["link"] and inputs["invite"]["properties"]["link"]["maxLength"] == 64
        assert "inputs" not in body.get("required", [])
    assert "lnk" not in json.dumps(document)
