"""Events that plugins hear after the commit: at least once and in their order, tried again, given up, replayed; whatever happens in between."""

import contextlib
import json
import re
import sqlite3
import threading
import time

import pytest
from feira_tools.wire import NoAnswer
from market import Shop, feira, ok, open_shop, problem, unique
from test_plugins import plugin
from test_stops import eventually, resume, stop

# Hears what happens to orders and keeps it; fails as long as its row of moods says so, for orders whose reference it has.
LISTENER = plugin(
    "listener",
    """
    collections = {
      heard = { fields = { event = "string", key = "string", at = "time" }, index = { "key" } },
      sick = { fields = { order = "string" }, index = { "order" } },
    },
    events = { said = { about = "Something was said.", key = "room", payload = { room = "string", n = "integer" } } },
    routes = {
      ["GET /heard"] = { run = "events.list", auth = "server", query = { key = { type = "string", max = 64 } } },
      ["POST /sick"] = { run = "events.fall_sick", auth = "server", body = { order = "string" } },
      ["POST /well"] = { run = "events.get_well", auth = "server" },
      ["POST /say"] = { run = "events.say", auth = "server", body = { room = "string", n = "integer" } },
    },
    on = {
      ["order.placed"] = { run = "events.placed", when = "after_commit" },
      ["payment.received"] = { run = "events.received", when = "after_commit" },
      ["order.paid"] = { run = "events.paid", when = "after_commit" },
      ["order.cancelled"] = { run = "events.cancelled", when = "after_commit" },
      ["listener.said"] = { run = "events.said", when = "after_commit" },
    },
    """,
    events="""
local store, json, plugin, time = require "feira.store", require "feira.json", require "feira.plugin", require "feira.time"
local events = {}
local function hear(name, key)
  if store.sick:find({ order = key })[1] or store.sick:find({ order = "all" })[1] then error("I am sick of " .. key) end
  store.heard:insert { event = name, key = key, at = time.now() }
end
for _, name in ipairs { "placed", "paid", "cancelled" } do events[name] = function(e) hear(name, e.order) end end
function events.received(e) hear("received", e.order) end
function events.said(e) hear(tostring(e.n), e.room) end
function events.say(call) plugin.emit("said", call.body) return { status = 200, body = {} } end
function events.fall_sick(call) store.sick:insert { order = call.body.order } return { status = 200, body = {} } end
function events.get_well()
  for row in store.sick:each() do store.sick:delete(row.id) end
  return { status = 200, body = {} }
end
function events.list(call)
  local names = {}
  for row in store.heard:each { where = { key = call.query.key } } do names[#names + 1] = row.event end
  return { status = 200, body = { names = json.array(names) } }
end
return events
""",
)
ON = {"plugins": "{ listener = {} }"}
LIFE = ["placed", "received", "paid", "cancelled"]


@pytest.fixture
def shop(own_shop):
    return own_shop(settings=ON, plugins={"listener": LISTENER})


def post(shop, path, **body):
    return ok(shop.sk.request("POST", f"/v1/x/listener/{path}", body), 200)


def heard(shop, key):
    return ok(shop.sk.request("GET", f"/v1/x/listener/heard?key={key}"), 200)["names"]


def live(shop, sku):
    """A whole life of an order; its id."""
    order = shop.paid_order({sku: 1})
    ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("cancel")), 200)
    return order["id"]


def events(shop, **query):
    text = "&".join(f"{k}={str(v).lower()}" for k, v in query.items())
    return ok(shop.operator.request("GET", f"/v1/events?{text}"), 200)["items"]


def metric(shop, name):
    text = shop.client("").request("GET", "/metrics").body.decode()
    return int(re.search(rf"^feira_{name} (\d+)$", text, re.M)[1])


@contextlib.contextmanager
def database(folder):
    with contextlib.closing(sqlite3.connect(folder / "data" / "shop.db", timeout=30)) as db, db:
        yield db


def test_an_orders_events_are_heard_in_their_order_and_once(shop):
    sku = shop.product(stock=1000)
    orders = []
    threads = [threading.Thread(target=lambda: [orders.append(live(shop_of(shop), sku)) for _ in range(8)]) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(orders) == 32
    eventually(lambda: all(len(heard(shop, o)) == 4 for o in orders))
    assert all(heard(shop, o) == LIFE for o in orders)
    assert events(shop) == [] and metric(shop, "events_waiting") == 0 and metric(shop, "events_heard_total") == 32 * 4


def shop_of(shop):
    """The same server, by connections of one's own."""
    other = Shop.__new__(Shop)
    other.folder, other.server, other.clients = shop.folder, shop.server, []
    return other


def test_what_fails_holds_up_its_own_order_only(shop):
    sku = shop.product(stock=100)
    bad = shop.place({sku: 1})
    eventually(lambda: heard(shop, bad["id"]) == ["placed"])
    post(shop, "sick", order=bad["id"])
    shop.pay(bad)
    good = live(shop, sku)
    eventually(lambda: heard(shop, good) == LIFE)
    eventually(lambda: len(events(shop)) == 2 and events(shop)[0]["tries"] >= 1)
    first, second = events(shop)
    assert (first["event"], first["state"], first["plugin"], first["key"]) == ("payment.received", "waits", "listener", f"order {bad['id']}")
    assert f"I am sick of {bad['id']}" in first["last_error"] and first["payload"]["order"] == bad["id"] and first["next_try_at"]
    assert (second["event"], second["state"], second["tries"]) == ("order.paid", "behind", 0) and "next_try_at" not in second
    out = feira("events", shop.folder).stdout
    assert "payment.received" in out and "waits for an earlier one" in out and "failed 1 time" in out and "I am sick of" in out
    told = problem(shop.operator.request("POST", f"/v1/events/{second['id']}/replay", {}), 409, "event_behind")
    assert f"event {first['id']}," in told["detail"]
    # Mended, it is heard by itself in a few seconds: the first time after 5 s.
    assert heard(shop, bad["id"]) == ["placed"]
    post(shop, "well")
    eventually(lambda: heard(shop, bad["id"]) == ["placed", "received", "paid"], within=15)


def test_what_fails_ten_times_is_a_dead_letter_and_comes_back_by_hand(tmp_path):
    with open_shop(tmp_path, settings=ON, plugins={"listener": LISTENER}) as shop:
        sku = shop.product(stock=100)
        order = shop.place({sku: 1})
        eventually(lambda: heard(shop, order["id"]) == ["placed"])
        post(shop, "sick", order=order["id"])
        shop.pay(order)
        eventually(lambda: len(events(shop)) == 2 and events(shop)[0]["tries"] == 1)
        shop.server.terminate()
        with database(tmp_path) as db:  # as after a day
            assert db.execute("UPDATE journal_events SET tries = 9, due_ms = 0 WHERE due_ms IS NOT NULL").rowcount == 1
        shop.server.start()
        # The one behind it is tried now, and fails for itself.
        eventually(lambda: len(events(shop, dead=True)) == 1 and [e["tries"] for e in events(shop)] == [1])
        letter = events(shop, dead=True)[0]
        assert (letter["event"], letter["state"], letter["tries"]) == ("payment.received", "dead", 10)
        assert "I am sick" in letter["last_error"] and letter["given_up_at"]
        status = feira("status", shop.folder).stdout
        assert "1 event could not be brought to a plugin and was given up" in status and "1 to be heard, 1 dead letters" in status
        assert metric(shop, "events_dead") == 1 and metric(shop, "events_given_up_total") == 1 and metric(shop, "events_failed_total") == 2
        doctor = json.loads(feira("doctor", shop.folder, "--json").stdout)
        found = {f["check"]: f for f in doctor["findings"]}["events"]
        assert found["level"] == "warning" and "--dead" in found["advice"]
        listed = feira("events", shop.folder, "--dead").stdout
        assert f"{letter['id']}  " in listed and "failed 10 times" in listed and "given up" in listed
        # Mended and replayed, it comes before the one that waits behind.
        post(shop, "well")
        done = feira("events", shop.folder, "--replay", letter["id"])
        assert done.returncode == 0 and f"Event {letter['id']} is brought" in done.stdout
        eventually(lambda: heard(shop, order["id"]) == ["placed", "received", "paid"], within=15)
        assert feira("events", shop.folder, "--dead").stdout == "There are no dead letters.\n"
        assert "dead letter" not in feira("status", shop.folder).stdout
        assert feira("events", shop.folder, "--replay", letter["id"]).returncode != 0, "it was heard"


def test_dead_letters_are_replayed_all_or_dropped(tmp_path):
    with open_shop(tmp_path, settings=ON, plugins={"listener": LISTENER}) as shop:
        sku = shop.product(stock=100)
        post(shop, "sick", order="all")
        orders = [shop.place({sku: 1})["id"] for _ in range(4)]
        eventually(lambda: [e["tries"] for e in events(shop)] == [1] * 4)
        shop.server.terminate()
        with database(tmp_path) as db:
            db.execute("UPDATE journal_events SET tries = 9, due_ms = 0")
        shop.server.start()
        eventually(lambda: len(events(shop, dead=True)) == 4)
        first = events(shop, dead=True, limit=1)
        assert len(first) == 1
        page = ok(shop.operator.request("GET", "/v1/events?dead=true&limit=3"), 200)
        rest = ok(shop.operator.request("GET", f"/v1/events?dead=true&limit=3&cursor={page['next_cursor']}"), 200)
        assert len(page["items"]) == 3 and len(rest["items"]) == 1 and rest["next_cursor"] is None
        assert feira("events", shop.folder, "--drop", first[0]["id"]).stdout == f"Event {first[0]['id']} is dropped.\n"
        assert feira("events", shop.folder, "--drop", first[0]["id"]).returncode == 1
        post(shop, "well")
        assert feira("events", shop.folder, "--replay", "all").stdout == "3 dead letters are brought to the plugins again.\n"
        eventually(lambda: [len(heard(shop, o)) for o in orders] == [0, 1, 1, 1])
        for path in ("/v1/events?dead=perhaps", "/v1/events?limit=0", "/v1/events?limit=201", "/v1/events?cursor=x"):
            problem(shop.operator.request("GET", path), 422)
        for path in ("/v1/events/0/replay", "/v1/events/x/replay", "/v1/events/99999999999999999999/replay"):
            problem(shop.operator.request("POST", path, {}), 404, "no_such_event")
        problem(shop.operator.request("DELETE", "/v1/events/all"), 404, "no_such_event")
        assert shop.pk.request("GET", "/v1/events").status == 403 and shop.sk.request("GET", "/v1/events").status == 403


def test_events_of_a_stopped_plugin_wait_in_their_order(shop):
    sku = shop.product(stock=100)
    stop(shop, "listener")
    orders = [live(shop, sku) for _ in range(3)]
    eventually(lambda: [e["state"] for e in events(shop)].count("parked") == 3)
    assert [e["state"] for e in events(shop)].count("behind") == 9 and all(e["tries"] == 0 for e in events(shop))
    one = events(shop)[0]
    problem(shop.operator.request("POST", f"/v1/events/{one['id']}/replay", {}), 409, "event_parked")
    assert "waits until the plugin is resumed" in feira("events", shop.folder).stdout
    resume(shop, "listener")
    eventually(lambda: all(heard(shop, o) == LIFE for o in orders))


def test_a_plugins_own_event_keeps_the_order_of_the_key_it_names(shop):
    for n in range(6):
        post(shop, "say", room=f"r{n % 2}", n=n)
    eventually(lambda: heard(shop, "r0") == ["0", "2", "4"] and heard(shop, "r1") == ["1", "3", "5"])
    post(shop, "sick", order="r0")
    for n in range(6, 10):
        post(shop, "say", room=f"r{n % 2}", n=n)
    eventually(lambda: heard(shop, "r1") == ["1", "3", "5", "7", "9"])
    eventually(lambda: [e["tries"] for e in events(shop)] == [1, 0])
    assert heard(shop, "r0") == ["0", "2", "4"] and [e["key"] for e in events(shop)] == ["room r0"] * 2


def test_a_shop_that_is_killed_again_and_again_loses_nothing_and_hears_nothing_twice(tmp_path):
    with open_shop(tmp_path, settings=ON, plugins={"listener": LISTENER}) as shop:
        sku = shop.product(stock=10000)
        orders = []
        for _ in range(6):
            end = threading.Event()

            def buy():
                mine = shop_of(shop)
                try:
                    while not end.is_set():
                        order = mine.place({sku: 1})["id"]
                        orders.append(order)
                        mine.pay({"id": order})
                except (NoAnswer, OSError, AssertionError):
                    pass  # killed in between; what was not answered may be there or not
                finally:
                    mine.hang_up()

            threads = [threading.Thread(target=buy) for _ in range(4)]
            for t in threads:
                t.start()
            time.sleep(0.5)
            shop.server.kill()
            end.set()
            for t in threads:
                t.join()
            shop.hang_up()
            shop.server.start()
        assert len(orders) > 50
        eventually(lambda: events(shop, limit=1) == [], within=60)
        with database(tmp_path) as db:
            paid = {o for (o,) in db.execute("SELECT order_id FROM orders WHERE paid = total")}
            all_orders = {o for (o,) in db.execute("SELECT order_id FROM orders")}
        assert set(orders) <= all_orders
        for o in all_orders:
            assert heard(shop, o) == (["placed", "received", "paid"] if o in paid else ["placed"]), o
