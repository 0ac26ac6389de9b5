"""What is published is tried on a sample cart first: a rule that always fails is found before anybody buys."""

import re

from market import feira, ok, problem, write_shop
from test_plugins import plugin
from test_stops import told

FINE = 'local promo = require "feira.promo"\nreturn promo.campaign { id = "fine", give = promo.percent_off { percent = 10 } }\n'
BROKEN = """local promo = require "feira.promo"
return promo.campaign {{ id = "broken", {more}
  give = function(cart)
    local line = cart:select {{ tag = "nothing" }}
    line.price = line.price * 2
  end }}
"""


def shop_with(own_shop, customer=True):
    shop = own_shop(campaigns={"fine": FINE})
    for n in range(30):
        shop.product(price=1000, stock=10, tags=["rare"] if n == 29 else [])
    if customer:
        ok(shop.sk.request("PUT", "/v1/customers/anna", {"tags": ["vip"]}), 201)
    return shop


def publish(shop, campaigns=None, **plugins):
    write_shop(
        shop.folder,
        settings={"plugins": "{ " + "".join(f"{name} = {{}}, " for name in plugins) + "}"},
        campaigns={"fine": FINE, **(campaigns or {})},
        plugins=plugins,
    )
    return shop.operator.request("POST", "/v1/generations", {})


def findings(answer):
    return [(f["at"], f["level"], f["rule"], f["subject"]) for f in answer.json().get("findings", [])]


def test_a_campaign_that_always_fails_is_a_warning_with_its_place(own_shop):
    shop = shop_with(own_shop)
    answer = publish(shop, {"broken": BROKEN.format(more="")})
    assert ok(answer, 200)["result"] == "live"
    assert findings(answer) == [("campaigns/broken.lua:5", "warn", "dry_run", "campaign broken")]
    (finding,) = answer.json()["findings"]
    assert finding["text"].startswith("campaign broken fails on a sample cart: ")
    (line,) = told(shop, "check.finding")
    assert line["at"] == "campaigns/broken.lua:5" and not told(shop, "campaign.failed"), "told once"
    assert "feira_quotes_total 0\n" in shop.pk.request("GET", "/metrics").body.decode(), "no quote of the shop"
    assert not ok(shop.operator.request("GET", "/v1/stops"), 200)["items"], "and no failure of it"
    done = feira("publish", shop.folder)
    assert done.returncode == 0 and "Nothing has changed" in done.stdout


def test_what_must_not_be_left_out_is_refused(own_shop):
    shop = shop_with(own_shop)
    before = ok(shop.operator.request("GET", "/v1/generations"), 200)["live"]
    answer = publish(shop, {"broken": BROKEN.format(more='on_failure = "refuse",')})
    document = problem(answer, 422, "rules_refused")
    assert document["detail"].startswith("campaigns/broken.lua:5: dry_run: campaign broken fails on a sample cart: ")
    assert document["place"] == {"file": "campaigns/broken.lua", "line": 5}
    assert ok(shop.operator.request("GET", "/v1/generations"), 200)["live"] == before
    done = feira("publish", shop.folder)
    assert done.returncode == 3 and "campaigns/broken.lua:5:" in done.stderr
    (shop.folder / "campaigns" / "broken.lua").unlink()
    priced = plugin("priced", 'pricing = { p = "rules.p" },', rules='return { p = function(line) return line.nothing.more end }')
    assert "plugin priced, pricing.p fails" in problem(publish(shop, priced=priced), 422, "rules_refused")["detail"]
    lenient = {**priced, "plugin": priced["plugin"].replace('"rules.p"', '{ run = "rules.p", on_failure = "skip" }')}
    assert findings(publish(shop, priced=lenient)) == [("plugins/priced/rules.lua:1", "warn", "dry_run", "plugin priced, pricing.p")]


def test_campaigns_that_no_sample_cart_reaches_are_asked_all_the_same(own_shop):
    shop = shop_with(own_shop)
    more = 'codes = "SECRET", scope = promo.tag "rare", window = { from = "2099-01-01 00:00" }, on_failure = "refuse",'
    answer = publish(shop, {"broken": BROKEN.format(more=more)})
    assert ok(answer, 200)["result"] == "live", "what would not apply is no reason to refuse"
    (finding,) = answer.json()["findings"]
    assert finding["level"] == "warn" and "asked although it would not apply" in finding["text"]


def test_what_fails_now_and_then_or_has_none_of_its_products_is_left_to_the_watch(own_shop):
    shop = shop_with(own_shop)
    seldom = BROKEN.format(more="").replace("local line", "if cart.qty < 4 then return end\n    local line")
    answer = publish(shop, {"broken": seldom})
    assert ok(answer, 200)["result"] == "live" and not findings(answer)
    answer = publish(shop, {"broken": BROKEN.format(more='scope = promo.tag "nowhere",')})
    assert ok(answer, 200)["result"] == "live" and not findings(answer)


def test_facts_are_asked_for_a_customer_also_when_their_tables_come_with_them(own_shop):
    shop = shop_with(own_shop)
    level = plugin(
        "level",
        'collections = { points = { fields = { who = "customer", n = "integer" }, index = { "who" } } },'
        'facts = { level = { run = "rules.level", type = "integer" }, points = { run = "rules.points", type = "integer", from = { collection = "points", by = "who" } } },',
        rules="return { level = function(rows, customer) return customer.nothing.more end, points = function(rows) return #rows end }",
    )
    answer = publish(shop, level=level)
    assert ok(answer, 200)["result"] == "live"
    assert findings(answer) == [("plugins/level/rules.lua:1", "warn", "dry_run", "plugin level, facts.level")]


def test_an_endless_rule_holds_up_nobody(own_shop):
    shop = shop_with(own_shop, customer=False)
    endless = {f"e{n}": f'local promo = require "feira.promo"\nreturn promo.campaign {{ id = "e{n}", give = function() while true do end end }}\n' for n in range(30)}
    answer = publish(shop, endless)
    assert ok(answer, 200)["result"] == "live" and ok(answer, 200)["took_ms"] < 5000
    assert ("campaigns/e0.lua:2", "warn", "dry_run", "campaign e0") in findings(answer)


def test_a_shop_without_products_has_no_sample(own_shop):
    shop = own_shop(campaigns={"fine": FINE})
    answer = publish(shop, {"broken": BROKEN.format(more='on_failure = "refuse",')})
    assert ok(answer, 200)["result"] == "live" and not findings(answer)


ASKS = {
    "plugin": """return { name = "asks", version = "1.0.0", api = 1, title = "Asks", inputs = { link = { type = "string", max = 200, optional = true } },
  routes = { ["POST /links"] = { run = "events.sign", auth = "server" } },
  campaigns = { asks = { run = "rules.campaign", title = "Asks", fields = { id = { type = "string", about = "Id." } } } } }""",
    "rules": """local plugin, promo = require "feira.plugin", require "feira.promo"
return { campaign = function(fields)
  return promo.campaign { id = fields.id, on_failure = "refuse", give = function(cart)
    MORE
    if plugin.verify(plugin.sign "you") ~= "you" then error "its own signature is none" end
    if plugin.verify(cart:input "link" or "") == "me" then cart:all():percent_off(50) end
  end }
end }""",
    "events": 'return { sign = function() return { status = 200, body = { link = require("feira.plugin").sign "me" } } end }',
}


def test_signatures_are_answered_and_are_not_those_of_the_shop(own_shop):
    """A rule that verifies a link does not fail for that; what one signs while it is tried is worth nothing to whoever reads its error."""
    shop = shop_with(own_shop)
    use = {"asks": 'return require("feira.promo").use "asks" { id = "asks" }'}

    def asks(more):
        return {**ASKS, "rules": ASKS["rules"].replace("MORE", more)}

    answer = publish(shop, use, asks=asks(""))
    assert (ok(answer, 200)["result"], findings(answer)) == ("live", [])
    told_us = problem(publish(shop, use, asks=asks('error("<" .. plugin.sign "me" .. ">")')), 422, "rules_refused")["detail"]
    signed = re.search("<(me[.][^>]+)>", told_us)[1]
    link = ok(shop.sk.request("POST", "/v1/x/asks/links", {}), 200)["link"]
    assert link.startswith("me.") and len(link) == len(signed) and link != signed
    sku = shop.product(price=1000, stock=10)
    totals = [shop.quote({sku: 1}, inputs={"asks": {"link": text}})["total"] for text in (link, signed)]
    assert totals == [450, 900], "half off for who has a link of the shop's"
