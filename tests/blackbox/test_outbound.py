"""feira.http: plugins call the hosts that they named, and nothing else. A handler waits without holding anybody up."""

import json
import subprocess
import threading
import time

import pytest

from market import feira, ok, problem, write_shop
from outside import Outside

PLUGIN = """return {{ name = "caller", version = "1.0.0", api = 1, title = "Calls out",
  needs = {{ http = {{ {{ host = "api.example.com:{port}", why = "A test." }}, "plain.example.com" }} }},
  settings = {{ key = {{ type = "secret", optional = true, about = "A key." }} }},
  collections = {{ kept = {{ fields = {{ note = "string" }} }} }},
  procedures = {{ keep = {{ run = "events.keep", args = {{ note = "string" }} }}, count = "events.count", refuse = "events.refuse",
                  out = "events.call_out" }},
  routes = {{
    ["POST /call"] = {{ run = "events.call", auth = "anyone", as = "handler", body = {{ request = {{ type = "string", max = 9000 }} }} }},
    ["GET /bearer"] = {{ run = "events.bearer", auth = "anyone" }},
    ["POST /steps"] = {{ run = "events.steps", auth = "anyone", as = "handler", body = BODY }},
    ["POST /procedure"] = {{ run = "events.call_out", auth = "anyone" }},
    ["POST /refused"] = {{ run = "events.refused", auth = "anyone", as = "handler" }},
    ["POST /own"] = {{ run = "events.own", auth = "anyone", as = "handler" }},
    ["POST /spin"] = {{ run = "events.spin", auth = "anyone", as = "handler" }},
    ["POST /other"] = {{ run = "events.other", auth = "anyone", as = "handler" }},
    ["GET /count"] = {{ run = "events.read", auth = "anyone" }},
  }} }}
"""
EVENTS = """
local http, json, plugin, store = require "feira.http", require "feira.json", require "feira.plugin", require "feira.store"
local base = "http://api.example.com:PORT"
local OPTIONS = { headers = { ["X-Constant"] = "yes" } }
local events = {}
function events.call(call)
  local request = json.decode(call.body.request)
  if not request.url:find "^%a+:" then request.url = base .. request.url end
  local answer, why, code = http.request(request)
  return { status = 200, body = answer and { status = answer.status, body = answer.body, headers = answer.headers } or { why = why, code = code } }
end
function events.bearer(_, settings)
  local a = assert(http.get(base .. "/echo", { bearer = settings.key, headers = { ["X-Key"] = settings.key }, query = { q = "a b&c", k = settings.key } }))
  local b = assert(http.post(base .. "/echo", { form = { grant = "x y", secret = settings.key }, basic = { user = "me", password = settings.key } }))
  local c = assert(http.get(base .. "/echo", OPTIONS))
  local d = assert(http.post(base .. "/echo", { json = { a = { 1, 2 } } }))
  return { status = 200, body = { json.decode(a.body), json.decode(b.body), json.decode(c.body), json.decode(d.body) } }
end
function events.steps(call)
  local first = plugin.call("keep", { note = "one" }, call.body.key and { key = call.body.key .. "/1" })
  local answer = assert(http.get(base .. "/slow?ms=" .. (call.body.ms or 50)))
  if call.body.fail then error "half way" end
  local second = plugin.call("keep", { note = "two" }, call.body.key and { key = call.body.key .. "/2" })
  return { status = 200, body = { first = first.id, second = second.id, answer = answer.body } }
end
function events.refused()
  local good, why = pcall(plugin.call, "refuse")
  if good then error "it was not refused" end
  return { status = 200, body = { why = why.text, reason = why.reason, code = why.code } }
end
function events.other() plugin.call("stranger.grant") end
function events.own() return { status = 200, body = { pcall(coroutine.wrap(function() http.get(base .. "/echo") end)) } } end
function events.spin() http.get(base .. "/echo") while true do end end
function events.call_out() return http.get(base .. "/echo") end
function events.keep(args) return { id = store.kept:insert { note = args.note } } end
function events.refuse() require("feira.fail").conflict("full", "There is no room.") end
function events.count() return { n = #store.kept:find() } end
function events.read() return { status = 200, body = { n = #store.kept:find() } } end
return events
"""
BODY = '{ fail = "boolean", key = { type = "string", optional = true }, ms = { type = "integer", optional = true } }'
VALUE = "a-secret-of-the-test"


@pytest.fixture
def outside():
    server = Outside()
    yield server
    server.close()


def plugin_for(port):
    return {"caller": {"plugin": PLUGIN.format(port=port).replace("BODY", BODY), "events": EVENTS.replace("PORT", str(port))}}


def options(outside, local=True):
    resolve = f"api.example.com:{outside.port}:127.0.0.1,plain.example.com:443:10.1.2.3"
    return ["--resolve", resolve, *(["--call-local"] if local else [])]


@pytest.fixture
def caller(own_shop, outside, monkeypatch):
    monkeypatch.setenv("FEIRA_SECRET_KEY", VALUE)
    shop = own_shop(settings={"plugins": '{ caller = { key = "KEY" } }'}, plugins=plugin_for(outside.port), options=options(outside))
    shop.outside = outside
    return shop


def call(shop, **request):
    return ok(shop.pk.request("POST", "/v1/x/caller/call", {"request": json.dumps(request)}), 200)


def test_a_handler_calls_out_and_answers_with_what_came_back(caller):
    answer = call(caller, url="/echo", method="PUT", headers={"X-One": "1"}, body="hello")
    told = json.loads(answer["body"])
    assert answer["status"] == 200 and answer["headers"]["x-twice"] == "a" and answer["headers"]["content-type"] == "application/json"
    assert told["method"] == "PUT" and told["body"] == "hello" and told["headers"]["X-One"] == "1"
    assert told["headers"]["Host"] == f"api.example.com:{caller.outside.port}"
    assert call(caller, url="/status/503")["status"] == 503


def test_secrets_go_out_as_handles(caller):
    bearer, form, constant, body = ok(caller.pk.request("GET", "/v1/x/caller/bearer"), 200)
    assert bearer["headers"]["Authorization"] == f"Bearer {VALUE}" and bearer["headers"]["X-Key"] == VALUE
    assert bearer["path"] == f"/echo?k={VALUE}&q=a%20b%26c"
    assert form["body"] == f"grant=x%20y&secret={VALUE}" and form["headers"]["Content-Type"] == "application/x-www-form-urlencoded"
    assert form["headers"]["Authorization"].startswith("Basic ")
    assert constant["headers"]["X-Constant"] == "yes"
    assert json.loads(body["body"]) == {"a": [1, 2]} and body["headers"]["Content-Type"] == "application/json"
    caller.server.terminate()
    assert VALUE not in caller.server.stderr()


def test_what_goes_wrong_outside_comes_as_a_sentence_and_a_code(caller):
    assert call(caller, url="/slow?ms=2000", timeout=200)["code"] == "timeout"
    assert call(caller, url="/slow?ms=2000", timeout="1s")["code"] == "timeout"
    assert call(caller, url="/huge")["code"] == "too_large"
    assert call(caller, url="/huge?bytes=5000", max_bytes=4999)["code"] == "too_large"
    assert len(call(caller, url="/huge?bytes=5000", max_bytes=5000)["body"]) == 5000
    assert call(caller, url="/reset")["code"] == "broken_off"
    caller.outside.close()
    answer = call(caller, url="/echo")
    assert answer["code"] == "unreachable" and "api.example.com" in answer["why"]
    metrics = caller.pk.request("GET", "/metrics").body.decode()
    assert "feira_outbound_requests_total 7\n" in metrics and "feira_outbound_failed_total 6\n" in metrics, metrics


def test_a_redirect_is_an_answer_and_not_followed(caller):
    answer = call(caller, url=f"/redirect?to=http://127.0.0.1:{caller.outside.port}/private")
    assert answer["status"] == 302 and answer["headers"]["location"].endswith("/private")
    assert not caller.outside.seen_at("/private")


@pytest.mark.parametrize("url", ["http://other.example.com/", "http://api.example.com/", "http://127.0.0.1:{port}/", "http://localhost:{port}/",
                                 "http://api.example.com.evil.com:{port}/", "http://api.example.com@127.0.0.1:{port}/",
                                 "http://api.example.com:{port}@127.0.0.1:{port}/", "file:///etc/passwd", "http://[::1]:{port}/",
                                 "http://[::ffff:127.0.0.1]:{port}/", "http://2130706433:{port}/", "http://0177.0.0.1:{port}/",
                                 "http://api.example.com\\@127.0.0.1:{port}/", "http:///127.0.0.1:{port}/", "http:/127.0.0.1:{port}/",
                                 "http://api.example.com%40127.0.0.1:{port}/", "http://api.example.com.:{port}/"])
def test_a_host_that_is_not_named_is_not_called(caller, url):
    problem(caller.pk.request("POST", "/v1/x/caller/call", {"request": json.dumps({"url": url.format(port=caller.outside.port)})}), 500)
    assert caller.outside.seen == []
    caller.server.terminate()
    log = caller.server.stderr()
    assert "may not call" in log or "url has a user" in log or "url is neither" in log or "url has no host" in log or \
        "url has a host" in log


def test_an_address_inside_is_not_called_whatever_name_it_has(own_shop, outside):
    shop = own_shop(settings={"plugins": "{ caller = {} }"}, plugins=plugin_for(outside.port), options=options(outside, local=False))
    answer = call(shop, url=f"https://api.example.com:{outside.port}/echo")
    assert answer["code"] == "address_refused" and outside.seen == []
    assert call(shop, url="https://plain.example.com/")["code"] == "address_refused"
    problem(shop.pk.request("POST", "/v1/x/caller/call", {"request": json.dumps({"url": "/echo"})}), 500)  # http, not https
    assert outside.seen == []


def test_certificates_are_checked(own_shop, tmp_path):
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=api.example.com", "-addext",
                    "subjectAltName=DNS:api.example.com", "-keyout", key, "-out", pem], check=True, capture_output=True)
    both = tmp_path / "both.pem"
    both.write_text(key.read_text() + pem.read_text())
    outside = Outside(both)
    plugins, settings = plugin_for(outside.port), {"plugins": "{ caller = {} }"}
    url = f"https://api.example.com:{outside.port}/echo"
    trusting = own_shop(settings=settings, plugins=plugins, options=[*options(outside), "--ca-file", str(pem)])
    assert call(trusting, url=url)["status"] == 200
    strict = own_shop(settings=settings, plugins=plugins, options=options(outside))
    assert call(strict, url=url)["code"] == "certificate"
    outside.close()


def test_what_is_no_request_is_an_error_that_says_why(caller):
    for request, why in [({"url": "/echo", "metod": "GET"}, "did you mean 'method'"), ({"url": "/echo", "method": "FETCH"}, "no method FETCH"),
                         ({"url": "/echo", "headers": {"Host": "x"}}, "set by the shop itself"), ({"url": "/echo", "timeout": 90000}, "timeout is"),
                         ({"url": "/echo", "headers": {"X": "a\r\nb: c"}}, "line end"), ({"url": "/echo?x", "query": {"a": "b"}}, "put all of it"),
                         ({"url": "/echo", "body": "a", "json": {}}, "one of body, json and form")]:
        problem(caller.pk.request("POST", "/v1/x/caller/call", {"request": json.dumps(request)}), 500)
        assert why in caller.server.stderr(), why
    assert caller.outside.seen == []


def test_only_handlers_and_jobs_call_out(caller):
    problem(caller.pk.request("POST", "/v1/x/caller/procedure", {}), 500)
    assert "http.request() can't be used in a procedure" in caller.server.stderr()
    assert ok(caller.pk.request("POST", "/v1/x/caller/own", {}), 200)[0] is False
    assert caller.outside.seen == []


def test_a_handler_calls_procedures_one_after_the_other(caller):
    assert ok(caller.pk.request("POST", "/v1/x/caller/steps", {"fail": False}), 200) == {"first": 1, "second": 2, "answer": "slow"}
    assert ok(caller.pk.request("POST", "/v1/x/caller/refused", {}), 200) == {"why": "There is no room.", "reason": "full", "code": "conflict"}
    problem(caller.pk.request("POST", "/v1/x/caller/other", {}), 500)
    assert "may not call stranger.grant" in caller.server.stderr()
    assert ok(caller.pk.request("GET", "/v1/x/caller/count"), 200) == {"n": 2}


def test_a_step_with_a_key_is_done_once_however_often_the_handler_runs(caller):
    problem(caller.pk.request("POST", "/v1/x/caller/steps", {"fail": True, "key": "k"}), 500)
    assert ok(caller.pk.request("GET", "/v1/x/caller/count"), 200) == {"n": 1}
    first = ok(caller.pk.request("POST", "/v1/x/caller/steps", {"fail": False, "key": "k"}), 200)
    assert first == {"first": 1, "second": 2, "answer": "slow"}
    assert ok(caller.pk.request("POST", "/v1/x/caller/steps", {"fail": False, "key": "k"}), 200) == first
    caller.server.kill()
    caller.hang_up()
    caller.server.start()
    assert ok(caller.pk.request("POST", "/v1/x/caller/steps", {"fail": False, "key": "k"}), 200) == first
    assert ok(caller.pk.request("GET", "/v1/x/caller/count"), 200) == {"n": 2}


def test_many_wait_at_once_and_nobody_else_does(own_shop, outside):
    shop = own_shop(settings={"plugins": "{ caller = {} }"}, plugins=plugin_for(outside.port), options=options(outside), workers=1)
    began = time.monotonic()
    answers = []

    def wait(client):
        answers.append(ok(client.request("POST", "/v1/x/caller/call", {"request": json.dumps({"url": "/slow?ms=1500"})}), 200)["body"])

    key = shop.server.keys()["pk"]
    threads = [threading.Thread(target=wait, args=(shop.client(key),)) for _ in range(30)]
    for t in threads:
        t.start()
    time.sleep(0.3)
    quick, client = [], shop.client(key)
    for _ in range(20):
        at = time.monotonic()
        ok(client.request("GET", "/v1/x/caller/count"), 200)
        quick.append(time.monotonic() - at)
    for t in threads:
        t.join()
    assert answers == ["slow"] * 30
    assert sorted(quick)[10] < 0.5
    assert time.monotonic() - began < 20  # one after the other they would take 45 s


def test_one_plugin_leaves_room_for_others(own_shop, outside):
    other = {"plugin": PLUGIN.replace('name = "caller"', 'name = "other"').format(port=outside.port).replace("BODY", BODY),
             "events": EVENTS.replace("PORT", str(outside.port))}
    shop = own_shop(settings={"plugins": "{ caller = {}, other = {} }"}, plugins={**plugin_for(outside.port), "other": other},
                    options=options(outside), workers=1)
    codes, key = [], shop.server.keys()["pk"]

    def wait(client):
        answer = client.request("POST", "/v1/x/caller/call", {"request": json.dumps({"url": "/slow?ms=4000"})}).json()
        codes.append(answer.get("code", answer.get("status")))

    threads = [threading.Thread(target=wait, args=(shop.client(key),)) for _ in range(80)]
    for t in threads:
        t.start()
    deadline = time.monotonic() + 10
    while len(outside.seen_at("/slow")) < 64 and time.monotonic() < deadline:
        time.sleep(0.02)
    answer = ok(shop.client(key).request("POST", "/v1/x/other/call", {"request": json.dumps({"url": "/echo"})}), 200)
    assert answer["status"] == 200
    for t in threads:
        t.join()
    assert codes.count("busy") == 16 and codes.count(200) == 64, codes


def test_fuel_counts_on_after_a_wait(caller):
    problem(caller.pk.request("POST", "/v1/x/caller/spin", {}), 500)
    assert "budget" in caller.server.stderr()
    assert call(caller, url="/echo")["status"] == 200


def test_a_client_that_goes_away_takes_its_handler_along(caller):
    import socket
    import struct

    for path, body in [("/v1/x/caller/call", {"request": json.dumps({"url": "/slow?ms=3000"})}), ("/v1/x/caller/steps", {"fail": False, "ms": 3000})]:
        text = json.dumps(body)
        with socket.create_connection(("127.0.0.1", caller.server.port)) as s:
            s.sendall((f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {caller.server.keys()['pk']}\r\n"
                       f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}").encode())
            time.sleep(0.5)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    time.sleep(0.3)
    assert ok(caller.pk.request("GET", "/v1/x/caller/count"), 200) == {"n": 1}
    time.sleep(3)
    assert ok(caller.pk.request("GET", "/v1/x/caller/count"), 200) == {"n": 1}  # its second step was not taken
    assert caller.server.terminate() == 0


def test_a_server_that_stops_lets_go_of_what_waits(caller):
    client = caller.client(caller.server.keys()["pk"])
    got = []
    t = threading.Thread(target=lambda: got.append(client.request("POST", "/v1/x/caller/call", {"request": json.dumps({"url": "/slow?ms=800"})}).status))
    t.start()
    time.sleep(0.3)
    assert caller.server.terminate() == 0
    t.join()
    assert got == [200]  # a drain waits for it


def test_a_publish_does_not_disturb_what_waits(caller):
    client = caller.client(caller.server.keys()["pk"])
    got = []
    t = threading.Thread(target=lambda: got.append(client.request("POST", "/v1/x/caller/steps", {"fail": False, "ms": 1500})))
    t.start()
    time.sleep(0.3)
    for n in range(2):
        write_shop(caller.folder, {"name": f'"Shop {n}"', "plugins": '{ caller = { key = "KEY" } }'}, plugins=plugin_for(caller.outside.port))
        assert feira("publish", caller.folder, "--data", caller.server.data).returncode == 0
    t.join()
    assert ok(got[0], 200)["answer"] == "slow"


def test_what_waits_under_rules_of_long_ago_is_refused(caller):
    client = caller.client(caller.server.keys()["pk"])
    clients = [caller.client(caller.server.keys()["pk"]) for _ in range(6)]
    got = []

    def wait(c):
        got.append(c.request("POST", "/v1/x/caller/call", {"request": json.dumps({"url": "/slow?ms=6000", "timeout": 20000})}).status)

    threads = []
    for n, c in enumerate([client, *clients]):
        t = threading.Thread(target=wait, args=(c,))
        t.start()
        threads.append(t)
        time.sleep(0.2)
        write_shop(caller.folder, {"name": f'"Shop {n}"', "plugins": '{ caller = { key = "KEY" } }'}, plugins=plugin_for(caller.outside.port))
        assert feira("publish", caller.folder, "--data", caller.server.data).returncode == 0
    for t in threads:
        t.join()
    assert got.count(503) >= 1 and got.count(200) >= 4, got
