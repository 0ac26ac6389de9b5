"""Facts: what a plugin knows of a customer, made of rows of its collection, asked for by campaigns and price rules, kept in the evidence."""

import concurrent.futures

from market import feira, ok, problem, write_shop

MANIFEST = """return { name = "club", version = "1.0.0", api = 1, title = "A club",
  collections = { members = { fields = { customer = "customer", level = "integer", town = "string?" }, index = { "customer" } },
                  audit = { fields = { total = "integer", level = "integer" } },
                  visits = { fields = { customer = "customer" }, index = { "customer" } } },
  settings = { bonus = { type = "integer", default = 0, about = "Added to every level." } },
  facts = {
    level = { run = "rules.level", from = { collection = "members", by = "customer" } },
    town = { run = "rules.town", type = "string", from = { collection = "members", by = "customer" } },
    worth = { run = "rules.worth", type = "money", from = { collection = "members", by = "customer" } },
    vip = { run = "rules.vip", type = "boolean" },
    since = { run = "rules.since", type = "time" },
  },
  on = { ["order.paid"] = { run = "events.paid", when = "in_transaction" },
         ["order.placed"] = { run = "events.placed", when = "in_transaction" } },
  routes = { ["POST /level"] = { run = "events.set", auth = "server", body = { customer = "customer", level = "integer",
               town = { type = "string", optional = true } } },
             ["GET /audit"] = { run = "events.list_audit", auth = "server" },
             ["POST /visit"] = { run = "events.visit", auth = "server", body = { customer = "customer" } } },
}
"""

RULES = """
local rules = {}
function rules.level(rows, about, settings)
  if #rows == 0 then return nil end
  if rows[1].level == 13 then error "unlucky" end
  if rows[1].level == 99 then while true do end end
  if rows[1].level == 50 then return "fifty" end
  return rows[1].level + settings.bonus
end
function rules.town(rows) return rows[1] and rows[1].town end
function rules.worth(rows) return rows[1] and rows[1].level * 1000 end
function rules.vip(rows, about)
  for _, tag in ipairs(about.tags) do if tag == "vip" then return true end end
  return false
end
function rules.since(rows, about) return about.now - 86400000 end
return rules
"""

EVENTS = """
local store = require "feira.store"
local events = {}
function events.set(call)
  local row = store.members:find({ customer = call.body.customer })[1]
  if row then store.members:update(row.id, { level = call.body.level, town = call.body.town })
  else store.members:insert { customer = call.body.customer, level = call.body.level, town = call.body.town } end
  return { status = 200, body = {} }
end
function events.visit(call) store.visits:insert { customer = call.body.customer } return { status = 200, body = {} } end
function events.placed(event)
  local row = event.customer and store.members:find({ customer = event.customer })[1]
  store.audit:insert { total = event.total, level = row and row.level or 0 }
end
function events.list_audit() return { status = 200, body = { rows = store.audit:find() } } end
function events.paid(event)
  local row = event.customer and store.members:find({ customer = event.customer })[1]
  if row then store.members:update(row.id, { level = row.level + 1 }) end
end
return events
"""

CLUB = {"plugin": MANIFEST, "rules": RULES, "events": EVENTS}

GOLD = """local promo = require "feira.promo"
return promo.campaign { id = "gold", when = promo.fact("club.level", { at_least = 3 }), give = promo.percent_off { percent = 20 } }
"""


def club_shop(own_shop, plugins="{ club = {} }", club=None, **campaigns):
    shop = own_shop(settings={"plugins": plugins}, plugins={"club": club or CLUB}, campaigns=campaigns or {"gold": GOLD})
    shop.product("TEA", price=1000, stock=1000)
    return shop


def member(shop, level=None, **more):
    customer = shop.customer(**more)
    if level is not None:
        set_level(shop, customer, level)
    return customer


def set_level(shop, customer, level, **more):
    ok(shop.sk.request("POST", "/v1/x/club/level", {"customer": customer.customer, "level": level, **more}), 200)


def why(shop, client, campaign="gold"):
    quote = ok(client.request("POST", "/v1/quotes?explain=full", {"lines": [{"sku": "TEA", "qty": 1}]}), 200)
    found = next(c for c in quote["campaigns"] if c["id"] == campaign)
    return found.get("reason") or found["applied"]


def total(shop, client):
    return shop.quote({"TEA": 1}, by=client)["total"]


def place(client, body, key):
    return client.request("POST", "/v1/orders", body, idempotency=key)


def test_a_fact_decides_what_a_customer_pays_and_the_reason_says_what_is_missing(own_shop):
    shop = club_shop(own_shop)
    gold, silver, nobody = member(shop, 3), member(shop, 2), member(shop)
    assert total(shop, gold) == 800
    assert why(shop, gold) is True
    assert total(shop, silver) == 1000
    assert why(shop, silver) == {"code": "fact_below", "fact": "club.level", "needed": 3, "seen": 2}
    assert why(shop, nobody) == {"code": "fact_missing", "fact": "club.level", "needed": 3}
    assert why(shop, shop.pk) == {"code": "sign_in", "fact": "club.level", "needed": 3}
    set_level(shop, silver, 3)
    assert total(shop, silver) == 800


def test_a_server_asks_for_a_customers_facts_and_nobody_sends_them(own_shop):
    shop = club_shop(own_shop)
    someone = member(shop, 4, tags=["vip"])
    set_level(shop, someone, 4, town="Porto")
    path = f"/v1/customers/{someone.customer}/facts"
    answer = ok(shop.sk.request("GET", path), 200)
    since = answer["facts"].pop("club.since")
    assert since.endswith("Z") and since.startswith("20")
    assert answer == {
        "customer": someone.customer,
        "facts": {"club.level": 4, "club.town": "Porto", "club.vip": True, "club.worth": 4000},
    }
    problem(someone.request("GET", path), 403, "wrong_key_kind")
    problem(shop.pk.request("GET", path), 403, "wrong_key_kind")
    problem(shop.sk.request("GET", "/v1/customers/nobody/facts"), 404)
    body = {"lines": [{"sku": "TEA", "qty": 1}], "facts": {"club.level": 9}}
    for client in shop.pk, someone, shop.sk:
        problem(client.request("POST", "/v1/quotes", body), 422, field="/facts")


def test_settings_and_functions_see_facts(own_shop):
    shop = club_shop(
        own_shop,
        plugins="{ club = { bonus = 2 } }",
        fn="""local promo = require "feira.promo"
return { promo.campaign { id = "fn", give = function(cart)
  local level, town = cart:fact "club.level", cart:fact "club.town"
  if town == "Porto" and cart:fact "club.vip" == false and cart:fact "club.worth" == 1000 then cart:all():percent_off(10 * level) end
end } }""",
    )
    someone = member(shop, 1)
    assert total(shop, someone) == 1000
    set_level(shop, someone, 1, town="Porto")
    assert total(shop, someone) == 700  # level 1 and a bonus of 2
    assert total(shop, shop.pk) == 1000


def test_a_function_that_asks_for_a_fact_its_plugin_does_not_have_fails(own_shop):
    ask = """return promo.campaign {{ id = "{id}", give = function(cart) if cart:fact "{name}" == nil then cart:all():percent_off(10) end end }}"""
    shop = club_shop(
        own_shop,
        **{
            id: 'local promo = require "feira.promo"\n' + ask.format(id=id, name=name)
            for id, name in {"wrong": "club.levle", "short": "level", "elsewhere": "tiers.level"}.items()
        },
    )
    applied = {c["id"]: c["applied"] for c in shop.quote({"TEA": 1})["campaigns"]}
    assert applied == {"wrong": False, "short": False, "elsewhere": True}  # one that may be turned on some day is absent
    assert "facts have names like" in shop.server.stderr()


def test_a_function_that_puts_a_name_together_is_told_to_write_it_in_full(own_shop):
    ask = """local promo = require "feira.promo"
return promo.campaign {{ id = "{id}", give = function(cart) if cart:fact({name}) == "Porto" then cart:all():percent_off(10) end end }}"""
    parts, whole = ask.format(id="parts", name='"club." .. "town"'), ask.format(id="whole", name='"club.town"')
    shop = club_shop(own_shop, parts=parts)
    someone = member(shop, 1)
    set_level(shop, someone, 1, town="Porto")
    assert total(shop, someone) == 1000
    assert "write it in full" in shop.server.stderr()
    shop = club_shop(own_shop, parts=parts, whole=whole)
    someone = member(shop, 1)
    set_level(shop, someone, 1, town="Porto")
    assert total(shop, someone) == 810


def test_a_price_rule_sees_facts(own_shop):
    club = {
        **CLUB,
        "plugin": MANIFEST.replace("facts = {", 'pricing = { members = { run = "rules.price" } }, facts = {', 1),
        "rules": RULES.replace("return rules\n", "function rules.price(line, cart) if (cart:fact 'club.level' or 0) >= 3 then return 900 end end\nreturn rules\n"),
    }
    shop = club_shop(own_shop, club=club, none="return {}")
    assert total(shop, member(shop, 3)) == 900
    assert total(shop, member(shop, 2)) == 1000
    assert total(shop, shop.pk) == 1000
    # A price rule refuses when it fails, and it fails with the fact it asks for.
    problem(member(shop, 13).request("POST", "/v1/quotes", {"lines": [{"sku": "TEA", "qty": 1}]}), 500)


def test_a_token_is_good_until_what_is_known_of_the_customer_changes(own_shop):
    shop = club_shop(own_shop)
    gold = member(shop, 3)
    shown = shop.quote({"TEA": 1}, by=gold)
    assert shown["total"] == 800
    order = ok(place(gold, {"quote_token": shown["token"]}, "a"), 201)
    assert order["total"] == 800

    shown = shop.quote({"TEA": 1}, by=gold)
    ok(shop.sk.request("POST", "/v1/x/club/visit", {"customer": gold.customer}), 200)  # no fact is made of visits
    ok(place(gold, {"quote_token": shown["token"]}, "b"), 201)

    shown = shop.quote({"TEA": 1}, by=gold)
    set_level(shop, gold, 1)
    refused = problem(place(gold, {"quote_token": shown["token"]}, "c"), 409, "facts_changed")
    assert refused["quote"]["total"] == 1000
    ok(place(gold, {"quote_token": refused["quote"]["token"]}, "d"), 201)

    # Somebody else's change is nobody's business.
    shown = shop.quote({"TEA": 1}, by=gold)
    set_level(shop, member(shop), 5)
    ok(place(gold, {"quote_token": shown["token"]}, "e"), 201)


def test_a_token_keeps_its_facts_when_other_rules_go_live(own_shop):
    shop = club_shop(own_shop)
    gold, silver = member(shop, 3), member(shop, 2)
    shown, other = shop.quote({"TEA": 1}, by=gold), shop.quote({"TEA": 1}, by=silver)
    text = (shop.folder / "shop.lua").read_text(encoding="utf-8")
    for bonus in -1, 1:
        (shop.folder / "shop.lua").write_text(text.replace("club = {}", f"club = {{ bonus = {bonus} }}"), encoding="utf-8")
        assert ok(shop.operator.request("POST", "/v1/generations", {}), 200)["result"] == "live"
        assert [total(shop, c) for c in (gold, silver)] == ([1000, 1000] if bonus < 0 else [800, 800])
    assert ok(place(gold, {"quote_token": shown["token"]}, "a"), 201)["total"] == 800
    set_level(shop, silver, 1)
    refused = problem(place(silver, {"quote_token": other["token"]}, "b"), 409, "facts_changed")
    assert refused["quote"]["total"] == 1000


def test_a_rate_sees_facts_of_a_cart_with_final_prices_and_its_order_is_compared(own_shop):
    club = {
        **CLUB,
        "plugin": MANIFEST.replace("facts = {", 'shipping_rates = { bike = { run = "rules.bike" } }, facts = {', 1),
        "rules": RULES.replace(
            "return rules\n",
            """function rules.bike(cart) return { { id = "bike", title = "By bike", price = (cart:fact 'club.level' or 0) >= 3 and 0 or 500 } } end
return rules
""",
        ),
    }
    shop = club_shop(own_shop, club=club, none="return {}")
    gold = member(shop, 3)
    body = {"lines": [{"sku": "TEA", "qty": 1, "unit_price": 700}], "campaigns": "none", "customer": gold.customer, "shipping": {"option": "club.bike"}}
    shown = ok(shop.sk.request("POST", "/v1/quotes", body), 200)
    assert shown["total"] == 700
    set_level(shop, gold, 1)
    assert problem(place(shop.sk, {"quote_token": shown["token"]}, "a"), 409, "facts_changed")["quote"]["total"] == 1200


def test_an_order_without_a_token_is_priced_by_the_facts_of_now(own_shop):
    shop = club_shop(own_shop)
    gold = member(shop, 3)
    body = {"lines": [{"sku": "TEA", "qty": 1}], "expected_total": 800}
    assert ok(place(gold, body, "a"), 201)["total"] == 800
    set_level(shop, gold, 2)
    refused = problem(place(gold, body, "b"), 409, "price_changed")
    assert refused["quote"]["total"] == 1000


def test_an_event_that_raises_the_level_counts_from_the_next_order_on(own_shop):
    shop = club_shop(own_shop)
    someone = member(shop, 2)
    first = shop.quote({"TEA": 1}, by=someone)
    second = shop.quote({"TEA": 1}, by=someone)
    assert first["total"] == second["total"] == 1000
    order = ok(place(someone, {"quote_token": first["token"]}, "a"), 201)
    ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "test"}, idempotency="p"), 201)
    refused = problem(place(someone, {"quote_token": second["token"]}, "b"), 409, "facts_changed")
    assert refused["quote"]["total"] == 800


def test_an_order_that_races_with_a_change_of_level_has_the_price_of_the_level_it_was_placed_at(own_shop):
    shop = club_shop(own_shop)
    gold = member(shop, 3)
    placed, refused = [], []

    def buy(i):
        body = {"lines": [{"sku": "TEA", "qty": 1}], "expected_total": (800, 1000)[i % 2]}
        answer = place(shop.client(gold.key), body, f"race-{i}")
        (placed if answer.status == 201 else refused).append(ok(answer, 201)["total"] if answer.status == 201 else problem(answer, 409)["quote"])

    def change(i):
        body = {"customer": gold.customer, "level": 1 if i % 2 else 3}
        ok(shop.client(shop.server.keys()["sk"]).request("POST", "/v1/x/club/level", body), 200)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for job in [pool.submit(job, i) for i in range(100) for job in (buy, change)]:
            job.result()
    audit = ok(shop.sk.request("GET", "/v1/x/club/audit"), 200)["rows"]
    assert sorted(row["total"] for row in audit) == sorted(placed) and len(placed) + len(refused) == 100
    assert placed and refused  # else nothing raced
    for row in audit:
        assert row["total"] == (800 if row["level"] >= 3 else 1000), audit


def test_a_fact_that_fails_fails_who_asks_for_it_and_nobody_else(own_shop):
    other = """local promo = require "feira.promo"
return { promo.campaign { id = "town", when = promo.fact("club.town", { any_of = { "Porto", "Lima" } }), give = promo.percent_off { percent = 5 } },
         promo.campaign { id = "not-gold", when = promo.none { promo.fact("club.level", { at_least = 3 }) }, give = promo.percent_off { percent = 50 } } }
"""
    shop = club_shop(own_shop, gold=GOLD, other=other)
    for level in 13, 99, 50:
        someone = member(shop, level)
        set_level(shop, someone, level, town="Lima")
        quote = shop.quote({"TEA": 1}, by=someone)
        assert quote["total"] == 950
        assert why(shop, someone)["code"] == why(shop, someone, "not-gold")["code"] == "failed"
        assert why(shop, someone)["fact"] == "club.level"
        # A campaign that broke is always said.
        assert {c["id"]: c["applied"] for c in quote["campaigns"]} == {"gold": False, "not-gold": False, "town": True}
        assert ok(shop.sk.request("GET", f"/v1/customers/{someone.customer}/facts"), 200)["failed"] == ["club.level"]
        ok(place(someone, {"quote_token": quote["token"]}, f"order-{level}"), 201)
    assert "fact.failed" in shop.server.stderr()


def test_facts_that_are_not_there_are_refused_when_rules_are_loaded(tmp_path):
    def check(when, plugins="{ club = {} }"):
        campaign = f'return require("feira.promo").campaign {{ id = "x", when = {when}, give = require("feira.promo").free_shipping() }}'
        write_shop(tmp_path, settings={"plugins": plugins}, plugins={"club": CLUB}, campaigns={"x": f'local promo = require "feira.promo"\n{campaign}'})
        answer = feira("check", tmp_path)
        return answer.returncode, answer.stdout + answer.stderr

    assert check('promo.fact("club.level", { at_least = 3 })')[0] == 0
    assert check('promo.fact "club.vip"')[0] == 0
    for when, words in {
        'promo.fact("club.levle", { at_least = 3 })': 'did you mean "club.level"?',
        'promo.fact("tiers.rank", { at_least = 3 })': "shop.lua turns on",
        'promo.fact("level", { at_least = 3 })': "promo.fact(",
        'promo.fact("club.level", { atleast = 3 })': "did you mean at_least?",
        'promo.fact("club.worth", { at_least = 50 })': '"50.00"',
        'promo.fact("club.town", { at_least = "A" })': "is or any_of",
    }.items():
        code, text = check(when)
        assert code == 3 and words in text and "campaigns/x.lua" in text, text
    code, text = check('promo.fact("club.level", { at_least = 3 })', plugins="{}")
    assert code == 3 and "shop.lua turns on" in text


def test_facts_of_a_plugin_that_is_stopped_are_not_there(own_shop):
    shop = club_shop(own_shop)
    gold = member(shop, 3)
    shown = shop.quote({"TEA": 1}, by=gold)
    ok(shop.operator.request("POST", "/v1/stops", {"plugin": "club"}), 200, 201)
    assert why(shop, gold) == {"code": "fact_missing", "fact": "club.level", "needed": 3}
    assert problem(place(gold, {"quote_token": shown["token"]}, "a"), 409, "plugin_stopped")["quote"]["total"] == 1000
    ok(shop.operator.request("DELETE", "/v1/stops/club"), 200)
    assert total(shop, gold) == 800


def test_a_plugin_whose_fact_keeps_failing_is_quarantined(own_shop):
    shop = club_shop(own_shop)
    someone, gold = member(shop, 13), member(shop, 3)
    for _ in range(19):
        assert why(shop, someone)["code"] == "failed"
    assert total(shop, gold) == 800
    for _ in range(5):
        why(shop, someone)
    assert why(shop, someone)["code"] == "fact_missing"
    assert [s["plugin"] for s in ok(shop.operator.request("GET", "/v1/stops"), 200)["items"]] == ["club"]
    assert total(shop, gold) == 1000  # the shop sells on


def test_a_gate_asks_for_a_fact(own_shop):
    shop = club_shop(
        own_shop,
        early="""local promo = require "feira.promo"
return promo.gate { id = "early", scope = promo.sku "NEW", when = promo.fact("club.level", { at_least = 3 }), reason = "Members first." }""",
    )
    shop.product("NEW", price=500, stock=10)
    body = {"lines": [{"sku": "NEW", "qty": 1}]}
    ok(member(shop, 3).request("POST", "/v1/quotes", body), 200)
    refused = problem(member(shop, 2).request("POST", "/v1/quotes", body), 422, "gate_closed")
    assert refused["gate"]["reason"]["code"] == "fact_below", refused
    assert problem(shop.pk.request("POST", "/v1/quotes", body), 422, "gate_closed")["gate"]["reason"]["code"] == "sign_in"
    # Without the fact nobody can say who may: a gate refuses when it fails.
    assert problem(member(shop, 13).request("POST", "/v1/quotes", body), 422, "gate_closed")["gate"]["reason"]["code"] == "failed"


def test_the_console_shows_facts(tmp_path):
    write_shop(tmp_path, settings={"plugins": "{ club = { bonus = 2 } }"}, plugins={"club": CLUB}, campaigns={"gold": GOLD})
    typed = """t:customer { id = "ann", tags = { "vip" } }
t:post("/v1/x/club/level", { customer = "ann", level = 4 })
t:facts "ann"
"""
    answer = feira("repl", tmp_path, input=typed)
    assert answer.returncode == 0, answer
    assert '"club.level":6' in answer.stdout and '"club.vip":true' in answer.stdout, answer


LISTENER = {
    "plugin": """return { name = "ear", version = "1.0.0", api = 1, title = "An ear",
  collections = { heard = { fields = { event = "json" } }, later = { fields = { event = "json" } } },
  needs = { collections = { "club.members:write" } },
  settings = { refuse = { type = "boolean", default = false, about = "Fails." }, back = { type = "boolean", default = false, about = "Puts 7 in place of 5." } },
  on = { ["fact.changed"] = { run = "events.now", when = "in_transaction" } },
  routes = { ["GET /heard"] = { run = "events.list", auth = "server" },
             ["POST /rename"] = { run = "events.rename", auth = "server", body = { from = "customer", to = "customer" } },
             ["POST /delete"] = { run = "events.delete", auth = "server", body = { customer = "customer" } } },
}
""",
    "events": """
local store = require "feira.store"
local members = store.of("club").members
local events = {}
function events.now(event, settings)
  if settings.refuse then error "no" end
  store.heard:insert { event = event }
  if settings.back and event.new == 5 then members:update(members:find({ customer = event.customer })[1].id, { level = 7 }) end
end
function events.list() return { status = 200, body = { heard = store.heard:find() } } end
function events.rename(call)
  members:update(members:find({ customer = call.body.from })[1].id, { customer = call.body.to })
  return { status = 200, body = {} }
end
function events.delete(call) members:delete(members:find({ customer = call.body.customer })[1].id) return { status = 200, body = {} } end
return events
""",
}


def heard(shop):
    events = [row["event"] for row in ok(shop.sk.request("GET", "/v1/x/ear/heard"), 200)["heard"]]
    assert all(event.pop("at").endswith("Z") for event in events)
    return [event for event in events if event["fact"] != "club.worth"]


def listening_shop(own_shop, settings="ear = {}"):
    shop = own_shop(settings={"plugins": f"{{ club = {{}}, {settings} }}"}, plugins={"club": CLUB, "ear": LISTENER}, campaigns={"gold": GOLD})
    shop.product("TEA", price=1000, stock=1000)
    return shop


def test_who_listens_is_told_what_a_fact_was_and_is(own_shop):
    shop = listening_shop(own_shop)
    ann, bob = member(shop), member(shop)
    set_level(shop, ann, 1)
    set_level(shop, ann, 3, town="Porto")
    set_level(shop, ann, 3, town="Porto")  # nothing changed
    set_level(shop, ann, 13, town="Porto")  # it fails, and nobody can say what it is
    set_level(shop, ann, 4, town="Porto")
    ok(shop.sk.request("POST", "/v1/x/ear/rename", {"from": ann.customer, "to": bob.customer}), 200)
    ok(shop.sk.request("POST", "/v1/x/ear/delete", {"customer": bob.customer}), 200)
    a, b = {"customer": ann.customer}, {"customer": bob.customer}
    level, town = {"fact": "club.level"}, {"fact": "club.town"}
    assert heard(shop) == [
        {**a, **level, "new": 1},
        {**a, **level, "old": 1, "new": 3},
        {**a, **town, "new": "Porto"},
        {**a, **level, "new": 4},
        {**a, **level, "old": 4},
        {**a, **town, "old": "Porto"},
        {**b, **level, "new": 4},
        {**b, **town, "new": "Porto"},
        {**b, **level, "old": 4},
        {**b, **town, "old": "Porto"},
    ]
    # Somebody the shop does not know has no facts.
    ok(shop.sk.request("POST", "/v1/x/club/level", {"customer": "stranger", "level": 5}), 200)
    assert len(heard(shop)) == 10


def test_a_listener_may_change_the_fact_again_and_a_veto_takes_everything_back(own_shop):
    shop = listening_shop(own_shop, "ear = { back = true }")
    ann = member(shop, 5)
    assert [(event.get("old"), event["new"]) for event in heard(shop)] == [(None, 5), (5, 7)]
    assert ok(shop.sk.request("GET", f"/v1/customers/{ann.customer}/facts"), 200)["facts"]["club.level"] == 7

    shop = listening_shop(own_shop, "ear = { refuse = true }")
    ann = member(shop)
    problem(shop.sk.request("POST", "/v1/x/club/level", {"customer": ann.customer, "level": 5}), 500)
    assert "club.level" not in ok(shop.sk.request("GET", f"/v1/customers/{ann.customer}/facts"), 200)["facts"]
