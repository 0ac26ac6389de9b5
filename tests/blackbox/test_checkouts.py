"""The stored checkout: built step by step, priced anew with every answer, completed once, gone when it ends."""

import contextlib
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from market import as_lines, ok, problem, unique

ADDRESS = {"name": "Zoë", "line1": "1 High Street", "city": "Leeds", "postal_code": "LS1", "country": "GB"}
CONTACT = {"name": "Zoë", "email": "zoe@example.org"}


def create(by, lines=None, key=None, **body):
    if lines is not None:
        body["lines"] = as_lines(lines)
    return by.request("POST", "/v1/checkouts", body, **({"idempotency": key} if key else {}))


def get(by, checkout):
    return by.request("GET", f"/v1/checkouts/{checkout['id']}")


def change(by, checkout, **body):
    return by.request("PATCH", f"/v1/checkouts/{checkout['id']}", body)


def complete(by, checkout, token=None, key=None, **body):
    body["quote_token"] = token or checkout["quote"]["token"]
    return by.request("POST", f"/v1/checkouts/{checkout['id']}/complete", body, **({"idempotency": key} if key else {}))


def rows(shop, table):
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
        return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_a_purchase_is_built_step_by_step_and_placed(shop):
    one, two = shop.product(price=1000), shop.product(price=250, tags=["coded"])
    guest = shop.pk
    checkout = ok(create(guest), 201)
    assert checkout["id"].startswith("chk_") and (checkout["state"], checkout["version"]) == ("open", 1)
    assert (checkout["lines"], checkout["codes"], checkout["quote"], checkout["problem"], checkout["order"]) == ([], [], None, None, None)
    checkout = ok(change(guest, checkout, lines=as_lines({one: 2})), 200)
    assert checkout["quote"]["total"] == 2000 and checkout["version"] == 2
    checkout = ok(change(guest, checkout, lines=as_lines({one: 2, two: 4}), codes=["WELCOME"]), 200)
    assert checkout["quote"]["total"] == 2500  # 2000 + 1000 - 5.00
    checkout = ok(change(guest, checkout, shipping={"option": "standard", "region": "GB"}, address=ADDRESS), 200)
    assert checkout["quote"]["total"] == 2500 + 495 and checkout["address"] == ADDRESS
    checkout = ok(change(guest, checkout, contact=CONTACT, note="Ring twice."), 200)
    assert (checkout["contact"], checkout["note"], checkout["address"]) == (CONTACT, "Ring twice.", ADDRESS)
    assert shop.available(one)["available"] == 10  # nothing is held
    seen = ok(get(guest, checkout), 200)
    assert {k: v for k, v in seen.items() if k != "quote"} == {k: v for k, v in checkout.items() if k != "quote"}
    assert seen["quote"]["total"] == checkout["quote"]["total"]

    order = ok(complete(guest, seen), 201)
    assert (order["total"], order["state"], order["address"], order["contact"], order["note"]) == (2995, "placed", ADDRESS, CONTACT, "Ring twice.")
    assert shop.available(one)["available"] == 8
    done = ok(get(guest, checkout), 200)
    assert (done["state"], done["order"], done["quote"], done["contact"], done["address"], done["note"]) == ("completed", order["id"], None, None, None, None)
    problem(change(guest, checkout, note="late"), 409, "checkout_completed")


def test_members_are_replaced_whole_and_null_takes_one_away(shop):
    sku = shop.product()
    checkout = ok(create(shop.pk, {sku: 1}, codes=["A", "B"], channel="web", shipping={"option": "standard", "region": "GB"}, address=ADDRESS, note="n"), 201)
    changed = ok(change(shop.pk, checkout, codes=["C"], channel=None, shipping={"region": "GB"}, address=None), 200)
    assert (changed["codes"], changed["channel"], changed["shipping"], changed["address"], changed["note"]) == (["C"], None, {"region": "GB"}, None, "n")
    assert changed["lines"] == checkout["lines"]
    emptied = ok(change(shop.pk, checkout, lines=None, codes=None, note=None), 200)
    assert (emptied["lines"], emptied["codes"], emptied["note"], emptied["quote"]) == ([], [], None, None)
    assert ok(change(shop.pk, checkout), 200)["version"] == 4  # nothing said is a sign of life
    assert ok(change(shop.pk, checkout, lines=[]), 200)["lines"] == []


@pytest.mark.parametrize(
    "body, status, field",
    [
        ({"lines": [{"sku": "NO-SUCH", "qty": 1}]}, 422, "/lines/0/sku"),
        ({"lines": [{"sku": "X", "qty": 0}]}, 422, "/lines/0/qty"),
        ({"lines": [{"sku": "X", "qty": 1.5}]}, 422, "/lines/0/qty"),
        ({"customer": "ann"}, 403, "/customer"),
        ({"campaigns": "none"}, 403, "/campaigns"),
        ({"address": {"line1": "x"}}, 422, None),
        ({"total": 1}, 422, "/total"),
        ({"inputs": {"nobody": {}}}, 422, "/inputs/nobody"),
        ({"quote_token": "x"}, 422, "/quote_token"),
    ],
)
def test_what_a_guest_may_not_say_changes_nothing(shop, body, status, field):
    checkout = ok(create(shop.pk, {shop.product(): 1}), 201)
    before = shop.state()
    problem(shop.pk.request("POST", "/v1/checkouts", body), status, field=field)
    problem(change(shop.pk, checkout, **body), status, field=field)
    assert shop.state() == before


def test_only_a_server_sets_a_price_and_it_stays_whoever_looks(shop):
    sku = shop.product(price=1000)
    problem(create(shop.pk, [{"sku": sku, "qty": 1, "unit_price": 1}]), 403)
    checkout = ok(create(shop.sk, [{"sku": sku, "qty": 2, "unit_price": 700}]), 201)
    assert ok(get(shop.pk, checkout), 200)["quote"]["total"] == 1400
    checkout = ok(change(shop.pk, checkout, note="please"), 200)
    assert ok(complete(shop.pk, checkout), 201)["total"] == 1400


# --- who may see it ----------------------------------------------------------------------------------------------------------


def test_a_checkout_is_its_customers_and_no_one_elses(shop):
    anna, bert, sku = shop.customer(), shop.customer(), shop.product()
    checkout = ok(create(anna, {sku: 1}, contact=CONTACT), 201)
    assert checkout["customer"] == anna.customer
    for other in bert, shop.pk:
        problem(get(other, checkout), 404)
        problem(change(other, checkout, note="mine"), 404)
        problem(complete(other, checkout), 404)
    problem(get(shop.client(""), checkout), 401)
    problem(change(anna, checkout, customer=bert.customer), 403)
    assert ok(get(shop.sk, checkout), 200)["contact"] == CONTACT
    order = ok(complete(anna, checkout), 201)
    assert order["customer"] == anna.customer and order["contact"] == CONTACT
    problem(get(bert, checkout), 404)
    assert ok(complete(anna, checkout), 200)["contact"] == CONTACT
    problem(get(anna, {"id": "chk_nobody"}), 404)


def test_a_guest_who_signs_in_takes_the_checkout_along(shop):
    anna, sku = shop.customer(tags=["vip"]), shop.product(price=1000, tags=["vip-goods"])
    checkout = ok(create(shop.pk, {sku: 1}), 201)
    assert checkout["quote"]["total"] == 1000 and checkout["customer"] is None
    assert ok(get(anna, checkout), 200)["customer"] is None  # looking takes nothing
    mine = ok(change(anna, checkout), 200)
    assert mine["customer"] == anna.customer and mine["quote"]["total"] == 500
    problem(get(shop.pk, checkout), 404)
    assert ok(complete(anna, mine), 201)["customer"] == anna.customer


def test_a_guests_checkout_that_a_customer_completes_is_his_order(shop):
    anna, sku = shop.customer(), shop.product()
    checkout = ok(create(shop.pk, {sku: 1}), 201)
    order = ok(complete(anna, ok(get(anna, checkout), 200)), 201)
    assert order["customer"] == anna.customer
    problem(get(shop.pk, checkout), 404)


def test_a_server_builds_one_for_a_customer(shop):
    anna, sku = shop.customer(), shop.product()
    checkout = ok(create(shop.sk, {sku: 1}, customer=anna.customer), 201)
    assert ok(get(anna, checkout), 200)["quote"]["total"] == 1000
    assert ok(change(shop.sk, checkout, customer=None), 200)["customer"] is None
    assert ok(change(shop.sk, checkout, customer=anna.customer), 200)["customer"] == anna.customer
    order = ok(complete(shop.sk, ok(get(shop.sk, checkout), 200), reference="R-1", dues=[{"label": "all", "amount": 1000, "within": "1h"}]), 201)
    assert (order["customer"], order["reference"], order["dues"][0]["label"]) == (anna.customer, "R-1", "all")
    other = ok(create(anna, {sku: 1}), 201)
    problem(complete(anna, other, reference="R-2"), 403, field="/reference")
    assert ok(get(anna, other), 200)["state"] == "open"


def test_ids_can_not_be_guessed_from_another(shop):
    with ThreadPoolExecutor(8) as pool:
        clients = [shop.client(shop.server.keys()["pk"]) for _ in range(8)]
        made = [c["id"] for c in pool.map(lambda client: ok(create(client), 201), clients)]
    assert len({i[-16:] for i in made}) == 8 and len({i[-16:-8] for i in made}) == 8


# --- completing -----------------------------------------------------------------------------------------------------------------


def test_completing_again_gives_the_same_order(shop):
    sku = shop.product(stock=5)
    checkout = ok(create(shop.pk, {sku: 1}, contact=CONTACT, address=ADDRESS, note="n"), 201)
    key = unique("complete")
    first = complete(shop.pk, checkout, key=key)
    order = ok(first, 201)
    assert complete(shop.pk, checkout, key=key).body == first.body
    again = ok(complete(shop.pk, checkout, key=unique("complete")), 200)
    assert again["id"] == order["id"] and shop.available(sku)["available"] == 4
    # Who has nothing but the id of a guest's checkout sees no name, also not of the order.
    assert (again["contact"], again["address"], again.get("note")) == (None, None, None)
    assert ok(complete(shop.sk, checkout), 200)["contact"] == CONTACT
    shop.pay(order)
    assert ok(complete(shop.pk, checkout, token="old"), 200)["state"] == "paid"


@pytest.mark.parametrize("round", range(4))
def test_many_at_once_give_one_order(shop, round):
    sku = shop.product(stock=5)
    checkout = ok(create(shop.pk, {sku: 1}), 201)
    clients = [shop.client(shop.server.keys()["pk"]) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda client: complete(client, checkout), clients))
    assert sorted(a.status for a in answers) == [200] * 7 + [201], answers
    assert len({a.json()["id"] for a in answers}) == 1 and shop.available(sku)["available"] == 4


def test_an_order_is_what_its_checkout_says_also_when_that_changes_at_the_same_moment(shop):
    sku, clients = shop.product(stock=1000), [shop.client(shop.server.keys()["pk"]) for _ in range(4)]
    outcomes = set()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(60):
            checkout = ok(create(shop.pk, {sku: 1}), 201)
            changes = [pool.submit(change, clients[n], checkout, lines=as_lines({sku: n + 2})) for n in range(2)]
            done = pool.submit(complete, clients[2], checkout).result()
            answers = [c.result() for c in changes]
            outcomes.add(done.status)
            seen = ok(get(shop.pk, checkout), 200)
            if done.status == 201:
                assert [line["qty"] for line in done.json()["lines"]] == [line["qty"] for line in seen["lines"]], (done, seen)
            else:
                problem(done, 409, "checkout_changed")
                assert seen["state"] == "open" and {a.status for a in answers} == {200}
    assert outcomes <= {201, 409}


def test_the_price_that_was_shown_is_paid_and_a_change_asks_for_a_new_look(shop):
    sku = shop.product(price=1000)
    checkout = ok(create(shop.pk, {sku: 1}), 201)
    ok(shop.sk.request("PATCH", f"/v1/products/{sku}", {"price": 1500}), 200)
    assert ok(get(shop.pk, checkout), 200)["quote"]["total"] == 1500
    assert ok(complete(shop.pk, checkout), 201)["total"] == 1000  # as shown
    other = ok(create(shop.pk, {sku: 1}), 201)
    ok(change(shop.pk, other, lines=as_lines({sku: 2})), 200)
    told = problem(complete(shop.pk, other), 409, "checkout_changed", field="/quote_token")
    assert told["quote"]["total"] == 3000
    assert ok(complete(shop.pk, other, token=told["quote"]["token"]), 201)["total"] == 3000


def test_only_a_token_of_this_checkout_will_do(shop):
    sku = shop.product()
    checkout, other = ok(create(shop.pk, {sku: 1}), 201), ok(create(shop.pk, {sku: 1}), 201)
    quote = shop.quote({sku: 1})
    for token in quote["token"], other["quote"]["token"], checkout["quote"]["token"][:-2], "x" * 100:
        problem(complete(shop.pk, checkout, token=token), 422, "token_invalid", field="/quote_token")
    problem(shop.pk.request("POST", "/v1/orders", {"quote_token": checkout["quote"]["token"]}, idempotency=unique("o")), 422, "token_invalid")
    problem(shop.pk.request("POST", f"/v1/checkouts/{checkout['id']}/complete", {}), 422, field="/quote_token")
    assert ok(get(shop.pk, checkout), 200)["state"] == "open"
    ok(complete(shop.pk, checkout), 201)


def test_what_is_sold_out_meanwhile_is_told_with_a_fresh_quote(shop):
    sku = shop.product(stock=2)
    checkout = ok(create(shop.pk, {sku: 2}), 201)
    shop.paid_order({sku: 1})
    told = problem(complete(shop.pk, checkout), 409, "out_of_stock")
    assert told["quote"]["total"] == 2000
    assert ok(get(shop.pk, checkout), 200)["state"] == "open"
    less = ok(change(shop.pk, checkout, lines=as_lines({sku: 1})), 200)
    ok(complete(shop.pk, less), 201)


def test_what_can_not_be_priced_any_more_is_shown_with_its_problem(shop):
    sku = shop.product()
    checkout = ok(create(shop.pk, {sku: 1}), 201)
    ok(shop.sk.request("PATCH", f"/v1/products/{sku}", {"status": "archived"}), 200)
    seen = ok(get(shop.pk, checkout), 200)
    assert seen["quote"] is None and seen["problem"]["field"] == "/lines/0/sku" and seen["problem"]["type"].startswith("/problems/")
    assert ok(change(shop.pk, checkout, note="still here"), 200)["problem"]
    answer = complete(shop.pk, checkout)
    assert answer.status in (201, 409, 422), answer  # the token was good when it was shown


def test_a_quote_of_a_checkout_expires_and_a_fresh_one_comes(own_shop):
    shop = own_shop(settings={"quote_ttl": '"1s"'})
    checkout = ok(create(shop.pk, {shop.product(): 1}), 201)
    time.sleep(1.2)
    told = problem(complete(shop.pk, checkout), 409, "quote_expired")
    ok(complete(shop.pk, checkout, token=told["quote"]["token"]), 201)


# --- keys, inputs, the end ------------------------------------------------------------------------------------------------------


def test_a_repeated_request_makes_no_second_one_and_its_record_knows_no_names(shop):
    anna, sku, before = shop.customer(), shop.product(), rows(shop, "checkouts")
    key, secret = unique("checkout"), unique("Secret-Name-")
    first = ok(create(anna, {sku: 1}, key=key, contact={"name": secret}), 201)
    again = create(anna, {sku: 1}, key=key, contact={"name": secret})
    assert again.status == 201 and again.json()["id"] == first["id"] and rows(shop, "checkouts") == before + 1
    assert again.json()["contact"] == {"name": secret}
    problem(create(anna, {sku: 2}, key=key), 422, "idempotency_mismatch")
    ok(complete(anna, again.json()), 201)
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
        names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        holding = [n for n in names if any(secret in str(row) for row in db.execute(f'SELECT * FROM "{n}"'))]
    assert holding == ["order_contacts"], holding


def test_a_guest_who_guesses_anothers_key_learns_no_id(shop):
    sku, key = shop.product(), unique("1")
    first = ok(create(shop.pk, {sku: 1}, key=key), 201)
    ok(change(shop.pk, first, contact=CONTACT), 200)
    other = ok(create(shop.pk, {sku: 1}, key=key), 201)
    assert other["id"] != first["id"] and other["contact"] is None


WISH = {
    "plugin": """return { name = "wish", version = "1.0.0", api = 1, title = "Wishes", inputs = { colour = { type = "string", max = 20 }, tags = { type = "string", max = 9, optional = true } },
  collections = { wishes = { fields = { order = "order", colour = "string" }, key = "order" } },
  on = { ["order.placed"] = { run = "events.placed", when = "in_transaction" } },
  routes = { ["GET /of/{order}"] = { run = "events.of", auth = "server" } } }""",
    "events": """local store = require "feira.store"
return {
  placed = function(event) store.wishes:insert { order = event.order, colour = event.inputs.colour } end,
  of = function(call) return { status = 200, body = { colour = store.wishes:get(call.params.order).colour } } end,
}""",
}


def test_inputs_of_plugins_come_with_it(own_shop):
    shop = own_shop(settings={"plugins": "{ wish = {} }"}, plugins={"wish": WISH})
    checkout = ok(create(shop.pk, {shop.product(): 1}), 201)
    problem(change(shop.pk, checkout, inputs={"wish": {"size": "XL"}}), 422)
    checkout = ok(change(shop.pk, checkout, inputs={"wish": {"colour": "red"}}), 200)
    assert checkout["inputs"] == {"wish": {"colour": "red"}}
    order = ok(complete(shop.pk, checkout), 201)
    assert ok(shop.sk.request("GET", f"/v1/x/wish/of/{order['id']}"), 200) == {"colour": "red"}


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_it_expires_after_its_last_change_and_nothing_is_left(own_shop):
    shop = own_shop(settings={"checkout_ttl": '"2s"'})
    sku = shop.product()
    left = ok(create(shop.pk, {sku: 1}, contact=CONTACT, address=ADDRESS), 201)
    kept = ok(create(shop.pk, {sku: 1}, note="x"), 201)
    time.sleep(1.2)
    ok(change(shop.pk, kept, note="y"), 200)
    assert until(lambda: get(shop.pk, left).status == 404)
    assert ok(get(shop.pk, kept), 200)["note"] == "y"
    problem(complete(shop.pk, left), 404)
    assert until(lambda: rows(shop, "checkouts") == 0) and rows(shop, "checkout_contacts") == 0


def test_it_survives_a_restart(own_shop):
    shop = own_shop()
    checkout = ok(create(shop.pk, {shop.product(): 1}, contact=CONTACT), 201)
    shop.hang_up()
    shop.server.kill()
    shop.server.start()
    seen = ok(get(shop.pk, checkout), 200)
    assert seen["contact"] == CONTACT
    assert ok(complete(shop.pk, checkout), 201)["contact"] == CONTACT  # with the token of before
