"""Keys and scopes."""

import pytest
from market import ok, problem, unique

# What each route needs of a server key. The body is enough to get past the key, not to succeed.
SCOPED = [
    ("PUT", "/v1/products/x", {"title": "x", "price": 1}, "products:write"),
    ("PATCH", "/v1/products/x", {"price": 1}, "products:write"),
    ("POST", "/v1/products/import", {"products": []}, "products:write"),
    ("POST", "/v1/stock", {"sku": "x", "delta": 1, "reason": "x"}, "stock:write"),
    ("POST", "/v1/quotes/batch", {"carts": [{"lines": [{"sku": "x", "qty": 1}]}]}, "quotes:batch"),
    ("GET", "/v1/orders", None, "orders:read"),
    ("GET", "/v1/orders/ord_x", None, "orders:read"),
    ("POST", "/v1/orders/ord_x/payments", {"provider": "test"}, "orders:write"),
    ("POST", "/v1/orders/ord_x/refunds", {}, "refunds:write"),
    ("PUT", "/v1/customers/x", {}, "customers:write"),
    ("GET", "/v1/customers/x", None, "customers:read"),
    ("POST", "/v1/customers/x/tokens", {}, "tokens:write"),
    ("GET", "/v1/status", None, "admin"),
    ("POST", "/v1/plugins/x/repin", {}, "admin"),
    ("GET", "/v1/webhooks", None, "webhooks:write"),
    ("POST", "/v1/webhooks", {"url": "ftp://x", "events": ["*"]}, "webhooks:write"),
    ("DELETE", "/v1/webhooks/whk_x", None, "webhooks:write"),
    ("POST", "/v1/webhooks/whk_x/rotate", {}, "webhooks:write"),
    ("GET", "/v1/webhooks/whk_x/messages", None, "webhooks:write"),
    ("GET", "/v1/keys", None, "admin"),
    ("POST", "/v1/keys", {"kind": "pk", "label": "x"}, "admin"),
]


@pytest.fixture(scope="module")
def keyring(shop):
    """A server key for each scope alone, and one without any."""
    keys = {}
    for scope in sorted({s for *_, s in SCOPED}) + [None]:
        body = {"kind": "sk", "label": f"only {scope}", "scopes": [scope] if scope else []}
        keys[scope] = ok(shop.operator.request("POST", "/v1/keys", body, idempotency=unique("k")), 201)["key"]
    return keys


@pytest.mark.parametrize("method, target, body, scope", SCOPED, ids=[f"{m} {t}" for m, t, *_ in SCOPED])
def test_a_route_opens_to_its_scope_and_no_other(shop, keyring, method, target, body, scope):
    for held, key in keyring.items():
        answer = shop.client(key).request(method, target, body, idempotency=unique("k") if method == "POST" else None)
        if held == scope:
            assert answer.status not in (401, 403), answer
        else:
            problem(answer, 403)


@pytest.mark.parametrize("method, target, body, scope", SCOPED, ids=[f"{m} {t}" for m, t, *_ in SCOPED])
def test_storefronts_and_customers_have_no_server_scope(shop, method, target, body, scope):
    for client in (shop.pk, shop.customer()):
        answer = client.request(method, target, body, idempotency=unique("k") if method == "POST" else None)
        if target.startswith("/v1/orders") or target == "/v1/customers/x":
            assert answer.status in (200, 403, 404), answer
        else:
            problem(answer, 403)


@pytest.mark.parametrize("key", ["sk_wrong", "pk_", "ct_x", "xx_y", "Bearer", "a" * 3000])
def test_an_unknown_key_is_401(shop, key):
    problem(shop.client(key).request("GET", "/v1/products"), 401)


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", "Bearer", "bearer  ", "Token x"])
def test_other_forms_of_authorization_are_401(shop, value):
    problem(shop.client("").request("GET", "/v1/products", headers=[("Authorization", value)]), 401)


def test_the_operator_needs_no_key(shop):
    assert ok(shop.operator.request("GET", "/v1/status"), 200)
    listed = ok(shop.operator.request("GET", "/v1/keys"), 200)
    text = str(listed)
    assert shop.server.keys()["sk"] not in text and shop.server.keys()["pk"] not in text, "a key is shown once"


def test_a_revoked_key_is_dead_at_once(shop):
    made = ok(shop.operator.request("POST", "/v1/keys", {"kind": "pk", "label": "short lived"}, idempotency=unique("k")), 201)
    clients = [shop.client(made["key"]) for _ in range(6)]  # several, so that they land on every worker
    for client in clients:
        ok(client.request("GET", "/v1/products?limit=1"), 200)
    assert shop.operator.request("DELETE", f"/v1/keys/{made['id']}").status in (200, 204)
    for client in clients:
        problem(client.request("GET", "/v1/products?limit=1"), 401)


@pytest.mark.parametrize(
    "body, field",
    [({}, "/kind"), ({"kind": "root", "label": "x"}, "/kind"), ({"kind": "sk"}, "/label"), ({"kind": "sk", "label": "x", "scopes": ["all:things"]}, "/scopes"), ({"kind": "sk", "label": "x", "scopes": "admin"}, "/scopes")],
)
def test_a_wrong_key_request_is_refused(shop, body, field):
    before = shop.state()
    problem(shop.operator.request("POST", "/v1/keys", body, idempotency=unique("k")), 422, field=field)
    assert shop.state() == before


def test_keys_are_not_stored_in_the_clear(shop):
    secret = shop.server.keys()["sk"].encode()
    for path in shop.server.data.iterdir():
        if path.is_file() and path.name != "keys.txt":
            assert secret not in path.read_bytes(), path
    assert (shop.server.data / "keys.txt").stat().st_mode & 0o777 == 0o600
    assert (shop.server.data / "feira.sock").stat().st_mode & 0o777 == 0o600
