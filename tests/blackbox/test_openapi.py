"""GET /v1/openapi.json describes the routes that are there."""

import json
import re

import pytest
from market import ok

# Every route of API v1. A route that goes missing is found here, one that is added must be described.
ROUTES = {
    ("get", "/healthz"), ("get", "/readyz"), ("get", "/metrics"), ("get", "/v1/openapi.json"),
    ("get", "/v1/products"), ("get", "/v1/products/{sku}"), ("put", "/v1/products/{sku}"), ("patch", "/v1/products/{sku}"), ("post", "/v1/products/import"),
    ("post", "/v1/stock"), ("post", "/v1/quotes"), ("post", "/v1/quotes/batch"),
    ("post", "/v1/orders"), ("get", "/v1/orders"), ("get", "/v1/orders/{id}"),
    ("post", "/v1/orders/{id}/payments"), ("post", "/v1/payments/{provider}/notify"),
    ("get", "/v1/refunds"), ("post", "/v1/refunds/{number}/retry"), ("post", "/v1/refunds/{number}/settle"),
    ("post", "/v1/orders/{id}/cancel"), ("post", "/v1/orders/{id}/refunds"),
    ("post", "/v1/orders/{id}/fulfilments"), ("post", "/v1/orders/{id}/complete"),
    ("delete", "/v1/orders/{id}/blocks/{plugin}/{name}"),
    ("post", "/v1/checkouts"), ("get", "/v1/checkouts/{id}"), ("patch", "/v1/checkouts/{id}"), ("post", "/v1/checkouts/{id}/complete"),
    ("put", "/v1/customers/{id}"), ("get", "/v1/customers/{id}"), ("get", "/v1/customers/{id}/facts"), ("post", "/v1/customers/{id}/tokens"),
    ("get", "/v1/generations"), ("post", "/v1/generations"), ("post", "/v1/generations/rollback"),
    ("get", "/v1/stops"), ("post", "/v1/stops"), ("delete", "/v1/stops/{campaign}"),
    ("get", "/v1/customers/{id}/consents"), ("put", "/v1/customers/{id}/consents/{purpose}"), ("delete", "/v1/customers/{id}/consents/{purpose}"),
    ("put", "/v1/customers/{id}/minor"), ("get", "/v1/customers/{id}/export"), ("post", "/v1/customers/{id}/erasure"),
    ("get", "/v1/persons/requests"), ("delete", "/v1/persons/requests/{request}"),
    ("get", "/v1/privacy"), ("get", "/v1/privacy/access"),
    ("get", "/v1/needs"), ("post", "/v1/prune"), ("post", "/v1/plugins/{plugin}/repin"),
    ("get", "/v1/webhooks"), ("post", "/v1/webhooks"), ("get", "/v1/webhooks/{id}"), ("patch", "/v1/webhooks/{id}"),
    ("delete", "/v1/webhooks/{id}"), ("post", "/v1/webhooks/{id}/rotate"), ("post", "/v1/webhooks/{id}/pause"),
    ("post", "/v1/webhooks/{id}/resume"), ("post", "/v1/webhooks/{id}/ping"), ("post", "/v1/webhooks/{id}/replay"),
    ("get", "/v1/webhooks/{id}/messages"), ("get", "/v1/webhooks/{id}/messages/{message}"),
    ("post", "/v1/webhooks/{id}/messages/{message}/replay"),
    ("get", "/v1/events"), ("post", "/v1/events/{id}/replay"), ("delete", "/v1/events/{id}"),
    ("get", "/v1/products/{sku}/prices"),
    ("get", "/v1/ledger/units"), ("get", "/v1/ledger/accounts"), ("get", "/v1/ledger/accounts/{account}"), ("patch", "/v1/ledger/accounts/{account}"),
    ("get", "/v1/ledger/accounts/{account}/statement"),
    ("get", "/v1/doctor"), ("post", "/v1/backup"),
    ("get", "/v1/orders/{id}/explanation"), ("post", "/v1/replay"), ("get", "/v1/replay"), ("delete", "/v1/replay"),
    ("post", "/v1/backtest"), ("get", "/v1/backtest"), ("delete", "/v1/backtest"),
    ("get", "/v1/follow"), ("put", "/v1/follow"), ("delete", "/v1/follow"),
    ("post", "/v1/admin/sessions"), ("delete", "/v1/admin/sessions"), ("get", "/v1/admin/me"),
    ("get", "/v1/admin/operators"), ("post", "/v1/admin/operators"), ("patch", "/v1/admin/operators/{name}"), ("delete", "/v1/admin/operators/{name}"),
    ("post", "/v1/admin/operators/{name}/password"), ("post", "/v1/admin/operators/{name}/totp"),
    ("post", "/v1/admin/operators/{name}/totp/confirm"), ("delete", "/v1/admin/operators/{name}/totp"),
    ("get", "/v1/admin/shares"), ("put", "/v1/admin/shares/{campaign}"), ("get", "/v1/admin/drafts"), ("post", "/v1/admin/drafts"), ("get", "/v1/admin/drafts/{id}"), ("get", "/v1/admin/drafts/{id}/files"),
    ("post", "/v1/admin/drafts/{id}/approve"), ("post", "/v1/admin/drafts/{id}/reject"), ("post", "/v1/admin/drafts/{id}/withdraw"),
    ("post", "/v1/admin/drafts/{id}/schedule"),
    ("get", "/v1/admin/audit"), ("get", "/v1/admin/audit/head"), ("post", "/v1/admin/audit/compare"),
    ("get", "/v1/status"), ("post", "/v1/keys"), ("get", "/v1/keys"), ("delete", "/v1/keys/{id}"),
}  # fmt: skip
METHODS = ("get", "put", "post", "patch", "delete", "head", "options")


@pytest.fixture(scope="module")
def document(shop):
    return ok(shop.client("").request("GET", "/v1/openapi.json"), 200)


def test_it_is_an_openapi_document(document):
    assert re.fullmatch(r"3\.[01]\.\d+", document["openapi"])
    assert document["info"]["title"] and document["info"]["version"]
    seen = set()
    for path, operations in document["paths"].items():
        assert path.startswith("/"), path
        for method, operation in operations.items():
            assert method in METHODS, (path, method)
            assert operation["responses"], (path, method)
            for status, response in operation["responses"].items():
                assert re.fullmatch(r"[1-5](\d\d|XX)|default", status) and ("description" in response or "$ref" in response), (path, status)
            named = {p["name"] for p in operation.get("parameters", []) if p.get("in") == "path"}
            assert named == set(re.findall(r"{([^}]+)}", path)), (path, method)
            if "operationId" in operation:
                assert operation["operationId"] not in seen
                seen.add(operation["operationId"])


def test_every_reference_leads_somewhere(document):
    def walk(node):
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(value)

    for ref in walk(document):
        target = document
        assert ref.startswith("#/"), ref
        for part in ref[2:].split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]


def plain(path):
    return re.sub(r"{[^}]+}", "{}", path)


def test_it_names_exactly_the_routes(document):
    described = {(method, plain(path)) for path, operations in document["paths"].items() for method in operations}
    assert described == {(method, plain(path)) for method, path in ROUTES}


def test_each_described_route_is_alive(shop, document):
    """Not with sense, but there: anything but "no such path" and "not this method"."""
    for path, operations in document["paths"].items():
        for method in operations:
            target = re.sub(r"{[^}]+}", "no-such-thing", path)
            answer = shop.client("").request(method.upper(), target, {} if method in ("post", "put", "patch") else None)
            assert answer.status != 405, (method, path)
            by_whom_it_is_signed = path.endswith("/notify") and answer.json()["type"] == "/problems/no_such_provider"
            who_it_is = path == "/v1/admin/sessions" and answer.status == 422
            assert answer.status in (200, 401) or by_whom_it_is_signed or who_it_is, (method, path, answer)


def test_bodies_have_schemas_that_refuse_what_they_do_not_name(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in ("post", "put", "patch") and not path.endswith("/notify"):  # whatever the provider sends
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                assert schema, (method, path)
                json.dumps(schema)
