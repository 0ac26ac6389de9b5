"""The commands for whoever writes a shop or a plugin: new, check, test, repl."""

import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import stat
import subprocess
import time

import pytest
from market import Shop, feira, rooms_left, rooms_of_specs, write_shop


def check(path, *options):
    done = feira("check", path, "--json", *options)
    assert done.returncode in (0, 3), done
    report = json.loads(done.stdout)
    assert (done.returncode == 3) == (report["errors"] > 0), report
    return report


def places(report, severity="error"):
    return [(p["file"], p.get("line")) for p in report["problems"] if p["severity"] == severity]


@pytest.fixture
def made(tmp_path):
    """A shop as feira new makes it."""
    done = feira("new", "shop", tmp_path / "corner")
    assert done.returncode == 0, done
    return tmp_path / "corner"


# --- new --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("currency,zone", [("EUR", "UTC"), ("JPY", "Asia/Tokyo"), ("KWD", "Asia/Kuwait")])
def test_a_new_shop_passes_its_check_prices_its_cart_and_is_served(tmp_path, currency, zone):
    folder = tmp_path / "my-shop"
    done = feira("new", "shop", folder, "--currency", currency, "--zone", zone)
    assert done.returncode == 0 and "feira check" in done.stdout, done
    report = check(folder)
    assert report["errors"] == 0 and report["warnings"] == 0, report
    assert feira("import", folder, folder / "catalogue.csv").returncode == 0
    quote = feira("quote", folder, folder / "cart.json", "--json")
    assert quote.returncode == 0, quote
    document = json.loads(quote.stdout)
    assert document["currency"] == currency
    assert [c["id"] for c in document["campaigns"] if c["applied"]] == ["three-for-two"]
    assert document["discount"] == min(line["unit_price"] for line in document["lines"] if line["sku"].startswith("MUG"))
    with Shop(folder) as shop:
        shop.server.start()
        assert shop.quote({"MUG-BLUE": 3})["discount"] > 0


def test_a_new_shop_tells_an_editor_every_word(made):
    settings = json.loads((made / ".luarc.json").read_text())
    for library in settings["workspace.library"]:
        files = {p.name for p in (made / library).iterdir()}
        assert {"feira.promo.lua", "feira.cart.lua"} <= files
        assert all((made / library / name).read_text().startswith("---@meta") for name in files)
    # Somebody's own settings stay; the declarations are the program's, and are written again.
    (made / ".luarc.json").write_text("{}")
    (made / ".feira/meta/feira.promo.lua").write_text("old")
    assert feira("new", "editor", made).returncode == 0
    assert (made / ".luarc.json").read_text() == "{}"
    assert "promo.campaign" in (made / ".feira/meta/feira.promo.lua").read_text()


@pytest.mark.parametrize("written", ["corner/summer", "corner/summer.lua", "corner/campaigns/summer", "corner/campaigns/summer.lua"])
def test_a_new_campaign_passes_its_check_and_gives_nothing_until_it_is_meant_to(made, written):
    before = json.loads(feira("quote", made, priced(made), "--json").stdout)
    done = feira("new", "campaign", made.parent / written)
    assert done.returncode == 0, done
    file = made / "campaigns" / "summer.lua"
    assert 'id = "summer"' in file.read_text()
    for path in (file, made):
        report = check(path)
        assert report["problems"] == [], report
    after = json.loads(feira("quote", made, priced(made), "--json").stdout)
    assert after["total"] == before["total"]
    assert "summer" in [c["id"] for c in after["campaigns"]]


def priced(folder):
    if not (folder / "data").exists():
        assert feira("import", folder, folder / "catalogue.csv").returncode == 0
    return folder / "cart.json"


def test_a_new_plugin_passes_its_check(tmp_path):
    done = feira("new", "plugin", tmp_path / "my-plugin")
    assert done.returncode == 0, done
    assert check(tmp_path / "my-plugin")["problems"] == []


def test_the_first_plugin_of_a_shop_makes_the_folder_for_it(made):
    done = feira("new", "plugin", "plugins/first", cwd=made)
    assert done.returncode == 0 and (made / "plugins/first/plugin.lua").exists() and 'plugins = { ["first"] = {} }' in done.stdout, done
    assert feira("new", "plugin", made / "plugins" / "second").returncode == 0
    assert feira("new", "plugin", made.parent / "plugins" / "third").returncode == 1  # there is no shop


def snapshot(folder):
    return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def test_nothing_is_written_over(made):
    assert feira("new", "campaign", made / "summer").returncode == 0
    before = snapshot(made.parent)
    for kind, path in [("shop", made), ("campaign", made / "summer"), ("campaign", made / "three-for-two"), ("plugin", made)]:
        done = feira("new", kind, path)
        assert done.returncode == 1 and "already" in done.stderr, done
    assert snapshot(made.parent) == before


@pytest.mark.parametrize("arguments,code", [
    (["new"], 2),
    (["new", "shop"], 2),
    (["new", "shp", "x"], 2),
    (["new", "shop", "a b"], 2),
    (["new", "shop", "-"], 2),
    (["new", "shop", ".."], 2),
    (["new", "shop", "x" * 65], 2),
    (["new", "shop", "fine", "--currency", "XXZ"], 2),
    (["new", "shop", "fine", "--zone", "Mars/Olympus"], 1),
    (["new", "shop", "no/such/folder/x"], 1),
    (["new", "campaign", "alone"], 2),
    (["new", "campaign", "no-shop/x"], 1),
    (["new", "plugin", "Big_Name"], 2),
    (["new", "plugin", "orders"], 2),
    (["new", "editor", "nowhere"], 1),
    (["check"], 2),
    (["check", "nowhere"], 1),
])
def test_what_is_wrong_is_said_and_leaves_nothing_behind(tmp_path, arguments, code):
    done = feira(*arguments, cwd=tmp_path)
    assert done.returncode == code, done
    assert done.stderr.startswith("feira") and len(done.stderr) < 1000
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    done = feira("new", "shop", tmp_path / "x")
    assert done.returncode == 1 and "can't be made" in done.stderr


# --- check ------------------------------------------------------------------------------------------------------------

HEAD = 'local promo = require "feira.promo"\n'


def test_check_lists_every_problem_of_every_file(tmp_path):
    shop = write_shop(tmp_path, campaigns={
        "a": HEAD + 'print "hello"\n',
        "b": HEAD + 'return promo.campaign { id = "b", give = function(cart)\n  local x = os.time()\n  total = promotion + x\nend, scope = promo.tag "x" }\n',
        "c": "return {",
        "d": HEAD + 'return promo.campaign { id = "d", give = promo.percent_off { percent = 200 } }\n',
        "e": HEAD + 'return promo.campaign { id = "e", give = promo.amount_off { amount = "5.001" } }\n',
        "fine": HEAD + 'return promo.campaign { id = "fine", give = promo.percent_off { percent = 20 } }\n',
    })
    report = check(shop)
    assert set(places(report)) == {("campaigns/a.lua", 2), ("campaigns/b.lua", 3), ("campaigns/b.lua", 4), ("campaigns/c.lua", 1),
                                   ("campaigns/d.lua", 2), ("campaigns/e.lua", 2)}, report
    assert len([p for p in places(report) if p == ("campaigns/b.lua", 4)]) == 2  # one assigned, one read
    for problem in report["problems"]:
        source = (shop / problem["file"]).read_text().splitlines()[problem["line"] - 1]
        assert problem["source"] == source and len(problem["message"]) > 15
    said = feira("check", shop)
    assert said.returncode == 3
    assert "campaigns/b.lua:3: error: there is no 'os' in the sandbox" in said.stdout and "    3 |   local x = os.time()" in said.stdout
    assert said.stdout.splitlines()[-1] == "7 files checked: 7 errors, 0 warnings"


def test_check_sees_what_is_wrong_only_between_files(tmp_path):
    one = HEAD + 'return promo.campaign { id = "same", give = promo.free_shipping {} }\n'
    report = check(write_shop(tmp_path, campaigns={"a": one, "b": one}))
    assert report["errors"] == 1 and "taken" in report["problems"][0]["message"]


def test_check_of_one_campaign_is_about_that_one(tmp_path):
    shop = write_shop(tmp_path, campaigns={"good": HEAD + 'return promo.campaign { id = "g", give = promo.free_shipping {} }\n', "bad": "return {"})
    assert check(shop / "campaigns/good.lua")["errors"] == 0
    assert places(check(shop / "campaigns/bad.lua")) == [("campaigns/bad.lua", 1)]
    (shop / "stray.lua").write_text("return 1")
    assert feira("check", shop / "stray.lua").returncode == 1


def test_check_warns_of_functions_that_every_cart_has_to_call(tmp_path):
    function = "give = function(cart) cart:free_shipping() end"
    shop = write_shop(tmp_path, campaigns={
        "wide": HEAD + f'return promo.campaign {{ id = "wide", {function} }}\n',
        "asked": HEAD + f'return promo.campaign {{ id = "asked", when = function() return true end, {function} }}\n',
        "scoped": HEAD + f'return promo.campaign {{ id = "scoped", scope = promo.tag "x", {function} }}\n',
        "coded": HEAD + f'return promo.campaign {{ id = "coded", when = {{ promo.coupon "X", function() return true end }}, {function} }}\n',
        "data": HEAD + 'return promo.campaign { id = "data", give = promo.free_shipping {} }\n',
    })
    report = check(shop)
    assert report["errors"] == 0 and feira("check", shop).returncode == 0
    assert set(places(report, "warning")) == {("campaigns/wide.lua", 2), ("campaigns/asked.lua", 2)}


@pytest.mark.parametrize("text,word", [
    ("return {", "expected"),
    ("return 5", "return {"),
    ("", "nothing"),
    ('return { name = "x" }', "currency"),
    ('return { name = "x", currency = "EUR", zone = "UTC", polices = {} }', "policies"),
    ('return { name = "x", currency = "EUR", zone = "UTC", pay_within = function() end }', "function"),
    ("while true do end", "budget"),
])
def test_a_broken_shop_lua_is_one_problem_of_that_file(tmp_path, text, word):
    shop = write_shop(tmp_path)
    (shop / "shop.lua").write_text(text)
    report = check(shop)
    assert report["errors"] == 1 and report["problems"][0]["file"] == "shop.lua", report
    assert word in report["problems"][0]["message"], report


def test_check_knows_what_a_file_makes_itself(tmp_path):
    """Globals that the file assigns are its own; names in inner functions, shadowed names and fields are no globals."""
    text = HEAD + 'function helper(n) return n end\nlocal function f(print) local os = { x = print } return os.x end\nlocal _ = f(helper(1))\nreturn {}\n'
    assert check(write_shop(tmp_path, campaigns={"a": text}))["errors"] == 0


def test_check_finds_a_name_behind_many_constants(tmp_path):
    many = ", ".join(f'"c{i}"' for i in range(400))
    text = HEAD + f"local function f() local t = {{ {many} }}\n  return missing_one, t end\nlocal _ = f\nreturn {{}}\n"
    assert places(check(write_shop(tmp_path, campaigns={"a": text}))) == [("campaigns/a.lua", 3)]


def test_check_leaves_a_served_shop_alone(own_shop):
    shop = own_shop()
    before = shop.state()
    (shop.folder / "campaigns/broken.lua").write_text("return {")
    assert check(shop.folder)["errors"] == 1
    assert shop.state() == before


@pytest.mark.parametrize("file,text,word", [
    ("plugin.lua", "return {", "expected"),
    ("plugin.lua", 'return { name = "other", version = "1.0.0", api = 1, title = "x" }', "other"),
    ("plugin.lua", 'return { name = "mine", version = "1.0.0", api = 1, title = "x", setings = {} }', "settings"),
    ("plugin.lua", 'return { name = "mine", version = "1.0.0", api = 1, title = "x", timers = { tick = "evnts.tick" } }', "evnts.lua"),
    ("rules.lua", "return {", "expected"),
    ("rules.lua", "return { give = function() return os.time() end }", "os"),
])
def test_check_of_a_plugin(tmp_path, file, text, word):
    plugin = tmp_path / "mine"
    assert feira("new", "plugin", plugin).returncode == 0
    (plugin / file).write_text(text)
    report = check(plugin)
    assert any(p["file"] == file and word in p["message"] for p in report["problems"]), report


# --- test -------------------------------------------------------------------------------------------------------------


def spec(folder, text, name="spec.lua"):
    (folder / "test").mkdir(exist_ok=True)
    (folder / "test" / name).write_text('local t = require "feira.test"\n' + text)
    return folder / "test" / name


def tap(done):
    """[(passed, name, [comment])]; the plan must be right."""
    lines = done.stdout.splitlines()
    assert lines[0] == "TAP version 13", done
    out = []
    for line in lines[1:]:
        m = re.fullmatch(r"(not )?ok (\d+) - (.*)", line)
        if m:
            assert int(m[2]) == len(out) + 1
            out.append((not m[1], m[3], []))
        elif line.startswith("  # "):
            out[-1][2].append(line[4:])
    assert lines[-2] == f"1..{len(out)}", done
    return out


def test_the_specs_of_a_new_shop_pass_and_notice_when_the_shop_is_changed(made):
    done = feira("test", made)
    assert done.returncode == 0 and len(tap(done)) >= 3 and all(passed for passed, _, _ in tap(done)), done
    assert not (made / "data").exists()
    campaign = made / "campaigns/three-for-two.lua"
    campaign.write_text(campaign.read_text().replace("buy = 2", "buy = 3"))
    done = feira("test", made)
    assert done.returncode == 1 and [passed for passed, _, _ in tap(done)].count(False) == 1, done


def test_a_failed_expectation_says_where_and_what_differs(made):
    file = spec(made, """t:describe("a #group", function()
  t:it("differs", function()
    t:product { sku = "A", price = "1.50", stock = 3 }
    t:expect(t:quote { lines = { A = 2 } }, { total = 5, discount = 0, lines = { { sku = "B", qty = 2 }, { sku = "C" } } })
  end)
end)
t:it("is refused", function() t:quote { lines = { NOPE = 1 } } end)
t:it("breaks", function() local x return x.y end)
t:it("passes", function() t:expect({ 1, 2, a = "x", more = 1 }, { 1, 2, a = "x" }) end)
""")
    results = tap(feira("test", file))
    assert [passed for passed, _, _ in results] == [False, False, False, True]
    name, comments = results[0][1:]
    assert name == "test/spec.lua: a \\#group: differs"
    assert comments[0] == "test/spec.lua:5: not as expected"
    assert set(comments[1:]) == {"  lines: wanted 2 elements, got 1", '  lines[1].sku: wanted "B", got "A"', "  total: wanted 5, got 300"}
    assert comments_of(results, 1).startswith("test/spec.lua:8: POST /v1/quotes") and "NOPE" in comments_of(results, 1)
    assert comments_of(results, 2).startswith("test/spec.lua:9: ")


def comments_of(results, i):
    return "\n".join(results[i][2])


def test_each_test_has_a_shop_of_its_own_and_the_same_ids(made):
    file = spec(made, """
local function place() t:product { sku = "A", price = "1", stock = 5 } return t:order { lines = { A = 2 } } end
local first, second
t:it("one", function() first = place(); t:expect(t:stock "A", 3) end)
t:it("two", function() second = place(); t:expect(t:stock "A", 3); t:expect(second.id, first.id) end)
t:it("three", function() t:refused("not_found", function() t:look(first) end) end)
""")
    done = feira("test", file)
    assert done.returncode == 0, done
    assert feira("test", file).stdout == done.stdout


def test_a_spec_has_the_whole_life_of_an_order_under_its_clock(made):
    file = spec(made, """
t:it("expires when nobody pays, at its time", function()
  t:product { sku = "A", price = "10", stock = 1 }
  local order = t:order { lines = { A = 1 } }
  t:refused("out_of_stock", function() t:order { lines = { A = 1 } } end)
  t:advance "29m"
  t:expect(t:look(order).state, "placed")
  t:advance "24h"
  local after = t:look(order)
  t:expect(after, { state = "expired", updated_at = order.expires_at })
  t:expect(t:stock "A", 1)
end)
t:it("is paid and refunded in parts", function()
  t:product { sku = "A", price = "10" }
  local order = t:pay(t:order { lines = { A = 3 } })
  t:advance "48h"
  t:expect(t:look(order).state, "paid")
  t:expect(t:refund(order, { lines = { { line = 1, qty = 1 } } }).refunded, order.total // 3)
  t:expect(t:refund(order).refunded, order.total)
  t:refused("refund_exceeds", function() t:refund(order) end)
end)
t:it("is sent in parts, and completed by its customer or by itself", function()
  t:product { sku = "A", price = "10" }
  t:customer { id = "ann" }
  local order = t:pay(t:order { lines = { A = 3 }, customer = "ann" })
  t:expect(t:fulfil(order, { lines = { { line = 1, qty = 1 } }, carrier = "Post", tracking = "1" }).state, "fulfilling")
  t:refused("wrong_state", function() t:as("ann"):complete(order) end)
  t:expect(t:refund(order, { lines = { { line = 1, qty = 1 } } }).state, "fulfilling")
  t:expect(t:refund(order, { amount = 50 }).state, "fulfilling")
  t:expect(t:fulfil(order), { state = "fulfilled", lines = { { fulfilled_qty = 2, refunded_qty = 1 } } })
  t:expect(t:as("ann"):complete(order).state, "completed")
  local other = t:fulfil(t:pay(t:order { lines = { A = 1 } }))
  t:advance "13d"
  t:expect(t:look(other).state, "fulfilled")
  t:advance "25h"
  t:expect(t:look(other).state, "completed")
end)
t:it("comes of a checkout that expires", function()
  t:product { sku = "A", price = "10" }
  local checkout = t:guest():post("/v1/checkouts", { lines = { { sku = "A", qty = 2 } } })
  t:expect(checkout.quote.total, 2 * t:quote({ lines = { A = 1 } }).total)
  local order = t:post("/v1/checkouts/" .. checkout.id .. "/complete", { quote_token = checkout.quote.token })
  t:expect(order.state, "placed")
  local left = t:post("/v1/checkouts", { note = "later" })
  t:advance "25h"
  t:expect(t:request("GET", "/v1/checkouts/" .. left.id), 404)
  t:expect(t:get("/v1/checkouts/" .. checkout.id).order, order.id)
  t:advance "8d"
  t:expect(t:request("GET", "/v1/checkouts/" .. checkout.id), 404)
end)
t:it("knows customers and codes", function()
  t:product { sku = "A", price = "10" }
  t:customer { id = "ann", tags = { "staff" } }
  local order = t:order { lines = { A = 1 }, customer = "ann", codes = { "NOTHING" } }
  t:expect(order.customer, "ann")
  t:expect(#t:get("/v1/orders?customer=ann").items, 1)
  local cancelled = t:cancel(order, "no more")
  t:expect(cancelled.state, "cancelled")
  local status = t:request("GET", "/v1/orders/ord_none")
  t:expect(status, 404)
end)
t:it("moves to a local time", function()
  local began = t:now()
  t:at "2026-02-01 00:00"
  t:expect(t:now() > began, true)
  t:advance(5)
end)
""")
    done = feira("test", file)
    assert done.returncode == 0 and len(tap(done)) == 6, done


def test_campaigns_with_a_window_are_tried_at_their_time(tmp_path):
    shop = write_shop(tmp_path, campaigns={"w": HEAD + """return promo.campaign { id = "w", give = promo.percent_off { percent = 50 },
  window = { from = "2026-07-01 00:00", to = "2026-07-02 00:00" } }\n"""})
    file = spec(shop, """
t:it("is on for one local day", function()
  t:product { sku = "A", price = "10.00" }
  local function total() return t:quote { lines = { A = 1 } }.total end
  t:at "2026-06-30 23:59" t:expect(total(), 1000)
  t:at "2026-07-01 00:00" t:expect(total(), 500)
  t:advance "23h" t:expect(total(), 500)
  t:advance "1h" t:expect(total(), 1000)
end)
""")
    assert feira("test", file).returncode == 0


@pytest.mark.parametrize("text,word", [
    ("t:it('x', function() while true do end end)", "budget"),
    ("t:it('x', function() local s = 'x' while true do s = s .. s end end)", ""),
    ("return {", "expected"),
    ("error 'outside'", "outside"),
    ("t:describe('x', function() error 'inside' end)", "inside"),
    ("os.exit(0)", "os"),
    ("t:it()", ""),
    ("t:it('x', function()\n t:as 'ann'\nend)", "test/a.lua:3: there is no customer"),
    ("t:it('x', function()\n t:customer 'ann'\nend)", "test/a.lua:3: t:customer wants a table"),
    ("t.it = 1", ""),
])
def test_a_spec_that_breaks_is_a_failed_test_and_not_the_end(made, text, word):
    spec(made, text, "a.lua")
    spec(made, 't:it("still runs", function() end)', "b.lua")
    done = feira("test", made)
    assert done.returncode == 1, done
    results = tap(done)
    assert any(not passed and word in "\n".join(comments) for passed, _, comments in results), done
    assert any(passed and "still runs" in name for passed, name, _ in results)


def test_a_broken_shop_or_no_spec_is_said(tmp_path, made):
    assert feira("test", tmp_path / "nowhere").returncode == 1
    assert feira("test", made / "shop.lua").returncode == 1
    (tmp_path / "bare").mkdir()
    done = feira("test", write_shop(tmp_path / "bare"))
    assert done.returncode == 1 and "no specs" in done.stderr
    (made / "campaigns/bad.lua").write_text("return {")
    done = feira("test", made)
    assert done.returncode == 3 and "campaigns/bad.lua:1" in done.stderr and "TAP" not in done.stdout


def test_feira_test_is_only_in_specs(made):
    (made / "campaigns/x.lua").write_text('local t = require "feira.test" return {}')
    report = check(made)
    assert report["errors"] == 1 and "specs" in report["problems"][0]["message"], report
    assert (report["problems"][0]["file"], report["problems"][0]["line"]) == ("campaigns/x.lua", 1), report


def test_tests_leave_nothing_behind_and_a_served_shop_alone(own_shop):
    shop = own_shop()
    spec(shop.folder, 't:it("sells", function() t:product { sku = "Z", price = "1.00" } t:order { lines = { Z = 1 } } end)')
    before, rooms = shop.state(), rooms_of_specs()
    assert feira("test", shop.folder).returncode == 0
    assert shop.state() == before
    assert not rooms_left(rooms)


def test_watch_runs_again_when_a_file_was_saved(made):
    from feira_tools.server import program

    process = subprocess.Popen([str(program()), "test", str(made), "--watch"], stdout=subprocess.PIPE, text=True)
    try:
        def next_run():
            for line in process.stdout:
                if line.startswith("# "):
                    return line.strip()

        assert next_run().endswith(" 0 failed")
        time.sleep(0.1)
        spec(made, 't:it("fails", function() t:expect(1, 2) end)', "z.lua")
        assert next_run().endswith(" 1 failed")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


# --- repl -------------------------------------------------------------------------------------------------------------


def typed(shop, *lines):
    """What the console says, line by line, without what it begins with."""
    done = feira("repl", shop, input="".join(line + "\n" for line in lines))
    assert done.returncode == 0, done
    return done.stdout.splitlines()[1:] if (shop / "catalogue.csv").exists() else done.stdout.splitlines()


def test_the_console_keeps_globals_prices_carts_and_goes_on_after_errors(made):
    said = typed(made, "x = 20", "x + 1", "function twice(n)", "return n * 2", "end", "twice(21)", '"a", nil', "error 'oops'", "os.time()",
                 't:quote { lines = { ["MUG-BLUE"] = 3 } }.discount', "while true do end", "promo.percent_off { percent = 10 }", "1 +", "2", "print", "end", "x")
    assert said[0:3] == ["21", "42", "a\tnil"]
    assert said[3] == "typed:1: oops" and "os" in said[4] and said[5] == "1200" and "budget" in said[6]
    assert json.loads(said[7]) == {"percent_off": {"percent": 10}}
    assert said[8] == "3" and said[9] == "nil" and said[10].startswith("typed:1:") and said[11] == "20" and len(said) == 12
    assert not (made / "data").exists()


def test_what_a_spec_refuses_is_a_sentence_at_the_console_too(made):
    said = typed(made, 't:quote { lines = { NOPE = 1 } }', 't:as "ann"', 't:customer "ann"', 't:product "TEA"', 't:customer { id = "ann" }', 't:as("ann"):get("/v1/orders").items')
    assert 'There is no product with the SKU "NOPE"' in said[0] and 't:customer { id = "ann" }' in said[1]
    assert said[2:] == ['t:customer wants a table with an id, like { id = "ann" }', 't:product wants a table, like { sku = "TEA", price = "6.00" }', "ann", "[]"]


def test_an_empty_line_gives_up_on_what_goes_on(made):
    assert typed(made, "return {", "", "1 + 1") == ["2"]
    done = feira("repl", made, input="return {\n")
    assert done.returncode == 0 and "middle" in done.stderr


def test_the_console_of_a_broken_shop_says_what_is_broken(tmp_path, made):
    (made / "campaigns/bad.lua").write_text("return {")
    done = feira("repl", made, input="1\n")
    assert done.returncode == 3 and "campaigns/bad.lua:1" in done.stderr
    assert feira("repl", tmp_path / "nowhere", input="").returncode == 1


def test_the_console_edits_lines_and_remembers_them(made, tmp_path):
    from feira_tools.server import program

    def session(keys, until):
        master, slave = pty.openpty()
        environment = {**os.environ, "HOME": str(tmp_path), "TERM": "xterm"}
        process = subprocess.Popen([str(program().resolve()), "repl", str(made)], stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True)
        os.close(slave)
        seen = b""

        def wait_for(what, seconds=20):
            nonlocal seen
            end = time.monotonic() + seconds
            while what not in seen and time.monotonic() < end:
                if select.select([master], [], [], 0.2)[0]:
                    seen += os.read(master, 4096)
            assert what in seen, seen

        wait_for(b"> ")
        seen = b""
        os.write(master, keys)
        wait_for(until)
        for _ in range(50):  # the terminal may still be between two lines
            os.write(master, b"\x04")
            if select.select([master], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):
                    seen += os.read(master, 4096)
            if process.poll() is not None:
                break
        os.close(master)
        assert process.wait(5) == 0, seen

    session(b"40 + 9\x7f2\r", b"42")  # a digit is taken back
    history = tmp_path / ".feira_history"
    assert "40 + 2" in history.read_text().replace("\\040", " ") and stat.S_IMODE(history.stat().st_mode) == 0o600
    session(b"\x1b[A + 1\r", b"43")  # the line before, from the file


# --- the guide --------------------------------------------------------------------------------------------------------

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "plugins" / "README.md"


def test_the_guide_works_as_it_is_written(tmp_path):
    """Its commands are run in order, its files written where their first line says."""
    text = GUIDE.read_text().split("<!-- reference: begin -->")[0]
    ran = written = 0
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M):
        if language == "lua":
            place = re.match(r"-- (\S+/\S+\.lua)\n", block)
            if place:  # the others are parts of files
                (tmp_path / place[1]).write_text(block)
                written += 1
            inside = re.match(r"-- (\S+/\S+\.lua), in its table\n", block)
            if inside:
                file = tmp_path / inside[1]
                head, brace, tail = file.read_text().rpartition("}")
                file.write_text(head + block + brace + tail)
        elif language == "sh":
            for line in block.splitlines():
                words = line.split()
                assert words[0] == "feira"
                done = feira(*words[1:], cwd=tmp_path)
                assert done.returncode == 0, (line, done)
                ran += 1
    assert ran >= 8 and written >= 2
    assert "tea time: never gives more than 5" in feira("test", tmp_path / "corner").stdout
    file = tmp_path / "corner/campaigns/tea-time.lua"
    file.write_text(file.read_text().replace("promo.category", "promo.catgory"))
    done = feira("check", tmp_path / "corner")
    assert done.returncode == 3 and "campaigns/tea-time.lua:7: error:" in done.stdout and "category" in done.stdout
    assert done.stdout.splitlines()[0] in text, done.stdout
    assert len(re.findall(r"^not ok \d+ - test/tea-time", text, re.M)) == 1


def test_the_reference_is_what_the_declarations_say(tmp_path):
    def run(root, *arguments):
        return subprocess.run([root / "scripts/make-reference", *arguments], capture_output=True, text=True)

    done = run(ROOT, "--check")
    assert done.returncode == 0, done.stderr
    for folder in ("scripts", "plugins", "stdlib/meta"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "scripts/make-reference", tmp_path / "scripts")
    shutil.copy(GUIDE, tmp_path / "plugins")
    for file in (ROOT / "stdlib/meta").glob("*.lua"):
        shutil.copy(file, tmp_path / "stdlib/meta")
    twin = tmp_path / "stdlib/meta/feira.promo.lua"
    twin.write_text(twin.read_text().replace("Shipping costs nothing.", "Shipping is on us."))
    assert run(tmp_path, "--check").returncode == 1
    assert run(tmp_path).returncode == 0 and run(tmp_path, "--check").returncode == 0
    assert "Shipping is on us." in (tmp_path / "plugins/README.md").read_text()
