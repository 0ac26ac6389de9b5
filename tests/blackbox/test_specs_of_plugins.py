"""Specs of plugins: a shop that is made up for them, who asks, what they call."""

import re

import pytest
from market import feira, rooms_left, rooms_of_specs, write_shop
from test_authors import check, comments_of, spec, tap

MANIFEST = """return {
  name = "%s", version = "1.0.0", api = 1, title = "%s",
  %s
}
"""


def plugin(folder, name, rest, **files):
    where = folder / name
    (where / "test").mkdir(parents=True)
    (where / "plugin.lua").write_text(MANIFEST % (name, name, rest))
    for module, text in files.items():
        (where / f"{module}.lua").write_text(text)
    return where


@pytest.fixture
def points(tmp_path):
    return plugin(tmp_path, "points", """
  settings = { factor = { type = "integer", min = 1, max = 9, about = "Points for each." } },
  collections = { rows = { fields = { customer = "customer", n = "integer" }, key = "customer" } },
  procedures = { add = { run = "events.add", args = { customer = "customer", n = "integer" } } },
  routes = { ["GET /mine"] = { run = "events.mine", auth = "customer" }, ["GET /who"] = { run = "events.mine", auth = "anyone" } },
""", events="""
local store, fail, plugin = require "feira.store", require "feira.fail", require "feira.plugin"
local events = {}
function events.add(args)
  if args.n < 0 then fail.conflict("too_few", "Less than nothing can't be added.") end
  local n = args.n * plugin.settings.factor
  store.rows:insert { customer = args.customer, n = n }
  return { n = n, list = { 1, 2 } }
end
function events.mine(call)
  return { status = 200, body = { who = call.caller, row = call.customer and store.rows:get(call.customer) } }
end
return events
""")


def test_a_new_plugin_passes_its_specs_and_they_notice_when_it_is_changed(tmp_path):
    assert feira("new", "plugin", tmp_path / "fresh").returncode == 0
    done = feira("test", tmp_path / "fresh")
    assert done.returncode == 0 and len(tap(done)) >= 2 and all(passed for passed, _, _ in tap(done)), done
    rules = tmp_path / "fresh/rules.lua"
    rules.write_text(rules.read_text().replace("math.min(fields.percent, settings.most)", "fields.percent"))
    assert [passed for passed, _, _ in tap(feira("test", tmp_path / "fresh"))].count(False) == 1


def test_settings_come_from_the_spec_and_hold_where_they_are_said(points):
    spec(points, """
t:shop { settings = { factor = 2 }, currency = "JPY" }
t:it("outside", function()
  t:customer { id = "ann" }
  t:expect(t:call("add", { customer = "ann", n = 5 }), { n = 10, list = { 1, 2 } })
  t:product { sku = "A", price = "700" }
  t:expect(t:quote { lines = { A = 1 } }, { currency = "JPY", total = 700 })
end)
t:it("inside", function()
  t:shop { settings = { factor = 3 } }
  t:customer { id = "ann" }
  t:expect(t:call("points.add", { customer = "ann", n = 5 }).n, 15)
end)
t:it("outside again, and empty", function()
  t:refused("not_found", function() t:as "ann" end)
  t:customer { id = "ann" }
  t:expect(t:call("add", { customer = "ann", n = 1 }).n, 2)
end)
""")
    results = tap(feira("test", points))
    assert [passed for passed, _, _ in results] == [True, True, True], results


def test_a_spec_asks_as_somebody_and_calls_procedures(points):
    spec(points, """
t:shop { settings = { factor = 1 } }
t:it("as a customer and as nobody", function()
  t:customer { id = "ann" }
  t:call("add", { customer = "ann", n = 5 })
  t:expect(t:as "ann":get "/v1/x/points/mine", { who = "customer", row = { n = 5 } })
  t:expect(t:guest():get "/v1/x/points/who", { who = "storefront" })
  t:expect(t:get "/v1/x/points/who", { who = "operator" })
  t:refused("wrong_key_kind", function() t:guest():get "/v1/x/points/mine" end)
end)
t:it("failures are what they are", function()
  local problem = t:refused("too_few", function() t:call("add", { customer = "ann", n = -1 }) end)
  t:expect(problem.detail, "Less than nothing can't be added.")
  t:refused("invalid", function() t:call("add", { customer = "ann" }) end)
  t:refused("not_found", function() t:call "nothing" end)
  t:refused("not_found", function() t:call "nobody.add" end)
end)
t:it("a failure nobody expected has its place", function()
  t:call("add", { customer = "ann", n = -1 })
end)
""")
    results = tap(feira("test", points))
    assert [passed for passed, _, _ in results] == [True, True, False], results
    assert comments_of(results, 2).startswith("test/spec.lua:20: points.add failed: Less than nothing")


def test_a_publish_in_a_spec_keeps_the_data(points):
    spec(points, """
t:shop { settings = { factor = 2 } }
t:it("goes on", function()
  t:customer { id = "ann" }
  t:customer { id = "ben" }
  t:call("add", { customer = "ann", n = 5 })
  t:publish { settings = { factor = 7 } }
  t:expect(t:call("add", { customer = "ben", n = 1 }).n, 7)
  t:expect(t:as "ann":get "/v1/x/points/mine", { row = { n = 10 } })
  t:refused("rules_refused", function() t:publish { settings = { factor = 70 } } end)
end)
t:it("and is forgotten", function()
  t:customer { id = "ann" }
  t:expect(t:call("add", { customer = "ann", n = 1 }).n, 2)
end)
""")
    results = tap(feira("test", points))
    assert [passed for passed, _, _ in results] == [True, True], results


def test_a_shop_that_cannot_be_is_said_at_the_line_that_needs_it(points):
    spec(points, """
t:it("lacks a setting", function()
  t:customer { id = "ann" }
end)
t:it("has a bad currency", function()
  t:shop { settings = { factor = 1 }, currency = "XXZ" }
end)
t:it("can say so", function()
  t:shop { settings = { factor = 1 } }
  t:at "2026-02-01 00:00"
end)
""")
    results = tap(feira("test", points))
    assert [passed for passed, _, _ in results] == [False, False, True], results
    assert comments_of(results, 0).startswith("test/spec.lua:4: ") and "factor" in comments_of(results, 0)
    assert "t:shop" in comments_of(results, 0) and "XXZ" in comments_of(results, 1)


def test_those_that_a_plugin_needs_come_from_beside_it(tmp_path, points):
    caller = plugin(tmp_path, "caller", """
  needs = { procedures = { "points.add" } },
  procedures = { both = "events.both" },
""", events="""
local plugin = require "feira.plugin"
local events = {}
function events.both(args) return plugin.call("points.add", { customer = args.customer, n = 4 }) end
return events
""")
    spec(caller, """
t:shop { plugins = { points = { factor = 5 } } }
t:it("calls", function()
  t:customer { id = "ann" }
  t:expect(t:call("both", { customer = "ann" }).n, 20)
end)
""")
    done = feira("test", caller)
    assert [passed for passed, _, _ in tap(done)] == [True], done


def test_a_shop_runs_the_specs_of_its_plugins_too(tmp_path, points):
    (tmp_path / "shop").mkdir()
    shop = write_shop(tmp_path / "shop")
    (shop / "plugins").mkdir(exist_ok=True)
    points.rename(shop / "plugins/points")
    spec(shop / "plugins/points", 't:shop { settings = { factor = 1 } } t:it("of the plugin", function() t:customer { id = "a" } end)')
    spec(shop, 't:it("of the shop", function() t:refused("x", function() t:shop {} end) end)')
    results = tap(feira("test", shop))
    assert [(name, passed) for passed, name, _ in results] == [
        ("test/spec.lua: of the shop", False), ("plugins/points/test/spec.lua: of the plugin", True)]
    assert "specs of a plugin" in comments_of(results, 0)
    one = feira("test", shop / "plugins/points/test/spec.lua")
    assert [passed for passed, _, _ in tap(one)] == [True], one


def test_a_broken_plugin_is_said_and_leaves_nothing_behind(points):
    spec(points, 't:it("x", function() end)')
    rooms = rooms_of_specs()
    (points / "events.lua").write_text("local x = = 1")
    done = feira("test", points)
    assert done.returncode == 3 and "events.lua:1" in done.stderr and "TAP" not in done.stdout, done
    assert not rooms_left(rooms)


def test_at_a_terminal_people_read_and_tap_is_there_when_asked(points):
    import pty
    import os
    import subprocess

    from feira_tools.server import program

    spec(points, 't:it("passes", function() end)\nt:it("fails", function() t:expect({ a = { 1, "two" } }, { a = { 1, "one" } }) end)')

    def at_terminal(*options):
        mine, theirs = pty.openpty()
        process = subprocess.Popen([str(program()), "test", str(points), *options], stdout=theirs, stderr=subprocess.DEVNULL)
        os.close(theirs)
        text = b""
        while True:
            try:
                more = os.read(mine, 4096)
            except OSError:
                break
            if not more:
                break
            text += more
        os.close(mine)
        process.wait()
        return text.decode().replace("\r\n", "\n")

    text = at_terminal()
    assert "TAP" not in text and "  passed  passes\n  FAILED  fails\n" in text and text.endswith("1 passed, 1 failed\n")
    assert 'a[2]: wanted "one", got "two"' in text and text.startswith("test/spec.lua\n")
    assert at_terminal("--tap").startswith("TAP version 13\n")
    assert re.search(r"^1\.\.2$", at_terminal("--tap"), re.M)


def test_a_check_of_the_plugin_reads_its_specs(points):
    spec(points, "t:it('x', function() return nosuch end)")
    report = check(points)
    assert any(p["file"] == "test/spec.lua" and "nosuch" in p["message"] for p in report["problems"]), report
