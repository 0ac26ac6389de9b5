"""What ops see of plugins: what they may touch, what they have left behind."""

import json

import pytest
from market import feira, ok, problem, write_shop

KEEPER = """return {
  name = "note-keeper", version = "%s", api = 1, title = "Keeps notes",
  needs = { collections = { "customers:read" }, personal = { { field = "customer.phone_hash", purpose = "one note per person" } } },
  settings = { key = { type = "secret", about = "Of the service." } },
  collections = { notes = { fields = { text = "string"%s } }%s },
  routes = { ["POST /notes"] = { run = "events.add", auth = "anyone", about = "Keeps a note." } },
}
"""
EVENTS = """
local store = require "feira.store"
local events = {}
function events.add() %s return { status = 200, body = {} } end
return events
"""
FULL = KEEPER % ("1.0.0", ', extra = "string?"', ', drafts = { fields = { text = "string" } }')
LESS = KEEPER % ("2.0.0", "", "")
WRITES = EVENTS % 'store.notes:insert { text = "a", extra = "b" } store.drafts:insert { text = "c" }'
SETTINGS = {"plugins": '{ ["note-keeper"] = { key = "NOTE_KEY" } }'}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("FEIRA_SECRET_NOTE_KEY", "not said to anybody")


def test_needs_says_what_every_plugin_may_touch_and_why(own_shop):
    shop = own_shop(settings=SETTINGS, plugins={"note-keeper": {"plugin": FULL, "events": EVENTS % ""}})
    done = feira("needs", shop.folder)
    assert "not said" not in done.stdout
    assert done.returncode == 0 and done.stdout == (
        "note-keeper 1.0.0: Keeps notes\n"
        "  reads     customers\n"
        "  personal  customer.phone_hash: one note per person\n"
        "  keeps     drafts\n"
        "  keeps     notes\n"
        "  serves    POST /v1/x/note-keeper/notes (anyone): Keeps a note.\n"
        "  secret    NOTE_KEY (setting key)\n")
    document = json.loads(feira("needs", shop.folder, "--json").stdout)
    assert document["text"] == done.stdout
    assert [p["plugin"] for p in document["plugins"]] == ["note-keeper"]
    assert {"may": "personal", "what": "customer.phone_hash", "why": "one note per person"} in document["plugins"][0]["needs"]
    assert ok(shop.operator.request("GET", "/v1/needs"), 200) == document
    problem(shop.pk.request("GET", "/v1/needs"), 403)


def test_needs_of_a_shop_without_plugins(tmp_path):
    (tmp_path / "bare").mkdir()
    done = feira("needs", write_shop(tmp_path / "bare"))
    assert done.returncode == 0 and done.stdout == "No plugin is turned on.\n"


def publish(folder, manifest, events):
    (folder / "plugins/note-keeper/plugin.lua").write_text(manifest)
    (folder / "plugins/note-keeper/events.lua").write_text(events)


def test_prune_says_what_would_go_and_drops_it_only_when_it_is_meant(own_shop):
    shop = own_shop(settings=SETTINGS, plugins={"note-keeper": {"plugin": FULL, "events": WRITES}})
    before = shop.operator.request("GET", "/v1/status").json()["generation"]
    for _ in range(3):
        ok(shop.pk.request("POST", "/v1/x/note-keeper/notes", {}), 200)
    done = feira("prune", shop.folder)
    assert done.returncode == 0 and "nothing to drop" in done.stdout
    publish(shop.folder, LESS, EVENTS % 'store.notes:insert { text = "d" }')
    assert feira("publish", shop.folder).returncode == 0
    ok(shop.pk.request("POST", "/v1/x/note-keeper/notes", {}), 200)

    expected = ["  collection  note-keeper.drafts: 3 rows", "  field       note-keeper.notes.extra: 3 values"]
    for options, code in [((), 1), (("--dry-run",), 0), (("--dry-run", "--yes"), 0)]:
        done = feira("prune", shop.folder, *options)
        assert done.returncode == code and all(line in done.stdout for line in expected), done
        assert f"  {before}, live from 20" in done.stdout and "would go" in done.stdout
        assert ("--yes" in done.stderr) == (code == 1)
    done = feira("prune", shop.folder, "--yes")
    assert done.returncode == 0 and done.stdout.startswith("Dropped:\n") and all(line in done.stdout for line in expected), done
    assert "nothing to drop" in feira("prune", shop.folder, "--yes").stdout
    ok(shop.pk.request("POST", "/v1/x/note-keeper/notes", {}), 200)
    # What had the field comes back without its values.
    assert feira("rollback", shop.folder, "--to", before).returncode == 0
    ok(shop.pk.request("POST", "/v1/x/note-keeper/notes", {}), 200)


def test_prune_over_the_api_and_of_a_shop_that_nobody_serves(own_shop):
    shop = own_shop(settings=SETTINGS, plugins={"note-keeper": {"plugin": FULL, "events": WRITES}})
    ok(shop.pk.request("POST", "/v1/x/note-keeper/notes", {}), 200)
    publish(shop.folder, LESS, EVENTS % "")
    problem(shop.pk.request("POST", "/v1/prune", {"dry_run": True}), 403)
    problem(shop.operator.request("POST", "/v1/prune", {"dryrun": True}), 422)
    shop.hang_up()
    shop.server.terminate()
    done = feira("prune", shop.folder, "--dry-run")
    assert done.returncode == 0 and "note-keeper.drafts: 1 row\n" in done.stdout, done
    shop.server.start()
    document = ok(shop.operator.request("POST", "/v1/prune", {"dry_run": True}), 200)
    assert document["dropped"] is False
    assert {"what": "note-keeper.notes.extra", "kind": "field", "values": 1} in document["items"]
    assert len(document["generations"]) == 1
    document = ok(shop.operator.request("POST", "/v1/prune", {}), 200)
    assert document["dropped"] is True and len(document["items"]) == 2
    assert ok(shop.operator.request("POST", "/v1/prune", {}), 200) == {"items": [], "generations": [], "dropped": False}


def test_a_plugin_that_was_turned_off_leaves_what_it_kept_until_it_is_pruned(own_shop):
    shop = own_shop(settings=SETTINGS, plugins={"note-keeper": {"plugin": FULL, "events": WRITES}})
    ok(shop.pk.request("POST", "/v1/x/note-keeper/notes", {}), 200)
    shop_lua = shop.folder / "shop.lua"
    text = shop_lua.read_text()
    write_shop(shop.folder, {"plugins": "{}"})
    assert feira("publish", shop.folder).returncode == 0
    done = feira("prune", shop.folder, "--dry-run")
    assert "note-keeper.notes: 1 row\n" in done.stdout and "note-keeper.drafts: 1 row\n" in done.stdout, done
    assert feira("prune", shop.folder, "--yes").returncode == 0
    shop_lua.write_text(text)
    assert feira("publish", shop.folder).returncode == 0
    ok(shop.pk.request("POST", "/v1/x/note-keeper/notes", {}), 200)
