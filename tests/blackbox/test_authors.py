"""The commands for whoever writes a shop or a plugin: new, check."""

import json
import os
import stat

import pytest
from market import Shop, feira, write_shop


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
    (["new", "editor", "nowhere"], 1),
    (["check"], 2),
    (["check", "nowhere"], 1),
])
def test_what_is_wrong_is_said_and_leaves_nothing_behind(tmp_path, monkeypatch, arguments, code):
    from feira_tools.server import program

    if not os.path.isabs(os.environ.get("FEIRA_BUILD", "")):
        monkeypatch.setenv("FEIRA_BUILD", str(program().resolve().parent))
    monkeypatch.chdir(tmp_path)
    done = feira(*arguments)
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
    assert check(write_shop(tmp_path, campaigns={"a": text}))["problems"] == []


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
