"""The ledger as operators see it: units, accounts, statements, marks; and holds that it gives back by itself."""

import contextlib
import json
import sqlite3
import time
from urllib.parse import quote

import pytest
from market import feira, ok, unique


def path(account):
    return "/v1/ledger/accounts/" + quote(account, safe="")


def statement(shop, account, **query):
    items, cursor = [], None
    while True:
        text = "&".join(f"{k}={quote(str(v))}" for k, v in ({**query, **({"cursor": cursor} if cursor else {})}).items() if v is not None)
        page = ok(shop.operator.request("GET", path(account) + "/statement?" + text), 200)
        items += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return page, items


def moment(shop):
    """After everything answered so far, before everything to come."""
    time.sleep(0.01)
    now = time.time()
    time.sleep(0.01)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}Z"


def test_a_statement_of_stock_opens_lists_and_closes(shop):
    sku = shop.product(stock=10)
    account = f"stock/{sku}/main"
    middle = moment(shop)
    order = shop.place([{"sku": sku, "qty": 3}])
    page, items = statement(shop, account)
    assert (page["opening"], page["closing"], page["unit"]) == (0, 10, "pcs")  # what is held is no entry
    shop.pay(order)
    shop.stock(sku, 5)
    page, items = statement(shop, account, limit=1)
    assert [e["amount"] for e in items] == [10, -3, 5]
    assert [e["balance"] for e in items] == [10, 7, 12]
    assert items[1]["reference"] == order["id"] and items[1]["kind"] == "post" and items[1]["other"] == "stock-sold"
    page, items = statement(shop, account, **{"from": middle})
    assert (page["opening"], page["debits"], page["credits"], page["closing"], len(items)) == (10, 3, 5, 12, 2)
    page, items = statement(shop, account, to=middle)
    assert (page["opening"], page["closing"], len(items)) == (0, 10, 1)
    known = ok(shop.operator.request("GET", path(account)), 200)
    assert (known["balance"], known["held"], known["available"]) == (12, 0, 12)


def test_what_is_asked_wrongly_is_refused_with_the_field(shop):
    sku = shop.product()
    account = path(f"stock/{sku}/main")
    for query, field in (("from=yesterday", "from"), ("from=2026-11-20&to=2026-11-19", "to"), ("cursor=abc", "cursor"), ("cursor=1." + "9" * 19, "cursor"), ("limit=0", "limit")):
        answer = shop.operator.request("GET", f"{account}/statement?{query}")
        assert answer.status == 422 and answer.json()["field"] == field, query
    assert shop.operator.request("GET", path("stock/NOTHING/main")).status == 404
    assert shop.pk.request("GET", account).status == 403
    assert shop.sk.request("GET", account).status == 403  # this key has no scope admin
    assert shop.operator.request("PATCH", account, {"reason": "x"}).status == 422
    assert shop.operator.request("PATCH", account, {"frozen": True}).status == 422


def test_accounts_are_listed_by_name_and_units_balance(shop):
    sku = unique("LISTED")
    shop.product(sku)
    for place in ("north", "south"):
        shop.stock(sku, 1, location=place)
    names, cursor = [], ""
    while cursor is not None:
        page = ok(shop.operator.request("GET", f"/v1/ledger/accounts?prefix=stock/{sku}/&limit=2" + (f"&cursor={cursor}" if cursor else "")), 200)
        names += [a["account"] for a in page["items"]]
        cursor = page["next_cursor"]
    assert names == [f"stock/{sku}/{p}" for p in ("main", "north", "south")]
    units = {u["unit"]: u for u in ok(shop.operator.request("GET", "/v1/ledger/units"), 200)["items"]}
    assert units["pcs"]["balanced"] and units["pcs"]["debits"] == units["pcs"]["credits"] > 0


def test_a_frozen_account_sells_nothing_until_it_is_free_again(shop):
    sku = shop.product()
    account = f"stock/{sku}/main"
    ok(shop.operator.request("PATCH", path(account), {"frozen": True, "reason": "counted again"}), 200)
    refused = shop.pk.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}, idempotency=unique("o"))
    assert refused.status == 409
    known = ok(shop.operator.request("GET", path(account)), 200)
    assert known["frozen"] and known["changes"][0]["reason"] == "counted again" and known["changes"][0]["by"] == "operator"
    closed = shop.operator.request("PATCH", path(account), {"closed": True, "reason": "gone"})
    assert closed.status == 409 and closed.json()["type"].endswith("not_empty")
    ok(shop.operator.request("PATCH", path(account), {"frozen": False, "reason": "right"}), 200)
    shop.place([{"sku": sku, "qty": 1}])
    assert [c["frozen"] for c in ok(shop.operator.request("GET", path(account)), 200)["changes"]] == [False, True]


def test_the_command_shows_units_accounts_and_statements(shop):
    sku = shop.product(stock=7)
    account = f"stock/{sku}/main"
    where = ("--data", shop.server.data)
    out = feira("ledger", shop.folder, *where).stdout
    assert "pcs" in out and "balanced" in out and "NOT" not in out
    assert account in feira("ledger", shop.folder, f"stock/{sku}/", *where).stdout
    done = feira("ledger", shop.folder, account, *where)
    assert done.returncode == 0 and "opening" in done.stdout and "closing" in done.stdout and "stock-outside" in done.stdout
    assert "closing" in feira("ledger", shop.folder, account, "--from", "2020-01-01", "--to", "2020-02-01 08:00", *where).stdout
    assert "frozen" in feira("ledger", shop.folder, account, "--freeze", "looks odd", *where).stdout
    assert "looks odd" in feira("ledger", shop.folder, account, *where).stdout
    assert feira("ledger", shop.folder, account, "--unfreeze", "fine", *where).returncode == 0
    assert json.loads(feira("ledger", shop.folder, account, "--json", *where).stdout.splitlines()[1])["closing"] == 7
    missing = feira("ledger", shop.folder, "stock/NONE/main", *where)
    assert missing.returncode == 1 and "no ledger account" in missing.stderr


def test_sums_by_hours_are_caught_up_with_in_the_background_and_change_nothing(own_shop):
    shop = own_shop()
    sku = shop.product(stock=0)
    changes = [{"sku": sku, "delta": 3 if i % 2 else -2, "reason": "count"} for i in range(3000)]
    shop.stock(sku, 10)
    ok(shop.sk.request("POST", "/v1/stock", {"changes": changes}, idempotency=unique("stock")), 200)

    def not_summed():
        with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
            return db.execute("SELECT (SELECT max(seq) FROM ledger_transfers) - (SELECT seq FROM ledger_summed)").fetchone()[0]

    def sums():
        page, _ = statement(shop, f"stock/{sku}/main", limit=200, **{"from": "2020-01-01"})
        return page["opening"], page["debits"], page["credits"], page["closing"]

    assert sums() == (0, 3000, 4510, 1510)
    assert eventually(lambda: not_summed() < 1000)
    assert sums() == (0, 3000, 4510, 1510)
    assert statement(shop, f"stock/{sku}/main", to="2020-01-01")[0]["closing"] == 0
    assert feira("doctor", shop.folder, "--data", shop.server.data).returncode == 0


SEATS = {
    "plugin": """return { name = "seats", version = "1.0.0", api = 1, title = "Seats",
  routes = {
    ["POST /open"] = { run = "events.open", auth = "server" },
    ["POST /take/{id}"] = { run = "events.take", auth = "server" },
    ["POST /keep/{id}"] = { run = "events.keep", auth = "server" },
    ["GET /hold/{id}"] = { run = "events.look", auth = "server" },
  } }""",
    "events": """local ledger, time, fail = require "feira.ledger", require "feira.time", require "feira.fail"
local events = {}
function events.open()
  ledger.account("seats/free", "seats", { no_overdraft = true })
  ledger.account("seats/taken", "seats")
  ledger.account("seats/house", "seats")
  ledger.apply { { kind = "transfer", id = "open", debit = "seats/house", credit = "seats/free", amount = 1 } }
  return { status = 200, body = {} }
end
function events.take(call)
  local done = ledger.apply { { kind = "hold", id = call.params.id, debit = "seats/free", credit = "seats/taken", amount = 1,
    expires = time.now() + 700 } }
  if not done then fail.conflict("full", "All seats are taken.") end
  return { status = 201, body = {} }
end
function events.keep(call)
  if ledger.hold(call.params.id) ~= "open" then fail.state("late", "The seat is not yours any more.") end
  ledger.apply { { kind = "post", id = call.params.id .. "/keep", pending = call.params.id } }
  return { status = 200, body = {} }
end
function events.look(call)
  local standing = ledger.hold(call.params.id)
  local _, held, available = ledger.balance "seats/free"
  return { status = 200, body = { standing = standing, held = held, available = available } }
end
return events
""",
}


@pytest.fixture
def seats(own_shop):
    shop = own_shop(settings={"plugins": "{ seats = {} }"}, plugins={"seats": SEATS})
    ok(shop.sk.request("POST", "/v1/x/seats/open", {}), 200)
    return shop


def post(shop, what):
    return shop.sk.request("POST", f"/v1/x/seats/{what}", {}).status


def look(shop, hold):
    return ok(shop.sk.request("GET", f"/v1/x/seats/hold/{hold}"), 200)


def eventually(what, within=5):
    end = time.monotonic() + within
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def test_a_hold_of_a_plugin_comes_back_by_itself_when_its_time_is_over(seats):
    assert post(seats, "take/ann") == 201
    assert post(seats, "take/bob") == 409
    assert eventually(lambda: look(seats, "ann") == {"standing": "expired", "held": 0, "available": 1})
    assert post(seats, "keep/ann") == 409
    assert post(seats, "take/bob") == 201
    assert post(seats, "keep/bob") == 200
    time.sleep(1)
    assert look(seats, "bob") == {"standing": "posted", "held": 0, "available": 0}


def test_a_hold_whose_time_came_while_nobody_served_comes_back_at_the_start(seats):
    assert post(seats, "take/ann") == 201
    seats.server.terminate()
    time.sleep(0.8)
    seats.server.start()
    assert eventually(lambda: look(seats, "ann")["available"] == 1)
    _, items = statement(seats, "seats/free")
    assert [e["amount"] for e in items] == [1]
