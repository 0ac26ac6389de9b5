"""Server-sent events: what a procedure says is heard after its commit by all who listen, in order, and never when it was taken back."""

import concurrent.futures
import os
import pathlib
import signal
import socket
import threading
import time

import pytest

from listening import Listener, Refused, silent
from market import feira, ok, problem, unique, write_shop

PLUGIN = """return { name = "board", version = "1.0.0", api = 1, title = "Says things",
  collections = { boards = { fields = { name = "string", n = "integer" }, unique = { "name" } } },
  settings = { word = { type = "string", default = "hello", about = "A word." } },
  procedures = { say_and_fail = "events.say_and_fail" },
  routes = {
    ["GET /boards/{name}"] = { run = "events.listen", auth = "anyone", stream = true, query = { plain = { type = "boolean", optional = true } } },
    ["GET /mine/{name}"] = { run = "events.mine", auth = "customer", stream = true },
    ["GET /waits"] = { run = "events.waits", auth = "anyone", stream = true },
    ["GET /breaks"] = { run = "events.breaks", auth = "anyone", stream = true },
    ["POST /boards/{name}"] = { run = "events.say", auth = "anyone", body = BODY },
  } }
""".replace("BODY", '{ by = { type = "integer", optional = true }, fail = { type = "boolean", optional = true }, last = { type = "boolean", optional = true }, pad = { type = "integer", optional = true }, times = { type = "integer", optional = true } }')
EVENTS = """
local fail, plugin, store, stream = require "feira.fail", require "feira.plugin", require "feira.store", require "feira.stream"
local events = {}
local function state(name)
  local row = store.boards:find({ name = name })[1]
  return { name = name, n = row and row.n or 0, mark = "MARK" }, row
end
function events.listen(call, settings)
  local now = state(call.params.name)
  now.word = settings.word
  if call.query.plain then return { status = 200, body = now } end
  return { status = 200, topic = "board/" .. call.params.name, body = now }
end
function events.mine(call)
  if call.customer ~= call.params.name then fail.not_found "There is no such board." end
  return { status = 200, topic = "mine/" .. call.params.name, body = state(call.params.name) }
end
function events.waits() return { status = 200, topic = "x", body = plugin.call("say_and_fail") } end
function events.breaks() error "it breaks" end
function events.say_and_fail(args)
  stream.send("board/" .. args.name, { never = true })
  fail.conflict("no", "It is not to be.")
end
function events.say(call)
  local name = call.params.name
  local _, row = state(name)
  local n = row and row.n or 0
  for _ = 1, call.body.times or 1 do
    n = n + (call.body.by or 1)
    stream.send("board/" .. name, { name = name, n = n, pad = ("x"):rep(call.body.pad or 0) }, { event = "changed", last = call.body.last })
  end
  if row then store.boards:update(row.id, { n = n }) else store.boards:insert { name = name, n = n } end
  if call.body.fail then fail.conflict("no", "It is not to be.") end
  return { status = 200, body = { n = n } }
end
return events
"""


def board(mark="one"):
    return {"board": {"plugin": PLUGIN, "events": EVENTS.replace("MARK", mark)}}


@pytest.fixture
def shop(own_shop):
    return own_shop(settings={"plugins": "{ board = {} }"}, plugins=board())


def listen(shop, name, key=None, **more):
    return Listener(shop.server.port, f"/v1/x/board/boards/{name}", key or shop.server.keys()["pk"], **more)


def say(shop, name, by=None, **body):
    return (by or shop.pk).request("POST", f"/v1/x/board/boards/{name}", body, idempotency=unique("say"))


def metric(shop, name):
    text = shop.client("").request("GET", "/metrics").body.decode()
    return next(int(line.split()[1]) for line in text.split("\n") if line.startswith(f"feira_{name} "))


def test_the_state_comes_first_then_every_change(shop):
    ok(say(shop, "a"), 200)
    one = listen(shop, "a")
    assert one.headers["cache-control"] == "no-store" and one.headers["connection"] == "close" and one.chunked
    first = one.next()
    assert first["data"] == {"name": "a", "n": 1, "mark": "one", "word": "hello"} and 1000 <= int(first["retry"]) < 4000
    for i in range(2, 7):
        ok(say(shop, "a"), 200)
        event = one.next()
        assert event["event"] == "changed" and event["data"]["n"] == i
    ok(say(shop, "other"), 200)
    assert silent(one)
    one.close()


def test_what_is_taken_back_is_not_said(shop):
    one = listen(shop, "a")
    assert one.next()["data"]["n"] == 0
    problem(say(shop, "a", fail=True), 409, "no")
    for _ in range(20):  # refused and good ones in one batch of the writer
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: say(shop, "a", by=shop.client(shop.server.keys()["pk"]), fail=i % 2 == 0), range(8)))
    seen = [s["n"] for s in one.states(lambda s: s["n"] == 80)]
    assert seen == list(range(1, 81))
    assert silent(one)
    one.close()


def test_every_listener_on_every_worker_hears_all_in_order(own_shop):
    shop = own_shop(settings={"plugins": "{ board = {} }"}, plugins=board(), options=["--workers", "4"])
    listeners = [listen(shop, "a") for _ in range(40)]
    assert all(one.next()["data"]["n"] == 0 for one in listeners)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: ok(say(shop, "a", by=shop.client(shop.server.keys()["pk"])), 200), range(300)))
    for one in listeners:
        assert [s["n"] for s in one.states(lambda s: s["n"] == 300)] == list(range(1, 301))
        one.close()


def test_who_comes_in_the_middle_misses_nothing(own_shop):
    """The state first, then what came after it: each number once, from wherever one begins; while somebody writes all the time."""
    shop = own_shop(settings={"plugins": "{ board = {} }"}, plugins=board(), options=["--workers", "2"])
    stop = threading.Event()

    def write():
        client = shop.client(shop.server.keys()["pk"])
        while not stop.is_set():
            ok(say(shop, "a", by=client), 200)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(150):
            one = listen(shop, "a")
            seen = [one.next()["data"]["n"] for _ in range(4)]
            one.close()
            if seen[1] == seen[0]:  # what was just being committed may be told once more
                seen = seen[1:]
            assert seen == list(range(seen[0], seen[0] + len(seen))), seen
    finally:
        stop.set()
        writer.join()


def test_the_last_one_lets_go(shop):
    one = listen(shop, "a")
    one.next()
    ok(say(shop, "a", last=True), 200)
    assert one.next()["data"]["n"] == 1
    assert one.next() is None


def test_who_may_listen_is_the_handlers_word(shop):
    ann, bob = shop.customer("ann"), shop.customer("bob")
    with pytest.raises(Refused) as refused:
        Listener(shop.server.port, "/v1/x/board/mine/ann", bob.key)
    assert refused.value.status == 404
    with pytest.raises(Refused) as refused:
        Listener(shop.server.port, "/v1/x/board/mine/ann", None)
    assert refused.value.status == 401
    with pytest.raises(Refused) as refused:
        Listener(shop.server.port, "/v1/x/board/mine/ann", shop.server.keys()["pk"])
    assert refused.value.status == 403
    one = Listener(shop.server.port, "/v1/x/board/mine/ann", ann.key)
    assert one.next()["data"]["n"] == 0
    one.close()


def test_a_handler_without_a_topic_answers_as_others_do(shop):
    assert ok(shop.pk.request("GET", "/v1/x/board/boards/a?plain=true"), 200)["n"] == 0


def test_a_handler_that_waits_or_breaks_is_a_failure_and_no_stream(shop):
    for path in ("waits", "breaks"):
        with pytest.raises(Refused) as refused:
            Listener(shop.server.port, f"/v1/x/board/{path}", shop.server.keys()["pk"])
        assert refused.value.status == 500
    time.sleep(0.1)
    assert metric(shop, "streams_open") == 0


def test_http10_and_the_operators_socket(shop):
    old = listen(shop, "a", version="1.0")
    assert not old.chunked and old.next()["data"]["n"] == 0
    local = Listener(0, "/v1/x/board/boards/a", None, path_of_socket=shop.server.data / "feira.sock")
    local.next()
    ok(say(shop, "a", last=True), 200)
    assert old.next()["data"]["n"] == 1 and old.next() is None
    assert local.next()["data"]["n"] == 1 and local.next() is None


def test_without_a_server_one_is_told_the_state(shop):
    shop.close()
    settings = shop.folder / "shop.lua"
    assert settings.exists()
    spec = shop.folder / "test"
    spec.mkdir()
    (spec / "board.lua").write_text(
        """local t = require "feira.test"
t:it("says what it does", function()
  t:expect(t:get "/v1/x/board/boards/a", { n = 0 })
  t:post("/v1/x/board/boards/a", { times = 2 })
  t:refused("no", function() t:post("/v1/x/board/boards/a", { fail = true }) end)
  t:post("/v1/x/board/boards/b", { last = true })
  t:expect(t:streamed(), {
    { topic = "board/board/a", event = "changed", data = { n = 1 } }, { topic = "board/board/a", event = "changed", data = { n = 2 } },
    { topic = "board/board/b", event = "changed", data = { n = 1 }, last = true } })
  t:expect(#t:streamed(), 0)
  t:expect(t:get "/v1/x/board/boards/a", { n = 2 })
end)
""",
        encoding="utf-8",
    )
    done = feira("test", shop.folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_slow_listener_is_cut_and_the_others_are_not(shop):
    slow, good = listen(shop, "a", receive_buffer=4096), listen(shop, "a")
    heard = []

    def read():
        while not heard or heard[-1] < 400:
            event = good.next(20)
            heard.append(event["data"]["n"])

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(100):
        ok(say(shop, "a", pad=8000, times=4), 200)
        end = time.monotonic() + 20
        while (not heard or heard[-1] < 4 * i) and time.monotonic() < end:
            time.sleep(0.001)  # "good" is one that reads in time, however busy the machine is
    reader.join(20)
    assert heard[-400:] == list(range(1, 401))
    assert metric(shop, "streams_cut_total") == 1
    with pytest.raises((EOFError, ConnectionError)):
        for _ in range(1000):
            assert slow.next(5) is not None
    good.close()


def test_more_than_may_listen_are_refused(own_shop):
    shop = own_shop(settings={"plugins": "{ board = {} }"}, plugins=board(), options=["--workers", "1", "--streams", "5"])
    listeners = [listen(shop, "a") for _ in range(5)]
    with pytest.raises(Refused) as refused:
        listen(shop, "a")
    assert refused.value.status == 503 and refused.value.headers["retry-after"] == "1" and b"too_many_streams" in refused.value.body
    ok(say(shop, "a"), 200)  # nobody else is in the way of that
    listeners[0].close()
    for _ in range(50):
        try:
            listeners[0] = listen(shop, "a")
            break
        except Refused:
            time.sleep(0.05)
    assert listeners[0].next()["data"]["n"] == 1
    assert metric(shop, "streams_open") == 5
    for one in listeners:
        one.close()


def test_who_goes_is_noticed(shop):
    listeners = [listen(shop, "a") for _ in range(20)]
    assert metric(shop, "streams_open") == 20
    for one in listeners:
        one.close()
    end = time.monotonic() + 5
    while metric(shop, "streams_open") and time.monotonic() < end:
        time.sleep(0.05)
    assert metric(shop, "streams_open") == 0


def test_a_stop_of_the_plugin_lets_everybody_go(shop):
    one = listen(shop, "a")
    one.next()
    assert feira("stop", shop.folder, "board", "--data", shop.server.data).returncode == 0
    begun = time.monotonic()
    assert one.next() is None and time.monotonic() - begun < 2
    with pytest.raises(Refused) as refused:
        listen(shop, "a")
    assert refused.value.status == 503


def test_a_publish_lets_go_who_listens_to_what_changed(own_shop):
    other = {"plugin": PLUGIN.replace('name = "board"', 'name = "second"'), "events": EVENTS}
    shop = own_shop(settings={"plugins": "{ board = {}, second = {} }"}, plugins={**board(), "second": other})
    one = listen(shop, "a")
    two = Listener(shop.server.port, "/v1/x/second/boards/a", shop.server.keys()["pk"])
    one.next(), two.next()
    write_shop(shop.folder, {"plugins": "{ board = {}, second = {} }", "name": '"Another name"'})
    assert feira("publish", shop.folder, "--data", shop.server.data).returncode == 0
    assert silent(one) and silent(two)  # neither has changed
    write_shop(shop.folder, {"plugins": "{ board = {}, second = {} }"}, plugins=board("two"))
    assert feira("publish", shop.folder, "--data", shop.server.data).returncode == 0
    assert one.next() is None
    assert silent(two)
    one = listen(shop, "a")
    assert one.next()["data"]["mark"] == "two"
    write_shop(shop.folder, {"plugins": '{ board = { word = "bye" }, second = {} }'})
    assert feira("publish", shop.folder, "--data", shop.server.data).returncode == 0
    assert one.next() is None  # a setting is part of it
    write_shop(shop.folder, {"plugins": "{ board = {} }"})
    assert feira("publish", shop.folder, "--data", shop.server.data).returncode == 0
    assert two.next() is None  # turned off
    ok(say(shop, "a"), 200)


def test_a_drain_ends_streams_in_good_order(shop):
    listeners = [listen(shop, "a") for _ in range(5)]
    for one in listeners:
        one.next()
    begun = time.monotonic()
    os.kill(shop.server.process.pid, signal.SIGTERM)
    for one in listeners:
        assert one.next() is None
    assert shop.server.process.wait(10) == 0 and time.monotonic() - begun < 5


def test_nothing_may_be_sent_behind_it(shop):
    key = shop.server.keys()["pk"]
    one = listen(shop, "a")
    one.next()
    one.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n")
    with pytest.raises((EOFError, ConnectionError)):
        one.next()
    with socket.create_connection(("127.0.0.1", shop.server.port)) as s:
        head = f"GET /v1/x/board/boards/a HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {key}\r\n\r\n"
        s.sendall((head + "GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n").encode())
        s.settimeout(5)
        answer = b""
        while b"ok" not in answer and b"healthz" not in answer and answer.count(b"HTTP/1.1 ") < 2:
            data = s.recv(65536)
            assert data, answer
            answer += data
        assert answer.startswith(b"HTTP/1.1 400 ") and b"stream_not_last" in answer


def test_manifests_that_make_no_sense_are_refused(tmp_path):
    for line, text in (
        ('["POST /a"] = { run = "events.listen", auth = "anyone", stream = true }', "asked for with GET"),
        ('["GET /a"] = { run = "events.listen", auth = "signed", stream = true }', "asked for with GET"),
        ('["GET /a"] = { run = "events.listen", auth = "anyone", stream = 1 }', "stream"),
    ):
        folder = tmp_path / unique("shop")
        folder.mkdir()
        manifest = f'return {{ name = "board", version = "1.0.0", api = 1, title = "x", routes = {{ {line} }} }}'
        write_shop(folder, {"plugins": "{ board = {} }"}, plugins={"board": {"plugin": manifest, "events": EVENTS}})
        done = feira("check", folder)
        assert done.returncode != 0 and text in done.stdout + done.stderr, done.stdout + done.stderr


def test_the_description_names_them(shop):
    document = ok(shop.client("").request("GET", "/v1/openapi.json"), 200)
    answer = document["paths"]["/v1/x/board/boards/{name}"]["get"]["responses"]["200"]
    assert "text/event-stream" in answer["content"]


def resident_kib(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in text.split("\n") if line.startswith("VmRSS:"))


@pytest.mark.skipif("asan" in os.environ.get("FEIRA_BUILD", "") or "tsan" in os.environ.get("FEIRA_BUILD", ""), reason="sanitizers have memory of their own")
def test_a_thousand_listeners_cost_little(own_shop):
    """runtime/http/README.md says what one costs; all of them hear what is said."""
    shop = own_shop(settings={"plugins": "{ board = {} }"}, plugins=board(), options=["--workers", "2"])
    ok(say(shop, "a"), 200)
    for _ in range(20):
        listen(shop, "a").close()
    before = resident_kib(shop.server.process.pid)
    listeners = [listen(shop, "a") for _ in range(1000)]
    each = (resident_kib(shop.server.process.pid) - before) * 1024 / 1000
    print(f"a listener costs {each:.0f} bytes of resident memory")
    assert each < 6000
    begun = time.monotonic()
    ok(say(shop, "a"), 200)
    assert time.monotonic() - begun < 1  # a crowd holds up nobody
    for one in listeners:
        assert one.next()["data"]["n"] == 1 and one.next()["data"]["n"] == 2
        one.close()
