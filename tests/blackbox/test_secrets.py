"""Secrets: settings name them, the host finds them, plugins hold handles. Their bytes are nowhere to be seen."""

import hashlib
import hmac
import os
import sqlite3

import pytest

from feira_tools.server import ServerError
from market import feira, ok, problem, write_shop

VALUE = "the-bytes-of-a-secret-that-nobody-sees"
PLUGIN = {
    "keeper": {
        "plugin": """return { name = "keeper", version = "1.0.0", api = 1, title = "Keeps a secret",
  settings = { key = { type = "secret", about = "The key." },
               gates = { type = "list", default = {}, about = "More of them.",
                         of = { type = "record", fields = { key = { type = "secret", about = "A key." } } } } },
  routes = { ["GET /mac/{text}"] = { run = "events.mac", auth = "anyone" }, ["GET /all"] = { run = "events.all", auth = "anyone" },
             ["POST /mac"] = { run = "events.mac_here", auth = "anyone" } } }
""",
        "events": """
local crypto, log, plugin = require "feira.crypto", require "feira.log", require "feira.plugin"
local events = {}
function events.mac(call, settings)
  return { status = 200, body = { mac = crypto.hex(crypto.hmac(settings.key, call.params.text)) } }
end
events.mac_here = function(call, settings)
  return { status = 200, body = { mac = crypto.hex(crypto.hmac(settings.gates[1].key, "x")) } }
end
function events.all(_, settings)
  log.warn("shown", tostring(settings.key))
  return { status = 200, body = { key = tostring(settings.key), also = tostring(plugin.settings.key), kind = type(settings.key) } }
end
return events
""",
    }
}


def mac(text, key=VALUE):
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def settings(rest=""):
    return {"plugins": f'{{ keeper = {{ key = "KEEPER_KEY", {rest} }} }}'}


def secret_file(folder, name, text, mode=0o600):
    (folder / "secrets").mkdir(parents=True, exist_ok=True)
    path = folder / "secrets" / name
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_secret_comes_from_the_environment_and_from_a_file(own_shop, tmp_path, monkeypatch):
    monkeypatch.setenv("FEIRA_SECRET_KEEPER_KEY", VALUE)
    secret_file(tmp_path / "data", "GATE_KEY", "another secret\n")
    shop = own_shop(settings=settings('gates = { { key = "GATE_KEY" } }'), plugins=PLUGIN, data=tmp_path / "data")
    assert ok(shop.pk.request("GET", "/v1/x/keeper/mac/hello"), 200) == {"mac": mac("hello")}
    assert ok(shop.pk.request("POST", "/v1/x/keeper/mac", {}), 200) == {"mac": mac("x", "another secret")}


def test_only_the_name_is_seen(own_shop, monkeypatch):
    monkeypatch.setenv("FEIRA_SECRET_KEEPER_KEY", VALUE)
    shop = own_shop(settings=settings(), plugins=PLUGIN)
    assert ok(shop.pk.request("GET", "/v1/x/keeper/all"), 200) == {"key": "secret KEEPER_KEY", "also": "secret KEEPER_KEY", "kind": "userdata"}
    problem(shop.pk.request("POST", "/v1/x/keeper/mac", {}), 500)
    shop.server.terminate()
    assert "secret KEEPER_KEY" in shop.server.stderr()
    assert VALUE not in shop.server.stderr()
    for path in shop.server.data.rglob("*"):
        assert not path.is_file() or VALUE.encode() not in path.read_bytes(), path
    with sqlite3.connect(shop.server.data / "shop.db") as db:
        assert VALUE not in "\n".join(db.iterdump())


def test_without_the_secret_the_shop_does_not_start(own_shop):
    with pytest.raises(ServerError) as refused:
        own_shop(settings=settings(), plugins=PLUGIN)
    assert "FEIRA_SECRET_KEEPER_KEY" in str(refused.value) and "data/secrets/KEEPER_KEY" in str(refused.value)
    assert 'plugins["keeper"].key' in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620])
def test_a_file_that_others_may_read_is_refused(tmp_path, mode):
    folder = write_shop(tmp_path, settings(), plugins=PLUGIN)
    secret_file(folder / "data", "KEEPER_KEY", VALUE, mode)
    answer = feira("serve", folder, "--listen", "127.0.0.1:0")
    assert answer.returncode != 0 and "chmod 600" in answer.stderr and VALUE not in answer.stderr


@pytest.mark.parametrize("text", ["", "\n", "x" * 70000])
def test_a_file_without_a_secret_is_refused(tmp_path, text):
    folder = write_shop(tmp_path, settings(), plugins=PLUGIN)
    secret_file(folder / "data", "KEEPER_KEY", text)
    answer = feira("serve", folder, "--listen", "127.0.0.1:0")
    assert answer.returncode != 0 and "KEEPER_KEY" in answer.stderr


def test_a_publish_whose_secret_is_missing_changes_nothing(own_shop, monkeypatch):
    monkeypatch.setenv("FEIRA_SECRET_KEEPER_KEY", VALUE)
    shop = own_shop(settings=settings(), plugins=PLUGIN)
    write_shop(shop.folder, settings('gates = { { key = "GATE_KEY" } }'), plugins=PLUGIN)
    answer = feira("publish", shop.folder, "--data", shop.server.data)
    assert answer.returncode != 0 and "GATE_KEY" in answer.stdout + answer.stderr and "gates/1/key" in answer.stdout + answer.stderr
    assert ok(shop.pk.request("GET", "/v1/x/keeper/mac/hello"), 200) == {"mac": mac("hello")}
    secret_file(shop.server.data, "GATE_KEY", "another secret")
    answer = feira("publish", shop.folder, "--data", shop.server.data)
    assert answer.returncode == 0, answer.stderr
    assert ok(shop.pk.request("POST", "/v1/x/keeper/mac", {}), 200) == {"mac": mac("x", "another secret")}


def test_checking_and_specs_need_no_secret(tmp_path):
    folder = write_shop(tmp_path, settings(), plugins=PLUGIN)
    (folder / "test").mkdir()
    (folder / "test" / "keeper.lua").write_text("""local t = require "feira.test"
t:describe("the keeper", function()
  t:it("has a secret that is made up", function()
    t:expect(t:get "/v1/x/keeper/mac/hello", { mac = "%s" })
  end)
end)
""" % mac("hello", "secret KEEPER_KEY"))
    assert "FEIRA_SECRET_KEEPER_KEY" not in os.environ
    answer = feira("check", folder)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    answer = feira("test", folder)
    assert answer.returncode == 0, answer.stdout + answer.stderr
