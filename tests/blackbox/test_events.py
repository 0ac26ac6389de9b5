"""The catalogue of events: what it lists is emitted, when it says, with what it says."""

import datetime
import re
import time

import pytest
from market import CAMPAIGNS, feira, ok, unique
from outside import Outside
from test_authors import check

TYPES = {
    "boolean": lambda v: isinstance(v, bool),
    "id": lambda v: isinstance(v, str) and re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", v),
    "sku": lambda v: isinstance(v, str) and 0 < len(v) <= 64,
    "string": lambda v: isinstance(v, str),
    "any": lambda v: v is not None,
    "list": lambda v: isinstance(v, list),
    "table": lambda v: isinstance(v, dict),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "timestamp": lambda v: isinstance(v, str) and v.endswith("Z") and datetime.datetime.fromisoformat(v.replace("Z", "+00:00")),
}


def page(text):
    """{event: {member: (type, required)}} of one part of the page."""
    out = {}
    for line in text.splitlines():
        if m := re.match(r"([a-z]+\.[a-z]+)  \((.*)\)$", line):
            assert m[2] == "in_transaction or after_commit; since api 1"
            members = out[m[1]] = {}
        elif m := re.match(r"      (\w+) +(\w+) +(.*)$", line):
            members[m[1]] = (m[2], not m[3].endswith("May be absent."))
    return out


@pytest.fixture(scope="module")
def catalogue():
    done = feira("help", "events")
    assert done.returncode == 0
    emitted, _, later = done.stdout.partition("does not emit them yet:")
    return page(emitted), page(later)


def hearing(names, when):
    hooks = "".join(f'["{name}"] = {{ run = "events.{name.replace(".", "_")}", when = "{when}" }}, ' for name in names)
    module = "".join(f'function events.{n.replace(".", "_")}(event) store.heard:insert {{ name = "{n}", payload = event }} end\n' for n in names)
    return {
        "plugin": f"""return {{ name = "{when.replace('_', '-')}", version = "1.0.0", api = 1, title = "Hears",
  collections = {{ heard = {{ fields = {{ name = "string", payload = "json" }}, index = {{ "name" }} }} }},
  routes = {{ ["GET /heard/{{name}}"] = {{ run = "events.list", auth = "server" }} }}, on = {{ {hooks} }} }}""",
        "events": f"""local store, json = require "feira.store", require "feira.json"
local events = {{}}
{module}
function events.list(call)
  local all = {{}}
  for row in store.heard:each {{ where = {{ name = call.params.name }} }} do all[#all + 1] = row.payload end
  return {{ status = 200, body = {{ all = json.array(all) }} }}
end
return events
""",
    }


MOODS = {
    "plugin": """return { name = "moods", version = "1.0.0", api = 1, title = "Moods",
  collections = { moods = { fields = { customer = "customer", mood = "string" }, key = "customer" } },
  facts = { mood = { run = "rules.mood", type = "string", from = { collection = "moods", by = "customer" } } },
  needs = { procedures = { "orders.block", "orders.unblock" } },
  routes = { ["POST /mood"] = { run = "events.set", auth = "customer", body = { mood = "string" } },
             ["POST /block/{order}"] = { run = "events.block", auth = "server" } } }""",
    "rules": "return { mood = function(rows) return rows[1] and rows[1].mood end }",
    "events": """local moods, plugin = require("feira.store").moods, require "feira.plugin"
return { block = function(call)
  for _, name in ipairs { "orders.block", "orders.unblock" } do plugin.call(name, { order = call.params.order, name = "mood" }) end
  return { status = 200, body = {} }
end, set = function(call)
  if not moods:update(call.customer, { mood = call.body.mood }) then moods:insert { customer = call.customer, mood = call.body.mood } end
  return { status = 200, body = {} }
end }""",
}


LAST = """local promo = require "feira.promo"
return promo.campaign { id = "last", scope = promo.tag "last", give = promo.percent_off { percent = 1 }, limits = { uses = 1 } }
"""


THANKS = """local promo = require "feira.promo"
return promo.campaign { id = "thanks", give = promo.grant { to = "in-transaction", what = { stamps = 1 } } }
"""


# A provider that believes what it is told, and never gives back.
PURSE = {
    "plugin": """return { name = "purse", version = "1.0.0", api = 1, title = "Purse",
  payments = { create = "pay.create", query = "pay.query", refund = "pay.refund", notify = "pay.notify" } }""",
    "pay": """local json = require "feira.json"
return { create = function() return {} end, query = function() return { state = "pending" } end,
  refund = function() return { state = "failed", why = "The purse is shut.", final = true } end,
  notify = function(call) return json.decode(call.body) end }""",
}


def pay_with_the_purse(shop, order):
    payment = ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "purse"}, idempotency=unique("pay")), 201)["payment"]
    event = {"id": order["id"], "kind": "payment", "number": payment["id"], "state": "paid", "transaction": order["id"], "amount": order["total"], "currency": "GBP"}
    assert shop.client("").request("POST", "/v1/payments/purse/notify", {**event, "id": order["id"] + "-wrong", "transaction": "t" + order["id"], "amount": 1}).status == 422    # mismatched
    ok(shop.client("").request("POST", "/v1/payments/purse/notify", event), 200)


def live(shop, outside):
    """A life of orders and customers in which everything happens that can."""
    url = f"http://127.0.0.1:{outside.port}/status/410"
    for label in {}, {"label": "Warehouse"}:                             # disabled, with the first customer
        ok(shop.sk.request("POST", "/v1/webhooks", {"url": url, "events": ["customer.joined"], **label}, idempotency=unique("hook")), 201)
    sku = shop.product(price=1000, stock=100)
    anna = shop.customer()
    ok(anna.request("PUT", f"/v1/customers/{anna.customer}/consents/news", {"version": "1"}), 200)
    ok(anna.request("DELETE", f"/v1/customers/{anna.customer}/consents/news"), 200)
    ok(shop.sk.request("POST", f"/v1/customers/{shop.customer().customer}/erasure", {}), 200)
    for mood in "glum", "merry":
        ok(anna.request("POST", "/v1/x/moods/mood", {"mood": mood}), 200)    # changed
    order = shop.paid_order({sku: 3}, by=anna)                          # placed, received, paid
    ok(shop.sk.request("POST", f"/v1/x/moods/block/{order['id']}", {}), 200)    # blocked, unblocked
    shop.refund(order, lines=[{"line": 1, "qty": 1}])                    # requested, succeeded
    ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {"reason": "changed her mind"}, idempotency=unique("cancel")), 200)
    sent = shop.paid_order({sku: 3}, by=anna)
    for what, body in (("fulfilments", {"lines": [{"line": 1, "qty": 1}], "carrier": "Post", "tracking": "1Z"}), ("fulfilments", {}), ("complete", {})):
        ok(shop.sk.request("POST", f"/v1/orders/{sent['id']}/{what}", body, idempotency=unique(what)), 200, 201)
    for by in anna, shop.sk:
        last = shop.place({sku: 1}, by=by)
        pay_with_the_purse(shop, last)
        shop.refund(last)                                                # requested, failed
    guest = shop.place({sku: 1})
    ok(shop.sk.request("POST", f"/v1/orders/{guest['id']}/cancel", {}, idempotency=unique("cancel")), 200)
    shop.place({sku: 1})                                                 # expires by itself
    shop.place({shop.product(stock=3): 2})                               # low
    shop.place({shop.product(tags=["last"]): 1})                         # exhausted


def test_what_is_listed_is_emitted_with_what_it_says(own_shop, catalogue):
    emitted, later = catalogue
    assert {"customer.joined", "order.placed", "order.paid", "order.cancelled", "order.expired", "payment.received", "refund.requested",
            "refund.succeeded", "payment.returned", "fact.changed", "order.blocked", "order.unblocked", "order.fulfilling",
            "order.fulfilled", "order.completed", "campaign.exhausted"} <= set(emitted)
    names = sorted({**emitted, **later})
    kinds = ("in_transaction", "after_commit")
    outside = Outside()
    shop = own_shop(settings={"plugins": "{ ['in-transaction'] = {}, ['after-commit'] = {}, moods = {}, purse = {} }", "pay_within": '"1s"', "stock_low": "2",
                              "privacy": '{ purposes = { news = { title = "News", version = "1" } } }'},
                    campaigns={**CAMPAIGNS, "last": LAST, "thanks": THANKS},
                    plugins={**{k.replace("_", "-"): hearing(names, k) for k in kinds}, "moods": MOODS, "purse": PURSE}, options=["--allow-private"])
    live(shop, outside)

    def heard(kind, name):
        return ok(shop.sk.request("GET", f"/v1/x/{kind.replace('_', '-')}/heard/{name}"), 200)["all"]

    end = time.monotonic() + 20
    while not all(heard(k, n) for k in kinds for n in emitted) and time.monotonic() < end:
        time.sleep(0.1)
    for name, members in emitted.items():
        payloads = heard("in_transaction", name)
        assert payloads, f"{name} is listed and nobody emits it"
        assert sorted(map(str, payloads)) == sorted(map(str, heard("after_commit", name))), name
        for payload in payloads:
            assert set(payload) <= set(members), (name, payload)
            for member, (kind, required) in members.items():
                if required or member in payload:
                    assert TYPES[kind](payload[member]), (name, member, payload)
    for name in later: # an event that is emitted is no name for later
        assert heard("in_transaction", name) == [], f"{name} is emitted: take `reserved` from it"
    outside.close()
    assert [p["by"] for p in heard("in_transaction", "order.completed")] == ["shop"]
    # What is optional is there in one and missing in the other.
    assert [(f.get("old"), f["new"]) for f in heard("in_transaction", "fact.changed")] == [(None, "glum"), ("glum", "merry")]
    orders = heard("in_transaction", "order.cancelled")
    assert {"customer" in o for o in orders} == {True, False} and {"reason" in o for o in orders} == {True, False}


def test_a_subscriber_of_what_nobody_emits_is_warned_of(tmp_path, catalogue):
    if not catalogue[1]:
        pytest.skip("every event that is named is emitted")
    name = sorted(catalogue[1])[0]
    folder = tmp_path / "waiting"
    folder.mkdir()
    (folder / "plugin.lua").write_text(f"""return {{ name = "waiting", version = "1.0.0", api = 1, title = "Waits",
  on = {{
    ["order.paid"] = {{ run = "events.f", when = "in_transaction" }},
    ["{name}"] = {{ run = "events.f", when = "in_transaction" }},
  }} }}""")
    (folder / "events.lua").write_text("return { f = function() end }")
    problems = check(folder)["problems"]
    assert [(p["severity"], p["file"], p["line"]) for p in problems] == [("warning", "plugin.lua", 4)], problems
    assert name in problems[0]["message"]


def test_the_page_of_hooks_names_every_section(tmp_path):
    text = feira("help", "hooks").stdout
    sections = re.findall(r"^(\w+)  \(since api 1\)$", text, re.M)
    assert sections == ["routes", "procedures", "on", "timers", "campaigns", "pricing", "shipping_rates", "tax_rates", "facts", "checks", "payments"]
    done = feira("help", "hoks")
    assert done.returncode == 2 and "hooks" in done.stderr
