"""plugin.campaign() and plugin.sign(): what the merchant wrote with promo.use, where a plugin acts; and text that comes back as it went out."""

import pytest

from market import feira, ok, unique, write_shop

PLUGIN = """return { name = "NAME", version = "1.0.0", api = 1, title = "Links",
  inputs = { link = { type = "string", max = 200, optional = true } },
  campaigns = { ["NAME"] = { run = "rules.campaign", title = "By link", fields = {
    id = { type = "string", about = "Id." }, price = { type = "money", about = "Price." }, lasts = { type = "duration", default = "2h", about = "Time." } } } },
  routes = {
    ["GET /campaigns"] = { run = "events.list", auth = "anyone" },
    ["GET /campaigns/{id}"] = { run = "events.one", auth = "anyone" },
    ["POST /links"] = { run = "events.sign", auth = "anyone", body = { text = { type = "string", max = 2000 } } },
    ["POST /checks"] = { run = "events.verify", auth = "anyone", as = "handler", body = { link = { type = "string", max = 2000 } } },
  } }
"""
RULES = """
local plugin, promo = require "feira.plugin", require "feira.promo"
local rules = {}
function rules.campaign(fields)
  return { promo.campaign { id = fields.id, give = function(cart)
    local text = cart:input "link" and plugin.verify(cart:input "link")
    if text == fields.id and plugin.campaign(text).fields.price == fields.price then cart:all():amount_off(fields.price) end
  end }, promo.campaign { id = fields.id .. "-twin", when = promo.subtotal { at_least = "100000.00" }, give = promo.amount_off { amount = "1.00" } } }
end
return rules
"""
EVENTS = """
local plugin = require "feira.plugin"
local events = {}
function events.list() return { status = 200, body = { ids = plugin.campaigns() } } end
function events.one(call) return { status = 200, body = plugin.campaign(call.params.id) or { none = true } } end
function events.sign(call) return { status = 200, body = { link = plugin.sign(call.body.text) } } end
function events.verify(call) return { status = 200, body = { text = plugin.verify(call.body.link) } } end
return events
"""


def plugin(name):
    return {name: {"plugin": PLUGIN.replace("NAME", name), "rules": RULES, "events": EVENTS}}


def use(name, **campaigns):
    return {
        file: f'local promo = require "feira.promo"\nreturn {{ promo.use "{name}" {{ id = "{file}", price = "{price}" }} }}' for file, price in campaigns.items()
    }


@pytest.fixture
def shop(own_shop):
    files = {**use("one", a="1.00", c="3.00"), **use("two", b="2.00")}
    return own_shop(settings={"plugins": "{ one = {}, two = {} }"}, plugins={**plugin("one"), **plugin("two")}, campaigns=files)


def get(shop, path):
    return ok(shop.pk.request("GET", f"/v1/x/{path}"), 200)


def test_a_plugin_finds_its_own_campaigns_as_they_were_written(shop):
    assert get(shop, "one/campaigns")["ids"] == ["a", "a-twin", "c", "c-twin"]
    assert get(shop, "two/campaigns")["ids"] == ["b", "b-twin"]
    assert get(shop, "one/campaigns/c") == {"id": "c", "type": "one", "fields": {"id": "c", "price": 300, "lasts": 7200000}}
    assert get(shop, "one/campaigns/c-twin")["fields"]["id"] == "c"
    assert get(shop, "one/campaigns/b") == {"none": True}
    assert get(shop, "one/campaigns/zzz") == {"none": True}


def test_a_publish_changes_what_it_finds(shop):
    write_shop(shop.folder, {"plugins": "{ one = {}, two = {} }"}, campaigns=use("one", a="9.00"))
    (shop.folder / "campaigns" / "c.lua").unlink()
    assert feira("publish", shop.folder, "--data", shop.server.data).returncode == 0
    assert get(shop, "one/campaigns")["ids"] == ["a", "a-twin"]
    assert get(shop, "one/campaigns/a")["fields"]["price"] == 900


def sign(shop, text, name="one"):
    return shop.pk.request("POST", f"/v1/x/{name}/links", {"text": text}, idempotency=unique("sign"))


def verify(shop, link, name="one"):
    return ok(shop.pk.request("POST", f"/v1/x/{name}/checks", {"link": link}), 200).get("text")


def test_what_was_signed_comes_back_and_nothing_else(shop):
    link = ok(sign(shop, "a"), 200)["link"]
    assert link.startswith("a.") and len(link) == 24
    assert verify(shop, link) == "a"
    for i in range(len(link)):
        assert verify(shop, link[:i] + ("A" if link[i] != "A" else "B") + link[i + 1 :]) is None
    for other in (link[:-1], link + "A", "", ".", "b" + link, link[1:], "a" + link[1:] + "=", "x" * 1500):
        assert verify(shop, other) is None
    assert verify(shop, link, "two") is None  # each plugin has a key of its own
    assert ok(sign(shop, "a", "two"), 200)["link"] != link
    assert verify(shop, ok(sign(shop, "dots.in.it.和 more"), 200)["link"]) == "dots.in.it.和 more"
    assert sign(shop, "").status == 500 and sign(shop, "x" * 1001).status == 500
    assert verify(shop, ok(sign(shop, "x" * 1000), 200)["link"]) == "x" * 1000


def test_it_lasts_over_a_restart_and_is_another_shops_affair(shop, own_shop):
    link = ok(sign(shop, "a"), 200)["link"]
    other = own_shop(settings={"plugins": "{ one = {} }"}, plugins=plugin("one"))
    assert verify(other, link) is None
    shop.hang_up()
    shop.server.terminate()
    shop.server.start()
    assert verify(shop, link) == "a"


def test_rules_read_both(shop):
    sku = shop.product(price=1000)
    link = ok(sign(shop, "c"), 200)["link"]
    assert shop.quote({sku: 1}, inputs={"one": {"link": link}})["total"] == 700
    assert shop.quote({sku: 1}, inputs={"one": {"link": link[:-1]}})["total"] == 1000
    assert shop.quote({sku: 1})["total"] == 1000
