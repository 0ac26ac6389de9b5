"""Timers with as = "job": work that calls out, is carried out at least once, and each of whose steps is done once under its key."""

import contextlib
import json
import sqlite3
import threading
import time

import pytest

from market import feira, ok, write_shop
from outside import Outside

PLUGIN = """return {{ name = "sender", version = "1.0.0", api = 1, title = "Sends",
  needs = {{ http = {{ "api.example.com:{port}" }} }},
  collections = {{ sent = {{ fields = {{ key = "string", attempt = "integer" }}, index = {{ "key" }} }} }},
  procedures = {{ keep = {{ run = "events.keep", args = {{ key = "string", attempt = "integer" }} }},
                  again = {{ run = "events.again", args = {{ key = "string" }} }} }},
  timers = {{ send = {{ run = "jobs.send", as = "job" }}, tick = "events.tick" }},
  routes = {{ ["POST /send"] = {{ run = "events.send", auth = "server", body = {{ key = "string", times = {{ type = "integer", optional = true }} }} }},
              ["GET /sent"] = {{ run = "events.sent", auth = "server" }} }} }}
"""
EVENTS = """
local store, timers, time = require "feira.store", require "feira.timers", require "feira.time"
local events = {}
function events.send(call)
  for i = 1, call.body.times or 1 do timers.set("send", call.body.key .. (i > 1 and ("&n=" .. i) or ""), time.now()) end
  timers.set("tick", call.body.key, time.now())
  return { status = 200, body = {} }
end
function events.keep(args) return { id = store.sent:insert { key = args.key, attempt = args.attempt } } end
function events.again(args) timers.set("send", args.key, time.now() + 600000) end
function events.tick(args) store.sent:insert { key = "tick " .. args.key, attempt = 0 } end
function events.sent() return { status = 200, body = { rows = store.sent:find() } } end
return events
"""
JOBS = """
local http, plugin = require "feira.http", require "feira.plugin"
local jobs = {}
function jobs.send(args)
  local kind = args.key:match "^%a+"
  if kind == "breaks" then error "it breaks" end
  if kind == "once" then plugin.call("keep", args, { key = args.key .. "/before" }) end
  local answer = assert(http.get("http://api.example.com:PORT/" .. args.key:gsub("^%a+ ", "")))
  if answer.status >= 500 then error("the gateway says " .. answer.status) end
  plugin.call("keep", { key = args.key, attempt = args.attempt })
  if kind == "again" then plugin.call("again", { key = args.key }) end
end
return jobs
"""


@pytest.fixture
def outside():
    server = Outside()
    yield server
    server.close()


def plugins(port):
    jobs = JOBS.replace("PORT", str(port)).replace("plugin.call(\"keep\", args, {", "plugin.call(\"keep\", { key = args.key, attempt = 0 }, {")
    return {"sender": {"plugin": PLUGIN.format(port=port), "events": EVENTS, "jobs": jobs}}


@pytest.fixture
def sender(own_shop, outside):
    options = ["--call-local", "--resolve", f"api.example.com:{outside.port}:127.0.0.1"]
    shop = own_shop(settings={"plugins": "{ sender = {} }"}, plugins=plugins(outside.port), options=options)
    shop.outside = outside
    return shop


def send(shop, key, times=1):
    ok(shop.sk.request("POST", "/v1/x/sender/send", {"key": key, "times": times}), 200)


def sent(shop, key=None):
    rows = ok(shop.sk.request("GET", "/v1/x/sender/sent"), 200)["rows"]
    return [r for r in rows if key is None or r["key"] == key]


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def events_of(shop, name):
    return [json.loads(line) for line in shop.server.stderr().splitlines() if f'"{name}"' in line]


def test_a_job_calls_out_and_then_a_procedure(sender):
    send(sender, "plain echo")
    until(lambda: sent(sender, "plain echo"))
    assert len(sender.outside.seen_at("/echo")) == 1
    time.sleep(1)
    assert [r["attempt"] for r in sent(sender, "plain echo")] == [1]
    assert len(sender.outside.seen_at("/echo")) == 1


def test_what_fails_is_tried_again_and_the_try_is_counted(sender):
    send(sender, "plain fails/1")
    until(lambda: sent(sender, "plain fails/1"), 20)
    assert [r["attempt"] for r in sent(sender, "plain fails/1")] == [2]
    failed = events_of(sender, "job.failed")
    assert len(failed) == 1 and failed[0]["tries"] == 1 and "the gateway says 503" in failed[0]["text"]


def test_how_often_it_failed_survives_a_crash(sender):
    send(sender, "breaks")
    until(lambda: events_of(sender, "job.failed"))
    sender.server.kill()
    sender.hang_up()
    sender.server.start()
    until(lambda: len(events_of(sender, "job.failed")) == 2, 20)
    assert [e["tries"] for e in events_of(sender, "job.failed")] == [1, 2]


def test_a_crash_in_between_makes_it_run_again_and_keyed_steps_are_done_once(sender):
    send(sender, "once slow?ms=1500")
    until(lambda: sender.outside.seen_at("/slow"))
    assert [r["attempt"] for r in sent(sender)if r["key"].startswith("once")] == [0]
    sender.server.kill()
    sender.hang_up()
    sender.server.start()
    until(lambda: len(sent(sender, "once slow?ms=1500")) == 2)
    assert len(sender.outside.seen_at("/slow")) == 2
    time.sleep(1)
    assert [r["attempt"] for r in sent(sender, "once slow?ms=1500")] == [0, 1]


def test_a_stop_cuts_it_off_and_it_runs_again(sender):
    send(sender, "plain slow?ms=3000")
    until(lambda: sender.outside.seen_at("/slow"))
    assert sender.server.terminate() == 0
    sender.hang_up()
    sender.server.start()
    until(lambda: sent(sender, "plain slow?ms=3000"))
    assert [r["attempt"] for r in sent(sender, "plain slow?ms=3000")] == [1]
    assert not events_of(sender, "job.failed")


def test_other_timers_and_buyers_do_not_wait_for_it(sender):
    send(sender, "plain slow?ms=4000", times=100)
    until(lambda: len(sender.outside.seen_at("/slow")) >= 10)
    began = time.monotonic()
    send(sender, "plain echo")
    until(lambda: sent(sender, "tick plain echo"), 3)
    sku = sender.product()
    assert sender.quote({sku: 1})["total"] > 0
    assert time.monotonic() - began < 3


def test_a_job_that_sets_its_own_timer_again_is_not_undone(sender):
    send(sender, "again echo")
    until(lambda: sent(sender, "again echo"))
    time.sleep(1)
    assert len(sent(sender, "again echo")) == 1
    assert not events_of(sender, "job.failed")


def test_a_job_of_a_stopped_plugin_waits(sender):
    assert feira("stop", sender.folder, "sender", "--data", sender.server.data).returncode == 0
    import sqlite3

    with sqlite3.connect(sender.server.data / "shop.db") as db:
        db.execute("SELECT 1")
    assert sender.outside.seen == []
    assert feira("resume", sender.folder, "sender", "--data", sender.server.data).returncode == 0
    send(sender, "plain echo")
    until(lambda: sent(sender, "plain echo"))
    send(sender, "plain slow?ms=2000")
    until(lambda: sender.outside.seen_at("/slow"))
    assert feira("stop", sender.folder, "sender", "--data", sender.server.data).returncode == 0
    time.sleep(3)
    assert feira("resume", sender.folder, "sender", "--data", sender.server.data).returncode == 0
    until(lambda: sent(sender, "plain slow?ms=2000"), 20)
    assert [r["attempt"] for r in sent(sender, "plain slow?ms=2000")] == [1]


def test_a_job_that_is_given_up_is_a_dead_letter_and_comes_back_by_hand(sender):
    send(sender, "breaks")
    until(lambda: events_of(sender, "job.failed"))
    sender.hang_up()
    sender.server.terminate()
    with contextlib.closing(sqlite3.connect(sender.server.data / "shop.db", timeout=30)) as db, db:
        assert db.execute("UPDATE journal_tries SET tries = 9").rowcount == 1
        assert db.execute("UPDATE journal_timers SET due_ms = 0 WHERE procedure = 'plugin:sender.send'").rowcount == 1
    sender.server.start()
    until(lambda: events_of(sender, "job.given_up"))
    listed = ok(sender.operator.request("GET", "/v1/events?dead=true"), 200)["items"]
    letter = listed[0]
    assert len(listed) == 1 and "it breaks" in letter["last_error"] and "event" not in letter and "payload" not in letter
    assert (letter["plugin"], letter["job"], letter["key"], letter["state"], letter["tries"]) == ("sender", "send", "breaks", "dead", 10)
    shown = feira("events", sender.folder, "--data", sender.server.data, "--dead").stdout
    assert "sender  job send  breaks  given up" in shown and "it breaks" in shown
    assert feira("events", sender.folder, "--data", sender.server.data).stdout == "No event waits to be heard.\n"
    found = json.loads(feira("doctor", sender.folder, "--data", sender.server.data, "--json").stdout)["findings"]
    assert [f["level"] for f in found if f["check"] == "events"] == ["warning"]
    # Mended, and brought back: its tries begin anew.
    files = plugins(sender.outside.port)
    files["sender"]["jobs"] = files["sender"]["jobs"].replace('error "it breaks"', "return plugin.call('keep', { key = args.key, attempt = args.attempt })")
    write_shop(sender.folder, {"plugins": "{ sender = {} }"}, plugins=files)
    assert feira("publish", sender.folder, "--data", sender.server.data).returncode == 0
    assert feira("events", sender.folder, "--data", sender.server.data, "--replay", "all").returncode == 0
    until(lambda: sent(sender, "breaks"))
    assert [r["attempt"] for r in sent(sender, "breaks")] == [1]
    assert ok(sender.operator.request("GET", "/v1/events?dead=true"), 200)["items"] == []


def test_a_publish_meanwhile_lets_it_end_under_its_own_rules(sender):
    send(sender, "plain slow?ms=1500")
    until(lambda: sender.outside.seen_at("/slow"))
    write_shop(sender.folder, {"name": '"Another name"', "plugins": "{ sender = {} }"}, plugins=plugins(sender.outside.port))
    assert feira("publish", sender.folder, "--data", sender.server.data).returncode == 0
    until(lambda: sent(sender, "plain slow?ms=1500"))
    assert len(sender.outside.seen_at("/slow")) == 1


def test_specs_see_jobs_fail_wait_and_be_given_up(tmp_path, outside):
    folder = write_shop(tmp_path, {"plugins": "{ sender = {} }"}, plugins=plugins(outside.port))
    (folder / "test").mkdir()
    (folder / "test" / "jobs.lua").write_text("""local t = require "feira.test"
t:describe("jobs", function()
  t:it("are tried again, and given up in the end", function()
    t:request("POST", "/v1/x/sender/send", { key = "breaks" })
    t:advance "48h"
    t:expect(#t:get("/v1/x/sender/sent").rows, 1)
  end)
  t:it("call what the spec puts in the place of the outside", function()
    local seen = {}
    t:outside(function(request)
      seen[#seen + 1] = request.method .. " " .. request.url
      if #seen == 1 then return { status = 503 } end
      if #seen == 2 then return nil end
      return { headers = { ["X-A"] = "b" }, json = { a = 1 } }
    end)
    t:request("POST", "/v1/x/sender/send", { key = "plain echo" })
    t:advance "3s"
    t:expect(#seen, 1)
    t:advance "10s"
    t:expect(#seen, 2)
    t:advance "1m"
    t:expect(seen[3]:match "^GET http://api.example.com:%d+/echo$" ~= nil, true)
    t:expect(t:get("/v1/x/sender/sent").rows[2], { key = "plain echo", attempt = 3 })
  end)
  t:it("find no outside in specs", function()
    t:request("POST", "/v1/x/sender/send", { key = "once echo" })
    t:advance "3s"
    t:expect(#t:get("/v1/x/sender/sent").rows, 2)
  end)
end)
""")
    answer = feira("test", folder)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert outside.seen == []
