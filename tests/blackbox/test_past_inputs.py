"""What rules ask beyond their cart (was this input signed, what did the merchant write, what is left), asked again of orders of the past."""

import json

import pytest

from market import feira, ok, open_shop, unique

GROUP = """local promo = require "feira.promo"
return promo.use "group-buy" { id = "pair", sku = "PAIR", size = 3, percent = PERCENT, open_for = "24h" }
"""
ASKING = {
    "plugin": """return { name = "asking", version = "1.0.0", api = 1, title = "Asks",
  settings = { off = { type = "money", about = "What each answer takes off." }, key = { type = "secret", about = "For calls." } },
  inputs = { link = { type = "string", max = 200, optional = true }, echo = { type = "string", max = 200, optional = true } },
  collections = { terms = { fields = { rules = "revision" } } },
  campaigns = { asking = { run = "rules.campaign", title = "Asks", fields = { id = { type = "string", about = "Id." } } } },
  routes = {
    ["POST /links"] = { run = "events.sign", auth = "server", body = { text = "string" } },
    ["POST /pool"] = { run = "events.pool", auth = "server", body = { amount = "integer" } },
  } }
""",
    # Each answer takes off another amount, so that a total says which were given.
    "rules": """local plugin, promo = require "feira.plugin", require "feira.promo"
local rules = {}
local function answers(cart, id)
  local link, echo = cart:input "link", cart:input "echo"
  local of = link and plugin.verify(link)
  local n = of and #of or link and 1 or 0
  if echo and SIGN == echo then n = n + 100 end
  if plugin.campaign(id).fields.id == id and plugin.campaigns()[1] == id then n = n + 200 end
  if plugin.settings.key and plugin.revision():sub(1, 2) == "r_" then n = n + 400 end
  return n + 1000 * math.min(2, cart:left "asking/pool" or 0)
end
function rules.campaign(fields)
  return promo.campaign { id = fields.id, scope = promo.tag "asked", give = function(cart)
    for line in cart:lines() do line:discount { amount = answers(cart, fields.id) * plugin.settings.off } end
  end }
end
return rules
""",
    "events": """local ledger, plugin = require "feira.ledger", require "feira.plugin"
local events = {}
function events.sign(call) return { status = 200, body = { link = plugin.sign(call.body.text) } } end
function events.pool(call)
  ledger.account("asking/pool", "places", { no_overdraft = true, published = true })
  ledger.account("asking/world", "places")
  ledger.apply { { kind = "transfer", id = "pool", debit = "asking/world", credit = "asking/pool", amount = call.body.amount } }
  return { status = 200, body = {} }
end
return events
""",
}
SIGNS, VERIFIES = 'echo and plugin.sign "echo"', 'echo and plugin.verify(echo) == "echo" and echo'
USE = 'return require("feira.promo").use "asking" { id = "ask" }\n'


def asking(sign):
    return {**ASKING, "rules": ASKING["rules"].replace("SIGN", f"({sign})")}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    settings = {"plugins": '{ ["group-buy"] = {}, asking = { off = "0.01", key = "ASKING_KEY" } }', "shipping": None}
    folder = tmp_path_factory.mktemp("asked")
    (folder / "data" / "secrets").mkdir(parents=True)
    secret = folder / "data" / "secrets" / "ASKING_KEY"
    secret.write_text("hush", encoding="utf-8")
    secret.chmod(0o600)
    campaigns = {"pair": GROUP.replace("PERCENT", "50"), "ask": USE}
    with open_shop(folder, settings=settings, campaigns=campaigns, plugins={"asking": asking(SIGNS)}) as shop:
        yield shop


def buy(shop, who, sku, total, **inputs):
    body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": total, "inputs": inputs}
    return ok(who.request("POST", "/v1/orders", body, idempotency=unique("order")), 201)


def replay(shop, *more):
    done = feira("replay", shop.folder, "--data", shop.server.data, "--json", *more)
    return json.loads(done.stdout) if done.stdout else done.stderr


def backtest(shop, *candidate):
    done = feira("backtest", shop.folder, *candidate, "--data", shop.server.data, "--json", "--orders")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def publish(shop, name, text):
    (shop.folder / "campaigns" / f"{name}.lua").write_text(text, encoding="utf-8")
    done = feira("publish", shop.folder, "--data", shop.server.data)
    assert done.returncode == 0, done.stderr


def agree(shop, order):
    found = replay(shop, order["id"])
    assert (found["orders"], found["differ"], found["first"]) == (1, 0, [])
    assert ok(shop.sk.request("GET", f"/v1/orders/{order['id']}/explanation"), 200)["agrees"] is True


def test_whoever_joins_a_group_pays_the_same_again_also_on_terms_of_before(asked, tmp_path):
    shop = asked
    shop.product("PAIR", price=1000, stock=1000)
    leader = shop.customer()
    opened = buy(shop, leader, "PAIR", 500, **{"group-buy": {"open": "pair"}})
    shop.pay(opened, by=leader)
    link = ok(leader.request("GET", f"/v1/x/group-buy/orders/{opened['id']}"), 200)["mine"]["link"]
    joined = buy(shop, shop.customer(), "PAIR", 500, **{"group-buy": {"join": link}})
    # Other terms for those who open one now; who joins comes in on those of the group.
    publish(shop, "pair", GROUP.replace("PERCENT", "20"))
    later = buy(shop, shop.customer(), "PAIR", 500, **{"group-buy": {"join": link}})
    fresh = buy(shop, shop.customer(), "PAIR", 800, **{"group-buy": {"open": "pair"}})
    assert later["generation"] != joined["generation"]
    for order in (opened, joined, later, fresh):
        agree(shop, order)
    result = backtest(shop, shop.folder)
    now = {order: now for order, _, now in result["orders"]}
    assert [now[o["id"]] for o in (opened, joined, later, fresh)] == [800, 500, 500, 800]
    five = tmp_path / "pair.lua"
    five.write_text(GROUP.replace("PERCENT", "5"), encoding="utf-8")
    now = {order: now for order, _, now in backtest(shop, five)["orders"]}
    assert [now[o["id"]] for o in (opened, joined, later, fresh)] == [950, 500, 500, 950]


def test_a_link_of_nobody_s_is_none_again(asked):
    """What a rule made of a text that the shop did not sign is what it makes of it again."""
    sku = asked.product(price=10000, stock=1000, tags=["asked"])
    link = ok(asked.sk.request("POST", "/v1/x/asking/links", {"text": "twelve bytes"}), 200)["link"]
    false = link[:-1] + ("A" if link[-1] != "A" else "B")
    for text, answers in ((link, 600 + 12), (false, 600 + 1), (None, 600)):
        order = buy(asked, asked.customer(), sku, 10000 - answers, asking={"link": text} if text else {})
        agree(asked, order)
        assert next(now for o, _, now in backtest(asked, asked.folder)["orders"] if o == order["id"]) == order["total"]


def test_what_else_a_rule_asks_is_answered_as_it_was(asked, tmp_path):
    sku = asked.product(price=10000, stock=1000, tags=["asked"])
    link, echo = (ok(asked.sk.request("POST", "/v1/x/asking/links", {"text": text}), 200)["link"] for text in ("four", "echo"))
    inputs = {"link": link, "echo": echo}
    before = buy(asked, asked.customer(), sku, 10000 - 704, asking=inputs)
    ok(asked.sk.request("POST", "/v1/x/asking/pool", {"amount": 2}), 200)
    after = buy(asked, asked.customer(), sku, 10000 - 2704, asking=inputs)
    # Secrets of settings may be others by the time that anybody looks: no rule can have used them.
    (asked.server.data / "secrets" / "ASKING_KEY").write_text("another", encoding="utf-8")
    for order in (before, after):
        agree(asked, order)
    # Rules that are only tried verify what was signed, and sign nothing: their prices would tell.
    candidate = tmp_path / "asking"
    candidate.mkdir()
    for file, text in asking(VERIFIES).items():
        (candidate / f"{file}.lua").write_text(text, encoding="utf-8")
    for path, totals, doubts in ((candidate, [9296, 7296], None), (asked.folder / "plugins" / "asking", [10000, 10000], 2)):
        result = backtest(asked, path)
        now = {order: now for order, _, now in result["orders"]}
        assert [now[o["id"]] for o in (before, after)] == totals
        assert {d["code"]: d.get("orders") for d in result["cannot_know"]}.get("tried_rules_sign_nothing") == doubts
    assert replay(asked)["differ"] == 0
