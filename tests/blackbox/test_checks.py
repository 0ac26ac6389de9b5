"""Checks of plugins: what is submitted is looked at before it goes live, what happens may be looked at while it does. A check finds; whoever
asked it acts. Each test has a case that must be found and one that must not."""

import json

from market import feira, ok, problem, unique, write_shop

HEAD = 'return {{ name = "{name}", version = "1.0.0", api = 1, title = "A plugin of a test", {rest} }}\n'


def plugin(name, rest="", **files):
    return {"plugin": HEAD.format(name=name, rest=rest), **files}


# A few predicates of the law as a compliance plugin would write them.
LAW = plugin(
    "law",
    """
    settings = { max_percent = { type = "percent", default = 50, about = "The deepest discount." } },
    checks = {
      depth = { run = "checks.depth", of = { "campaign" } },
      words = { run = "checks.words", of = { "campaign", "plugin", "shop" } },
      members = { run = "checks.members", of = { "plugin", "campaign" } },
      later = { run = "checks.later", of = { "campaign" } },
      order = { run = "checks.order", at = "runtime", of = { "order" } },
      reward = { run = "checks.reward", at = "runtime", of = { "reward" } },
    },
    collections = { known = { fields = { customer = "customer" }, key = "customer" } },
    procedures = { know = "events.know" },
    routes = { ["POST /know/{id}"] = { run = "events.know_route", auth = "server" } },
    """,
    checks="""
local store = require "feira.store"
local checks = {}
function checks.depth(subject, settings)
  local percent = subject.declaration.give.percent_off.percent
  if percent * 10000 > settings.max_percent then
    return { { rule = "P13", level = "block", text = ("%s takes %s percent off."):format(subject.id, tostring(percent)), field = "give.percent_off.percent",
               satisfy = ("Take at most %d."):format(settings.max_percent // 10000) } }
  end
end
function checks.words(subject)
  local title = subject.kind == "plugin" and subject.declaration.manifest.title or subject.declaration.title or subject.declaration.name
  if tostring(title):find("best", 1, true) then
    return { { rule = "P25", level = "warn", text = "The words \\"best\\" may mislead.", field = "title" } }
  end
end
function checks.members(subject)
  local settings = subject.kind == "plugin" and subject.declaration.settings or subject.made_by and subject.made_by.fields or {}
  if (settings.virtual_members or 0) > 0 then
    return { { level = "block", text = "Nobody may be made up.", field = "settings.virtual_members" } }
  end
end
function checks.later(subject)
  local live = subject.history.live
  if live and subject.changed and subject.declaration.give.percent_off.percent < live.give.percent_off.percent then
    return { { rule = "P11", level = "block", text = "It takes less off than the one that is live." } }
  end
end
function checks.order(subject)
  if subject.total > 100000 then return { { rule = "P38", level = "block", text = "So large an order is not taken.", satisfy = "Split it." } } end
  if #subject.lines == 0 or subject.contact or subject.address then error "an order looks otherwise" end
end
function checks.reward(subject)
  if subject.trigger == "fail" then error "no" end
  if subject.trigger == "write" then store.known:insert { customer = "sneaked" } end
  if subject.trigger == "loop" then while true do end end
  if subject.depth > 2 then return { { rule = "P1", level = "block", text = "Nobody earns on the third level." } } end
  if subject.customer and not store.known:get(subject.customer) then return { { rule = "P4", level = "warn", text = "Nobody knows them." } } end
  subject.depth = 99
end
return checks
""",
    events="""
local store = require "feira.store"
local events = {}
function events.know(args) store.known:insert { customer = args.id } end
function events.know_route(call) store.known:insert { customer = call.params.id } return { status = 200, body = {} } end
return events
""",
)

SHARE = plugin(
    "share",
    """
    settings = { virtual_members = { type = "integer", default = 0, about = "Made up." } },
    campaigns = { share = { run = "rules.make", fields = { id = { type = "string", about = "Id." }, virtual_members = { type = "integer", default = 0, about = "Made up." } } } },
    routes = { ["POST /reward"] = { run = "events.reward", auth = "server", body = { trigger = "string", depth = "integer", customer = { type = "string", optional = true } } },
               ["GET /reward/{depth}"] = { run = "events.look", auth = "server" } },
    """,
    rules="""
local promo = require "feira.promo"
return { make = function(f) return promo.campaign { id = f.id, title = f.id, give = promo.percent_off { percent = 5 } } end }
""",
    events="""
local plugin = require "feira.plugin"
local events = {}
local function answer(subject)
  local findings, blocked = plugin.check(subject)
  return { status = 200, body = { blocked = blocked, rules = findings[1] and findings[1].rule, level = findings[1] and findings[1].level,
                                  text = findings[1] and findings[1].text, depth = subject.depth } }
end
function events.reward(call)
  local body = call.body
  return answer { kind = "reward", trigger = body.trigger, depth = body.depth, customer = body.customer }
end
function events.look(call) return answer { kind = "reward", trigger = "paid", depth = math.tointeger(tonumber(call.params.depth)) } end
return events
""",
)


def tea(percent, title="Tea", id="tea"):
    return f"""local promo = require "feira.promo"
return promo.campaign {{
  id = "{id}", title = "{title}", give = promo.percent_off {{ percent = {percent} }} }}
"""


ON = {"plugins": "{ law = {}, share = {} }"}
PLUGINS = {"law": LAW, "share": SHARE}


def publish(shop, campaigns, settings=None, plugins=None):
    write_shop(shop.folder, settings=settings or ON, campaigns=campaigns, plugins=plugins or PLUGINS)
    return shop.operator.request("POST", "/v1/generations", {})


def test_a_campaign_that_a_check_blocks_does_not_go_live_and_says_where_and_why(own_shop):
    shop = own_shop(settings=ON, campaigns={"tea": tea(10)}, plugins=PLUGINS)
    live = ok(shop.operator.request("GET", "/v1/generations"), 200)["live"]
    document = problem(publish(shop, {"tea": tea(60)}), 422, "rules_refused")
    assert document["detail"].startswith("campaigns/tea.lua:2: P13: give.percent_off.percent: tea takes 60 percent off. Take at most 50."), document
    assert document["place"] == {"file": "campaigns/tea.lua", "line": 2}
    found = document["findings"]
    assert found == [
        {"check": "law.depth", "rule": "P13", "level": "block", "text": "tea takes 60 percent off.", "field": "give.percent_off.percent",
         "satisfy": "Take at most 50.", "subject": "campaign tea", "at": "campaigns/tea.lua:2"}
    ]  # fmt: skip
    assert ok(shop.operator.request("GET", "/v1/generations"), 200)["live"] == live
    answer = feira("publish", shop.folder)
    assert answer.returncode == 3 and "campaigns/tea.lua:2: P13" in answer.stderr, answer
    # the settings of the check are settings like all others
    assert ok(publish(shop, {"tea": tea(60)}, {"plugins": "{ law = { max_percent = 70 }, share = {} }"}), 200)["result"] == "live"


def test_warnings_are_answered_and_logged_and_do_not_block(own_shop):
    shop = own_shop(settings=ON, campaigns={"tea": tea(10)}, plugins=PLUGINS)
    answer = ok(publish(shop, {"tea": tea(10, "The best tea")}), 200)
    assert answer["result"] == "live"
    assert [(f["rule"], f["level"], f["subject"]) for f in answer["findings"]] == [("P25", "warn", "campaign tea")]
    assert '"event":"check.finding"' in shop.server.stderr() and "may mislead" in shop.server.stderr()
    write_shop(shop.folder, settings=ON, campaigns={"tea": tea(11, "The best of teas")}, plugins=PLUGINS)
    said = feira("publish", shop.folder)
    assert said.returncode == 0 and "warn: P25: title:" in said.stdout, said
    assert "findings" not in ok(publish(shop, {"tea": tea(12)}), 200)


def test_plugins_their_settings_and_what_they_made_are_looked_at(own_shop):
    shop = own_shop(settings=ON, campaigns={"tea": tea(10)}, plugins=PLUGINS)
    bad = problem(publish(shop, {"tea": tea(10)}, {"plugins": "{ law = {}, share = { virtual_members = 3 } }"}), 422)
    assert bad["findings"][0]["subject"] == "plugin share" and bad["findings"][0]["rule"] == "law.members", bad
    assert bad["place"]["file"] == "shop.lua" and bad["place"]["line"] > 1  # where the merchant wrote it
    made_up = {**SHARE, "plugin": SHARE["plugin"].replace("default = 0", "default = 2", 1)}
    bad = problem(publish(shop, {"tea": tea(10)}, plugins={"law": LAW, "share": made_up}), 422)
    assert bad["place"]["file"] == "plugins/share/plugin.lua" and bad["place"]["line"] > 1, bad
    use = 'local promo = require "feira.promo"\nreturn promo.use "share" { id = "friends", virtual_members = %d }\n'
    bad = problem(publish(shop, {"tea": tea(10), "friends": use % 2}), 422)
    assert bad["findings"][0]["at"] == "campaigns/friends.lua:2" and bad["findings"][0]["subject"] == "campaign friends", bad
    assert ok(publish(shop, {"tea": tea(10), "friends": use % 0}), 200)["result"] == "live"
    named = ok(publish(shop, {"tea": tea(10)}, {**ON, "name": '"The best shop"'}), 200)
    assert [f["subject"] for f in named["findings"]] == ["shop The best shop"]


def test_the_history_is_what_was_live_before(own_shop):
    shop = own_shop(settings=ON, campaigns={"tea": tea(10)}, plugins=PLUGINS)
    assert problem(publish(shop, {"tea": tea(9)}), 422)["findings"][0]["rule"] == "P11"
    ok(publish(shop, {"tea": tea(20)}), 200)
    assert problem(publish(shop, {"tea": tea(15)}), 422)["findings"][0]["rule"] == "P11"
    assert ok(publish(shop, {"tea": tea(20), "more": tea(5, id="more")}), 200)["result"] == "live"
    # a restart is a publish, too, when what is in the folder was not live
    shop.server.terminate()
    write_shop(shop.folder, settings=ON, campaigns={"tea": tea(15), "more": tea(5, id="more")}, plugins=PLUGINS)
    answer = feira("quote", shop.folder, "/dev/null")
    assert answer.returncode == 3 and "P11" in answer.stderr, answer
    write_shop(shop.folder, settings=ON, campaigns={"tea": tea(20), "more": tea(5, id="more")}, plugins=PLUGINS)
    shop.server.start()


def failing(body, on_failure):
    checks = f"return {{ look = function(subject) {body} end }}"
    return plugin("rough", f'checks = {{ look = {{ run = "checks.look", of = {{ "campaign" }}, on_failure = "{on_failure}" }} }},', checks=checks)


def test_a_check_that_fails_blocks_or_is_skipped_as_it_says(own_shop):
    on = {"plugins": "{ rough = {} }"}
    good = failing("return nil", "refuse")
    shop = own_shop(settings=on, campaigns={"tea": tea(10)}, plugins={"rough": good})
    percent = 10
    for body, says in {
        'error "no idea"': "no idea",
        "while true do end": "could not be made",
        'return { { level = "stop", text = "x" } }': "level",
        'return { { level = "warn", txt = "x" } }': "txt",
        'return "fine"': "list of findings",
        'return { { level = "warn", text = "x", fn = function() end } }': "fn",
        'require("feira.store").known:find()': "could not be made",
        'require("feira.time").now()': "can't be used in a check at submission",
        'require("feira.plugin").call "law.know"': "can't be used in a check at submission",
        'require("feira.ledger").balance "rough/x"': "can't be used in a check at submission",
    }.items():
        for on_failure in "refuse", "skip":
            percent += 1
            answer = publish(shop, {"tea": tea(percent)}, on, {"rough": failing(body, on_failure)})
            if on_failure == "refuse":
                document = problem(answer, 422)
                assert says in document["detail"], (body, document)
            else:
                found = ok(answer, 200)["findings"]
                assert [f["level"] for f in found] == ["warn"] and says in found[0]["text"], (body, found)
    assert ok(publish(shop, {"tea": tea(percent + 1)}, on, {"rough": good}), 200)["result"] == "live"


def test_feira_check_shows_what_checks_find(tmp_path):
    write_shop(tmp_path, settings=ON, campaigns={"tea": tea(60, "The best tea")}, plugins=PLUGINS)
    answer = feira("check", tmp_path)
    assert answer.returncode == 3, answer
    assert "campaigns/tea.lua:2: error: P13: give.percent_off.percent: tea takes 60 percent off. Take at most 50." in answer.stdout, answer
    assert "campaigns/tea.lua:2: warning: P25: title:" in answer.stdout, answer
    problems = json.loads(feira("check", tmp_path, "--json").stdout)
    assert "P13" in json.dumps(problems)
    write_shop(tmp_path, settings=ON, campaigns={"tea": tea(10)}, plugins=PLUGINS)
    answer = feira("check", tmp_path)
    assert answer.returncode == 0 and "0 errors" in answer.stdout and ": P" not in answer.stdout, answer


def test_a_rollback_asks_no_check_because_it_was_live(own_shop):
    shop = own_shop(settings=ON, campaigns={"tea": tea(20)}, plugins=PLUGINS)
    first = ok(shop.operator.request("GET", "/v1/generations"), 200)["live"]
    ok(publish(shop, {"tea": tea(30)}), 200)
    problem(publish(shop, {"tea": tea(20)}), 422)  # takes less off: as a publish it is refused
    back = ok(shop.operator.request("POST", "/v1/generations/rollback", {}, idempotency=unique("back")), 200)
    assert (back["generation"], back["result"]) == (first, "live")


def test_a_sku_that_a_setting_names_and_nobody_sells_is_a_warning(own_shop):
    settings = """settings = { gift = { type = "sku", optional = true, about = "A gift." },
      more = { type = "list", default = {}, about = "More.", of = { type = "record", fields = { sku = { type = "sku", about = "One." } } } } },"""
    gives = {"gives": plugin("gives", settings)}
    shop = own_shop(settings={"plugins": "{ gives = {} }"}, campaigns={}, plugins=gives)
    sku = shop.product(price=500)

    def found(values):
        return ok(publish(shop, {}, {"plugins": f"{{ gives = {values} }}"}, gives), 200).get("findings", [])

    assert found(f'{{ gift = "{sku}" }}') == []
    one = found(f'{{ gift = "NOBODY", more = {{ {{ sku = "{sku}" }}, {{ sku = "NEITHER" }} }} }}')
    assert [(f["rule"], f["level"], f["field"], f["subject"]) for f in one] == [
        ("unknown_sku", "warn", "settings.gift", "plugin gives"), ("unknown_sku", "warn", "settings.more/2/sku", "plugin gives"),
    ]  # fmt: skip
    assert one[0]["at"].startswith("shop.lua:") and '"NOBODY"' in one[0]["text"]


# --- at run time -------------------------------------------------------------------------------------------------------------------


def test_a_plugin_asks_the_checks_of_others_about_what_it_does(own_shop):
    shop = own_shop(settings=ON, campaigns={}, plugins=PLUGINS)

    def reward(trigger, depth, customer=None):
        body = {"trigger": trigger, "depth": depth, **({"customer": customer} if customer else {})}
        return ok(shop.sk.request("POST", "/v1/x/share/reward", body, idempotency=unique("r")), 200)

    assert reward("paid", 2) == {"blocked": False, "depth": 2}
    assert reward("paid", 3) == {"blocked": True, "depth": 3, "rules": "P1", "level": "block", "text": "Nobody earns on the third level."}
    assert reward("paid", 1, "ann")["level"] == "warn"  # it reads its collection
    ok(shop.sk.request("POST", "/v1/x/law/know/ann", {}), 200)
    assert reward("paid", 1, "ann") == {"blocked": False, "depth": 1}
    assert ok(shop.sk.request("GET", "/v1/x/share/reward/3"), 200)["blocked"] is True
    for trigger, says in {"fail": "no", "write": "can't be used in a check"}.items():
        answer = reward(trigger, 1)
        assert answer["blocked"] is True and says in answer["text"], answer
    before = shop.state()
    problem(shop.sk.request("POST", "/v1/x/share/reward", {"trigger": "loop", "depth": 1}), 500)
    assert shop.state() == before


def test_an_order_that_a_check_blocks_is_refused_and_nothing_is_taken(own_shop):
    shop = own_shop(settings=ON, campaigns={}, plugins=PLUGINS)
    sku = shop.product(price=50000, stock=10)
    contact = {"contact": {"name": "Ann"}, "note": "by the door"}
    order = ok(shop.pk.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 2}], "expected_total": shop.quote({sku: 2})["total"], **contact}, idempotency=unique("o")), 201)
    assert order["state"] == "placed"
    before = shop.state()
    total = shop.quote({sku: 3})["total"]
    document = problem(shop.pk.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 3}], "expected_total": total}, idempotency=unique("o")), 409, "refused_by_check")
    assert document["detail"] == "So large an order is not taken. Split it."
    assert shop.state() == before
    assert feira("stop", shop.folder, "law").returncode == 0  # nobody can look, and its on_failure is to refuse
    document = problem(shop.pk.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 1}], "expected_total": shop.quote({sku: 1})["total"]}, idempotency=unique("o")), 409, "refused_by_check")
    assert "the plugin law is stopped" in document["detail"], document
    assert feira("resume", shop.folder, "law").returncode == 0
    shop.place({sku: 1})


def test_checks_are_described_like_everything_else(tmp_path):
    def says(entry, text):
        bad = plugin("law", f"checks = {{ depth = {entry} }},", checks="return { depth = function() end }")
        write_shop(tmp_path, settings={"plugins": "{ law = {} }"}, campaigns={"tea": tea(10)}, plugins={"law": bad})
        answer = feira("check", tmp_path)
        assert answer.returncode == 3 and text in answer.stdout, answer

    says('{ run = "checks.depth", at = "sometimes" }', "submission")
    says('{ run = "checks.depth", of = "campaign" }', "must be a list")
    says('{ run = "checks.depth", of = { "Any Thing" } }', "is no kind of thing")
    says('{ run = "checks.depth", if_fails = "skip" }', "if_fails")


# --- for authors ----------------------------------------------------------------------------------------------------------------------

SPEC = """local t = require "feira.test"

local function tea(percent)
  return ([[local promo = require "feira.promo"
return promo.campaign { id = "tea", title = "Tea", give = promo.percent_off { percent = %d } }
]]):format(percent)
end

t:it("a deep discount does not go live", function()
  t:shop { campaigns = { tea = tea(10) } }
  local problem = t:refused("rules_refused", function() t:publish { campaigns = { tea = tea(60) } } end)
  t:expect(problem.findings, { { rule = "P13", level = "block", subject = "campaign tea" } })
  t:expect(t:publish { campaigns = { tea = tea(50) } }, { result = "live" })
end)

t:it("what is allowed is a setting", function()
  t:shop { campaigns = { tea = tea(10) } }
  t:expect(t:publish { settings = { max_percent = 80 }, campaigns = { tea = tea(60) } }, { result = "live" })
end)

t:it("a large order is not taken", function()
  t:product { sku = "TEA", price = "600.00" }
  t:refused("refused_by_check", function() t:order { lines = { TEA = 2 } } end)
  t:order { lines = { TEA = 1 } }
end)
"""


def test_checks_are_specified_without_a_server(tmp_path):
    folder = tmp_path / "law"
    (folder / "test").mkdir(parents=True)
    for name, text in LAW.items():
        (folder / f"{name}.lua").write_text(text, encoding="utf-8")
    (folder / "test" / "law.lua").write_text(SPEC, encoding="utf-8")
    answer = feira("test", folder)
    assert answer.returncode == 0 and "not ok" not in answer.stdout, answer.stdout
    (folder / "test" / "law.lua").write_text(SPEC.replace('"P13"', '"P14"'), encoding="utf-8")
    answer = feira("test", folder)
    assert answer.returncode != 0 and "wanted" in answer.stdout and "P13" in answer.stdout, answer.stdout
