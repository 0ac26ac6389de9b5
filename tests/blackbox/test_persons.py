"""A person has what is kept of him, and has it erased: what the law or an open order holds is said, and nothing else of him is left in any byte."""

import contextlib
import datetime
import json
import pathlib
import re
import sqlite3
import time

import pytest
from market import feira, ok, open_shop, problem, unique, write_shop

NAME, EMAIL, PHONE, NOTE = "Evelyn Quartermain-Xq", "evelyn.quartermain@mail.example", "+44 7700 900123", "Key under the blue gnome."
CONTACT = {"name": NAME, "email": EMAIL, "phone": PHONE}
ADDRESS = {"name": NAME, "line1": "17 Wisteria Mews", "city": "Little Snoring", "postal_code": "NR21 0HX", "country": "GB"}
HELD = {"contact": {"name": "Aunt Petronella Xq", "phone": "+44 7700 900999"}, "address": {"line1": "4 Heron Quay", "city": "Much Wenlock", "country": "GB"}}
OTHER = {"contact": {"name": "Uncle Bartholomew"}}
NEEDLES = [NAME, EMAIL, PHONE, NOTE, "Wisteria Mews", "Little Snoring", "NR21 0HX", "sticker-of-eve"]
HELD_NEEDLES = ["Petronella", "900999", "Heron Quay"]
DAY_MS = 86400000

GROUP = """local promo = require "feira.promo"
return promo.use "group-buy" { id = "pair", sku = "PAIR", size = 2, percent = 50, open_for = "24h" }
"""
# A provider whose refunds wait for a person.
PURSE = {
    "plugin": """return { name = "purse", version = "1.0.0", api = 1, title = "Purse",
  payments = { create = "pay.create", query = "pay.query", refund = "pay.refund", notify = "pay.notify" } }""",
    "pay": """local json = require "feira.json"
return { create = function(p) return { client = { account = "of " .. (p.customer or "a guest") } } end, query = function() return { state = "pending" } end,
  refund = function() return { state = "failed", why = "The purse is shut.", final = true } end,
  notify = function(call) return json.decode(call.body) end }""",
}
# Keeps what plugins keep, in every way in which they can name a person.
ALBUM = {
    "plugin": """return {
  name = "album", version = "1.0.0", api = 1, title = "Album", needs = { collections = { "orders:read" } },
  collections = {
    pages = {
      fields = {
        customer = "customer", friend = "customer?", title = "string", origin = { type = "string", optional = true }, more = "json?",
        sticker = { type = "string", optional = true, personal = "stuck on your page" },
      },
      unique = { "origin" }, index = { "customer" },
    },
    visits = { fields = { customer = "customer", at = "time" }, index = { "customer" }, erase = true, keep = { field = "at", ["for"] = "30d" } },
    parcels = { fields = { order = "order", label = { type = "string", default = "", personal = "printed on the parcel" } }, key = "order" },
    told = { fields = { what = "string" } },
  },
  on = {
    ["order.placed"] = { run = "events.placed", when = "in_transaction" },
    ["order.paid"] = { run = "events.fails", when = "after_commit" },
    ["customer.erased"] = { run = "events.erased", when = "in_transaction" },
  },
  timers = { remind = "events.remind" },
  routes = {
    ["POST /pages"] = { run = "events.page", auth = "customer", body = { sticker = "string" } },
    ["GET /told"] = { run = "events.told", auth = "server" },
  },
}""",
    "events": """local ledger = require "feira.ledger"
local store = require "feira.store"
local time = require "feira.time"
local timers = require "feira.timers"
local events = {}
function events.placed(e)
  if e.customer then store.parcels:insert { order = e.order, label = "for " .. e.customer } end
end
function events.fails() error("the album is glued shut") end
function events.erased(e) store.told:insert { what = "erased " .. e.customer } end
function events.remind() end
function events.page(call)
  local who = call.customer
  store.pages:insert {
    customer = who, friend = who, title = "of " .. who .. ", himself", origin = "made/" .. who, more = { by = who, of = { who, "x" } },
    sticker = call.body.sticker,
  }
  store.visits:insert { customer = who, at = time.now() }
  timers.set("remind", who, time.now() + 86400000)
  timers.set("remind", "page/" .. who, time.now() + 86400000)
  ledger.account("album/of/" .. who, "stars", { no_overdraft = true })
  ledger.account("album/given", "stars")
  ledger.apply { { kind = "transfer", id = "welcome/" .. who, debit = "album/given", credit = "album/of/" .. who, amount = 5, reference = who } }
  return { status = 201, body = {} }
end
function events.told(_)
  local list = {}
  for row in store.told:each() do list[#list + 1] = row.what end
  return { status = 200, body = { list = list, left = #list } }
end
return events
""",
}
SETTINGS = {
    "shipping": None,
    "plugins": '{ ["group-buy"] = {}, points = {}, purse = {}, album = {} }',
    "privacy": '{ purposes = { news = { title = "News", version = "1", third_parties = { "Printers" } } } }',
}


def make(folder, **more):
    return open_shop(folder, settings={**SETTINGS, **more.pop("settings", {})}, campaigns={"pair": GROUP}, plugins={"purse": PURSE, "album": ALBUM}, **more)


def person(shop, prefix, **facts):
    who = shop.customer(unique(prefix))
    ok(shop.sk.request("PUT", f"/v1/customers/{who.customer}", facts), 200)
    return who


def send_all(shop, order):
    for what, body in (("fulfilments", {"carrier": "Post", "tracking": "1Z-of-eve"}), ("complete", {})):
        ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/{what}", body, idempotency=unique(what)), 200, 201)


def pay_with_the_purse(shop, order):
    made = ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "purse"}, idempotency=unique("pay")), 201)["payment"]
    event = {"id": order["id"], "kind": "payment", "number": made["id"], "state": "paid", "transaction": order["id"], "amount": order["total"], "currency": "GBP"}
    ok(shop.client("").request("POST", "/v1/payments/purse/notify", event), 200)


def group_order(shop, who, personal, **inputs):
    body = {"lines": [{"sku": "PAIR", "qty": 1}], "expected_total": 500, "inputs": {"group-buy": inputs}, **personal}
    order = ok(who.request("POST", "/v1/orders", body, idempotency=unique("order")), 201)
    shop.pay(order, by=who)
    return order


def a_life(shop, who, personal=HELD):
    """Everything that leaves a trace: an order that has ended, one whose refund is not paid, and one in a group that is open."""
    sku = shop.product(stock=100)
    ok(who.request("PUT", f"/v1/customers/{who.customer}/consents/news", {"version": "1", "share": True}), 200)
    ok(who.request("POST", "/v1/x/album/pages", {"sticker": "sticker-of-eve"}, idempotency=unique("page")), 201)
    ok(who.request("POST", "/v1/checkouts", {"lines": [{"sku": sku, "qty": 1}], "contact": CONTACT, "note": NOTE}), 201)
    ended = shop.paid_order({sku: 3}, by=who, contact=CONTACT, address=ADDRESS, note=NOTE)
    send_all(shop, ended)
    ok(shop.refund(ended, lines=[{"line": 1, "qty": 1}], reason=f"{NAME} was not happy"), 201)
    unpaid = shop.place({sku: 1}, by=who, contact=CONTACT, address=ADDRESS)
    pay_with_the_purse(shop, unpaid)
    cancel = {"reason": f"{NAME} called"}
    ok(shop.sk.request("POST", f"/v1/orders/{unpaid['id']}/cancel", cancel, idempotency=unique("cancel")), 200)
    waits(lambda: any(r["order"] == unpaid["id"] for r in ok(shop.sk.request("GET", "/v1/refunds"), 200)["items"]))
    # As a server places it, which keeps the answer under the server's key.
    served = ok(shop.sk.request("POST", "/v1/orders", {"customer": who.customer, "lines": [{"sku": sku, "qty": 1}], "expected_total": 1000, "contact": CONTACT}, idempotency=f"of the till, {len(who.customer)}"), 201)
    ok(shop.sk.request("POST", f"/v1/orders/{served['id']}/cancel", {}, idempotency=unique("cancel")), 200)
    return ended, unpaid, served, group_order(shop, who, personal, open="pair")


def files(shop):
    """What lies in the data folder, but what is only there while somebody serves it."""
    return {p: p.read_bytes() for p in sorted(shop.server.data.rglob("*")) if p.is_file() and not p.name.endswith(("-shm", ".sock", "lock"))}


def found(places, needles):
    """[(file, needle)]: UTF-8 as it is, and as JSON would escape it."""
    return sorted({(getattr(path, "name", path), n) for path, data in places.items() for n in needles if n.encode() in data})


def rows_with(shop, text):
    """{table: rows} that have the text in some column, whatever its type."""
    out = {}
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            hits = [row for row in db.execute(f'SELECT * FROM "{name}"') if any(text in (c if isinstance(c, str) else c.decode("utf-8", "replace") if isinstance(c, bytes) else "") for c in row)]
            if hits:
                out[name] = len(hits)
    return out


def export(by, who):
    return ok(by.request("GET", f"/v1/customers/{who.customer}/export"), 200)


def erase(by, who, **body):
    return by.request("POST", f"/v1/customers/{who.customer}/erasure", body)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with make(tmp_path_factory.mktemp("persons")) as s:
        s.product("PAIR", price=1000, stock=1000)
        hook = {"url": "https://erp.partner.example/in", "events": ["*"], "personal": ["customer.email", "customer.name", "order.address", "order.contact", "order.note"]}
        ok(s.sk.request("POST", "/v1/webhooks", hook), 201)
        yield s


def test_an_export_has_every_row_that_names_him(shop):
    eve = person(shop, "eve-of-exports", name=NAME, email=EMAIL, phone=PHONE, tags=["vip"])
    ended, unpaid, served, grouped = a_life(shop, eve, OTHER)
    document = export(eve, eve)
    assert export(shop.sk, eve)["orders"] == document["orders"]
    assert {o["id"] for o in document["orders"]} == {ended["id"], unpaid["id"], served["id"], grouped["id"]}
    assert document["orders"][0]["address"] == ADDRESS
    given = set(document["tables"]) | {f"p_{p.replace('-', '_')}__{c}" for p, collections in document["plugins"].items() for c in collections}
    where = rows_with(shop, eve.customer)
    assert len(where) > 12, where  # a life leaves traces
    # Messages and answers are counted by what is in them, so nothing may be missing there either.
    for table, count in where.items():
        assert table in given, (table, where)
        if table in document["tables"]:
            assert len(document["tables"][table]) >= count, table
    text = json.dumps(document, ensure_ascii=False)
    for needle in [*NEEDLES, "Bartholomew", "vip"]:
        assert needle in text, needle
    for other in (shop.customer(), shop.pk):
        assert other.request("GET", f"/v1/customers/{eve.customer}/export").status in (403, 404)
    printed = feira("person", shop.folder, "export", eve.customer)
    assert printed.returncode == 0 and json.loads(printed.stdout)["customer"] == eve.customer


def test_erasure_leaves_what_is_held_and_nothing_else_in_any_byte(shop, tmp_path):
    eve = person(shop, "eve-5f2c91", name=NAME, email=EMAIL, phone=PHONE, tags=["vip"])
    near = person(shop, eve.customer + "0", name="Someone Else-Zz", email="zz@mail.example")  # his id begins like hers
    ok(near.request("POST", "/v1/x/album/pages", {"sticker": "sticker-of-zz"}, idempotency=unique("page")), 201)
    ended, unpaid, served, grouped = a_life(shop, eve)
    link = ok(eve.request("GET", f"/v1/x/group-buy/orders/{grouped['id']}"), 200)["mine"]["link"]
    # The control: what is searched for is there, and this is how it is found.
    assert {n for _, n in found(files(shop), [eve.customer, *NEEDLES, *HELD_NEEDLES])} == {eve.customer, *NEEDLES, *HELD_NEEDLES}
    # The other test's person has the same name and address: she goes, too.
    for (name,) in query(shop, "SELECT customer FROM customers WHERE customer GLOB 'eve-of-*'"):
        ok(shop.sk.request("POST", f"/v1/customers/{name}/erasure", {}), 200)

    answer = ok(erase(eve, eve), 200)
    assert answer["state"] == "held" and answer["given_up"]
    holds = {(h["kind"], h["order"]): h for h in answer["holds"]}
    assert set(holds) == {("transaction", ended["id"]), ("transaction", served["id"]), ("refund", unpaid["id"]), ("transaction", unpaid["id"]), ("order", grouped["id"])}
    assert holds["order", grouped["id"]]["blocked_by"] == "group-buy group" and "order.address" in holds["order", grouped["id"]]["keeps"]
    three_years = int(holds["transaction", ended["id"]]["until"][:4]) - int(answer["erased_at"][:4])
    assert three_years in (3, 4)
    assert answer["given_up"] == [{"account": "album", "unit": "stars", "balance": 5}, {"account": "points", "unit": "points", "balance": 20}]

    backup = tmp_path / "after.db"
    assert feira("backup", shop.folder, backup).returncode == 0
    gone = [eve.customer + '"', eve.customer + "/", *NEEDLES]
    places = {**files(shop), "backup": backup.read_bytes(), "log": shop.server.stderr().encode()}
    whole_id = re.compile(re.escape(eve.customer.encode()) + rb"(?![\w.-])")
    assert found(places, gone) == []
    assert [str(p) for p, data in places.items() if whole_id.search(data)] == []
    assert {n for _, n in found(places, HELD_NEEDLES)} == set(HELD_NEEDLES)
    assert {n for _, n in found({"backup": places["backup"]}, [near.customer, "Someone Else-Zz", "sticker-of-zz"])} == {near.customer, "Someone Else-Zz", "sticker-of-zz"}

    # Nothing is done twice for her, and nobody is she.
    problem(erase(eve, eve), 404)
    problem(eve.request("GET", f"/v1/orders/{ended['id']}"), 404)
    problem(shop.sk.request("GET", f"/v1/customers/{eve.customer}"), 404)
    again = {"customer": eve.customer, "lines": [{"sku": served["lines"][0]["sku"], "qty": 1}], "expected_total": 1000, "contact": CONTACT}
    assert ok(shop.sk.request("POST", "/v1/orders", again, idempotency=f"of the till, {len(eve.customer)}"), 201) == {"erased": True}
    told = ok(shop.sk.request("GET", "/v1/x/album/told"), 200)["list"]
    assert len(told) >= 1 and all(w.startswith("erased gone-") for w in told)

    # The group goes on under the id that nobody knows, and the books agree.
    other = shop.customer()
    assert ok(other.request("GET", f"/v1/x/group-buy/orders/{group_order(shop, other, OTHER, join=link)['id']}"), 200)["state"] == "succeeded"
    order = ok(shop.sk.request("GET", f"/v1/orders/{grouped['id']}"), 200)
    assert order["customer"].startswith("gone-") and order["address"] == HELD["address"] and order["blocks"] == []
    healthy(shop)
    replayed = feira("replay", shop.folder)  # hers, and those of who joined her group
    assert replayed.returncode == 0, replayed

    # The order is sent: its contact goes when somebody looks, and the settled refund's hold with it.
    send_all(shop, grouped)
    part = next(r["number"] for r in ok(shop.sk.request("GET", "/v1/refunds"), 200)["items"] if r["order"] == unpaid["id"])
    ok(shop.sk.request("POST", f"/v1/refunds/{part}/settle", {"note": "in cash"}, idempotency=unique("settle")), 200)
    let_timers_come(shop)
    waits(lambda: not found(files(shop), HELD_NEEDLES))
    assert found({**files(shop), "log": shop.server.stderr().encode()}, [*gone, *HELD_NEEDLES]) == []
    requests = ok(shop.sk.request("GET", "/v1/persons/requests?state=held"), 200)["items"]
    mine = next(r for r in requests if r["request"] == answer["request"])
    assert mine["customer"] is None and {h["kind"] for h in mine["holds"]} == {"transaction"}
    healthy(shop)

    # Three years later nothing says that these orders were one person's.
    age(shop, 4 * 366)
    let_timers_come(shop)
    waits(lambda: ok(shop.sk.request("GET", "/v1/persons/requests?state=done"), 200)["items"])
    assert ok(shop.sk.request("GET", f"/v1/orders/{ended['id']}"), 200)["customer"] is None
    assert query(shop, "SELECT count(*) FROM customers WHERE customer = ?", order["customer"]) == [(0,)]
    healthy(shop)


def test_every_table_is_in_the_map(shop):
    text = (pathlib.Path(__file__).resolve().parents[2] / "stdlib/feira/person_map.lua").read_text()
    blocks = dict(re.findall(r"^  ([a-z_]+) = \{(.*?)(?=^  [a-z_]+ = \{|^\})", text.split("map.tables = {")[1].split("-- Texts in which")[0], re.M | re.S))
    there = {n for (n,) in query(shop, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'p_*__*' AND name NOT GLOB 'sqlite_*'")}
    assert set(blocks) == there, "say in stdlib/feira/person_map.lua what of a person is in a new table, and what becomes of it"
    order = re.search(r"map.order = \{(.*?)\}", text, re.S).group(1)
    for name, block in blocks.items():
        assert ("erase = {" in block) == (f'"{name}"' in order), name
        assert "nobody = " in block or "rows = " in block, name


def test_what_the_shop_owes_is_not_forgotten_by_accident(own_shop):
    s = own_shop(settings={"plugins": "{ ['stored-value'] = {} }"})
    ada = s.customer()
    ok(s.sk.request("POST", "/v1/x/stored-value/top-ups", {"id": "t1", "customer": ada.customer, "principal": 5000}, idempotency=unique("t")), 200, 201)
    problem(erase(ada, ada), 409, "owes_balance")
    assert ok(ada.request("GET", f"/v1/customers/{ada.customer}"), 200)["id"] == ada.customer
    assert feira("person", s.folder, "erase", ada.customer).returncode == 1
    done = feira("person", s.folder, "erase", ada.customer, "--give-up")
    assert done.returncode == 0 and "given up: 5000 GBP of stored-value" in done.stdout and "made before still have it" in done.stdout, done
    healthy(s)
    log = str(ok(s.operator.request("GET", "/v1/admin/audit"), 200)["items"])
    assert "person.erased" in log and "prq_" in log and ada.customer not in log


def test_who_has_nothing_that_holds_him_is_gone_at_once(shop):
    ada = person(shop, "ada-short", name="Ada")
    answer = ok(erase(ada, ada), 200)
    assert (answer["state"], answer["holds"], answer["given_up"]) == ("done", [], [])
    assert query(shop, "SELECT count(*) FROM customers WHERE erased_at IS NOT NULL AND orders = 0") == [(0,)]
    # Under the same id somebody is new, and nothing is known of him.
    ok(shop.sk.request("PUT", f"/v1/customers/{ada.customer}", {}), 201)
    assert ok(shop.sk.request("GET", f"/v1/customers/{ada.customer}"), 200)["name"] is None


def test_short_ids_take_nothing_of_others_with_them(shop):
    ok(shop.sk.request("PUT", "/v1/customers/17", {"name": "Seventeen"}), 200, 201)
    token = ok(shop.sk.request("POST", "/v1/customers/17/tokens", {}), 201)["token"]
    who = shop.client(token)
    sku, before = shop.product("17", price=1700, stock=17), None
    ok(who.request("POST", "/v1/x/album/pages", {"sticker": "17 stickers"}, idempotency=unique("page")), 201)
    order = shop.place({sku: 1}, by=who)
    before = ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)["lines"]
    ok(shop.sk.request("POST", "/v1/customers/17/erasure", {}), 200)
    after = ok(shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)
    assert after["lines"] == before and after["customer"].startswith("gone-")
    assert ok(shop.sk.request("GET", "/v1/products/17"), 200)["price"] == 1700 and shop.available("17")["held"] == 1
    pages = query(shop, "SELECT customer, friend, origin, more FROM p_album__pages WHERE customer = ?", after["customer"])
    assert len(pages) == 1 and "17" not in {pages[0][0], pages[0][1]} and pages[0][2] == f"made/{after['customer']}" and '"17"' not in pages[0][3]
    assert query(shop, "SELECT count(*) FROM ledger_accounts WHERE name = 'album/of/17'") == [(0,)]
    healthy(shop)


def test_by_hand_a_request_waits_until_somebody_does_it(own_shop):
    s = own_shop(settings={"privacy": '{ requests = "by_hand", law = "cn" }'})
    ada, bob = s.customer(), s.customer()
    asked = ok(erase(ada, ada), 202)
    assert asked["state"] == "asked" and ok(erase(ada, ada), 202) == asked
    days = (datetime.datetime.fromisoformat(asked["due_at"].replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 86400
    assert 20 <= days <= 23  # fifteen working days are three weeks, and what is left of a week-end
    problem(bob.request("DELETE", f"/v1/persons/requests/{asked['request']}"), 404)
    assert ok(ada.request("DELETE", f"/v1/persons/requests/{asked['request']}"), 200)["state"] == "withdrawn"
    asked = ok(erase(ada, ada), 202)
    listed = feira("person", s.folder, "requests").stdout
    assert asked["request"] in listed and ada.customer in listed
    while_stopped(s, "UPDATE person_requests SET due_at = 1 WHERE state = 'asked'", "UPDATE journal_timers SET due_ms = 1 WHERE procedure = 'persons.due'")
    document = ok(s.operator.request("GET", "/v1/doctor"), 200)
    assert [f["level"] for f in document["findings"] if f["check"] == "requests of persons"] == ["error"]
    waits(lambda: "person.overdue" in s.server.stderr())
    assert ada.customer not in s.server.stderr()
    done = feira("person", s.folder, "erase", ada.customer)
    assert done.returncode == 0 and asked["request"] in done.stdout, done
    healthy(s)


def removed(shop):
    return {what: int(n) for what, n in re.findall(r'^feira_retention_removed_total{what="([^"]+)"} (\d+)$', shop.pk.request("GET", "/metrics").body.decode(), re.M)}


def test_what_its_purpose_has_ended_for_goes_by_itself_and_is_counted(tmp_path):
    with make(tmp_path, settings={"plugins": '{ ["group-buy"] = {}, purse = {}, album = {}, ["stored-value"] = {} }'}) as s:
        sku = s.product(stock=1000)
        ada, idle, rich, busy = (person(s, n, name=f"{n}-retained") for n in ("ada", "idle", "rich", "busy"))
        ok(s.sk.request("POST", "/v1/x/stored-value/top-ups", {"id": "t1", "customer": rich.customer, "principal": 5000}, idempotency=unique("t")), 200, 201)
        ok(idle.request("POST", "/v1/x/album/pages", {"sticker": "sticker-of-idle"}, idempotency=unique("page")), 201)
        ok(ada.request("POST", "/v1/x/album/pages", {"sticker": "sticker-of-ada"}, idempotency=unique("page")), 201)
        for by in (ada.request("PUT", f"/v1/customers/{ada.customer}/consents/news", {"version": "1"}), ada.request("DELETE", f"/v1/customers/{ada.customer}/consents/news")):
            ok(by, 200)

        def ended(marks, **more):
            order = s.paid_order({sku: 1}, contact={"name": marks}, **more)
            send_all(s, order)
            return order

        old, guest, young = ended("old-contact", by=ada), ended("guest-contact"), ended("young-contact", by=ada)
        ancient = ended("ancient-contact", by=ada)
        owed = s.place({sku: 1}, by=ada, contact={"name": "owed-contact"})
        pay_with_the_purse(s, owed)
        ok(s.sk.request("POST", f"/v1/orders/{owed['id']}/cancel", {}, idempotency=unique("cancel")), 200)
        waiting = s.paid_order({sku: 1}, by=busy, contact={"name": "waiting-contact"})
        waits(lambda: query(s, "SELECT 1 FROM journal_timers WHERE procedure = 'retention.run'"))
        assert removed(s) == {}

        def make_older(days, *orders):
            names = ", ".join(f"'{o['id']}'" for o in orders)
            return f"UPDATE orders SET updated_at = updated_at - {days * DAY_MS}, placed_at = placed_at - {days * DAY_MS} WHERE order_id IN ({names})"

        stale = ", ".join(f"'{w.customer}'" for w in (idle, rich, busy))
        while_stopped(
            s, make_older(93, old, guest, owed), make_older(89, young), make_older(1101, ancient), make_older(400, waiting),
            f"UPDATE customers SET updated_at = updated_at - {1101 * DAY_MS} WHERE customer IN ({stale})",
            f"UPDATE consents SET given_at = given_at - {1101 * DAY_MS}, withdrawn_at = withdrawn_at - {1101 * DAY_MS}",
            "DELETE FROM journal_idempotency",  # kept for a week, which is long over
            f"UPDATE p_album__visits SET at = at - {31 * DAY_MS} WHERE customer = '{ada.customer}'",
        )
        late = {f["check"]: f for f in ok(s.operator.request("GET", "/v1/doctor"), 200)["findings"]}["retention"]
        assert late["level"] == "warning" and "3 orders still have a contact, and 1 a customer" in late["text"]

        let_timers_come(s)
        waits(lambda: query(s, "SELECT json_extract(value, '$.last_run') FROM meta WHERE name = 'retention'") not in ([], [(None,)]))
        assert removed(s) == {"contacts": 3, "transactions": 1, "consents": 1, "accounts": 1, "album.visits": 1}
        contact = {o["id"]: ok(s.sk.request("GET", f"/v1/orders/{o['id']}"), 200) for o in (old, guest, young, ancient, owed, waiting)}
        assert [contact[o["id"]]["contact"] is None for o in (old, guest, young, ancient, owed, waiting)] == [True, True, False, True, False, False]
        assert contact[old["id"]]["customer"] == ada.customer and contact[ancient["id"]]["customer"] is None
        known = {c for (c,) in query(s, "SELECT customer FROM customers")}
        assert {ada.customer, rich.customer, busy.customer} <= known and idle.customer not in known
        assert query(s, "SELECT count(*) FROM p_album__visits") == [(0,)]  # ada's was old, and idle's went with him
        healthy(s)
        while_stopped(s)
        assert not found(files(s), ["old-contact", "guest-contact", "ancient-contact", "idle-retained", "sticker-of-idle"])
        assert {n for _, n in found(files(s), ["young-contact", "owed-contact", "ada-retained", "sticker-of-ada"])} == {"young-contact", "owed-contact", "ada-retained", "sticker-of-ada"}
        # It sets itself again, for tomorrow.
        (due,) = query(s, "SELECT due_ms FROM journal_timers WHERE procedure = 'retention.run'")[0]
        assert 23 * 3600 < due / 1000 - time.time() < 25 * 3600


def test_a_plugin_that_is_turned_off_keeps_nobody(own_shop):
    s = own_shop(settings={"plugins": "{ album = {} }"}, plugins={"album": ALBUM})
    ada, bob = person(s, "ada-in-the-album"), person(s, "bob-in-the-album")
    for who in (ada, bob):
        ok(who.request("POST", "/v1/x/album/pages", {"sticker": f"sticker-of-{who.customer}"}, idempotency=unique("page")), 201)
    write_shop(s.folder, {"plugins": "{}"})
    assert feira("publish", s.folder).returncode == 0
    assert set(export(s.sk, ada)["plugins"]["album"]) == {"pages", "visits"}
    ok(s.sk.request("POST", f"/v1/customers/{ada.customer}/erasure", {}), 200)
    assert found(files(s), [ada.customer, f"sticker-of-{ada.customer}"]) == []
    assert query(s, "SELECT customer FROM p_album__pages") == [(bob.customer,)]
    # It comes back, and goes on with those who are left.
    write_shop(s.folder, {"plugins": "{ album = {} }"})
    assert feira("publish", s.folder).returncode == 0
    ok(bob.request("POST", "/v1/x/album/pages", {"sticker": "another"}, idempotency=unique("page")), 201)


def test_a_server_that_is_killed_behind_an_erasure_forgets_all_the_same(own_shop):
    s = own_shop()
    ada = person(s, "ada-killed", name=NAME, email=EMAIL)
    reader = sqlite3.connect(f"file:{s.server.data / 'shop.db'}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM customers").fetchone()  # in the way: the log can't begin anew
    ok(erase(ada, ada), 200)
    assert NAME.encode() in (s.server.data / "shop.db-wal").read_bytes()  # the control
    s.server.kill()
    reader.close()
    s.hang_up()
    s.server.start()
    waits(lambda: not found(files(s), [NAME, EMAIL, ada.customer]))
    problem(s.sk.request("GET", f"/v1/customers/{ada.customer}"), 404)


@pytest.mark.parametrize("arguments", [("burn", "x"), ("erase",), ("erase", "a b"), ("requests", "--state", "x&y=1")])
def test_a_wrong_command_is_refused(tmp_path, arguments):
    assert feira("person", tmp_path, *arguments).returncode == 2


def query(shop, sql, *values):
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
        return db.execute(sql, values).fetchall()


def while_stopped(shop, *statements):
    shop.hang_up()
    assert shop.server.terminate() == 0
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=rw", uri=True)) as db, db:
        for sql in ("PRAGMA secure_delete = ON", *statements):
            db.execute(sql)
    shop.server.start()


def let_timers_come(shop):
    """It is later: what looks after persons looks now."""
    while_stopped(shop, "UPDATE journal_timers SET due_ms = 1 WHERE procedure IN ('persons.finish', 'retention.run')")


def age(shop, days):
    ms = days * DAY_MS
    while_stopped(shop, f"UPDATE orders SET placed_at = placed_at - {ms}, updated_at = updated_at - {ms}")


def healthy(shop):
    document = ok(shop.operator.request("GET", "/v1/doctor"), 200)
    assert document["healthy"], [f for f in document["findings"] if f["level"] == "error"]


def waits(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.2)
    assert condition()
