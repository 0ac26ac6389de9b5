"""A plugin that the shop has stopped: what of it does not work, what waits, and that nothing is lost."""

import json
import threading
import time

import pytest
from market import feira, ok, open_shop, problem, unique, write_shop
from test_plugins import plugin

# Tells everything it hears, and has one of each thing that a plugin can have.
TELLER = plugin(
    "teller",
    """
    collections = { heard = { fields = { what = "string", key = "string?" } } },
    procedures = { tell = { run = "events.tell", args = { what = "string" } } },
    routes = {
      ["GET /open"] = { run = "events.open", auth = "anyone" },
      ["POST /said"] = { run = "events.said", auth = "anyone", body = { what = "string" } },
      ["POST /later"] = { run = "events.later", auth = "anyone" },
    },
    on = {
      ["order.placed"] = { run = "events.placed", when = "in_transaction" },
      ["order.paid"] = { run = "events.paid", when = "after_commit" },
    },
    timers = { ring = "events.ring" },
    campaigns = { teller = { run = "rules.campaign", fields = {} } },
    pricing = { cheaper = { run = "rules.price", on_failure = "skip" } },
    shipping_rates = { pigeon = { run = "rules.pigeon", on_failure = "skip" } },
    """,
    events="""
local store, timers, time = require "feira.store", require "feira.timers", require "feira.time"
local events = {}
function events.tell(args) store.heard:insert { what = args.what } return {} end
function events.open() return { status = 200, body = { open = true } } end
function events.said(call) return { status = 200, body = { id = store.heard:insert { what = call.body.what } } } end
function events.later() timers.set("ring", "a key", time.now()) return { status = 200, body = {} } end
function events.placed(event) store.heard:insert { what = "placed", key = event.order } end
function events.paid(event) store.heard:insert { what = "paid", key = event.order } end
function events.ring(args) store.heard:insert { what = "ring", key = args.key } end
return events
""",
    rules="""
local promo = require "feira.promo"
local rules = {}
function rules.campaign() return promo.campaign { id = "told", scope = promo.tag "told", give = promo.percent_off { percent = 50 } } end
function rules.pigeon(cart) return { { id = "pigeon", title = "By pigeon", price = "3.00" } } end
function rules.price(line) if line:has_tag "cheaper" then return line.list_price - 100 end end
return rules
""",
)

# Looks at what the teller heard, and asks it to tell.
ASKER = plugin(
    "asker",
    """
    needs = { procedures = { "teller.tell" }, collections = { "teller.heard:read" } },
    collections = { own = { fields = { key = "string" } } },
    on = { ["order.placed"] = { run = "events.placed", when = "after_commit" } },
    routes = {
      ["GET /heard"] = { run = "events.heard", auth = "anyone" },
      ["GET /own"] = { run = "events.own", auth = "anyone" },
      ["POST /ask"] = { run = "events.ask", auth = "anyone" },
      ["POST /try"] = { run = "events.try", auth = "anyone" },
    },
    """,
    events="""
local store, plugin = require "feira.store", require "feira.plugin"
local events = {}
function events.heard() return { status = 200, body = { heard = store.of("teller").heard:find() } } end
function events.placed(event) store.own:insert { key = event.order } end
function events.own() return { status = 200, body = { n = #store.own:find(nil, { limit = 1000 }) } } end
function events.ask() return { status = 200, body = plugin.call("teller.tell", { what = "asked" }) } end
function events.try()
  local fine, why = pcall(plugin.call, "teller.tell", { what = "tried" })
  return { status = 200, body = { fine = fine, why = not fine and tostring(why) or nil } }
end
return events
""",
)

USE = 'local promo = require "feira.promo"\nreturn promo.use "teller" {}\n'
ON = {"plugins": "{ teller = {}, asker = {} }"}


def eventually(holds, within=10):
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def told(shop, event):
    return [line for line in map(json.loads, shop.server.stderr().splitlines()) if line["event"] == event]


def post(client, path, body=None):
    return client.request("POST", path, body or {})


def heard(shop):
    return [(row["what"], row.get("key")) for row in ok(shop.pk.request("GET", "/v1/x/asker/heard"), 200)["heard"]]


def order(shop, token):
    return shop.pk.request("POST", "/v1/orders", {"quote_token": token}, idempotency=unique("order"))


def stop(shop, name, *more):
    done = feira("stop", shop.folder, name, *more)
    assert done.returncode == 0, done
    return done.stdout


def resume(shop, name, *more):
    done = feira("resume", shop.folder, name, *more)
    assert done.returncode == 0, done
    return done.stdout


@pytest.fixture
def shop(own_shop):
    s = own_shop(settings=ON, plugins={"teller": TELLER, "asker": ASKER}, campaigns={"told": USE})
    s.told = s.product(price=1000, stock=1000, tags=["told"])
    s.cheaper = s.product(price=1000, stock=1000, tags=["cheaper"])
    s.plain = s.product(price=1000, stock=1000)
    return s


def test_its_routes_answer_503_and_the_others_go_on(shop):
    said = stop(shop, "teller", "--reason", "it talks too much")
    assert "teller is stopped." in said and "3 routes answer 503." in said and "pricing.cheaper is left out." in said
    for answer in (shop.pk.request("GET", "/v1/x/teller/open"), post(shop.pk, "/v1/x/teller/said", {"what": "x"})):
        told = problem(answer, 503, "plugin_stopped")
        assert "it talks too much" not in told["detail"], "why is the shop's business"
        assert answer.headers["retry-after"]
    assert heard(shop) == []
    assert resume(shop, "teller") == "teller works again.\n"
    ok(shop.pk.request("GET", "/v1/x/teller/open"), 200)
    ok(post(shop.pk, "/v1/x/teller/said", {"what": "x"}), 200)


def test_a_call_of_its_procedure_fails_and_its_caller_may_go_on(shop):
    stop(shop, "teller")
    problem(post(shop.pk, "/v1/x/asker/ask"), 503, "plugin_stopped")
    tried = ok(post(shop.pk, "/v1/x/asker/try"), 200)
    assert not tried["fine"] and 'the plugin "teller"' in tried["why"]
    assert heard(shop) == []
    resume(shop, "teller")
    ok(post(shop.pk, "/v1/x/asker/ask"), 200)
    assert heard(shop) == [("asked", None)]


def test_its_rules_are_left_out_and_the_quote_says_so(shop):
    assert shop.quote({shop.told: 1})["total"] == 500
    assert shop.quote({shop.cheaper: 1})["total"] == 900
    stop(shop, "teller")
    assert shop.quote({shop.told: 1})["total"] == 1000
    assert shop.quote({shop.cheaper: 1})["total"] == 1000
    explained = ok(shop.pk.request("POST", "/v1/quotes?explain=full", {"lines": [{"sku": shop.told, "qty": 1}]}), 200)
    assert [c["reason"]["code"] for c in explained["campaigns"]] == ["stopped"]
    resume(shop, "teller")
    assert shop.quote({shop.told: 1})["total"] == 500
    assert shop.quote({shop.cheaper: 1})["total"] == 900


def test_its_way_to_send_is_not_offered(shop):
    pigeon = {"option": "teller.pigeon", "region": "GB"}
    before = shop.quote({shop.plain: 1}, shipping=pigeon)
    assert before["shipping"]["amount"] == 300
    stop(shop, "teller")
    assert "teller.pigeon" not in {o["id"] for o in shop.quote({shop.plain: 1}, shipping={"region": "GB"})["shipping_options"]}
    assert "quote" not in problem(order(shop, before["token"]), 409, "plugin_stopped"), "that cart has no price now"
    resume(shop, "teller")
    ok(order(shop, before["token"]), 201)


def test_quotes_from_before_get_a_fresh_one_and_those_from_meanwhile_hold(shop):
    before = {sku: shop.quote({sku: 1}) for sku in (shop.told, shop.cheaper, shop.plain)}
    stop(shop, "teller")
    for sku in (shop.told, shop.cheaper):
        fresh = problem(order(shop, before[sku]["token"]), 409, "plugin_stopped")["quote"]
        assert fresh["total"] == 1000
        before[sku] = fresh
    assert ok(order(shop, before[shop.plain]["token"]), 201)["total"] == 1000, "it had nothing of the plugin"
    resume(shop, "teller")
    for sku in (shop.told, shop.cheaper):
        assert ok(order(shop, before[sku]["token"]), 201)["total"] == 1000, "the price shown is the price paid"


def test_events_and_timers_wait_and_nothing_is_lost(shop):
    ok(post(shop.pk, "/v1/x/teller/later"), 200)
    eventually(lambda: heard(shop) == [("ring", "a key")])
    stop(shop, "teller")
    placed = [shop.place({shop.plain: 1}) for _ in range(5)]
    paid = shop.paid_order({shop.plain: 1})
    time.sleep(0.6)
    assert heard(shop) == [("ring", "a key")], "the orders went on, and it heard nothing"
    shop.server.kill()
    shop.server.start()
    time.sleep(0.6)
    assert heard(shop) == [("ring", "a key")], "a stop is durable"
    resume(shop, "teller")
    eventually(lambda: len(heard(shop)) == 8)
    told = heard(shop)[1:]
    assert sorted(key for what, key in told if what == "placed") == sorted([o["id"] for o in placed] + [paid["id"]])
    assert [key for what, key in told if what == "paid"] == [paid["id"]]
    assert told.index(("placed", paid["id"])) < told.index(("paid", paid["id"])), "in the order in which it happened"
    time.sleep(0.5)
    assert len(heard(shop)) == 8, "each once"


def test_many_waiting_events_do_not_hold_up_those_of_others(shop):
    stop(shop, "teller")
    for _ in range(260):
        shop.place({shop.plain: 1})
    assert heard(shop) == []
    eventually(lambda: ok(shop.pk.request("GET", "/v1/x/asker/own"), 200)["n"] == 260)
    assert ok(shop.operator.request("GET", "/v1/status"), 200)["events"]["heard"] == 260, "what waits was not heard"
    resume(shop, "teller")
    eventually(lambda: ok(shop.operator.request("GET", "/v1/status"), 200)["events"]["heard"] == 520)


VETO = plugin(
    "veto",
    """
    on = { ["order.placed"] = { run = "events.placed", when = "in_transaction", stopped = "refuse" } },
    pricing = { needed = "rules.price" },
    """,
    events="return { placed = function() end }",
    rules="return { price = function(line) end }",
)


def test_what_may_not_be_left_out_refuses_until_it_works_again(own_shop):
    shop = own_shop(settings={"plugins": "{ veto = {} }"}, plugins={"veto": VETO})
    sku = shop.product(price=1000, stock=100)
    token = shop.quote({sku: 1})["token"]
    said = stop(shop, "veto")
    assert "may not be left out" in said and "may not happen without it" in said
    problem(shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": sku, "qty": 1}]}), 503, "plugin_stopped")
    problem(order(shop, token), 503, "plugin_stopped")
    assert shop.available(sku)["held"] == 0
    # Prices that come from outside need no rule; the event does.
    own_price = {"lines": [{"sku": sku, "qty": 1, "unit_price": 5}], "campaigns": "none", "expected_total": 5}
    problem(shop.sk.request("POST", "/v1/orders", own_price, idempotency=unique("o")), 503, "plugin_stopped")
    resume(shop, "veto")
    ok(order(shop, token), 201)
    ok(shop.sk.request("POST", "/v1/orders", own_price, idempotency=unique("o")), 201)


def test_who_stopped_what_and_why_is_listed(shop):
    stop(shop, "teller", "--reason", "too loud")
    (line,) = told(shop, "plugin.stopped")
    assert (line["plugin"], line["by"], line["why"]) == ("teller", "operator", "too loud")
    (one,) = ok(shop.operator.request("GET", "/v1/stops"), 200)["items"]
    assert (one["plugin"], one["quarantined"], one["by"], one["reason"]) == ("teller", False, "operator", "too loud") and one["at"]
    for screen in (feira("status", shop.folder).stdout, feira("generations", shop.folder).stdout):
        assert "plugin teller is stopped since" in screen and "too loud" in screen
    resume(shop, "teller")
    assert [line["plugin"] for line in told(shop, "plugin.resumed")] == ["teller"]
    stop(shop, "teller")
    assert "feira_plugins_stopped 1\n" in shop.pk.request("GET", "/metrics").body.decode()


def test_a_name_that_two_have_must_be_told_apart(own_shop):
    same = {"plugin": TELLER["plugin"], "events": TELLER["events"], "rules": TELLER["rules"].replace('"told"', '"teller"', 1)}
    shop = own_shop(settings={"plugins": "{ teller = {} }"}, plugins={"teller": same}, campaigns={"told": USE})
    told = feira("stop", shop.folder, "teller")
    assert told.returncode == 3 and "a campaign and a plugin" in told.stderr, told
    stop(shop, "teller", "--campaign")
    ok(shop.pk.request("GET", "/v1/x/teller/open"), 200)
    stop(shop, "teller", "--plugin")
    problem(shop.pk.request("GET", "/v1/x/teller/open"), 503, "plugin_stopped")
    assert feira("resume", shop.folder, "teller").returncode == 3
    resume(shop, "teller", "--plugin")
    resume(shop, "teller")
    assert feira("resume", shop.folder, "teller").returncode == 1
    problem(shop.operator.request("POST", "/v1/stops", {"plugin": "nobody"}), 404, "no_such_plugin")
    problem(shop.operator.request("POST", "/v1/stops", {"plugin": "teller", "campaign": "teller"}), 422)
    problem(shop.operator.request("DELETE", "/v1/stops/teller?kind=dog"), 422)


def test_a_stop_outlives_a_publish_and_what_waits_comes_when_it_is_resumed(shop):
    stop(shop, "teller")
    placed = shop.place({shop.plain: 1})
    write_shop(shop.folder, settings={**ON, "name": '"Another name"'}, plugins={"teller": TELLER, "asker": ASKER}, campaigns={"told": USE})
    assert feira("publish", shop.folder).returncode == 0
    problem(shop.pk.request("GET", "/v1/x/teller/open"), 503, "plugin_stopped")
    time.sleep(0.5)
    assert heard(shop) == []
    resume(shop, "teller")
    eventually(lambda: heard(shop) == [("placed", placed["id"])])


def test_a_stop_is_effective_within_a_second_under_load(shop):
    seen, failed, done = [], [], threading.Event()

    def call():
        client = shop.client(shop.pk.key)
        while not done.is_set():
            quote = client.request("POST", "/v1/quotes", {"lines": [{"sku": shop.cheaper, "qty": 1}]})
            route = client.request("GET", "/v1/x/teller/open")
            if quote.status != 200 or route.status not in (200, 503):
                failed.append((quote, route))
            seen.append((time.monotonic(), quote.json()["total"] == 1000 and route.status == 503))

    threads = [threading.Thread(target=call) for _ in range(12)]
    for t in threads:
        t.start()
    time.sleep(0.5)
    begin = time.monotonic()
    ok(shop.operator.request("POST", "/v1/stops", {"name": "teller"}), 201)
    time.sleep(1)
    middle = time.monotonic()
    ok(shop.operator.request("DELETE", "/v1/stops/teller"), 200)
    time.sleep(1)
    done.set()
    for t in threads:
        t.join()
    assert not failed, failed[:2]
    assert all(not stopped for at, stopped in seen if at < begin)
    late = [at - begin for at, stopped in seen if begin + 0.1 < at < middle and not stopped]
    assert not late or max(late) < 0.5, f"still working after {max(late):.3f} s"
    assert any(not stopped for at, stopped in seen if at > middle + 0.5)


def test_with_nobody_serving_and_broken_files_what_was_live_can_still_be_stopped_and_looked_at(tmp_path):
    write_shop(tmp_path)
    broken = tmp_path / "campaigns" / "broken.lua"
    broken.write_text("return {")
    out = feira("status", tmp_path)
    assert out.returncode == 3 and "campaigns/broken.lua:" in out.stderr  # nothing was ever live
    broken.unlink()
    with open_shop(tmp_path):
        pass
    broken.write_text("return {")
    for command in ("stop", tmp_path, "sale"), ("status", tmp_path), ("generations", tmp_path), ("doctor", tmp_path), ("keys", tmp_path):
        out = feira(*command)
        assert out.returncode == 0, (command, out.stdout + out.stderr)
    assert "sale is stopped" in feira("generations", tmp_path).stdout
    for command in ("publish", tmp_path), ("quote", tmp_path, "-"):
        out = feira(*command, input='{"lines":[{"sku":"X","qty":1}]}')
        assert out.returncode == 3 and "campaigns/broken.lua:" in out.stdout + out.stderr, (command, out.stdout + out.stderr)
