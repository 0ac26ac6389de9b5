"""What a plugin began under one revision of its rules goes on under it: old rules, old settings. events.lua is always the live one. feira repin
moves rows on."""

from market import feira, ok, problem, unique, write_shop

PLUGIN = """return {{
  name = "bargain", version = "{version}", api = 1, title = "Bargains",
  settings = {{ off = {{ type = "integer", default = 10, about = "Taken off." }} }},
  collections = {{ runs = {{ fields = {{ sku = "sku", rules = "revision", who = "customer?"{more} }}, index = {{ "rules" }} }} }},
  routes = {{
    ["POST /open"] = {{ run = "events.open", auth = "server", body = {{ sku = "string" }} }},
    ["GET /price/{{id}}"] = {{ run = "events.price", auth = "anyone" }},
    ["POST /price/{{id}}"] = {{ run = "events.price", auth = "server" }},
    ["GET /unknown"] = {{ run = "events.unknown", auth = "anyone" }},
    ["GET /many"] = {{ run = "events.many", auth = "anyone" }},
    ["POST /fake/{{id}}"] = {{ run = "events.fake", auth = "server" }},
  }},
}}
"""

RULES = """local parts = require "parts"
local plugin = require "feira.plugin"
local rules = {{}}
function rules.price(run, settings)
  local late = require "late"
  return {{ price = parts.base - settings.off, rule = "{mark}", late = late.word, own = plugin.settings.off, version = plugin.version }}
end
return rules
"""

EVENTS = """local store, plugin, fail = require "feira.store", require "feira.plugin", require "feira.fail"
local events = {{}}
function events.open(call)
  local id = store.runs:insert {{ sku = call.body.sku, rules = plugin.revision() }}
  return {{ status = 201, body = {{ id = id, rules = plugin.revision() }} }}
end
function events.price(call)
  local run = store.runs:get(math.tointeger(tonumber(call.params.id))) or fail.not_found "There is no such run."
  local rules, settings = plugin.rules(run.rules)
  local out = rules.price(run, settings)
  return {{ status = 200, body = {{ price = out.price, rule = out.rule, late = out.late, own = out.own, version = out.version,
                                   events = "{mark}", rules = run.rules }} }}
end
function events.unknown() return {{ status = 200, body = plugin.rules "r_0123456789abcdef".price() }} end
function events.many()
  local seen = {{}}
  for i = 1, 3 do
    for row in store.runs:each() do
      local rules, settings = plugin.rules(row.rules)
      seen[#seen + 1] = rules.price(row, settings).price
    end
  end
  return {{ status = 200, body = {{ prices = seen }} }}
end
function events.fake(call) store.runs:update(math.tointeger(tonumber(call.params.id)), {{ rules = "r_x" }}) end
return events
"""


def bargain(mark="one", base=100, version="1.0.0", events=None, more="", late="early"):
    return {
        "plugin": PLUGIN.format(version=version, more=more),
        "rules": RULES.format(mark=mark),
        "parts": f"return {{ base = {base} }}\n",
        "late": f'return {{ word = "{late}" }}\n',
        "events": EVENTS.format(mark=events or mark),
    }


ON = {"plugins": "{ bargain = {} }"}


def publish(shop, plugin, settings=None):
    write_shop(shop.folder, settings=settings or ON, campaigns={}, plugins={"bargain": plugin})
    answer = feira("publish", shop.folder)
    assert answer.returncode == 0, answer


def start(own_shop):
    return own_shop(settings=ON, campaigns={}, plugins={"bargain": bargain()})


def opened(shop):
    return ok(shop.sk.request("POST", "/v1/x/bargain/open", {"sku": "TEA"}, idempotency=unique("b")), 201)


def price(shop, id):
    return ok(shop.pk.request("GET", f"/v1/x/bargain/price/{id}"), 200)


def test_what_began_under_old_rules_and_settings_goes_on_under_them(own_shop):
    shop = start(own_shop)
    first = opened(shop)
    assert first["rules"].startswith("r_") and len(first["rules"]) == 18
    was = price(shop, first["id"])
    assert was == {"price": 90, "rule": "one", "late": "early", "own": 10, "version": "1.0.0", "events": "one", "rules": first["rules"]}

    publish(shop, bargain("two", base=200, version="2.0.0", late="later"), {"plugins": "{ bargain = { off = 50 } }"})
    second = opened(shop)
    assert second["rules"] != first["rules"]
    assert price(shop, first["id"]) == {**was, "events": "two"}  # the live events.lua, the rules of its time
    assert price(shop, second["id"]) == {"price": 150, "rule": "two", "late": "later", "own": 50, "version": "2.0.0", "events": "two", "rules": second["rules"]}
    # on the writer, too
    assert ok(shop.sk.request("POST", f"/v1/x/bargain/price/{first['id']}", {}), 200)["price"] == 90

    shop.server.terminate()
    shop.server.start()
    assert price(shop, first["id"])["price"] == 90 and price(shop, second["id"])["price"] == 150

    # settings alone make a revision; what is neither rules nor settings does not
    publish(shop, bargain("two", base=200, version="2.0.0", late="later"), {"plugins": "{ bargain = { off = 60 } }"})
    third = opened(shop)
    assert third["rules"] not in (first["rules"], second["rules"]) and price(shop, third["id"])["price"] == 140
    assert price(shop, second["id"])["price"] == 150
    publish(shop, bargain("two", base=200, version="2.0.1", events="mended", late="later"), {"plugins": "{ bargain = { off = 60 } }"})
    assert opened(shop)["rules"] == third["rules"] and price(shop, third["id"])["events"] == "mended"

    # a rollback brings the rules back under the same name
    publish(shop, bargain())
    assert opened(shop)["rules"] == first["rules"]


def test_repin_moves_rows_and_keeps_who_did_it(own_shop):
    shop = start(own_shop)
    first, again = opened(shop), opened(shop)
    publish(shop, bargain("two", base=200))
    second = opened(shop)
    publish(shop, bargain("three", base=300))
    third = opened(shop)

    answer = feira("repin", shop.folder, "bargain", "--dry-run")
    assert answer.returncode == 0 and "3 rows would go" in answer.stdout and first["rules"] in answer.stdout, answer
    assert price(shop, first["id"])["price"] == 90
    answer = feira("repin", shop.folder, "bargain", "--from", first["rules"], "--to", second["rules"])
    assert answer.returncode == 0 and "2 rows go by " + second["rules"] in answer.stdout, answer
    assert price(shop, first["id"])["price"] == price(shop, again["id"])["price"] == 190
    assert price(shop, third["id"])["price"] == 290

    problem(shop.sk.request("POST", "/v1/plugins/bargain/repin", {}, idempotency=unique("p")), 403, "scope_missing")
    moved = ok(shop.operator.request("POST", "/v1/plugins/bargain/repin", {}, idempotency=unique("p")), 200)
    assert (moved["moved"], moved["to"], len(moved["rows"])) == (3, third["rules"], 3)
    assert moved["rows"][0] == {"collection": "runs", "id": first["id"], "field": "rules", "from": second["rules"]}
    assert {price(shop, x["id"])["price"] for x in (first, again, second, third)} == {290}
    assert '"event":"plugin.repinned"' in shop.server.stderr()
    assert "nothing to move" in feira("repin", shop.folder, "bargain").stdout

    shop.server.terminate()
    answer = feira("repin", shop.folder, "bargain", "--to", first["rules"])  # nobody serves: it takes the lock itself
    assert answer.returncode == 0 and "4 rows go" in answer.stdout, answer
    shop.server.start()
    assert price(shop, third["id"])["price"] == 90
    import sqlite3

    kept = sqlite3.connect(shop.server.data / "shop.db").execute("SELECT row, from_revision, to_revision FROM plugin_repins ORDER BY id").fetchall()
    assert len(kept) == 2 + 3 + 4 and kept[0] == (first["id"], first["rules"], second["rules"])


def test_repin_says_what_is_wrong(own_shop):
    shop = start(own_shop)
    opened(shop)
    for arguments, says in {
        ("bargain", "--to", "r_0123456789abcdef"): "had no rules of the revision",
        ("bargain", "--collection", "links"): "has no collection links with a field of the type revision",
        ("nobody",): "There is no plugin",
        ("No Body",): "is no name of a plugin",
    }.items():
        answer = feira("repin", shop.folder, *arguments)
        assert answer.returncode != 0 and says in answer.stderr, answer


def test_a_revision_that_was_never_here_is_an_error(own_shop):
    shop = start(own_shop)
    run = opened(shop)
    problem(shop.pk.request("GET", "/v1/x/bargain/unknown"), 500)
    problem(shop.sk.request("POST", f"/v1/x/bargain/fake/{run['id']}", {}), 500)
    log = shop.server.stderr()
    assert "the plugin bargain had no rules of the revision r_0123456789abcdef" in log, log
    assert "rules must be what plugin.revision() gives" in log, log


def test_more_revisions_than_fit_at_once_are_all_found(own_shop):
    shop = start(own_shop)
    wanted = []
    for i in range(20):
        publish(shop, bargain(f"m{i}", base=1000 + i))
        opened(shop)
        wanted.append(990 + i)
    assert ok(shop.pk.request("GET", "/v1/x/bargain/many"), 200)["prices"] == wanted * 3


def test_nothing_is_pruned_while_rows_go_by_earlier_rules(own_shop):
    shop = own_shop(settings=ON, campaigns={}, plugins={"bargain": bargain(more=', note = "string?"')})
    opened(shop)
    publish(shop, bargain("two"))
    answer = feira("prune", shop.folder, "--yes")
    assert answer.returncode != 0 and "1 rows of bargain.runs go by earlier rules" in answer.stderr, answer
    assert feira("repin", shop.folder, "bargain").returncode == 0
    answer = feira("prune", shop.folder, "--yes")
    assert answer.returncode == 0 and "bargain.runs.note" in answer.stdout, answer


def test_a_field_of_that_type_needs_rules_and_has_no_default(tmp_path):
    def says(plugin, text):
        write_shop(tmp_path, settings=ON, campaigns={}, plugins={"bargain": plugin})
        answer = feira("check", tmp_path)
        assert answer.returncode == 3 and text in answer.stdout, answer

    says({**bargain(), "plugin": PLUGIN.format(version="1.0.0", more=', x = { type = "revision", default = "r_0123456789abcdef" }')}, "make the field optional")
    (tmp_path / "plugins" / "bargain" / "rules.lua").unlink()
    files = bargain()
    del files["rules"]
    says(files, "there is no rules.lua")


def test_a_name_put_together_while_running_is_not_kept(own_shop):
    late = bargain()
    late["rules"] = late["rules"].replace('require "late"', 'require("la" .. "te")')
    shop = own_shop(settings=ON, campaigns={}, plugins={"bargain": late})
    run = opened(shop)
    problem(shop.pk.request("GET", f"/v1/x/bargain/price/{run['id']}"), 500)
    assert "rules keep those files that they require by a plain name" in shop.server.stderr()


SPEC = """local t = require "feira.test"

t:it("what is open keeps its rules and settings", function()
  t:shop { settings = { off = 10 } }
  local run = t:call("open", { sku = "TEA" })
  t:publish { settings = { off = 30 } }
  local later = t:call("open", { sku = "TEA" })
  t:expect(t:get("/v1/x/bargain/price/" .. run.id), { price = 90 })
  t:expect(t:get("/v1/x/bargain/price/" .. later.id), { price = 70 })
  t:advance "1h"
  t:expect(t:get("/v1/x/bargain/rung"), { prices = { 90, 70 } })
end)
"""


def test_specs_see_it_without_a_server_and_timers_too(tmp_path):
    files = bargain()
    files["plugin"] = files["plugin"].replace('["GET /many"]', '["GET /rung"] = { run = "events.rung", auth = "anyone" },\n    ["GET /many"]').replace(
        "  routes = {", '  procedures = { open = "events.open_one" }, timers = { ring = "events.ring" },\n  routes = {', 1
    )
    files["plugin"] = files["plugin"].replace('who = "customer?"', 'who = "customer?", rung = { type = "integer", optional = true }')
    files["events"] = files["events"].replace(
        "function events.many()",
        """local timers, time = require "feira.timers", require "feira.time"
function events.open_one(args)
  local id = store.runs:insert { sku = args.sku, rules = plugin.revision() }
  timers.set("ring", tostring(id), time.now() + 60000)
  return { id = id }
end
function events.ring(args)
  local run = store.runs:get(math.tointeger(tonumber(args.key)))
  local rules, settings = plugin.rules(run.rules)
  store.runs:update(run.id, { rung = rules.price(run, settings).price })
end
function events.rung()
  local prices = {}
  for row in store.runs:each() do prices[#prices + 1] = row.rung end
  return { status = 200, body = { prices = prices } }
end
function events.many()""",
    )
    folder = tmp_path / "bargain"
    (folder / "test").mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.lua").write_text(text, encoding="utf-8")
    (folder / "test" / "runs.lua").write_text(SPEC, encoding="utf-8")
    answer = feira("test", folder)
    assert answer.returncode == 0 and "not ok" not in answer.stdout, answer.stdout
