"""What a shop declares beside its rules, and what is known of prices, as checks of plugins see it before anything goes live."""

import json
import time

from market import feira, ok, problem, write_shop

HEAD = 'return {{ name = "{name}", version = "1.0.0", api = 1, title = "A plugin of a test", {rest} }}\n'

# Says what it is shown.
ECHO = {
    "plugin": HEAD.format(
        name="echo",
        rest="""checks = { see = { run = "checks.see", of = { "campaign", "announcement" } } },
        campaigns = { thing = { run = "rules.thing", fields = { id = { type = "string", about = "Id." } } } }""",
    ),
    "checks": """
local json = require "feira.json"
return { see = function(subject)
  local out = {}
  local function say(value, text) out[#out + 1] = { level = "warn", text = text, value = value, article = "An article" } end
  say(subject.kind, "kind")
  say(subject.id, "id")
  if subject.declaration.declares then say(json.encode(subject.declaration.declares), "declares") end
  local prices = subject.history.prices
  if prices then
    say(tostring(prices.start) .. (prices.start_known and "" or "?"), "start")
    for _, p in ipairs(prices.products) do
      local deals, offers, raises = {}, {}, {}
      for i, d in ipairs(p.deals) do deals[i] = d.price end
      for i, o in ipairs(p.offers) do offers[i] = o.price end
      for i, r in ipairs(p.raises) do raises[i] = r.from .. ">" .. r.to end
      say(table.concat(deals, " ") .. "|" .. table.concat(offers, " ") .. "|" .. table.concat(raises, " ") .. "|" .. tostring(p.last_deal and p.last_deal.price),
        "prices " .. p.sku)
    end
    say(tostring(prices.left_out), "left out")
  end
  return out
end }
""",
    "rules": """
local promo = require "feira.promo"
return { thing = function(f) return promo.campaign { id = f.id, give = promo.percent_off { percent = 5 }, scope = promo.tag "made" } end }
""",
}
PLUGINS = {"echo": ECHO}
ON = {"plugins": "{ echo = {} }"}


def campaign(more="", name="tea", scope='promo.tag "tea"'):
    return f"""local promo = require "feira.promo"
return promo.campaign {{ id = "{name}", scope = {scope}, give = promo.percent_off {{ percent = 10 }}, {more} }}
"""


def publish(shop, campaigns):
    write_shop(shop.folder, settings=ON, campaigns=campaigns, plugins=PLUGINS)
    return shop.operator.request("POST", "/v1/generations", {})


def seen(answer, subject):
    findings = ok(answer, 200)["findings"]
    assert all(f["article"] == "An article" for f in findings)
    return {f["text"]: f.get("value") for f in findings if f["subject"] == subject}


def ago(days, hours=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400 - hours * 3600))


def test_what_is_declared_is_seen_by_checks_and_prices_nothing(own_shop):
    shop = own_shop(settings=ON, campaigns={}, plugins=PLUGINS)
    sku = shop.product(price=1000, tags=["tea", "made"])
    declares = 'declares = { claims = { { was = "99.00", sku = "A" } }, texts = { share = "Tea" }, more = { mine = { 1, "two" } } }'
    files = {
        "tea": campaign(declares),
        "draw": f"""local promo = require "feira.promo"
return {{ promo.announce {{ id = "draw", title = "A draw", declares = {{ lottery = {{ prizes = {{ {{ name = "A kettle", value = "20.00" }} }} }} }} }},
          promo.use "echo.thing" {{ id = "made", {declares} }} }}
""",
    }
    answer = publish(shop, files)
    assert json.loads(seen(answer, "campaign tea")["declares"]) == {"claims": [{"was": "99.00", "sku": "A"}], "texts": {"share": "Tea"}, "more": {"mine": [1, "two"]}}
    assert json.loads(seen(answer, "campaign made")["declares"])["texts"] == {"share": "Tea"}
    draw = seen(answer, "announcement draw")
    assert draw["kind"] == "announcement" and json.loads(draw["declares"])["lottery"]["prizes"][0]["name"] == "A kettle"
    assert shop.quote({sku: 1})["discount"] == 145  # of both campaigns, and of nothing else
    # What is declared is part of the rules: changed, it is another generation.
    before = ok(shop.operator.request("GET", "/v1/generations"), 200)["live"]
    files["draw"] = files["draw"].replace("20.00", "30.00")
    ok(publish(shop, files), 200)
    assert ok(shop.operator.request("GET", "/v1/generations"), 200)["live"] != before


def test_what_is_declared_wrongly_is_refused_with_the_line_and_the_word(own_shop):
    shop = own_shop(settings=ON, campaigns={}, plugins=PLUGINS)
    for text, said in (
        ("declares = { claim = {} }", "did you mean claims?"),
        ("declares = { claims = { { was = 99 } } }", "a bare number can't be money"),
        ("declares = { claims = { was = 99 } }", "expected a list of tables"),
        ("declares = { rewards = { { gives = 'cash' } } }", "trigger is missing"),
        ("declares = { more = { f = function() end } }", "a function says nothing"),
        ("declares = { deposit = { kind = 'down' } }", "there is no"),
        ("declares = { more = (function() local t = {} t.t = t return t end)() }", "more than 20 deep"),
    ):
        document = problem(publish(shop, {"tea": campaign(text)}), 422, "rules_refused")
        assert said in document["detail"] and document["place"] == {"file": "campaigns/tea.lua", "line": 2}, (text, document)
    for text, said in (
        ('return promo.announce { id = "tea" }', "declares is missing"),
        ('return { promo.announce { id = "a", declares = {} }, promo.announce { id = "a", declares = {} } }', 'the id "a" is taken'),
    ):
        document = problem(publish(shop, {"tea": 'local promo = require "feira.promo"\n' + text}), 422, "rules_refused")
        assert said in document["detail"], (text, document)


def test_checks_see_the_prices_of_the_products_that_a_campaign_is_about(own_shop):
    shop = own_shop(settings=ON, campaigns={}, plugins=PLUGINS)
    tea, other, claimed = shop.product("TEA", price=1000, stock=50, tags=["tea"]), shop.product("OTHER"), shop.product("CLAIMED")
    for days, price in ((200, 300), (40, 500), (20, 700), (6, 900)):
        ok(shop.sk.request("PATCH", f"/v1/products/{tea}", {"price": price}), 200)
        shop.pay(shop.place({tea: 1}, placed_at=ago(days, 1), expected_total=price))
    found = seen(publish(shop, {"tea": campaign('declares = { claims = { { sku = "CLAIMED", was = "99.00" } } }')}), "campaign tea")
    prices = {k.removeprefix("prices "): v for k, v in found.items() if k.startswith("prices ")}
    assert set(prices) == {tea, claimed} and other not in prices
    deals, offers, raises, last = prices[tea].split("|")
    assert deals == "900 700 500" and last == "900"
    assert offers.split()[-1] == "300" and "700>900" in raises.split()
    assert found["left out"] == "0"
    now = int(time.time() * 1000)
    assert abs(int(found["start"]) - now) < 600_000, found["start"]
    # From a day on: what was before it. A new campaign can't have begun before now; one that was live can.
    week = 'window = { from = "%s" }' % time.strftime("%Y-%m-%d", time.gmtime(time.time() - 10 * 86400))
    assert abs(int(seen(publish(shop, {"sale": campaign(week, name="sale")}), "campaign sale")["start"]) - now) < 600_000
    found = seen(publish(shop, {"sale": campaign(week + ', title = "Sale"', name="sale")}), "campaign sale")
    assert int(found["start"]) < now - 9 * 86400 * 1000
    assert found["prices TEA"].split("|")[0] == "700 500"
    # Nothing is looked up for what did not change and claims nothing.
    assert "start" not in seen(publish(shop, {"sale": campaign(week + ', title = "Sale"', name="sale"), "new": campaign(name="new")}), "campaign sale")
    found = seen(publish(shop, {"sale": campaign(week, name="sale"), "new": campaign('title = "Other"', name="new")}), "campaign new")
    assert found["start"].endswith("?"), found  # it is live, and nobody said since when


def test_feira_check_says_the_article_and_the_value(tmp_path):
    write_shop(tmp_path, settings=ON, campaigns={"tea": campaign()}, plugins=PLUGINS)
    answer = feira("check", tmp_path)
    assert answer.returncode == 0 and "An article" in answer.stdout, answer


def test_a_claim_begins_when_it_went_live_and_nobody_backdates_it(own_shop):
    shop = own_shop(settings=ON, campaigns={}, plugins=PLUGINS)
    shop.product("TEA", price=1000, tags=["tea"])

    def start(more="", claims='{ was = "9.00" }'):
        declares = f"declares = {{ claims = {{ {claims} }} }}, " if claims else ""
        return seen(publish(shop, {"tea": campaign(declares + more)}), "campaign tea").get("start")

    first = start()
    time.sleep(0.02)
    assert int(first) <= int(start('title = "Another"')) <= int(first) + 10_000
    live = start('title = "A third"')
    assert start('title = "A fourth"', '{ was = "9.00", from = "2020-01-01 00:00" }') == live
    assert start('title = "A fifth", window = { from = "2020-01-01 00:00" }') == live
    assert int(start('title = "A sixth", window = { from = "2099-01-01 00:00" }')) > int(live)
    assert start('title = "A seventh"', "").endswith("?")  # it claims nothing any more
    time.sleep(0.02)
    assert int(start('title = "An eighth"')) > int(live)  # and begins anew


def test_of_very_many_products_those_are_shown_that_have_something_to_answer(own_shop):
    shop = own_shop(settings=ON, campaigns={}, plugins=PLUGINS)
    many = [{"sku": f"T{i}", "title": "Tea", "price": 1000, "tags": ["tea"]} for i in range(130)]
    ok(shop.sk.request("POST", "/v1/products/import", {"products": many}), 200)
    shop.product("ODD", price=1000, compare_at=2000, tags=["tea"])

    def shown(more):
        found = seen(publish(shop, {"tea": campaign(more)}), "campaign tea")
        return [k.removeprefix("prices ") for k in found if k.startswith("prices ")], found["left out"]

    skus, left_out = shown("")
    assert len(skus) == 100 and skus[0] == "ODD" and left_out == "0"  # of the others nobody asks anything
    skus, left_out = shown('declares = { claims = { { was = "10.00" } } }')
    assert len(skus) == 100 and left_out == "31"  # never sold: each has something to answer
    write_shop(shop.folder, settings=ON, campaigns={"tea": campaign(scope='promo.sku { "T5", "T7", "none" }', more='title = "Two"')}, plugins=PLUGINS)
    found = seen(shop.operator.request("POST", "/v1/generations", {}), "campaign tea")
    assert [k for k in found if k.startswith("prices ")] == ["prices T5", "prices T7"]
