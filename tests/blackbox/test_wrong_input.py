"""What is wrong before any route looks at it: JSON, media types, methods, paths, sizes."""

import json
import os
import pathlib
import socket

import pytest
from feira_tools.server import ROOT
from market import ok, problem, unique

NOT_JSON = [
    b"", b"{", b"[]x", b"{'lines':[]}", b'{"lines":[],}', b'{"lines":[NaN]}', b'{"lines":[1e400]}', b'{"lines":[01]}', b'{"a":"\xff"}',
    b'{"a":"\\ud800"}', b'{"lines":[],"lines":[]}', b'{"lines":[],"\\u006cines":[]}', b"[" * 200 + b"]" * 200, b"\xef\xbb\xbf{}", b'{"a":"\x01"}',
]  # fmt: skip


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
@pytest.mark.parametrize("method, target", [("POST", "/v1/quotes"), ("POST", "/v1/orders"), ("POST", "/v1/stock"), ("PUT", "/v1/products/bad-json"), ("PUT", "/v1/customers/bad-json")])
def test_what_is_not_json_is_400(shop, method, target, body):
    before = shop.state()
    problem(shop.sk.request(method, target, body, idempotency=unique("k")), 400)
    assert shop.state() == before


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"true"])
def test_json_that_is_no_object_is_422(shop, body):
    problem(shop.sk.request("POST", "/v1/orders", body, idempotency=unique("k")), 422)


def refused_bodies():
    shared = pathlib.Path(os.environ.get("FEIRA_SHARED", ROOT.parent / "shared"))
    path = shared / "cases" / "order-bodies-refused.jsonl"
    return [json.loads(line)["body"] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.skipif(not refused_bodies(), reason="the shared cases are not here")
def test_bodies_that_no_shop_takes_are_refused(shop):
    """Cases speak of single lines; each is sent as the order's only line and as the whole body."""
    sku = shop.product("A1", stock=100)
    before = shop.state()
    for body in refused_bodies():
        for whole in (body, '{"expected_total":1000,"lines":[' + body + "]}"):
            for target in ("/v1/orders", "/v1/quotes"):
                answer = shop.pk.request("POST", target, whole.encode("utf-8", "surrogatepass"), idempotency=unique("k"))
                assert answer.status in (400, 403, 422), (target, whole, answer)
                problem(answer, answer.status)
    assert shop.state() == before and shop.available(sku)["held"] == 0


def test_other_media_types_are_415(shop):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"):
        problem(shop.pk.request("POST", "/v1/quotes", b'{"lines":[]}', headers=[("Content-Type", kind)]), 415)
    sku = shop.product()
    body = b'{"lines":[{"sku":"%s","qty":1}]}' % sku.encode()
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        ok(shop.pk.request("POST", "/v1/quotes", body, headers=[("Content-Type", kind)]), 200)


def test_a_wrong_method_is_405_and_names_the_right_ones(shop):
    for method, target in [("DELETE", "/v1/orders"), ("PUT", "/v1/quotes"), ("POST", "/healthz"), ("PATCH", "/v1/stock")]:
        answer = shop.sk.request(method, target, {} if method != "DELETE" else None)
        problem(answer, 405)
        assert answer.headers["allow"], answer.headers


@pytest.mark.parametrize("target", ["/", "/v1", "/v2/orders", "/v1/orders/", "/v1//orders", "/v1/nothing", "/V1/orders", "/index.html"])
def test_an_unknown_path_is_404(shop, target):
    answer = shop.sk.request("GET", target)
    assert answer.status in ((400, 404) if "//" in target or target == "/v1/orders/" else (404,)), answer
    problem(answer, answer.status)


@pytest.mark.parametrize("target", ["/v1/products/../keys", "/v1/products/%2e%2e/keys", "/v1/products/%00", "/v1/products/%ff", "/v1/products/a%0d%0aX:1", "/v1/products/%zz"])
def test_tricks_in_paths_go_nowhere(shop, target):
    answer = shop.sk.request("GET", target)
    assert answer.status in (400, 404), answer


def test_a_body_over_the_limit_is_413(shop):
    # The answer may come while the body is still being sent, after which the server hangs up.
    with socket.create_connection(("127.0.0.1", shop.server.port)) as s:
        s.sendall(b"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + shop.pk.key.encode() + b"\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_line_or_head_over_the_limit_is_414_and_431(shop):
    problem(shop.client("").request("GET", "/healthz?" + "x" * 9000), 414)
    problem(shop.client("").request("GET", "/healthz", headers=[("X-Long", "y" * 17000)]), 431)
    problem(shop.client("").request("GET", "/healthz", headers=[(f"X-{n}", "1") for n in range(101)]), 431)


def test_head_is_get_without_the_body(shop):
    get, head = shop.client("").request("GET", "/healthz"), shop.client("").request("HEAD", "/healthz")
    assert head.status == get.status == 200 and head.headers["content-length"] == get.headers["content-length"]


def test_after_all_that_the_server_is_well(shop):
    ok(shop.client("").request("GET", "/healthz"), 200)
    assert shop.client("").request("GET", "/readyz").status == 200
    assert shop.server.process.poll() is None
