"""feira check of a plugin's folder: what its code touches against what plugin.lua names, how it loads, and what luacheck says."""

import os
import shutil

import pytest
from market import feira, write_shop
from test_authors import check
from test_specs_of_plugins import plugin

REST = """
  needs = { collections = { "vouchers.codes:read", "customers:read" }, procedures = { "vouchers.grant" }, ledger = { "points:read" },
            http = { "api.example.com", "pay.example.com:8443" } },
  collections = { links = { fields = { a = "string" } } },
  procedures = { mine = "events.f" },
  events = { full = { about = "It is full.", payload = {} } },
  timers = { expire = "events.f" },
"""


def problems_of(tmp_path, code, rest=REST, name="probe", **more):
    folder = plugin(tmp_path, name, rest, events=code + "\nreturn { f = function() end }\n", **more)
    return [(p["file"], p.get("line"), p["message"]) for p in check(folder)["problems"] if p["severity"] == "error"]


HEAD = 'local plugin, store = require "feira.plugin", require("feira.store")\nlocal timers, ledger = require "feira.timers", require "feira.ledger"\n'


@pytest.mark.parametrize("code,line,words", [
    ('local function f() plugin.call("vouchers.revoke", {}) end', 3, ['"vouchers.revoke"', "needs.procedures"]),
    ('local function f()\n  plugin.call "minee"\nend', 4, ['no procedure "minee"', 'did you mean "mine"']),
    ('local function f() plugin.emit("fulll", {}) end', 3, ['no event "fulll"', '"full"']),
    ('local function f() timers.set("expires", "k", 1) end', 3, ['no timer "expires"']),
    ('local function f() return store.link:get(1) end', 3, ['no collection "link"', 'did you mean "links"']),
    ('local function f() return store.of("vouchers").codes:insert { a = 1 } end', 3, ['"vouchers.codes:write"', "needs.collections"]),
    ('local function f() return store.of "vouchers".grants:find() end', 3, ['"vouchers.grants:read"']),
    ('local codes = store.of("vouchers").codes\nlocal function f() codes:delete(1) end', 4, ['"vouchers.codes:write"']),
    ('local other = store.of "others"\nlocal function f() return other.rows:get(1) end', 4, ['"others.rows:read"']),
    ('local function f() return store.of("shop").orders:get {} end', 3, ['"orders:read"']),
    ('local function f() return store.of("shop").customers:update(1, {}) end', 3, ["only read"]),
    ('local function f() return ledger.balance("stock/x") end', 3, ['"stock:read"', "needs.ledger"]),
    ('local function f(c) return ledger.account("points/" .. c, "points") end', 3, ['"points:write"']),
    ('local function f() return require("feira.plugin").call("shop.x") end', 3, ['"shop.x"']),
    ('local http = require "feira.http"\nlocal function f() return http.get("https://evil.example.com/x") end', 4, ["evil.example.com", "needs.http"]),
    ('local http = require "feira.http"\nlocal function f() return http.request { method = "GET", url = "https://api.example.com:8443/" } end', 4,
     ["api.example.com", "needs.http"]),
])
def test_what_the_manifest_does_not_name_is_found_in_the_text(tmp_path, code, line, words):
    found = problems_of(tmp_path, HEAD + code)
    assert len(found) == 1, found
    assert found[0][:2] == ("events.lua", line) and all(word in found[0][2] for word in words), found


def test_what_it_names_and_what_only_looks_like_it_is_let_be(tmp_path):
    assert problems_of(tmp_path, HEAD + """
local links = store.links
local codes = store.of("vouchers").codes
-- plugin.call("nobody.nothing") store.nope:get(1)
--[==[ plugin.call("nobody.nothing") ]==]
local text = [[ plugin.call("nobody.nothing") ]] .. "plugin.call('nobody.nothing')" .. 'x\\'plugin.emit("y")'
local function fine(customer, name)
  plugin.call("vouchers.grant", { x = links:get(1), y = codes:find { a = 1 } })
  plugin.call("mine")
  plugin.call(name)                       -- not in so many words
  plugin.emit("full", {})
  timers.cancel("expire", customer)
  store.of(name).anything:insert {}
  store.of("shop").customers:get { customer = customer }
  ledger.balance("points/x")
  ledger.account("probe/" .. customer, "points")
  ledger.balance(name .. "/x")
  return text.store, { store = 1, plugin = { call = 2 } }
end
local function other(plugin) return plugin.call("what.ever") end
local function another() local store = fine() return store.nothing:get(1), other, another end
for _, timers in pairs({}) do timers.set("nope", 1) end
""") == []


def test_plugins_of_a_shop_are_read_like_that_too(tmp_path):
    (tmp_path / "shop").mkdir()
    shop = write_shop(tmp_path / "shop", {"plugins": '{ ["volume-pricing"] = {}, probe = {} }'})
    folder = plugin(shop / "plugins", "probe", 'procedures = { go = "events.f" },',
                    events='local plugin = require "feira.plugin"\nreturn { f = function() plugin.call "vouchers.grant" end }')
    assert [(p["file"], p["line"]) for p in check(shop)["problems"]] == [("plugins/probe/events.lua", 2)]
    assert [(p["file"], p["line"]) for p in check(folder)["problems"]] == [("events.lua", 2)]
    assert check(shop / "campaigns" / next(iter(sorted(os.listdir(shop / "campaigns")))))["problems"] == []


def test_a_function_that_is_not_there_and_a_file_that_breaks_are_found_by_loading(tmp_path):
    needed = 'settings = { rate = { type = "percent", min = 5, max = 6, about = "R." }, tags = { type = "list", min = 2, of = { type = "string", min = 3, about = "T." }, about = "L." }, prize = { type = "campaign", about = "P." }, key = { type = "secret", about = "K." }, wait = { type = "duration", min = "2h", about = "W." }, level = { type = "record", about = "Z.", fields = { cost = { type = "money", min = "7.50", about = "C." } } } },'
    found = problems_of(tmp_path, "local x = 1", needed + 'procedures = { go = "events.missing" },')
    assert len(found) == 1 and "missing" in found[0][2] and "plugins/" not in found[0][2], found
    found = problems_of(tmp_path, "local x = nil + 1", needed + 'procedures = { go = "events.f" },', name="broken")
    assert [(f, line) for f, line, _ in found] == [("events.lua", 1)], found
    assert problems_of(tmp_path, "local x = 1", needed + 'procedures = { go = "events.f" },', name="whole") == []


def test_a_plugin_that_needs_one_beside_it_is_loaded_with_it(tmp_path):
    plugin(tmp_path, "vouchers", 'procedures = { grant = "events.f" }, collections = { codes = { fields = { a = "string" } } },',
           events="return { f = function() end }")
    assert problems_of(tmp_path, 'local plugin = require "feira.plugin"\nlocal function g() plugin.call "vouchers.grant" end',
                       'needs = { procedures = { "vouchers.grant" } }, procedures = { go = "events.f" },') == []


def test_a_plugin_that_cannot_be_tried_is_a_warning(tmp_path):
    folder = plugin(tmp_path, "probe", 'needs = { plugins = { "nobody" } }, procedures = { go = "events.f" },',
                    events="return { f = function() end }")
    problems = check(folder)["problems"]
    assert [(p["severity"], p["file"]) for p in problems] == [("warning", "plugin.lua")] and "nobody" in problems[0]["message"], problems


needs_luacheck = pytest.mark.skipif(not shutil.which("luacheck"), reason="luacheck is not installed")


@needs_luacheck
def test_luacheck_has_its_say_where_nothing_is_wrong(tmp_path):
    folder = plugin(tmp_path, "probe", 'procedures = { go = "events.f" },', events="local unused = 1\nreturn { f = function() end }\n")
    done = feira("check", folder)
    assert done.returncode == 0, done
    assert "events.lua:1: warning: unused variable 'unused' (luacheck W211)\n    1 | local unused = 1\n" in done.stdout, done.stdout
    (folder / ".luacheckrc").write_text('ignore = { "211" }\n')
    assert check(folder)["warnings"] == 0
    # A shop's files, too; with an error there are other things to do first.
    (tmp_path / "shop").mkdir()
    shop = write_shop(tmp_path / "shop", campaigns={"a": "local unused = 1\nreturn {}"})
    assert [(p["file"], p["line"]) for p in check(shop)["problems"]] == [("campaigns/a.lua", 1)]
    (shop / "campaigns/b.lua").write_text("return nosuch")
    assert [p["severity"] for p in check(shop)["problems"]] == ["error"]


def test_without_luacheck_the_rest_is_checked(tmp_path, monkeypatch):
    folder = plugin(tmp_path, "probe", 'procedures = { go = "events.f" },', events="local unused = 1\nreturn { f = function() end }\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check(folder)["problems"] == []


def test_all_that_feira_new_makes_passes_its_own_check_and_specs(tmp_path):
    assert feira("new", "shop", "corner", cwd=tmp_path).returncode == 0
    assert feira("new", "campaign", "corner/summer", cwd=tmp_path).returncode == 0
    (tmp_path / "corner/plugins").mkdir()
    assert feira("new", "plugin", "corner/plugins/gifts", cwd=tmp_path).returncode == 0
    for path in ("corner", "corner/campaigns/summer.lua", "corner/plugins/gifts"):
        report = check(tmp_path / path)
        assert report["problems"] == [], report
    for path in ("corner", "corner/plugins/gifts"):
        done = feira("test", tmp_path / path)
        assert done.returncode == 0 and " 0 failed" in done.stdout, done
    for folder in ("corner", "corner/plugins/gifts"):
        assert "read_globals" in (tmp_path / folder / ".luacheckrc").read_text()
        if shutil.which("luacheck"):
            assert os.system(f"cd {tmp_path / folder} && luacheck -q . >/dev/null") == 0
    # Turned on, it is part of the shop.
    shop_lua = tmp_path / "corner/shop.lua"
    text = shop_lua.read_text().rstrip()
    assert text.endswith("}")
    shop_lua.write_text(text[:-1] + "  plugins = { gifts = {} },\n}\n")
    assert check(tmp_path / "corner")["problems"] == []
