"""Routes with auth = "signed": a payment provider calls of its own accord, without a key, and the plugin checks what it signed."""

import hashlib
import hmac
import json
import socket
import threading
import time

from market import feira, ok, write_shop

SECRET = "whsec_of_the_test"
PLUGIN = {
    "hooks": {
        "plugin": """return { name = "hooks", version = "1.0.0", api = 1, title = "Listens",
  settings = { key = { type = "secret", about = "The secret of the endpoint." } },
  collections = { events = { fields = { event = "string", amount = "integer" }, key = "event" } },
  procedures = { keep = { run = "events.keep", args = { event = "string", amount = "integer" } } },
  routes = { ["POST /hook"] = { run = "events.hook", auth = "signed", as = "handler" },
             ["POST /seen"] = { run = "events.seen", auth = "signed" },
             ["GET /count"] = { run = "events.count", auth = "server" } } }
""",
        "events": """
local fail, json, plugin, signatures = require "feira.fail", require "feira.json", require "feira.plugin", require "feira.signatures"
local store = require "feira.store"
local events = {}
function events.hook(call, settings)
  local good, why = signatures.stripe { headers = call.headers, body = call.body, secret = settings.key }
  if not good then fail.denied(why) end
  local event = json.decode(call.body)
  plugin.call("keep", { event = event.id, amount = event.amount }, { key = event.id })
  return { status = 200, body = "success" }
end
function events.keep(args) store.events:insert { event = args.event, amount = args.amount } end
function events.seen(call) return { status = 200, body = call } end
function events.count() return { status = 200, body = { n = #store.events:find() } } end
return events
""",
    }
}


def signed(body, at=None, secret=SECRET):
    at = int(time.time()) if at is None else at
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


def send(shop, path, body, **headers):
    lines = [f"POST {path} HTTP/1.1", "Host: shop", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", shop.server.port), timeout=20) as s:
        s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        data = b""
        while piece := s.recv(65536):
            data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode(), rest


def opened(own_shop, monkeypatch):
    monkeypatch.setenv("FEIRA_SECRET_HOOK_KEY", SECRET)
    return own_shop(settings={"plugins": '{ hooks = { key = "HOOK_KEY" } }'}, plugins=PLUGIN)


def count(shop):
    return ok(shop.sk.request("GET", "/v1/x/hooks/count"), 200)["n"]


def test_a_signed_callback_needs_no_key_and_is_answered_in_plain_text(own_shop, monkeypatch):
    shop = opened(own_shop, monkeypatch)
    body = b'{"id" : "evt_1",  "amount":5000, "note":"\xe8\x8c\xb6"}'
    status, head, answer = send(shop, "/v1/x/hooks/hook", body, Stripe_Signature=signed(body))
    assert (status, answer) == (200, b"success") and "text/plain" in head
    assert count(shop) == 1


def test_what_is_forged_changes_nothing(own_shop, monkeypatch):
    shop = opened(own_shop, monkeypatch)
    body = b'{"id":"evt_1","amount":5000}'
    good = signed(body)
    for sent, signature in [(body.replace(b"5000", b"5001"), good), (body + b" ", good), (body, signed(body, secret="another")),
                            (body, signed(body, at=int(time.time()) - 301)), (body, good.replace("v1", "v0")), (body, "x")]:
        status, _, answer = send(shop, "/v1/x/hooks/hook", sent, Stripe_Signature=signature)
        assert status == 403, answer
    assert send(shop, "/v1/x/hooks/hook", body)[0] == 403
    assert count(shop) == 0
    assert SECRET not in shop.server.stderr()


def test_a_callback_that_comes_a_hundred_times_at_once_is_done_once(own_shop, monkeypatch):
    shop = opened(own_shop, monkeypatch)
    body = b'{"id":"evt_9","amount":1}'
    got = []
    threads = [threading.Thread(target=lambda: got.append(send(shop, "/v1/x/hooks/hook", body, Stripe_Signature=signed(body))[0]))
               for _ in range(100)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert got == [200] * 100
    assert count(shop) == 1


def test_the_function_gets_body_and_headers_as_they_came_and_no_key_of_the_shop(own_shop, monkeypatch):
    shop = opened(own_shop, monkeypatch)
    sk = shop.server.keys()["sk"]
    status, _, answer = send(shop, "/v1/x/hooks/seen", b"a=1&b=%20 \r\n", X_One="1", Authorization=f"Bearer {sk}", Content_Type="text/x")
    seen = json.loads(answer)
    assert status == 200 and seen["body"] == "a=1&b=%20 \r\n" and seen["caller"] == "signed"
    assert seen["headers"]["x-one"] == "1" and seen["headers"]["content-type"] == "text/x"
    assert "authorization" not in seen["headers"] and sk not in answer.decode() and "customer" not in seen
    _, _, answer = send(shop, "/v1/x/hooks/seen", b"", Authorization="Basic abc")
    assert json.loads(answer)["headers"]["authorization"] == "Basic abc"


def test_a_signed_route_describes_no_body(tmp_path):
    bad = {"hooks": {**PLUGIN["hooks"], "plugin": PLUGIN["hooks"]["plugin"].replace('auth = "signed" }', 'auth = "signed", body = { a = "string" } }')}}
    folder = write_shop(tmp_path, {"plugins": '{ hooks = { key = "HOOK_KEY" } }'}, plugins=bad)
    answer = feira("check", folder)
    assert answer.returncode != 0 and "leave body out" in answer.stdout + answer.stderr
