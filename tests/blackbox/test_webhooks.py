"""Webhooks by the Standard Webhooks specification, against a receiver that verifies for itself and misbehaves when told to."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import random
import re
import signal
import socket
import sqlite3
import struct
import threading
import time

import pytest
from market import feira, ok, problem, unique

TOLERANCE_S = 300


def verify(headers, body, secrets):
    """The verification of the specification, from its text: HMAC-SHA256 over id.timestamp.body, with the bytes behind whsec_. Returns which of
    the secrets signed."""
    names = {k.lower(): v for k, v in headers.items()}
    message_id, timestamp = names["webhook-id"], names["webhook-timestamp"]
    assert abs(time.time() - int(timestamp)) < TOLERANCE_S
    there = names["webhook-signature"].split(" ")
    signed = []
    for secret in secrets:
        assert secret.startswith("whsec_")
        key = base64.b64decode(secret[len("whsec_"):], validate=True)
        assert 24 <= len(key) <= 64
        mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        expected = "v1," + base64.b64encode(mac).decode()
        if any(hmac.compare_digest(expected, one) for one in there):
            signed.append(secret)
    return signed


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        s = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        got = {"path": self.path, "headers": dict(self.headers), "body": body, "at": time.time(), "id": self.headers["webhook-id"]}
        with s.lock:
            s.got.append(got)
            s.now += 1
            s.most = max(s.most, s.now)
        try:
            s.behave(self, got)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with s.lock:
                s.now -= 1

    def do_GET(self):
        with self.server.lock:
            self.server.got.append({"path": self.path, "headers": dict(self.headers), "body": b"", "at": time.time(), "id": None})
        self.answer(200)

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 200
    daemon_threads = True

    def handle_error(self, *arguments):
        pass


class Receiver:
    """behave(handler, got) answers; the default takes everything."""

    def __init__(self, port=0):
        self.server = Listener(("127.0.0.1", port), Handler)
        self.server.lock = threading.Lock()
        self.server.got, self.server.now, self.server.most = [], 0, 0
        self.takes()
        self.port = self.server.server_address[1]
        self.url = f"http://hooks.example.com:{self.port}/in"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def takes(self):
        self.server.behave = lambda handler, got: handler.answer(204)

    def answers(self, status, body=b"", **headers):
        self.server.behave = lambda handler, got: handler.answer(status, body, **headers)

    def behaves(self, fn):
        self.server.behave = fn

    @property
    def got(self):
        with self.server.lock:
            return list(self.server.got)

    @property
    def most_at_once(self):
        return self.server.most

    def wait(self, count=1, within=15):
        end = time.monotonic() + within
        while len(self.got) < count:
            assert time.monotonic() < end, f"{len(self.got)} of {count} came"
            time.sleep(0.02)
        return self.got

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def payload(got):
    return json.loads(got["body"])


def until(fn, within=15):
    end = time.monotonic() + within
    while True:
        value = fn()
        if value:
            return value
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


@pytest.fixture
def receiver():
    r = Receiver()
    yield r
    r.close()


def options_for(*receivers):
    """Names that lead to this machine, for the tests of what is allowed in development."""
    names = ",".join(f"hooks.example.com:{r.port}:127.0.0.1" for r in receivers)
    return ["--allow-private", "--resolve", names]


@pytest.fixture
def shop(own_shop, receiver):
    return own_shop(options=options_for(receiver))


def add(shop, url, events=("*",), status=201, client=None, **more):
    made = (client or shop.sk).request("POST", "/v1/webhooks", {"url": url, "events": list(events), **more}, idempotency=unique("hook"))
    return ok(made, status)


def webhook(shop, made):
    return ok(shop.sk.request("GET", f"/v1/webhooks/{made['id']}"), 200)


def messages(shop, made, query=""):
    return ok(shop.sk.request("GET", f"/v1/webhooks/{made['id']}/messages{query}"), 200)["items"]


def post(shop, made, what, body=None, *statuses):
    return ok(shop.sk.request("POST", f"/v1/webhooks/{made['id']}/{what}", body or {}), *(statuses or (200,)))


# --- what comes ---------------------------------------------------------------------------------------------------------------------

def test_what_happens_is_told_signed_and_in_its_order(shop, receiver):
    made = add(shop, receiver.url, label="Warehouse")
    assert re.fullmatch(r"whk_\w+", made["id"])
    sku = shop.product(price=1000, stock=50)
    orders = [shop.paid_order({sku: 1}) for _ in range(5)]
    got = receiver.wait(15)
    for one in got:
        assert verify(one["headers"], one["body"], [made["secret"]]) == [made["secret"]]
        assert verify(one["headers"], one["body"] + b" ", [made["secret"]]) == []      # the control
        assert one["headers"]["Content-Type"] == "application/json"
        assert set(payload(one)) == {"type", "timestamp", "data"}
        assert re.fullmatch(r"msg_\w+", one["id"]) and one["path"] == "/in"
    assert len({one["id"] for one in got}) == len(got)
    for order in orders:
        kinds = [payload(one)["type"] for one in got if payload(one)["data"].get("order") == order["id"]]
        assert kinds[0] == "order.placed" and set(kinds) == {"order.placed", "payment.received", "order.paid"}
    assert receiver.most_at_once <= 8
    log = until(lambda: all(m["state"] == "taken" for m in messages(shop, made)) and messages(shop, made))
    assert len(log) == 15 and all(len(m["attempts"]) == 1 and m["attempts"][0]["status"] == 204 for m in log)
    one = ok(shop.sk.request("GET", f"/v1/webhooks/{made['id']}/messages/{log[0]['id']}"), 200)
    assert one["body"].encode() == next(g["body"] for g in got if g["id"] == log[0]["id"])
    listed = ok(shop.sk.request("GET", "/v1/webhooks"), 200)["items"]
    assert [(w["id"], w["state"], w["waiting"], w["label"]) for w in listed] == [(made["id"], "active", 0, "Warehouse")]
    assert "secret" not in json.dumps(listed).replace("earlier_secrets_until", "").replace('"secrets"', "")


def test_an_endpoint_hears_what_it_picks(shop, receiver):
    for bad in (["order.payed"], ["nothing.*"], ["orders.*"], [], ["order.paid "]):
        answer = shop.sk.request("POST", "/v1/webhooks", {"url": receiver.url, "events": bad}, idempotency=unique("hook"))
        assert problem(answer, 422)
    assert "order.paid" in problem(shop.sk.request("POST", "/v1/webhooks", {"url": receiver.url, "events": ["order.payed"]},
                                                   idempotency=unique("hook")), 422)["detail"]
    add(shop, receiver.url + "/paid", ["order.paid"])
    add(shop, receiver.url + "/customers", ["customer.*"])
    sku = shop.product(price=1000, stock=50)
    shop.customer("anna")
    shop.paid_order({sku: 1})
    receiver.wait(2)
    time.sleep(0.5)
    assert sorted((g["path"], payload(g)["type"]) for g in receiver.got) == [("/in/customers", "customer.joined"), ("/in/paid", "order.paid")]


MOODS = {
    "plugin": """return { name = "moods", version = "1.0.0", api = 1, title = "Moods",
  collections = { moods = { fields = { customer = "customer", mood = "string" }, key = "customer" } },
  events = { changed = { about = "A mood.", payload = { mood = "string", whose = "string" }, key = "whose" } },
  facts = { mood = { run = "rules.mood", type = "string", from = { collection = "moods", by = "customer" } } },
  routes = { ["POST /mood"] = { run = "events.set", auth = "customer", body = { mood = "string" } } } }""",
    "rules": "return { mood = function(rows) return rows[1] and rows[1].mood end }",
    "events": """local moods, plugin = require("feira.store").moods, require "feira.plugin"
return { set = function(call)
  if not moods:update(call.customer, { mood = call.body.mood }) then moods:insert { customer = call.customer, mood = call.body.mood } end
  plugin.emit("changed", { mood = call.body.mood, whose = call.customer })
  return { status = 200, body = {} }
end }""",
}


def test_what_plugins_say_is_told_to_those_who_pick_it_by_name(own_shop, receiver):
    shop = own_shop(settings={"plugins": "{ moods = {} }"}, plugins={"moods": MOODS}, options=options_for(receiver))
    for path, events in ("/all", ["*"]), ("/moods", ["moods.*"]), ("/facts", ["fact.changed"]):
        add(shop, receiver.url + path, events)
    problem(shop.sk.request("POST", "/v1/webhooks", {"url": receiver.url, "events": ["moods.changes"]}, idempotency=unique("hook")), 422)
    anna = shop.customer()
    for mood in "glum", "merry", "glum":
        ok(anna.request("POST", "/v1/x/moods/mood", {"mood": mood}), 200)
    receiver.wait(7)
    time.sleep(0.5)
    told = {path: [payload(g) for g in receiver.got if g["path"] == "/in" + path] for path in ("/all", "/moods", "/facts")}
    assert [t["type"] for t in told["/all"]] == ["customer.joined"]
    assert [(t["type"], t["data"]) for t in told["/moods"]] == [
        ("moods.changed", {"mood": mood, "whose": anna.customer}) for mood in ("glum", "merry", "glum")]       # by the key it names
    assert [(t["data"]["fact"], t["data"].get("old"), t["data"]["new"]) for t in told["/facts"]] == [
        ("moods.mood", None, "glum"), ("moods.mood", "glum", "merry"), ("moods.mood", "merry", "glum")]


def test_no_personal_field_goes_anywhere_unless_it_was_asked_for(shop, receiver):
    add(shop, receiver.url + "/plain")
    add(shop, receiver.url + "/named", ["order.placed"], personal=["order.address", "customer.email"])
    sku = shop.product(price=1000, stock=50)
    ok(shop.sk.request("PUT", "/v1/customers/anna", {"email": "anna@example.org", "name": "Anna Liddell", "phone": "+441234567"}), 201)
    anna = shop.client(ok(shop.sk.request("POST", "/v1/customers/anna/tokens", {}), 201)["token"])
    address = {"line1": "1 Rabbit Hole", "city": "Oxford", "country": "GB"}
    cart = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000, "address": address,
            "contact": {"name": "Anna Liddell", "email": "anna@example.org"}, "note": "leave it with the hatter"}
    ok(anna.request("POST", "/v1/orders", cart, idempotency=unique("order")), 201)
    got = receiver.wait(3)
    time.sleep(0.3)
    plain = [g for g in got if g["path"] == "/in/plain"]
    assert plain and not any(word in g["body"].decode() for g in plain for word in ("Anna", "example.org", "Rabbit", "hatter", "1234567"))
    named = [payload(g) for g in receiver.got if g["path"] == "/in/named"]
    assert [n["personal"] for n in named] == [{"order.address": address, "customer.email": "anna@example.org"}]
    assert "hatter" not in json.dumps(named) and "Liddell" not in json.dumps(named)
    # Who may not read a field himself can't have it sent, nor have it sent elsewhere, nor read what was sent.
    key = ok(shop.operator.request("POST", "/v1/keys", {"kind": "sk", "label": "hooks", "scopes": ["webhooks:write"]}, idempotency=unique("k")), 201)
    narrow = shop.client(key["key"])
    listed = {w["url"]: w for w in ok(narrow.request("GET", "/v1/webhooks"), 200)["items"]}
    with_fields = listed[receiver.url + "/named"]["id"]
    for field in ("order.address", "customer.phone"):
        body = {"url": receiver.url, "events": ["*"], "personal": [field]}
        problem(narrow.request("POST", "/v1/webhooks", body, idempotency=unique("hook")), 403)
    problem(narrow.request("PATCH", f"/v1/webhooks/{with_fields}", {"url": receiver.url + "/mine"}), 403)
    log = ok(narrow.request("GET", f"/v1/webhooks/{with_fields}/messages"), 200)["items"]
    problem(narrow.request("GET", f"/v1/webhooks/{with_fields}/messages/{log[0]['id']}"), 403)
    add(shop, receiver.url, client=narrow)
    problem(shop.sk.request("POST", "/v1/webhooks", {"url": receiver.url, "events": ["*"], "personal": ["customer.shoe_size"]},
                            idempotency=unique("hook")), 422)


# --- what fails ---------------------------------------------------------------------------------------------------------------------

def test_what_fails_comes_again_the_same_and_signed_anew(shop, receiver):
    receiver.answers(500, b"out of\nservice\x00" + b"x" * 5000)
    made = add(shop, receiver.url, ["customer.joined"])
    shop.customer()
    receiver.wait(1)
    message = until(lambda: (m := messages(shop, made)[0]) and m["attempts"] and m)
    assert message["state"] == "waiting" and message["failed"] == 1 and message["attempts"][0]["status"] == 500
    assert message["attempts"][0]["why"].startswith("It answered 500: out of service xxx") and len(message["attempts"][0]["why"]) < 300
    receiver.takes()
    first, second = receiver.wait(2)[:2]
    assert first["body"] == second["body"] and first["id"] == second["id"]
    assert 4 < second["at"] - first["at"] < 9                              # 5 s, and some chance
    assert first["headers"]["webhook-timestamp"] != second["headers"]["webhook-timestamp"]
    for one in (first, second):
        assert verify(one["headers"], one["body"], [made["secret"]])
    until(lambda: messages(shop, made)[0]["state"] == "taken")
    assert [a["status"] for a in messages(shop, made)[0]["attempts"]] == [500, 204]


def reset(handler, got):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def dies_in_its_answer(handler, got):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nbegun and ")
    handler.wfile.flush()
    reset(handler, got)


def redirects(handler, got):
    handler.answer(307, Location=f"http://hooks.example.com:{handler.server.server_address[1]}/elsewhere")


@pytest.mark.parametrize("behave, why", [(reset, "broke the answer off"), (dies_in_its_answer, "broke the answer off"),
                                         (redirects, "redirects are not followed")])
def test_an_answer_that_is_none_is_a_failure(shop, receiver, behave, why):
    receiver.behaves(behave)
    made = add(shop, receiver.url, ["customer.joined"])
    shop.customer()
    message = until(lambda: (m := messages(shop, made)) and m[0]["attempts"] and m[0])
    assert why in message["attempts"][0]["why"] and message["state"] == "waiting"
    assert all(g["path"] == "/in" for g in receiver.got)
    receiver.takes()
    until(lambda: messages(shop, made)[0]["state"] == "taken")


def test_a_long_answer_is_not_read_to_its_end(shop, receiver):
    receiver.answers(200, b"<html>" * 400000)
    made = add(shop, receiver.url, ["customer.joined"])
    shop.customer()
    until(lambda: (m := messages(shop, made)) and m[0]["state"] == "taken")
    assert len(receiver.got) == 1


def test_nobody_there(shop, receiver):
    made = add(shop, f"http://hooks.example.com:{receiver.port}/in", ["customer.joined"])
    receiver.close()
    shop.customer()
    message = until(lambda: (m := messages(shop, made)) and m[0]["attempts"] and m[0])
    assert "does not take connections" in message["attempts"][0]["why"] and "status" not in message["attempts"][0]


def test_retry_after_is_kept_and_410_disables(shop, receiver):
    receiver.answers(429, Retry_After="3600")
    made = add(shop, receiver.url, ["customer.joined"])
    shop.customer()
    until(lambda: (m := messages(shop, made)) and m[0]["attempts"])
    one = webhook(shop, made)
    assert one["state"] == "active" and one["rests_until"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3500))
    shop.customer()
    time.sleep(1)
    assert len(receiver.got) == 1                                          # it asked for an hour, for all of them
    receiver.answers(410)
    post(shop, made, "resume")
    until(lambda: webhook(shop, made)["state"] == "disabled")
    one = webhook(shop, made)
    assert "410" in one["why"] and one["waiting"] == 2
    problem(shop.sk.request("POST", f"/v1/webhooks/{made['id']}/ping", {}), 409)
    shop.customer()
    seen = len(receiver.got)
    time.sleep(1)
    assert len(receiver.got) == seen and webhook(shop, made)["waiting"] == 3
    found = json.loads(feira("doctor", shop.folder, "--json").stdout)["findings"]
    assert [f["level"] for f in found if f["check"] == "webhooks"] == ["warning"]
    assert "resume" in next(f["advice"] for f in found if f["check"] == "webhooks")
    assert "webhook.disabled" in shop.server.stderr()
    receiver.takes()
    post(shop, made, "resume")
    until(lambda: webhook(shop, made)["waiting"] == 0)


def test_one_that_fails_often_is_tried_with_one_message_at_a_time(shop, receiver):
    receiver.answers(503)
    made = add(shop, receiver.url, ["customer.joined"], ordered=False)
    for _ in range(30):
        shop.customer()
    until(lambda: webhook(shop, made)["failures"] >= 5)
    time.sleep(1)
    seen = len(receiver.got)
    assert seen < 20, "a shop hammers on an endpoint that is down"
    assert "rests_until" in webhook(shop, made)
    receiver.takes()
    until(lambda: webhook(shop, made)["waiting"] == 0, within=40)           # the rest is 10 s, and some chance
    assert {g["id"] for g in receiver.got} == {m["id"] for m in messages(shop, made)}


def test_a_slow_endpoint_delays_nobody(own_shop, receiver):
    slow = Receiver()
    shop = own_shop(options=options_for(receiver, slow))
    slow.behaves(lambda handler, got: (time.sleep(3), handler.answer(204)))
    add(shop, slow.url, ["customer.joined"])
    add(shop, receiver.url, ["customer.joined"])
    began = time.monotonic()
    names = [shop.customer().customer for _ in range(40)]
    assert time.monotonic() - began < 10
    receiver.wait(40, within=10)
    assert len(slow.got) <= 16 and slow.most_at_once <= 8
    came = [payload(g)["data"]["customer"] for g in receiver.got]
    assert sorted(came) == sorted(names)
    slow.close()


# --- order --------------------------------------------------------------------------------------------------------------------------

def test_what_is_about_one_order_waits_for_what_came_before(shop, receiver):
    refused = set()

    def behave(handler, got):
        body = payload(got)
        if body["type"] == "order.placed" and (got["path"], got["id"]) not in refused:
            refused.add((got["path"], got["id"]))
            handler.answer(500)
        else:
            time.sleep(0.02)
            handler.answer(200)

    receiver.behaves(behave)
    made = add(shop, receiver.url, ["order.*"])
    free = add(shop, receiver.url + "/free", ["order.*"], ordered=False)
    sku = shop.product(price=1000, stock=50)
    a, b = shop.paid_order({sku: 1}), shop.paid_order({sku: 1})
    until(lambda: webhook(shop, made)["waiting"] == 0 and webhook(shop, free)["waiting"] == 0, within=30)
    for order in a, b:
        taken = [payload(g)["type"] for g in receiver.got if payload(g)["data"]["order"] == order["id"] and g["path"] == "/in"]
        assert taken == ["order.placed", "order.placed", "order.paid"]
        loose = [payload(g)["type"] for g in receiver.got if payload(g)["data"]["order"] == order["id"] and g["path"] == "/in/free"]
        assert loose in (["order.placed", "order.paid", "order.placed"], ["order.paid", "order.placed", "order.placed"])


# --- secrets ------------------------------------------------------------------------------------------------------------------------

def test_a_new_secret_signs_beside_the_old_one_until_that_ends(shop, receiver):
    made = add(shop, receiver.url, ["customer.joined"])
    old = made["secret"]
    turned = post(shop, made, "rotate", {"keep_for": 3})
    assert turned["secret"] != old and turned["secret"].startswith("whsec_")
    shop.customer()
    got = receiver.wait(1)[0]
    assert verify(got["headers"], got["body"], [old, turned["secret"]]) == [old, turned["secret"]]
    assert len(got["headers"]["webhook-signature"].split(" ")) == 2
    assert webhook(shop, made)["secrets"] == 2 and "earlier_secrets_until" in webhook(shop, made)
    time.sleep(3.2)
    shop.customer()
    got = receiver.wait(2)[1]
    assert verify(got["headers"], got["body"], [old, turned["secret"]]) == [turned["secret"]]
    last = post(shop, made, "rotate", {"keep_for": 0})
    shop.customer()
    got = receiver.wait(3)[2]
    assert verify(got["headers"], got["body"], [turned["secret"], last["secret"]]) == [last["secret"]]


def test_a_secret_is_shown_once_and_kept_nowhere_else(shop, receiver):
    key = unique("hook")
    body = {"url": receiver.url, "events": ["*"]}
    made = ok(shop.sk.request("POST", "/v1/webhooks", body, idempotency=key), 201)
    again = shop.sk.request("POST", "/v1/webhooks", body, idempotency=key)
    assert made["secret"] not in json.dumps(again.json())
    assert made["secret"] not in json.dumps(webhook(shop, made))
    assert made["secret"] not in shop.server.stderr()
    assert (os.stat(shop.server.data / "shop.db").st_mode & 0o777) == 0o600


# --- by hand ------------------------------------------------------------------------------------------------------------------------

def test_messages_are_sent_again_by_hand(shop, receiver):
    made = add(shop, receiver.url, ["customer.joined"])
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
    for _ in range(3):
        shop.customer()
    first = receiver.wait(3)[0]
    until(lambda: webhook(shop, made)["waiting"] == 0)
    post(shop, made, f"messages/{first['id']}/replay")
    again = receiver.wait(4)[3]
    assert again["id"] == first["id"] and again["body"] == first["body"]
    assert verify(again["headers"], again["body"], [made["secret"]])
    until(lambda: webhook(shop, made)["waiting"] == 0)
    assert post(shop, made, "replay", {"since": before}) == {"replayed": 0, "next_cursor": None}   # nothing was given up
    assert post(shop, made, "replay", {"since": before, "taken": True})["replayed"] == 3
    receiver.wait(7)
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    assert post(shop, made, "replay", {"since": later, "taken": True})["replayed"] == 0
    problem(shop.sk.request("POST", f"/v1/webhooks/{made['id']}/messages/msg_0/replay", {}), 404)
    problem(shop.sk.request("POST", f"/v1/webhooks/{made['id']}/replay", {"since": "yesterday"}), 422)
    problem(shop.sk.request("POST", "/v1/webhooks/whk_0/replay", {"since": later}), 404)


def test_what_was_refused_too_often_is_given_up_kept_and_sent_again(shop, receiver):
    receiver.answers(400, b'{"error":"no such field"}')
    made = add(shop, receiver.url, ["order.*"])
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
    sku = shop.product(price=1000, stock=5)
    shop.paid_order({sku: 1})
    until(lambda: webhook(shop, made)["failures"] == 1)
    shop.hang_up()
    shop.server.terminate()
    with contextlib.closing(sqlite3.connect(shop.server.data / "shop.db", timeout=30)) as db, db:
        assert db.execute("UPDATE webhook_deliveries SET tries = 9, due_ms = 0 WHERE due_ms IS NOT NULL").rowcount == 1
    shop.server.start()
    until(lambda: webhook(shop, made)["given_up"] == 1)
    receiver.takes()
    placed, paid = sorted(messages(shop, made), key=lambda m: m["id"])
    assert (placed["event"], placed["state"], placed["failed"], len(placed["attempts"])) == ("order.placed", "given_up", 10, 2)
    assert paid["event"] == "order.paid" and paid["state"] in ("waiting", "taken")      # it has its turn
    assert "webhook.given_up" in shop.server.stderr()
    assert "1 given up" in feira("webhooks", shop.folder).stdout
    found = json.loads(feira("doctor", shop.folder, "--json").stdout)["findings"]
    assert "refused too often" in next(f["text"] for f in found if f["check"] == "webhooks")
    until(lambda: webhook(shop, made)["waiting"] == 0)
    assert "1 message is sent again" in feira("webhooks", shop.folder, "replay", made["id"], "--since", before).stdout
    until(lambda: webhook(shop, made)["given_up"] == 0 and webhook(shop, made)["waiting"] == 0)
    assert receiver.got[-1]["id"] == placed["id"]
    assert '"webhooks"' in feira("doctor", shop.folder, "--json").stdout


def test_paused_nothing_is_sent_and_nothing_lost(shop, receiver):
    made = add(shop, receiver.url, ["customer.joined"])
    post(shop, made, "pause")
    names = [shop.customer().customer for _ in range(3)]
    time.sleep(1)
    assert receiver.got == [] and webhook(shop, made)["state"] == "paused" and webhook(shop, made)["waiting"] == 3
    post(shop, made, "resume")
    assert sorted(payload(g)["data"]["customer"] for g in receiver.wait(3)) == sorted(names)


def test_a_removed_one_hears_nothing_more(shop, receiver):
    made = add(shop, receiver.url, ["customer.joined"])
    post(shop, made, "pause")
    shop.customer()
    ok(shop.sk.request("DELETE", f"/v1/webhooks/{made['id']}"), 200)
    shop.customer()
    time.sleep(1)
    assert receiver.got == []
    problem(shop.sk.request("GET", f"/v1/webhooks/{made['id']}"), 404)
    assert ok(shop.sk.request("GET", "/v1/webhooks"), 200)["items"] == []


def test_what_nobody_took_for_two_weeks_is_forgotten_and_said(shop, receiver):
    made = add(shop, receiver.url, ["customer.joined"])
    shop.customer()
    receiver.wait(1)
    until(lambda: webhook(shop, made)["waiting"] == 0)
    post(shop, made, "pause")
    shop.customer()
    shop.hang_up()
    shop.server.terminate()
    with contextlib.closing(sqlite3.connect(shop.server.data / "shop.db", timeout=30)) as db, db:
        assert db.execute("UPDATE webhook_messages SET made_ms = made_ms - 15 * 86400000").rowcount == 2
    shop.server.start()
    until(lambda: webhook(shop, made)["waiting"] == 0)
    assert messages(shop, made) == []
    forgotten = [json.loads(line) for line in shop.server.stderr().splitlines() if "webhook.forgotten" in line]
    assert [f["messages"] for f in forgotten] == [1]                       # the other one was taken
    shop.customer()
    post(shop, made, "resume")
    receiver.wait(2)


def test_there_are_fifty_at_most(shop):
    made = [add(shop, f"http://127.0.0.1:9/{n}", ["order.paid"]) for n in range(50)]
    answer = shop.sk.request("POST", "/v1/webhooks", {"url": "http://127.0.0.1:9/", "events": ["*"]}, idempotency=unique("hook"))
    assert "50 webhooks" in problem(answer, 409)["detail"]
    ok(shop.sk.request("DELETE", f"/v1/webhooks/{made[0]['id']}"), 200)
    add(shop, "http://127.0.0.1:9/last", ["order.paid"])


def test_settings_are_changed(shop, receiver):
    made = add(shop, receiver.url, ["customer.joined"], label="a")
    ok(shop.sk.request("PATCH", f"/v1/webhooks/{made['id']}", {"url": receiver.url + "/new", "events": ["order.*"], "label": "b"}), 200)
    shop.customer()
    sku = shop.product(price=1000, stock=5)
    shop.place({sku: 1})
    got = receiver.wait(1)
    assert [(g["path"], payload(g)["type"]) for g in got] == [("/in/new", "order.placed")]
    assert verify(got[0]["headers"], got[0]["body"], [made["secret"]])
    assert webhook(shop, made)["label"] == "b" and webhook(shop, made)["ordered"] is True


# --- crashes ------------------------------------------------------------------------------------------------------------------------

def test_killed_between_delivery_and_record_it_comes_again_with_its_id(shop, receiver):
    made = add(shop, receiver.url, ["customer.joined"])
    pid = shop.server.process.pid
    receiver.behaves(lambda handler, got: os.kill(pid, signal.SIGKILL))     # it came, and nobody ever hears that it did
    name = shop.customer().customer
    receiver.wait(1)
    shop.server.process.wait()
    receiver.takes()
    shop.hang_up()
    shop.server.start()
    first, second = receiver.wait(2)[:2]
    assert first["id"] == second["id"] and first["body"] == second["body"] and payload(second)["data"]["customer"] == name
    until(lambda: messages(shop, made)[0]["state"] == "taken")
    time.sleep(0.5)
    assert len(receiver.got) == 2


def test_killed_again_and_again_everything_comes_and_each_order_in_its_order(own_shop, receiver):
    shop = own_shop(options=options_for(receiver), workers=2)
    receiver.behaves(lambda handler, got: handler.answer(200 if hash(got["at"]) % 7 else 500))
    made = add(shop, receiver.url, ["order.*"])
    sku = shop.product(price=1000, stock=100_000)                          # more than a fast machine can sell in the time
    placed, chance = [], random.Random(4)
    for _ in range(6):
        end = time.monotonic() + chance.uniform(0.1, 0.6)
        while time.monotonic() < end:
            placed.append(shop.paid_order({sku: 1})["id"])
        shop.server.kill()
        shop.hang_up()
        shop.server.start()
    receiver.takes()
    post(shop, made, "resume")                                             # what rests, and what waits for its next try
    until(lambda: webhook(shop, made)["waiting"] == 0, within=40)
    came = {}
    for got in receiver.got:
        came.setdefault(payload(got)["data"]["order"], []).append(payload(got)["type"])
    assert set(placed) <= set(came)                                        # one that was not answered may be there, too
    for order, kinds in came.items():
        assert kinds.index("order.placed") == 0, (order, kinds)
        if order in placed:
            assert set(kinds) == {"order.placed", "order.paid"}, (order, kinds)
    bodies = {}
    for got in receiver.got:
        assert verify(got["headers"], got["body"], [made["secret"]])
        assert bodies.setdefault(got["id"], got["body"]) == got["body"]    # the same bytes in every try
    assert {m["state"] for m in messages(shop, made, "?limit=200")} == {"taken"}


def test_a_stop_waits_for_what_is_answered_soon(shop, receiver):
    receiver.behaves(lambda handler, got: (time.sleep(0.7), handler.answer(200)))
    made = add(shop, receiver.url, ["customer.joined"])
    shop.customer()
    receiver.wait(1)
    shop.hang_up()
    assert shop.server.terminate() == 0
    shop.server.start()
    assert messages(shop, made)[0]["state"] == "taken"
    receiver.behaves(lambda handler, got: time.sleep(20))                  # and for nobody else for long
    shop.customer()
    receiver.wait(2)
    shop.hang_up()
    began = time.monotonic()
    assert shop.server.terminate() == 0
    assert time.monotonic() - began < 8
    receiver.takes()
    shop.server.start()
    receiver.wait(3)
    until(lambda: webhook(shop, made)["waiting"] == 0)
    assert receiver.got[1]["id"] == receiver.got[2]["id"] != receiver.got[0]["id"] and len(receiver.got) == 3


def test_stopped_and_started_nothing_is_lost_or_doubled(shop, receiver):
    made = add(shop, receiver.url, ["customer.joined"])
    names = []
    for _ in range(3):
        names += [shop.customer().customer for _ in range(10)]
        shop.hang_up()
        shop.server.terminate()
        shop.server.start()
    receiver.wait(len(names), within=20)
    until(lambda: webhook(shop, made)["waiting"] == 0)
    assert {payload(g)["data"]["customer"] for g in receiver.got} == set(names)
    assert len({g["id"] for g in receiver.got}) == len(names)              # some may come twice: with their ids


# --- where it may go ----------------------------------------------------------------------------------------------------------------

def test_only_https_and_public_addresses(own_shop, receiver):
    shop = own_shop(options=["--resolve", f"hooks.example.com:{receiver.port}:127.0.0.1"])
    for url in ("http://hooks.example.com/in", "https://127.0.0.1/in", "https://10.1.2.3/", "https://[::1]/", "https://[::ffff:127.0.0.1]/",
                "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/", "https://192.168.0.1:8443/",
                "https://169.254.169.254/latest", "https://[fd00::1]/", "https://[64:ff9b::7f00:1]/", "https://me:secret@example.com/",
                "ftp://example.com/", "https://example.com/#part", "example.com", "https:///in", "https://exa mple.com/"):
        answer = shop.sk.request("POST", "/v1/webhooks", {"url": url, "events": ["*"]}, idempotency=unique("hook"))
        assert answer.status == 422 and problem(answer, 422)["field"] == "/url", (url, answer)
    # A name that leads inwards is seen when it is looked up.
    made = add(shop, f"https://hooks.example.com:{receiver.port}/in", ["customer.joined"])
    shop.customer()
    message = until(lambda: (m := messages(shop, made)) and m[0]["attempts"] and m[0])
    assert "not public" in message["attempts"][0]["why"] and receiver.got == []


def test_what_was_allowed_for_development_is_not_later(shop, receiver):
    made = add(shop, receiver.url, ["customer.joined"])
    shop.hang_up()
    shop.server.terminate()
    shop.server.options = ["--resolve", f"hooks.example.com:{receiver.port}:127.0.0.1"]
    shop.server.start()
    shop.customer()
    message = until(lambda: (m := messages(shop, made)) and m[0]["attempts"] and m[0])
    assert "not https" in message["attempts"][0]["why"] and receiver.got == []


# --- the command, and what ops see --------------------------------------------------------------------------------------------------

def test_the_command(shop, receiver):
    def run(*arguments, code=0):
        done = feira("webhooks", shop.folder, *arguments)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    assert "There are no webhooks" in run()
    out = run("add", receiver.url, "--events", "customer.*,order.paid", "--label", "CRM", "--personal", "customer.email")
    secret, made = out.splitlines()[0], {"id": re.search(r"whk_\w+", out)[0]}
    assert secret.startswith("whsec_")
    listed = run()
    assert made["id"] in listed and "customer.*,order.paid" in listed and "customer.email" in listed and "CRM" in listed
    out = run("ping", made["id"])
    assert "webhook.ping" in out and "taken" in out and "204" in out
    assert verify(receiver.got[0]["headers"], receiver.got[0]["body"], [secret])
    turned = run("rotate", made["id"], "--keep", "1h")
    assert turned.startswith("whsec_") and "until" in turned
    receiver.answers(500, b"no")
    assert "did not take it" in run("ping", made["id"], code=1)
    receiver.takes()
    message = messages(shop, made)[0]["id"]
    assert "It answered 500: no" in run("log", made["id"]) and message in run("log", made["id"], "--state", "waiting")
    assert '{"type":"webhook.ping"' in run("message", made["id"], message)
    run("replay", made["id"], message)
    until(lambda: webhook(shop, made)["waiting"] == 0)
    assert "2 messages are sent again" in run("replay", made["id"], "--since", "2020-01-01T00:00:00Z", "--taken")
    run("pause", made["id"])
    assert "paused" in run()
    run("resume", made["id"])
    run("change", made["id"], "--events", "order.*", "--label", "Books", "--unordered", "--personal", "")
    assert "Books" in run() and "in any order" in run() and "customer.email" not in run()
    run("change", made["id"], "--ordered")
    assert "Books" in run() and "in any order" not in run()
    run("remove", made["id"])
    assert "There are no webhooks" in run()
    assert "no id of a webhook" in run("ping", "../../x", code=3)
    assert "There is no \"dance\"" in run("dance", code=3)
    assert "Write which" in run("replay", "whk_1", code=3)


def test_ops_see_how_far_behind_it_is(shop, receiver):
    made = add(shop, receiver.url, ["customer.joined"])
    shop.customer()
    receiver.wait(1)
    until(lambda: webhook(shop, made)["waiting"] == 0)
    post(shop, made, "pause")
    shop.customer()
    time.sleep(1.1)
    status = ok(shop.operator.request("GET", "/v1/status"), 200)["webhooks"]
    assert status == {"endpoints": 1, "disabled": 0, "failing": 0, "waiting": 1, "given_up": 0, "lag_seconds": status["lag_seconds"]}
    assert status["lag_seconds"] >= 1
    metrics = shop.pk.request("GET", "/metrics").body.decode()
    assert "feira_webhooks_taken_total 1\n" in metrics and "feira_webhooks_waiting 1\n" in metrics
    assert int(re.search(r"^feira_webhooks_lag_seconds (\d+)$", metrics, re.M)[1]) >= 1
    other = add(shop, receiver.url, ["order.*"])
    lags = dict(re.findall(r'^feira_webhook_lag_seconds{webhook="(whk_\w+)"} (\d+)$', shop.pk.request("GET", "/metrics").body.decode(), re.M))
    assert int(lags[made["id"]]) >= 1 and lags[other["id"]] == "0" and len(lags) == 2
    assert "webhooks" in feira("status", shop.folder).stdout
