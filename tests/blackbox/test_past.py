"""Orders of the past computed again: feira replay, feira explain SHOP ORDER, GET /v1/orders/{id}/explanation."""

import base64
import contextlib
import json
import sqlite3
import threading

import pytest

from feira_tools.server import ROOT
from market import feira, ok, open_shop, problem, unique

# A campaign with a function that looks at everything a rule may look at, and one with limits.
RULES = """local promo = require "feira.promo"
return {
  promo.campaign { id = "odd", scope = promo.tag "odd", give = function(cart)
    for line in cart:select { tag = "odd" }:lines() do
      if (cart.now // 1000) % 2 == 0 or math.random(10) > 3 then line:discount { amount = line.unit_price // PART, reason = "odd" } end
    end
  end },
  promo.campaign { id = "few", scope = promo.tag "few", give = promo.percent_off { percent = PERCENT }, limits = { uses = 5, per_customer = 2 } },
  promo.campaign { id = "big", when = promo.subtotal { at_least = "50.00" }, give = promo.amount_off { amount = "PERCENT.00" } },
}
"""
CLUB = {
    "plugin": """return { name = "club", version = "1.0.0", api = 1, title = "A club",
  collections = { members = { fields = { customer = "customer", level = "integer" }, index = { "customer" } } },
  facts = { level = { run = "rules.level", from = { collection = "members", by = "customer" } } },
  pricing = { steps = { run = "rules.price" } },
  routes = { ["POST /level"] = { run = "events.set", auth = "server", body = { customer = "customer", level = "integer" } } } }
""",
    "rules": """local rules = {}
function rules.level(rows) return rows[1] and rows[1].level end
function rules.price(line, cart)
  local level = cart:fact "club.level"
  if level then return line.unit_price - level end
end
return rules
""",
    "events": """local store = require "feira.store"
local events = {}
function events.set(call)
  local row = store.members:find({ customer = call.body.customer })[1]
  if row then store.members:update(row.id, { level = call.body.level }) else store.members:insert(call.body) end
  return { status = 200, body = {} }
end
return events
""",
}


SETTINGS = {"plugins": "{ club = {} }", "pay_within": '"60m"'}


def rules(part, percent):
    return RULES.replace("PART", str(part)).replace("PERCENT", str(percent))


def db(shop):
    return contextlib.closing(sqlite3.connect(shop.server.data / "shop.db", timeout=10))


def publish(shop, part, percent):
    (shop.folder / "campaigns" / "all.lua").write_text(rules(part, percent), encoding="utf-8")
    done = feira("publish", shop.folder)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """A shop with orders under five generations, of guests and members whose level changes, some cancelled; served."""
    with open_shop(tmp_path_factory.mktemp("past"), settings=SETTINGS, campaigns={"all": rules(3, 5)}, plugins={"club": CLUB}) as shop:
        skus = [shop.product(price=900 + 37 * i, stock=10000, tags=["odd", "few"][i % 2 :]) for i in range(4)]
        members = [unique("member") for _ in range(3)]
        for name in members:
            ok(shop.sk.request("PUT", f"/v1/customers/{name}", {"tags": ["vip"]}), 201)
        orders = []
        for round in range(5):
            if round:
                publish(shop, 2 + round, 5 + round)
            for i in range(8):
                customer = members[i % 4] if i % 4 < 3 else None
                if customer:
                    ok(shop.sk.request("POST", "/v1/x/club/level", {"customer": customer, "level": round * 3 + i}), 200)
                more = {"customer": customer} if customer else {}
                cart = {sku: 1 + (i + k) % 5 for k, sku in enumerate(skus[: 1 + i % 4])}
                orders.append(shop.place(cart, **more, codes=["NOPE"], shipping={"option": "standard", "region": "GB"}))
        ok(shop.sk.request("POST", f"/v1/orders/{orders[3]['id']}/cancel", {}, idempotency=unique("c")), 200)
        shop.orders = orders
        yield shop


def replay(shop, *more):
    done = feira("replay", shop.folder, "--json", *more)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def test_every_order_comes_to_the_same(past):
    code, result = replay(past)
    assert (code, result["orders"], result["differ"], result["first"]) == (0, 40, 0, [])
    assert [v["same"] for v in result["versions"]] == [True]
    assert len({order["generation"] for order in past.orders}) == 5
    assert any(d["campaign"] == "few" for o in past.orders for line in o["lines"] for d in line["discounts"])
    done = feira("replay", past.folder)
    assert done.returncode == 0 and "40 orders computed again, 0 differences" in done.stdout


def test_one_order_or_those_of_a_time(past):
    order = past.orders[7]
    code, result = replay(past, order["id"])
    assert (code, result["orders"]) == (0, 1)
    with db(past) as store, store:
        store.execute("UPDATE orders SET placed_at = placed_at - 86400000 * 10 WHERE order_id = ?", (order["id"],))
    try:
        assert replay(past, "--since", "5d")[1]["orders"] == 39
        assert replay(past, "--until", "5d")[1]["orders"] == 1
        assert replay(past, "--since", "30d", "--until", "1s")[1]["orders"] >= 1
    finally:
        with db(past) as store, store:
            store.execute("UPDATE orders SET placed_at = placed_at + 86400000 * 10 WHERE order_id = ?", (order["id"],))
    for wrong, code in (((past.orders[0]["id"], "--since", "1d"), 2), (("--since", "soon"), 1), (("ord_000",), 1)):
        done = feira("replay", past.folder, *wrong)
        assert done.returncode == code or code == 1 and done.returncode in (1, 3), (wrong, done)
        assert len(done.stderr) > 20


def changed(past, sql, *values):
    """Runs it, replays, and puts back what it changed; what replay said."""
    columns = {"order_evidence": ("order_id", "evidence"), "orders": ("id", "lines", "priced", "total", "shipping", "generation")}
    with db(past) as store:
        before = {t: store.execute(f"SELECT {', '.join(names)} FROM {t}").fetchall() for t, names in columns.items()}
        with store:
            assert store.execute(sql, values).rowcount == 1
        try:
            return replay(past)
        finally:
            with store:
                for table, (key, *names) in columns.items():
                    update = f"UPDATE {table} SET {', '.join(f'{n} = ?' for n in names)} WHERE {key} = ?"
                    store.executemany(update, [(*row[1:], row[0]) for row in before[table]])


def test_any_byte_of_a_record_that_was_changed_is_found(past):
    order = past.orders[11]["id"]
    with db(past) as store:
        (record,) = store.execute("SELECT evidence FROM order_evidence e JOIN orders o ON o.id = e.order_id WHERE o.order_id = ?", (order,)).fetchone()
    update = "UPDATE order_evidence SET evidence = ? WHERE order_id = (SELECT id FROM orders WHERE order_id = ?)"
    for at in (0, 1, 30, len(record) // 2, len(record) - 1):
        spoiled = record[:at] + bytes([record[at] ^ 1]) + record[at + 1 :]
        code, result = changed(past, update, spoiled, order)
        assert (code, result["differ"]) == (1, 1), at
        assert result["first"][0]["order"] == order and result["first"][0]["field"] == "evidence"
    assert replay(past)[1]["differ"] == 0


def test_a_changed_amount_is_named_by_order_and_field(past):
    order = past.orders[20]
    total = order["lines"][0]["total"]
    sql = "UPDATE orders SET lines = replace(lines, '\"total\":' || ?, '\"total\":' || (? + 1)) WHERE order_id = ?"
    code, result = changed(past, sql, total, total, order["id"])
    assert (code, result["differ"]) == (1, 1)
    first = result["first"][0]
    assert (first["order"], first["field"], first["was"], first["now"]) == (order["id"], "lines[1].total", str(total + 1), str(total))
    code, result = changed(past, "UPDATE orders SET total = total + 1 WHERE order_id = ?", order["id"])
    assert (code, result["first"][0]["field"]) == (1, "total")
    other = next(o["generation"] for o in past.orders if o["generation"] != order["generation"])
    code, result = changed(past, "UPDATE orders SET generation = ? WHERE order_id = ?", other, order["id"])
    assert (code, result["first"][0]["field"]) == (1, "evidence")


def test_it_works_while_orders_are_placed_and_progress_can_be_asked(past):
    stop = threading.Event()
    sku = past.product(price=700, stock=100000, tags=["few"])
    placed = []

    def buy():
        client = past.client(past.sk.key)
        while not stop.is_set():
            placed.append(past.place({sku: 1}, by=client))

    buyer = threading.Thread(target=buy)
    buyer.start()
    try:
        results = [replay(past) for _ in range(3)]
    finally:
        stop.set()
        buyer.join()
    assert all(code == 0 and result["differ"] == 0 for code, result in results)
    assert placed
    state = ok(past.operator.request("GET", "/v1/replay"), 200)
    assert state["state"] == "done" and state["done"] == state["of"] and state["result"]["differ"] == 0
    assert ok(past.operator.request("DELETE", "/v1/replay"), 200)["state"] == "done"
    problem(past.pk.request("POST", "/v1/replay", {}), 403)


def test_an_explanation_says_what_the_rules_saw_and_that_it_agrees(past):
    order = past.orders[14]
    told = ok(past.sk.request("GET", f"/v1/orders/{order['id']}/explanation?lang=en"), 200)
    assert told["order"] == order["id"] and told["agrees"] is True and told["total"] == order["total"]
    assert told["generation"] == order["generation"] and [x["sku"] for x in told["lines"]] == [x["sku"] for x in order["lines"]]
    assert [x["title"] for x in told["lines"]] == [x["title"] for x in order["lines"]]
    assert told["seen"]["customer"] is True and told["seen"]["facts"]["club.level"] == 3 + 6 and told["seen"]["tags"] == ["vip"]
    assert told["seen"]["codes"] == ["NOPE"] and told["unused_codes"] == ["NOPE"]
    assert {c["id"] for c in told["campaigns"]} == {"odd", "few", "big"}
    assert all(c["applied"] or c["reason"]["text"] for c in told["campaigns"])
    table = feira("explain", past.folder, order["id"])
    assert table.returncode == 0, table.stderr
    for text in (order["id"], "saw club.level = 9", "comes to the same", "Applied", "  NOPE "):
        assert text in table.stdout, table.stdout
    problem(past.sk.request("GET", "/v1/orders/ord_000/explanation"), 404)
    problem(past.pk.request("GET", f"/v1/orders/{order['id']}/explanation"), 403)


def test_a_shop_that_nobody_serves_is_replayed_and_explained_too(own_shop):
    shop = own_shop(campaigns={"all": rules(3, 5)})
    sku = shop.product(tags=["odd", "few"])
    order = shop.place({sku: 2})
    shop.server.terminate()
    code, result = replay(shop)
    assert (code, result["orders"], result["differ"]) == (0, 1, 0)
    # The files are broken: what was live is in the store.
    (shop.folder / "campaigns" / "all.lua").write_text("return nonsense(", encoding="utf-8")
    assert replay(shop)[0] == 0
    assert "comes to the same" in feira("explain", shop.folder, order["id"]).stdout


def test_who_was_erased_is_replayed_all_the_same(own_shop):
    shop = own_shop(campaigns={"all": rules(3, 5)})
    sku = shop.product(tags=["few"])
    shop.place({sku: 1}, by=shop.customer("maria"))
    with db(shop) as store, store:
        assert store.execute("DELETE FROM customer_pseudonyms").rowcount == 1
        store.execute("UPDATE customers SET customer = 'erased-1'")
    assert replay(shop)[1]["differ"] == 0


def test_evidence_of_before_there_were_records_is_computed_again(own_shop):
    """It was the JSON of the cart, with the customer's name; the migration took the name out."""
    shop = own_shop(campaigns={"all": rules(3, 5)})
    sku = shop.product(price=2000, tags=["few"], stock=50)
    someone = shop.customer("maria")
    quote = shop.quote({sku: 2}, by=someone)
    payload = quote["token"].split(".")[0]
    evidence = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["e"]
    assert evidence["cust"] == "maria" and any(left[0].endswith("/maria") for left in evidence["left"])
    order = ok(someone.request("POST", "/v1/orders", {"quote_token": quote["token"]}, idempotency=unique("o")), 201)
    migration = (ROOT / "stdlib" / "schema" / "019-evidence.sql").read_text(encoding="utf-8")
    update = migration[migration.index("UPDATE order_evidence\n  SET evidence") :].split(";")[0]
    with db(shop) as store:
        with store:
            store.execute("UPDATE order_evidence SET evidence = ?", (json.dumps(evidence, separators=(",", ":")),))
            store.execute(update)
        (text,) = store.execute("SELECT evidence FROM order_evidence").fetchone()
        assert "maria" not in text and "/~" in text
        code, result = replay(shop)
        assert (code, result["orders"], result["differ"]) == (0, 1, 0)
        assert "comes to the same" in feira("explain", shop.folder, order["id"]).stdout
        with store:
            store.execute("UPDATE order_evidence SET evidence = replace(evidence, ',2000,', ',2001,')")
    code, result = replay(shop)
    assert code == 1 and result["first"][0]["field"].startswith("lines[1].") and result["first"][0]["order"] == order["id"]
