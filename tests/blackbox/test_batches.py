"""POST /v1/quotes/batch: many carts, each answered on its own."""

import json
import socket
import struct
import threading

import pytest
from market import as_lines, ok, problem, unique

LINES = "application/x-ndjson"
# Half a millisecond or more of each cart that has such a thing, on any machine.
SLOW = """local promo = require "feira.promo"
return promo.campaign {
  id = "slow", title = "Thinks first", scope = promo.tag "slow",
  give = function(cart)
    local n = 0
    for i = 1, 150000 do n = n + i % 7 end
    for line in cart:lines() do line:discount { amount = 1, reason = "thought" } end
  end,
}
"""
SLOW_CARTS = 300


def cart(lines, **more):
    return {"lines": as_lines(lines), **more}


def batch(shop, carts, query="", by=None):
    return ok((by or shop.sk).request("POST", f"/v1/quotes/batch{query}", {"carts": carts}), 200)


def as_text(carts):
    return "\n".join(c if isinstance(c, str) else json.dumps(c) for c in carts).encode()


def send_lines(shop, body, query=""):
    answer = shop.sk.request("POST", f"/v1/quotes/batch{query}", body, headers=[("Content-Type", LINES)])
    assert answer.status == 200 and answer.headers["content-type"] == LINES, answer
    return [json.loads(line) for line in answer.body.splitlines()]


def timeless(quote):
    return {k: v for k, v in quote.items() if k not in ("token", "expires_at")}


@pytest.fixture
def slow_shop(own_shop):
    return own_shop(campaigns={"slow": SLOW}, workers=1)


class Sent(threading.Thread):
    """A batch under way, on a connection of its own."""

    def __init__(self, shop, carts):
        super().__init__()
        self.client = shop.client(shop.server.keys()["sk"])
        self.carts = carts
        self.answer = None
        self.start()

    def run(self):
        self.answer = self.client.request("POST", "/v1/quotes/batch", {"carts": self.carts})

    def whole(self):
        self.join()
        return ok(self.answer, 200)


def test_each_cart_gets_what_it_would_get_alone_in_order(shop):
    a, b = shop.product(price=995, tags=["sale"]), shop.product(price=2000, tags=["coded"])
    friend = shop.customer(tags=["vip"])
    vip = shop.product(price=1000, tags=["vip-goods"])
    carts = [
        cart({a: 3, b: 1}),
        cart({b: 1}, codes=["WELCOME"], shipping={"option": "standard", "region": "GB"}),
        cart({vip: 1}, customer=friend.customer),
        cart([{"sku": a, "qty": 2, "unit_price": 700}], at="2011-04-01T10:00:00Z"),
        cart({vip: 1}),
    ]
    alone = [timeless(ok(shop.sk.request("POST", "/v1/quotes", c), 200)) for c in carts]
    assert [q["total"] for q in alone] == [2985 - 299 + 2000, 1500 + 495, 500, 1260, 1000]
    together = batch(shop, carts)
    assert [(p["status"], timeless(p["quote"])) for p in together["quotes"]] == [(200, q) for q in alone]
    assert all("token" not in p["quote"] for p in together["quotes"])
    assert (together["generation"], together["priced"], together["refused"]) == (alone[0]["generation"], 5, 0)
    parts = send_lines(shop, as_text(carts) + b"\r\n\n")
    assert [(p["status"], timeless(p["quote"])) for p in parts] == [(200, q) for q in alone]


def test_a_problem_is_one_carts_own_and_the_same_as_alone(shop):
    sku = shop.product(price=1000)
    draft = shop.product(price=1000, status="draft")
    good = cart({sku: 1})
    bad = [
        cart({"NO-SUCH": 1}),
        {},
        {"lines": []},
        [],
        7,
        None,
        cart({sku: 0}),
        cart({sku: 1}, colour="red"),
        cart({draft: 1}),
        cart({sku: 1}, customer="nobody-of-that-name"),
        cart({sku: 1}, at="yesterday"),
        cart({sku: 1}, shipping={"option": "standard", "region": "FR"}),
        cart([{"sku": sku, "qty": 1, "unit_price": 0.5}]),
    ]
    alone = []
    for one in bad:
        body = json.dumps(one).encode()
        answer = shop.sk.request("POST", "/v1/quotes", body)
        alone.append((answer.status, problem(answer, answer.status)))
    carts = [c for one in bad for c in (one, good)]
    together = batch(shop, carts)
    parts = together["quotes"]
    assert [(p["status"], p["problem"]) for p in parts[0::2]] == alone
    assert [p["quote"]["total"] for p in parts[1::2]] == [1000] * len(bad)
    assert (together["priced"], together["refused"]) == (len(bad), len(bad))
    assert [timeless(p.get("quote", p)) for p in send_lines(shop, as_text(carts))] == [timeless(p.get("quote", p)) for p in parts]


@pytest.mark.parametrize("text", ["{", '{"lines":[{"sku":"x","qty":1}]', "{'lines'}", '{"lines":1,"lines":2}', "[" * 100, '{"a":"\xff"}'])
def test_a_line_that_is_no_json_spoils_no_other(shop, text):
    sku = shop.product(price=1000)
    good = json.dumps(cart({sku: 1})).encode()
    first, bad, last = send_lines(shop, good + b"\n" + text.encode("latin-1") + b"\n" + good)
    alone = shop.sk.request("POST", "/v1/quotes", text.encode("latin-1"))
    assert (bad["status"], bad["problem"]) == (400, problem(alone, 400, "malformed_json"))
    assert first["quote"]["total"] == last["quote"]["total"] == 1000


def test_what_holds_the_carts_together_is_refused_as_a_whole(shop):
    sku = shop.product(price=1000)
    good = cart({sku: 1})
    send = lambda body, **more: shop.sk.request("POST", "/v1/quotes/batch", body, **more)  # noqa: E731
    problem(send({}), 422, field="/carts")
    problem(send({"carts": []}), 422, field="/carts")
    problem(send({"carts": good}), 422, field="/carts")
    problem(send({"carts": [good], "lines": []}), 422, field="/lines")
    problem(send([good]), 422)
    problem(send({"carts": [good] * 1001}), 422, field="/carts")
    assert ok(send({"carts": [good] * 1000}), 200)["priced"] == 1000
    problem(send(b'{"carts":[{"lines":['), 400, "malformed_json")
    lines = [("Content-Type", LINES)]
    problem(send(b"\n \n", headers=lines), 422)
    problem(send(as_text([good] * 1001), headers=lines), 422)
    problem(send(as_text([good]), headers=[("Content-Type", "text/plain")]), 415, "unsupported_media_type")
    large = json.dumps({"carts": [good]}).encode() + b" " * (1 << 20)
    problem(send(large), 413)
    problem(shop.operator.request("POST", "/v1/quotes/batch", large), 413, "batch_too_large")
    assert ok(shop.operator.request("POST", "/v1/quotes/batch", {"carts": [good]}), 200)["priced"] == 1


def test_an_answer_that_grows_too_large_leaves_out_the_last_carts(shop):
    sku = shop.product("F", price=1000, title="\N{DELIVERY TRUCK}" * 300)
    parts = batch(shop, [cart([{"sku": sku, "qty": 1}] * 40)] * 1000)["quotes"]
    priced = sum(p["status"] == 200 for p in parts)
    assert 300 < priced < 1000 and len(parts) == 1000
    assert all(p["status"] == 200 for p in parts[:priced])
    assert {(p["status"], p["problem"]["type"]) for p in parts[priced:]} == {(413, "/problems/batch_answer_full")}


def test_what_is_asked_of_one_cart_can_be_asked_of_all(shop):
    sku, coded = shop.product(price=1000, tags=["sale"]), shop.product(price=1000, tags=["coded"])
    carts = [cart({sku: 1}), cart({coded: 1})]
    told = batch(shop, carts, "?explain=welcome&lang=en")["quotes"]
    reasons = [next(c for c in p["quote"]["campaigns"] if c["id"] == "welcome")["reason"] for p in told]
    assert [r["code"] for r in reasons] == ["no_lines", "code_missing"] and all(r["text"] for r in reasons)
    assert "welcome" not in str(batch(shop, carts)["quotes"])
    for query, field in (("?explain=full", "explain"), ("?explain=nobody", "explain"), ("?tokens=yes", "tokens"), ("?offers=2", "offers"), ("?lang=xx", "lang")):
        problem(shop.sk.request("POST", f"/v1/quotes/batch{query}", {"carts": carts}), 422, field=field)


def test_a_token_of_a_batch_is_an_order(shop):
    sku = shop.product(price=1000, tags=["sale"])
    token = batch(shop, [cart({sku: 2})], "?tokens=1")["quotes"][0]["quote"]["token"]
    order = ok(shop.sk.request("POST", "/v1/orders", {"quote_token": token}, idempotency=unique("order")), 201)
    assert order["total"] == 1800


def test_only_servers_may_send_many(shop):
    carts = {"carts": [cart({shop.product(): 1})]}
    problem(shop.pk.request("POST", "/v1/quotes/batch", carts), 403, "wrong_key_kind")
    problem(shop.customer().request("POST", "/v1/quotes/batch", carts), 403, "wrong_key_kind")
    problem(shop.client("").request("POST", "/v1/quotes/batch", carts), 401)


def test_a_batch_writes_nothing(shop):
    sku = shop.product(tags=["sale"])
    before = shop.state()
    batch(shop, [cart({sku: 1}), cart({"NO-SUCH": 1})], "?tokens=1")
    assert shop.state() == before


def test_others_are_answered_while_a_batch_is_under_way(slow_shop):
    """One worker: in one piece the batch would let through what came before it, and nothing until its end."""
    shop = slow_shop
    slow, quick = shop.product(price=1000, tags=["slow"]), shop.product(price=1000)
    client = shop.client(shop.server.keys()["pk"])
    small = cart({quick: 1})
    ok(client.request("POST", "/v1/quotes", small), 200)
    sent = Sent(shop, [cart({slow: 1})] * SLOW_CARTS)
    health = quotes = 0
    while sent.is_alive():
        assert client.request("GET", "/healthz").status == 200
        health += sent.is_alive()
        ok(client.request("POST", "/v1/quotes", small), 200)
        quotes += sent.is_alive()
    assert [p["quote"]["total"] for p in sent.whole()["quotes"]] == [999] * SLOW_CARTS
    assert health >= 20 and quotes >= 20, (health, quotes)


def test_all_of_a_batch_is_under_the_rules_it_began_with(slow_shop):
    """New rules go live while it is under way; on a machine on which it has ended before they do, one with more carts is sent."""
    shop = slow_shop
    slow = shop.product(price=1000, tags=["slow"])
    off, carts, straddled = 1, SLOW_CARTS, False
    while not straddled and carts <= 1000:
        before = shop.quote({slow: 1})
        sent = Sent(shop, [cart({slow: 1})] * carts)
        behind = Sent(shop, [cart({slow: 1})])
        off, carts = off + 1, carts + SLOW_CARTS
        (shop.folder / "campaigns" / "slow.lua").write_text(SLOW.replace("amount = 1,", f"amount = {off},"), encoding="utf-8")
        ok(shop.operator.request("POST", "/v1/generations", {}, idempotency=unique("publish")), 200)
        straddled = sent.is_alive()
        after = shop.quote({slow: 1})
        together, later = sent.whole(), behind.whole()
        assert (before["total"], after["total"]) == (1001 - off, 1000 - off) and before["generation"] != after["generation"]
        assert {(p["quote"]["generation"], p["quote"]["total"]) for p in together["quotes"]} == {(before["generation"], before["total"])}
        assert together["generation"] == before["generation"]
        # The one behind has those of when its turn comes; that came before the new ones did where the first was only not read to its end.
        assert later["generation"] in (before["generation"], after["generation"])
        straddled = straddled and later["generation"] == after["generation"]
    assert straddled, "every batch had ended before the new rules were live, or those behind them had the old ones"


def quotes_made(shop):
    text = shop.client("").request("GET", "/metrics").body.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("feira_quotes_total"))


def test_who_hangs_up_is_not_worked_for(slow_shop):
    shop = slow_shop
    slow, quick = shop.product(price=1000, tags=["slow"]), shop.product(price=1000)
    made = quotes_made(shop)
    client = shop.client(shop.server.keys()["sk"])
    body = json.dumps({"carts": [cart({slow: 1})] * SLOW_CARTS}).encode()
    client._connect()
    client.socket.sendall(
        f"POST /v1/quotes/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )
    while quotes_made(shop) == made:
        pass
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset: after a mere FIN it could still be reading
    client.close()
    assert batch(shop, [cart({quick: 1})])["priced"] == 1  # it stood behind the one that nobody waits for
    assert quotes_made(shop) < made + SLOW_CARTS


def test_batches_wait_for_one_another_and_not_without_end(slow_shop):
    shop = slow_shop
    slow, quick = shop.product(price=1000, tags=["slow"]), shop.product(price=1000)
    first = Sent(shop, [cart({slow: 1})] * SLOW_CARTS)
    while not quotes_made(shop):
        pass
    others = [Sent(shop, [cart({quick: n + 1}), *[cart({slow: 1})] * 3]) for n in range(80)]
    for sent in [first, *others]:
        sent.join()
    assert first.whole()["priced"] == SLOW_CARTS
    taken = [(n, s) for n, s in enumerate(others) if s.answer.status == 200]
    assert all(s.answer.json()["quotes"][0]["quote"]["total"] == 1000 * (n + 1) for n, s in taken)
    refused = [s for s in others if s.answer.status != 200]
    assert len(taken) >= 60 and refused
    for sent in refused:
        problem(sent.answer, 503, "too_many_batches")
        assert sent.answer.headers["retry-after"]


def test_a_server_that_is_stopped_answers_its_batches(slow_shop):
    shop = slow_shop
    slow = shop.product(price=1000, tags=["slow"])
    sent = Sent(shop, [cart({slow: 1})] * SLOW_CARTS)
    while not quotes_made(shop):
        pass
    assert shop.server.terminate() == 0
    assert sent.whole()["priced"] == SLOW_CARTS
