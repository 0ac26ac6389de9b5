"""Plugins: folders of Lua that a shop turns on. What each may do is what its plugin.lua names; what it does comes and goes with its
transaction."""

import time

from market import feira, ok, problem, unique, write_shop

HEAD = 'return {{ name = "{name}", version = "1.0.0", api = 1, title = "A plugin of a test", {rest} }}\n'


def plugin(name, rest="", **files):
    return {"plugin": HEAD.format(name=name, rest=rest), **files}


NOTES = plugin(
    "notes",
    """
    collections = { notes = { fields = { text = { type = "string", max = 100 }, writer = "customer?" }, index = { "writer" } },
                    heard = { fields = { event = "string", data = "json" } } },
    events = { kept = { about = "A note was kept.", payload = { text = "string" } } },
    procedures = { keep = { run = "events.keep", args = { text = "string" } }, private = "events.private" },
    routes = {
      ["POST /notes"] = { run = "events.create", auth = "customer", body = { text = { type = "string", max = 100 } }, about = "Keeps a note." },
      ["GET /notes/{id}"] = { run = "events.read", auth = "anyone" },
      ["GET /heard"] = { run = "events.list_heard", auth = "server" },
      ["POST /endless"] = { run = "events.endless", auth = "anyone" },
      ["POST /half"] = { run = "events.half", auth = "anyone" },
      ["POST /later"] = { run = "events.later", auth = "server" },
      ["GET /writes"] = { run = "events.writes", auth = "anyone" },
    },
    on = {
      ["order.placed"] = { run = "events.heard", when = "in_transaction" },
      ["order.paid"] = { run = "events.heard", when = "after_commit" },
      ["order.cancelled"] = { run = "events.heard", when = "in_transaction" },
      ["refund.succeeded"] = { run = "events.heard", when = "in_transaction" },
      ["customer.joined"] = { run = "events.heard", when = "in_transaction" },
    },
    timers = { ring = "events.ring" },
    settings = { greeting = { type = "string", default = "hello", about = "What it says." } },
    """,
    events="""
local store, plugin, timers, time = require "feira.store", require "feira.plugin", require "feira.timers", require "feira.time"
local events = {}
function events.create(call, settings)
  local id = store.notes:insert { text = call.body.text, writer = call.customer }
  return { status = 201, body = { id = id, greeting = settings.greeting, caller = call.caller } }
end
function events.read(call)
  local note = store.notes:get(math.tointeger(tonumber(call.params.id)))
  if not note then require("feira.fail").not_found "There is no such note." end
  return { status = 200, body = note }
end
function events.list_heard() return { status = 200, body = { heard = store.heard:find() } } end
function events.heard(event) store.heard:insert { event = event.refund and "refund" or event.order and "order" or "customer", data = event } end
function events.keep(args)
  local id = store.notes:insert { text = args.text }
  plugin.emit("kept", { text = args.text })
  return { id = id }
end
function events.private() error "it fails" end
function events.endless() store.notes:insert { text = "left behind" } while true do end end
function events.half() store.notes:insert { text = "left behind" } error "no further" end
function events.later() timers.set("ring", "a key", time.now()) return { status = 200, body = {} } end
function events.ring(args) store.heard:insert { event = "ring", data = args } end
function events.writes() store.notes:insert { text = "from a handler" } end
return events
""",
)

FRIEND = plugin(
    "friend",
    """
    needs = { procedures = { "notes.keep" }, collections = { "notes.notes:read" }, events = { "notes.kept" } },
    collections = { seen = { fields = { text = "string" } } },
    on = { ["notes.kept"] = { run = "events.kept", when = "in_transaction" } },
    routes = {
      ["POST /keep"] = { run = "events.keep", auth = "anyone", body = { text = "string" } },
      ["POST /caught"] = { run = "events.caught", auth = "anyone" },
      ["POST /private"] = { run = "events.private", auth = "anyone" },
      ["POST /write"] = { run = "events.write", auth = "anyone" },
      ["GET /heard"] = { run = "events.heard", auth = "anyone" },
      ["GET /count"] = { run = "events.count", auth = "anyone" },
      ["GET /world"] = { run = "events.world", auth = "anyone" },
    },
    """,
    events="""
local store, plugin = require "feira.store", require "feira.plugin"
local events = {}
function events.kept(event) if event.text == "refuse" then error "the friend refuses" end store.seen:insert { text = event.text } end
function events.keep(call) return { status = 200, body = plugin.call("notes.keep", { text = call.body.text }) } end
function events.caught() pcall(plugin.call, "notes.keep", { text = "refuse" }) return { status = 200, body = {} } end
function events.private() return { status = 200, body = plugin.call("notes.private") } end
function events.write() store.of("notes").notes:insert { text = "not mine" } end
function events.heard() return { status = 200, body = { n = #store.of("notes").heard:find() } } end
function events.count() return { status = 200, body = { notes = #store.of("notes").notes:find(), seen = #store.seen:find() } } end
local function name_of(x) return x end -- so that `feira check` does not see through it
function events.world()
  local found = {}
  for _, name in ipairs { "feira.sql", "feira.quote", "feira.orders", "feira.events", "notes", "plugins/notes/events", "plugin" } do
    found[#found + 1] = pcall(require, name)
  end
  return { status = 200, body = { found = found, notes = _ENV[name_of "notes"] ~= nil, os = _ENV[name_of "os"] ~= nil } }
end
return events
""",
)

ON = {"plugins": "{ notes = {}, friend = {} }"}


def shop_with(own_shop, settings=None, **plugins):
    return own_shop(settings=settings or ON, plugins=plugins or {"notes": NOTES, "friend": FRIEND})


def post(client, path, body=None):
    return client.request("POST", path, body or {})


def test_a_route_of_a_plugin_writes_and_reads_its_collection(own_shop):
    shop = shop_with(own_shop)
    customer = shop.customer()
    note = ok(post(customer, "/v1/x/notes/notes", {"text": "tea"}), 201)
    assert note == {"id": 1, "greeting": "hello", "caller": "customer"}
    row = ok(shop.pk.request("GET", "/v1/x/notes/notes/1"), 200)
    assert row == {"id": 1, "text": "tea", "writer": customer.customer}
    problem(shop.pk.request("GET", "/v1/x/notes/notes/9"), 404)


def test_who_may_call_and_what_may_be_sent_is_checked_before_the_plugin(own_shop):
    shop = shop_with(own_shop)
    problem(post(shop.pk, "/v1/x/notes/notes", {"text": "tea"}), 403, "wrong_key_kind")
    problem(shop.pk.request("GET", "/v1/x/notes/heard"), 403, "wrong_key_kind")
    problem(shop.client("").request("GET", "/v1/x/notes/notes/1"), 401)
    customer = shop.customer()
    problem(post(customer, "/v1/x/notes/notes", {}), 422, field="/text")
    problem(post(customer, "/v1/x/notes/notes", {"text": "x" * 101}), 422, field="/text")
    problem(post(customer, "/v1/x/notes/notes", {"text": "x", "more": 1}), 422)
    problem(shop.pk.request("GET", "/v1/x/nobody/notes"), 404)


def test_the_same_request_twice_is_done_once(own_shop):
    shop = shop_with(own_shop)
    customer = shop.customer()
    first = customer.request("POST", "/v1/x/notes/notes", {"text": "once"}, idempotency="k")
    again = customer.request("POST", "/v1/x/notes/notes", {"text": "once"}, idempotency="k")
    assert first.json() == again.json()
    assert ok(shop.pk.request("GET", "/v1/x/friend/count"), 200)["notes"] == 1


def test_settings_reach_the_plugin(own_shop):
    shop = shop_with(own_shop, {"plugins": '{ notes = { greeting = "moin" }, friend = {} }'})
    assert ok(post(shop.customer(), "/v1/x/notes/notes", {"text": "tea"}), 201)["greeting"] == "moin"


def test_routes_of_plugins_are_described(own_shop):
    shop = shop_with(own_shop)
    paths = ok(shop.pk.request("GET", "/v1/openapi.json"), 200)["paths"]
    operation = paths["/v1/x/notes/notes"]["post"]
    assert operation["summary"] == "Keeps a note."
    assert operation["security"] == [{"customer": []}]
    assert "text" in operation["requestBody"]["content"]["application/json"]["schema"]["properties"]


def test_a_plugin_that_writes_and_loops_for_ever_is_stopped_and_its_writes_undone(own_shop):
    shop = shop_with(own_shop)
    before = shop.state()
    began = time.monotonic()
    problem(post(shop.pk, "/v1/x/notes/endless"), 500)
    assert time.monotonic() - began < 10
    problem(post(shop.pk, "/v1/x/notes/half"), 500)
    assert shop.state() == before
    ok(post(shop.customer(), "/v1/x/notes/notes", {"text": "sells on"}), 201)


def test_a_procedure_of_another_runs_in_the_same_transaction(own_shop):
    shop = shop_with(own_shop)
    assert ok(post(shop.pk, "/v1/x/friend/keep", {"text": "together"}), 200) == {"id": 1}
    assert ok(shop.pk.request("GET", "/v1/x/friend/count"), 200) == {"notes": 1, "seen": 1}
    before = shop.state()
    problem(post(shop.pk, "/v1/x/friend/keep", {"text": "refuse"}), 500)
    problem(post(shop.pk, "/v1/x/friend/caught"), 500)  # caught or not: what failed inside had written
    assert shop.state() == before


def test_what_needs_does_not_name_is_denied_at_the_call(own_shop):
    shop = shop_with(own_shop)
    before = shop.state()
    problem(post(shop.pk, "/v1/x/friend/private"), 500)
    problem(post(shop.pk, "/v1/x/friend/write"), 500)
    problem(shop.pk.request("GET", "/v1/x/friend/heard"), 500)
    assert shop.state() == before
    log = shop.server.stderr()
    assert "the plugin friend may not call notes.private; add" in log
    assert "the plugin friend may not change notes.notes; add" in log
    assert "the plugin friend may not touch notes.heard; add" in log


def test_a_handler_writes_nothing(own_shop):
    shop = shop_with(own_shop)
    before = shop.state()
    problem(shop.pk.request("GET", "/v1/x/notes/writes"), 500)
    assert shop.state() == before


def test_a_plugin_sees_the_standard_library_and_itself(own_shop):
    shop = shop_with(own_shop)
    assert ok(shop.pk.request("GET", "/v1/x/friend/world"), 200) == {"found": [False] * 7, "notes": False, "os": False}


def test_events_are_heard_in_the_transaction_and_after_it(own_shop):
    shop = shop_with(own_shop)
    customer = unique("buyer")
    ok(shop.sk.request("PUT", f"/v1/customers/{customer}", {}), 201)
    sku = shop.product(price=500)
    order = shop.paid_order({sku: 2}, customer=customer)
    shop.refund(order)
    other = shop.place({sku: 1}, customer=customer)
    ok(shop.sk.request("POST", f"/v1/orders/{other['id']}/cancel", {"reason": "changed my mind"}, idempotency=unique("c")), 200)

    def heard():
        return ok(shop.sk.request("GET", "/v1/x/notes/heard"), 200)["heard"]

    deadline = time.monotonic() + 10
    while len(heard()) < 6 and time.monotonic() < deadline:
        time.sleep(0.1)
    rows = heard()
    assert rows[0]["event"] == "customer" and rows[0]["data"]["customer"] == customer
    assert [r["data"]["total"] for r in rows if r["event"] == "order" and r["data"]["order"] == order["id"]] == [1000, 1000]
    assert [r["data"]["amount"] for r in rows if r["event"] == "refund"] == [1000]
    assert [r["data"].get("reason") for r in rows if r["event"] == "order" and r["data"]["order"] == other["id"]] == [None, "changed my mind"]
    assert len(rows) == 6


def test_a_timer_of_a_plugin_rings(own_shop):
    shop = shop_with(own_shop)
    ok(post(shop.sk, "/v1/x/notes/later"), 200)
    deadline = time.monotonic() + 10
    rows = []
    while not rows and time.monotonic() < deadline:
        rows = ok(shop.sk.request("GET", "/v1/x/notes/heard"), 200)["heard"]
        time.sleep(0.1)
    assert rows[0]["event"] == "ring" and rows[0]["data"]["key"] == "a key"


def refused(folder, settings, says, **plugins):
    write_shop(folder, settings=settings, plugins=plugins)
    cart = folder / "cart.json"
    cart.write_text("{}", encoding="utf-8")
    answer = feira("quote", folder, cart)
    assert answer.returncode == 3, answer
    assert says in answer.stderr, answer.stderr


def test_a_mistake_is_refused_with_its_place_and_a_suggestion(tmp_path):
    refused(tmp_path, {"plugins": "{ ntoes = {} }"}, 'did you mean "notes"?', notes=NOTES)
    refused(tmp_path, {"plugins": '{ notes = { greting = "x" } }'}, "greeting", notes=NOTES)
    refused(tmp_path, {"plugins": "{ notes = { greeting = 5 } }"}, "plugins.notes.greeting", notes=NOTES)
    refused(tmp_path, {"plugins": "{ notes = {} }"}, "routs", notes=plugin("notes", "routs = {},"))
    refused(tmp_path, {"plugins": "{ friend = {} }"}, "notes", friend=FRIEND, notes=NOTES)
    broken = {**NOTES, "events": "local x =\nreturn }"}
    refused(tmp_path, {"plugins": "{ notes = {} }"}, "plugins/notes/events.lua:2:", notes=broken)


def test_tables_outlive_a_restart_and_grow(own_shop):
    shop = shop_with(own_shop)
    ok(post(shop.customer(), "/v1/x/notes/notes", {"text": "kept"}), 201)
    shop.server.terminate()
    more = {**NOTES, "plugin": NOTES["plugin"].replace("writer = \"customer?\"", "writer = \"customer?\", colour = { type = \"string\", default = \"red\" }")}
    write_shop(shop.folder, settings=ON, plugins={"notes": more, "friend": FRIEND})
    shop.server.start()
    assert ok(shop.pk.request("GET", "/v1/x/notes/notes/1"), 200)["colour"] == "red"


def test_a_plugin_comes_changes_and_goes_while_the_shop_sells(own_shop):
    shop = own_shop()
    problem(shop.pk.request("GET", "/v1/x/notes/notes/1"), 404)

    def publish(plugins, settings):
        write_shop(shop.folder, settings=settings, plugins=plugins)
        return feira("publish", shop.folder)

    assert publish({"notes": NOTES, "friend": FRIEND}, ON).returncode == 0
    ok(post(shop.customer(), "/v1/x/notes/notes", {"text": "kept"}), 201)
    grown = {**NOTES, "plugin": NOTES["plugin"].replace('"customer?" }', '"customer?", colour = { type = "string", default = "red" } }')}
    assert publish({"notes": grown}, ON).returncode == 0
    assert ok(shop.pk.request("GET", "/v1/x/notes/notes/1"), 200)["colour"] == "red"
    retyped = {**NOTES, "plugin": NOTES["plugin"].replace('writer = "customer?"', 'writer = "integer?"')}
    answer = publish({"notes": retyped}, ON)
    assert answer.returncode == 3 and "writer" in answer.stderr, answer
    assert ok(shop.pk.request("GET", "/v1/x/notes/notes/1"), 200)["colour"] == "red"
    assert publish({}, {"plugins": "{}"}).returncode == 0
    problem(shop.pk.request("GET", "/v1/x/notes/notes/1"), 404)
    assert feira("rollback", shop.folder).returncode == 0
    assert ok(shop.pk.request("GET", "/v1/x/notes/notes/1"), 200)["text"] == "kept"


def test_a_shop_with_plugins_can_be_checked(tmp_path):
    write_shop(tmp_path, settings={"plugins": "{ notes = {} }"}, plugins={"notes": NOTES})
    answer = feira("check", tmp_path)
    assert answer.returncode == 0, answer
    write_shop(tmp_path, settings=ON, plugins={"notes": NOTES, "friend": FRIEND})  # who touches on purpose what needs does not name
    answer = feira("check", tmp_path)
    assert answer.returncode == 3 and "plugins/friend/events.lua" in answer.stdout and "needs" in answer.stdout, answer
    write_shop(tmp_path, settings=ON, plugins={"notes": {**NOTES, "events": "return {}"}})
    answer = feira("check", tmp_path)
    assert answer.returncode == 3 and "there is no function" in answer.stdout + answer.stderr, answer


def pricer(name, body, rest=""):
    rules = f"return {{ price = function(line, cart, settings) {body} end }}"
    return plugin(name, f'pricing = {{ price = {{ run = "rules.price" {rest} }} }},', rules=rules)


def test_pricing_rules_come_one_after_the_other_and_a_failing_one_does_as_it_says(own_shop):
    plugins = {
        "a-half": pricer("a-half", "return line.unit_price // 2"),
        "b-fails": pricer("b-fails", "if line.qty == 2 then error 'no' end return 1", ', on_failure = "skip"'),
        "c-more": pricer("c-more", "if line.unit_price == 1 then return nil end return line.unit_price + 7"),
        "d-strict": pricer("d-strict", "if line.qty == 3 then line:discount { amount = 1 } end if line.qty == 4 then return -1 end"),
    }
    shop = own_shop(settings={"plugins": '{ ["a-half"] = {}, ["b-fails"] = {}, ["c-more"] = {}, ["d-strict"] = {} }'}, plugins=plugins)
    sku = shop.product(price=1000)
    assert shop.quote({sku: 1})["lines"][0]["unit_price"] == 1
    found = shop.quote({sku: 2})["lines"][0]
    assert (found["unit_price"], found["compare_at"], found["subtotal"]) == (507, 1000, 1014)
    for qty in 3, 4:
        assert shop.pk.request("POST", "/v1/quotes", {"lines": [{"sku": sku, "qty": qty}]}).status >= 400
