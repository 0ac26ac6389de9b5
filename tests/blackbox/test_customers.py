"""Customers and their tokens."""

import datetime

import pytest
from market import ok, problem, unique


def test_a_customer_is_made_read_and_changed(shop):
    name = unique("c")
    made = ok(shop.sk.request("PUT", f"/v1/customers/{name}", {"name": "Ada", "email": "ada@shop.example", "phone": "+44 20", "tags": ["vip"]}), 200, 201)
    assert (made["id"], made["name"], made["email"], made["phone"], made["tags"], made["orders"]) == (name, "Ada", "ada@shop.example", "+44 20", ["vip"], 0)
    assert ok(shop.sk.request("GET", f"/v1/customers/{name}"), 200) == made
    assert ok(shop.sk.request("PUT", f"/v1/customers/{name}", {"name": "Eve"}), 200)["tags"] == []


def test_a_customer_sees_himself_and_no_other(shop):
    alice, bob = shop.customer(), shop.customer()
    assert ok(alice.request("GET", f"/v1/customers/{alice.customer}"), 200)["id"] == alice.customer
    for target in (f"/v1/customers/{alice.customer}", "/v1/customers/no-such-one"):
        problem(bob.request("GET", target), 404)
        assert shop.pk.request("GET", target).status in (403, 404)
    for client in (alice, bob, shop.pk):
        problem(client.request("PUT", f"/v1/customers/{alice.customer}", {"tags": ["vip"]}), 403)
        problem(client.request("POST", f"/v1/customers/{alice.customer}/tokens", {}), 403)
    assert ok(shop.sk.request("GET", f"/v1/customers/{alice.customer}"), 200)["tags"] == []


@pytest.mark.parametrize("bad", ["a b", "a%2Fb", "a" * 65, "é", "a%00b", "a;b"])
def test_a_wrong_id_is_refused(shop, bad):
    answer = shop.sk.request("PUT", "/v1/customers/" + bad.replace(" ", "%20").replace("é", "%C3%A9"), {})
    assert answer.status in (400, 404, 422), answer


@pytest.mark.parametrize(
    "body, field",
    [({"name": 1}, "/name"), ({"tags": "vip"}, "/tags"), ({"tags": [1]}, "/tags/0"), ({"tier": "gold"}, "/tier"), ({"orders": 5}, "/orders"), ({"email": "x" * 10000}, "/email")],
)
def test_a_wrong_customer_is_refused_by_field(shop, body, field):
    before = shop.state()
    problem(shop.sk.request("PUT", f"/v1/customers/{unique('c')}", body), 422, field=field)
    assert shop.state() == before


def test_a_token_says_when_it_ends(shop):
    name = shop.customer().customer
    before = datetime.datetime.now(datetime.timezone.utc)
    token = ok(shop.sk.request("POST", f"/v1/customers/{name}/tokens", {"expires_in": 600}), 201)
    assert token["token"].startswith("ct_") and token["customer"] == name
    ends = datetime.datetime.fromisoformat(token["expires_at"].replace("Z", "+00:00"))
    assert 590 <= (ends - before).total_seconds() <= 610
    ok(shop.client(token["token"]).request("GET", f"/v1/customers/{name}"), 200)


@pytest.mark.parametrize("wrong", [0, -1, 10**12, "3600", 1.5])
def test_a_token_lives_a_sensible_time(shop, wrong):
    problem(shop.sk.request("POST", f"/v1/customers/{shop.customer().customer}/tokens", {"expires_in": wrong}), 422, field="/expires_in")


def test_a_token_for_nobody_is_404(shop):
    problem(shop.sk.request("POST", "/v1/customers/no-such-one/tokens", {}), 404)


def test_a_changed_token_is_refused(shop):
    token = shop.customer().key
    for bad in (token[:-1], token + "x", token[:10] + ("x" if token[10] != "x" else "y") + token[11:], "ct_", "ct_" + "A" * 100):
        problem(shop.client(bad).request("GET", "/v1/orders"), 401)
