"""A storm: many connections that do everything at once, right and wrong, from one seed; and the books that must balance afterwards.
The order in which threads meet is the machine's, so a seed repeats the mix and not the run. Whatever comes, these hold."""

import contextlib
import copy
import json
import random
import sqlite3
import threading
import time

from feira_tools.wire import Client, NoAnswer
from market import ok

ENOUGH = 1500  # requests

CAMPAIGNS = {
    "tenth": """local promo = require "feira.promo"
return promo.campaign { id = "tenth", title = "A tenth off", scope = promo.tag "sale", give = promo.percent_off { percent = "12.5" } }
""",
    "vip": """local promo = require "feira.promo"
return promo.campaign {
  id = "vip", title = "For friends", when = promo.customer_tag "vip", give = promo.amount_off { amount = "7.77" },
}
""",
    "cup": """local promo = require "feira.promo"
return promo.campaign { id = "cup", title = "A cup", when = promo.qty { at_least = 3 }, give = promo.gift { sku = "CUP", when_none = "skip" } }
""",
}

SETTINGS = {"pay_within": '"2s"'}

PLACED, PAID, FULFILLING, FULFILLED, COMPLETED, CANCELLED, EXPIRED = range(1, 8)


class Storm:
    """What the clients share: things to act on, and what they were promised."""

    def __init__(self, shop, seed, clients):
        self.shop = shop
        self.seed = seed
        self.lock = threading.Lock()
        self.orders = []  # (id, lines, key of the caller)
        self.promised = {}  # id of an order -> state that an answer showed last
        self.answers = {}  # idempotency key -> answer, of what was done
        self.faults = []  # what must not have been answered
        self.messages = {}  # (status, type, detail) -> example
        self.stop = threading.Event()
        self.customers = [shop.customer(f"c{i}", tags=["vip"] if i % 2 else []) for i in range(6)]
        self.skus = []
        for i in range(12):
            more = [{}, {"tags": ["sale"]}, {"track_stock": False}, {"weight_g": 400}][i % 4]
            sku = shop.product(f"S{i}", price=[999, 333, 1, 0, 12345][i % 5], stock=300, **more)
            if i % 3 == 0:
                shop.stock(sku, 200, "back")
            self.skus.append(sku)
        ok(shop.sk.request("PUT", "/v1/products/SHIRT", {"title": "Shirt", "price": 2000}), 201)
        for size in "SML":
            self.skus.append(shop.product(f"SHIRT-{size}", price=2000, stock=150, variant_of="SHIRT", options={"size": size}))
        self.skus.append(shop.product("CUP", price=450, stock=60))  # given and bought
        self.gusts = [Gust(self, n) for n in range(clients)]

    def blow(self, seconds, meanwhile=None):
        threads = [threading.Thread(target=gust.run) for gust in self.gusts]
        for t in threads:
            t.start()
        deadline = time.monotonic() + seconds
        try:
            if meanwhile:
                meanwhile(deadline)
            # On a slow machine it blows longer, or the books have too little in them to say anything.
            while (now := time.monotonic()) < deadline or (self.done() < ENOUGH and now < deadline + 60):
                time.sleep(0.02)
        finally:
            self.stop.set()
            for t in threads:
                t.join()
        assert not self.faults, self.faults[:5]

    def done(self):
        return sum(g.done for g in self.gusts)


class Gust:
    """One connection and its share of the storm."""

    def __init__(self, storm, number):
        self.storm = storm
        self.number = number
        self.random = random.Random(f"{storm.seed}/{number}")
        self.count = 0
        self.done = 0
        keys = storm.shop.server.keys()
        own = storm.customers[number % len(storm.customers)]
        self.callers = {"sk": keys["sk"], "pk": keys["pk"], "ct": own.key, "": "", "?": "sk_nobody"}
        self.customer = own.customer
        self.client = Client(storm.shop.server.port, timeout=120)

    def run(self):
        try:
            while not self.storm.stop.is_set():
                self.act()
        except Exception as e:  # a thread that dies silently would be a storm that passes
            self.storm.faults.append(repr(e))
        finally:
            self.client.close()

    def act(self):
        acts = [
            (self.quote, 3),
            (self.place, 8),
            (self.pay, 6),
            (self.cancel, 2),
            (self.refund, 4),
            (self.fulfil, 3),
            (self.complete, 1),
            (self.checkout, 3),
            (self.stock, 2),
            (self.product, 2),
            (self.customers, 1),
            (self.read, 3),
            (self.again, 3),
            (self.keys, 1),
            (self.rubbish, 3),
            (self.hang_up, 1),
        ]
        self.random.choices([a for a, _ in acts], [w for _, w in acts])[0]()

    # --- one request -------------------------------------------------------------------------------------------------
    def send(self, method, target, body=None, by="sk", idempotency=None):
        """The answer, checked for what holds of every answer; the same request again until one comes."""
        while True:
            try:
                answer = self.client.request(method, target, body, idempotency=idempotency, key=self.callers[by])
                break
            except NoAnswer:
                self.client.close()
                if self.storm.stop.is_set():
                    return None
                time.sleep(0.02)
        self.check(method, target, answer)
        self.done += 1
        return answer

    def check(self, method, target, answer):
        if answer.status >= 500 and answer.status != 503:
            self.storm.faults.append((method, target, repr(answer)))
        if answer.status < 400:
            return
        document = answer.json()
        with self.storm.lock:
            self.storm.messages.setdefault((answer.status, document["type"], document["detail"]), (method, target))
        if document["status"] != answer.status or not document["type"].startswith("/problems/") or len(document["detail"]) < 10:
            self.storm.faults.append((method, target, repr(answer)))

    def key(self):
        self.count += 1
        return f"storm-{self.number}-{self.count}"

    def change(self, method, target, body, by="sk"):
        """A request under a key, remembered when it was done, so that it can be repeated."""
        key = self.key()
        answer = self.send(method, target, body, by, key)
        if answer is not None and answer.status < 300:
            with self.storm.lock:
                self.storm.answers[key] = (self.number, method, target, body, by, answer)
        return answer

    def promise(self, answer, *statuses):
        if answer is not None and answer.status in statuses:
            order = answer.json()
            with self.storm.lock:
                self.storm.promised[order["id"]] = order["state"]
            return order
        return None

    def some_order(self):
        with self.storm.lock:
            return self.random.choice(self.storm.orders[-60:]) if self.storm.orders else None

    def lines(self):
        chosen = self.random.choices(self.storm.skus, k=self.random.choice([1, 1, 2, 3, 8]))
        return [{"sku": sku, "qty": self.random.choice([1, 1, 2, 3, 7, 40])} for sku in chosen]

    # --- what a client does --------------------------------------------------------------------------------------------
    def quote(self):
        body = {"lines": self.lines()}
        if self.random.random() < 0.3:
            body["shipping"] = {"option": self.random.choice(["standard", "heavy"]), "region": self.random.choice(["GB", "FR"])}
        return self.send("POST", "/v1/quotes", body, self.random.choice(["sk", "pk", "ct"]))

    def place(self):
        by = self.random.choice(["sk", "pk", "ct", "ct"])
        cart = {"lines": self.lines()}
        if by == "sk" and self.random.random() < 0.5:
            cart["customer"] = self.customer
        quote = self.send("POST", "/v1/quotes", cart, by)
        if quote is None or quote.status != 200:
            return
        quote = quote.json()
        body = {"quote_token": quote["token"]} if self.random.random() < 0.5 else {**cart, "expected_total": quote["total"]}
        if self.random.random() < 0.3:
            body["contact"] = {"name": "王小明", "email": "a@example.org"}
        order = self.promise(self.change("POST", "/v1/orders", body, by), 201)
        if order:
            with self.storm.lock:
                self.storm.orders.append((order["id"], order["lines"], by))

    def pay(self):
        order = self.some_order()
        if order:
            by = self.random.choice(["sk", "sk", "ct", "pk"])
            self.promise(self.change("POST", f"/v1/orders/{order[0]}/payments", {"provider": "test"}, by), 201)

    def cancel(self):
        order = self.some_order()
        if order:
            self.promise(self.change("POST", f"/v1/orders/{order[0]}/cancel", {}, self.random.choice(["sk", "ct"])), 200)

    def fulfil(self):
        order = self.some_order()
        if order:
            line = self.random.choice(order[1])
            body = {"lines": [{"line": line["line"], "qty": self.random.randint(1, line["qty"])}], "carrier": "Post"} if self.random.random() < 0.5 else {}
            self.promise(self.change("POST", f"/v1/orders/{order[0]}/fulfilments", body), 201)

    def complete(self):
        order = self.some_order()
        if order:
            self.promise(self.change("POST", f"/v1/orders/{order[0]}/complete", {}, self.random.choice(["sk", "ct"])), 200)

    def checkout(self):
        """Built in two steps and completed twice: one order. Its answers are of the moment, so only the last one is remembered."""
        by = self.random.choice(["sk", "pk", "ct"])
        made = self.send("POST", "/v1/checkouts", {"lines": self.lines(), "contact": {"name": "王小明"}}, by, self.key())
        if made is None or made.status != 201:
            return
        path = f"/v1/checkouts/{made.json()['id']}"
        changed = self.send("PATCH", path, {"lines": self.lines(), "note": "storm"}, by, self.random.choice([None, self.key()]))
        if changed is None or changed.status != 200 or not changed.json()["quote"]:
            return
        body = {"quote_token": changed.json()["quote"]["token"]}
        order = self.promise(self.change("POST", f"{path}/complete", body, by), 201)
        again = self.send("POST", f"{path}/complete", body, by) if order else None
        if order and again is not None and (again.status not in (200, 503) or again.status == 200 and again.json()["id"] != order["id"]):
            self.storm.faults.append(("a checkout that was completed twice", path, repr(again)))
        if order:
            with self.storm.lock:
                self.storm.orders.append((order["id"], order["lines"], by))

    def refund(self):
        order = self.some_order()
        if not order:
            return
        body = {"restock": self.random.random() < 0.7}
        if self.random.random() < 0.2:
            body["amount"] = self.random.randint(1, 500)
        if self.random.random() < 0.2:
            line = self.random.choice(order[1])
            body["lines"] = [{"line": line["line"], "amount": self.random.randint(1, 300)}]
        elif self.random.random() < 0.7:
            line = self.random.choice(order[1])
            body["lines"] = [{"line": line["line"], "qty": self.random.randint(1, line["qty"])} for _ in range(self.random.choice([1, 1, 2]))]
        self.promise(self.change("POST", f"/v1/orders/{order[0]}/refunds", body), 201)

    def stock(self):
        body = {"sku": self.random.choice(self.storm.skus), "delta": self.random.choice([5, 60, -3, -20, -5000]), "reason": "storm"}
        if self.random.random() < 0.3:
            body["location"] = self.random.choice(["back", "main", "cellar"])
        self.change("POST", "/v1/stock", body)

    def product(self):
        price = {"price": self.random.randint(0, 5000)}
        body = self.random.choice([price, price, {"status": "draft"}, *[{"status": "active"}] * 6, {"tags": ["sale"]}, {"tags": None}])
        self.send("PATCH", f"/v1/products/{self.random.choice(self.storm.skus)}", body)

    def customers(self):
        self.send("PUT", f"/v1/customers/c{self.random.randrange(6)}", {"tags": self.random.choice([[], ["vip"]])})
        self.send("POST", f"/v1/customers/c{self.random.randrange(6)}/tokens", {})

    def read(self):
        order = self.some_order()
        by = self.random.choice(list(self.callers))
        targets = ["/v1/products", "/v1/products?limit=3&cursor=4", "/v1/orders?limit=20", "/v1/orders?state=paid&limit=5", "/metrics", "/v1/openapi.json"]
        targets += [f"/v1/orders/{order[0]}", f"/v1/customers/{self.customer}", "/v1/customers/c0"] if order else []
        answer = self.send("GET", self.random.choice(targets), by=by)
        if order and answer is not None and answer.status == 200 and by == "pk" and b'"id":"ord_' in answer.body:
            self.storm.faults.append("a storefront was shown an order")

    def again(self):
        """The same key and request give the same bytes; the same key with another request is refused."""
        with self.storm.lock:
            mine = [k for k, a in self.storm.answers.items() if a[0] == self.number][-20:]
        if not mine:
            return
        key = self.random.choice(mine)
        _, method, target, body, by, first = self.storm.answers[key]
        if self.random.random() < 0.3:
            other = self.send(method, target, {**body, "reason": "another"} if "/v1/orders" != target else {**body, "note": "another"}, by, key)
            if other is not None and other.status not in (422, 503):
                self.storm.faults.append(("another request under a used key", target, repr(other)))
            return
        answer = self.send(method, target, body, by, key)
        if answer is None or answer.status == 503:
            return
        if (answer.status, answer.body) != (first.status, first.body) or answer.headers.get("idempotency-replayed") != "true":
            self.storm.faults.append(("another answer under the same key", target, repr(first), repr(answer)))

    def keys(self):
        """A key works until it is revoked, and not after."""
        try:
            self.use_a_key(Client(0, path=self.storm.shop.server.data / "feira.sock"))
        except NoAnswer:
            pass

    def use_a_key(self, operator):
        try:
            made = operator.request("POST", "/v1/keys", {"kind": "sk", "label": "storm", "scopes": ["orders:read"]})
            if made.status != 201:
                return
            made = made.json()
            seen = [self.client.request("GET", "/v1/orders?limit=1", key=made["key"]).status]
            seen.append(self.client.request("POST", "/v1/stock", {}, key=made["key"]).status)
            gone = operator.request("DELETE", f"/v1/keys/{made['id']}").status
            if gone == 200:
                seen.append(self.client.request("GET", "/v1/orders?limit=1", key=made["key"]).status)
            if any(s not in (right, 503) for s, right in zip(seen, [200, 403, 401])):
                self.storm.faults.append(("a key that was made and revoked", seen))
        finally:
            operator.close()

    def rubbish(self):
        """A request with one thing wrong, or several."""
        order = self.some_order()
        path = f"/v1/orders/{order[0]}" if order else "/v1/orders/ord_none"
        method, target, body = self.random.choice(
            [
                ("POST", "/v1/quotes", {"lines": self.lines(), "codes": ["X"]}),
                ("POST", "/v1/orders", {"lines": self.lines(), "expected_total": 1, "contact": {"name": "x"}}),
                ("POST", f"{path}/refunds", {"lines": [{"line": 1, "qty": 1}], "shipping": True}),
                ("POST", f"{path}/refunds", {"lines": [{"line": 1, "amount": 7}], "amount": 3}),
                ("POST", f"{path}/fulfilments", {"lines": [{"line": 1, "qty": 1, "location": "main"}], "tracking": "x"}),
                ("POST", f"{path}/complete", {}),
                ("POST", "/v1/checkouts", {"lines": self.lines(), "codes": ["X"], "address": {"line1": "x", "city": "y", "country": "GB"}}),
                ("POST", f"{path}/payments", {"provider": "test", "amount": 5}),
                ("POST", "/v1/stock", {"sku": "S0", "delta": 1, "reason": "x", "location": "main"}),
                ("PATCH", "/v1/products/S1", {"price": 5, "tags": ["a"], "variant_of": "SHIRT"}),
                ("PUT", "/v1/customers/c9", {"tags": ["x"], "email": "a@b.example"}),
            ]
        )
        text = json.dumps(mutate(body, self.random)).encode()
        if self.random.random() < 0.3:
            at = self.random.randrange(len(text))
            text = text[:at] + self.random.choice([b"", b"\x00", b"\xff", b'"', b"]", b"{", b"9" * 30]) + text[at + 1 :]
        by = self.random.choice(list(self.callers))
        self.send(method, target, text, by, self.random.choice([None, self.key(), "a b", "x" * 255]))

    def hang_up(self):
        """Asks for an order and goes away before the answer."""
        body = {"lines": self.lines(), "expected_total": self.random.randint(0, 5000)}
        client = Client(self.storm.shop.server.port, timeout=30)
        try:
            client._connect()
            text = json.dumps(body).encode()
            head = f"POST /v1/orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.callers['sk']}\r\nIdempotency-Key: {self.key()}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
            whole = head.encode() + text
            client.socket.sendall(whole[: self.random.choice([len(whole), len(whole), len(whole) - 1, len(head) // 2])])
        except OSError:
            pass
        finally:
            client.close()


ODD = [None, True, -1, 0, 2**63 - 1, -(2**63), 2**63, 1.5, 1e300, "", "x" * 300, "\u0000", "𝄞", [], {}, [[[[[]]]]], {"a": {"b": {}}}, "ord_", "S0"]


def mutate(value, rng):
    """One to three members replaced, removed, added or made deep."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        spots = []
        walk(value, spots)
        holder, name = rng.choice(spots)
        what = rng.random()
        if what < 0.6:
            holder[name] = copy.deepcopy(rng.choice(ODD))
        elif what < 0.8:
            holder.pop(name, None) if isinstance(holder, dict) else holder.clear()
        elif isinstance(holder, dict):
            holder[rng.choice(["customer", "placed_at", "reference", "unit_price", "total", "x", "campaigns"])] = copy.deepcopy(rng.choice(ODD))
        else:
            holder.extend(holder * rng.choice([1, 50]))
    return value


def walk(value, spots):
    for name, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        spots.append((value, name))
        if isinstance(inner, (dict, list)):
            walk(inner, spots)
    if not spots:
        spots.append((value, "x" if isinstance(value, dict) else slice(0, 0)))


# --- the books ----------------------------------------------------------------------------------------------------------


def check_books(shop, storm):
    """Everything that must hold whatever was done, from the store itself, and that the API shows the same."""
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        db.isolation_level = None
        db.execute("BEGIN")  # one snapshot: timers go on meanwhile
        assert [r[0] for r in db.execute("PRAGMA integrity_check")] == ["ok"]
        check_ledger(db)
        check_money(db)
        check_stock(db, shop)
        check_sent(db)
        check_customers(db)
        check_promises(db, storm)


def check_ledger(db):
    for unit, posted, pending in db.execute(
        "SELECT unit, sum(credits_posted) - sum(debits_posted), sum(credits_pending) - sum(debits_pending) FROM ledger_accounts GROUP BY unit"
    ):
        assert (posted, pending) == (0, 0), unit
    # Balances are what the transfers say: kind 0 transfer, 1 hold, 2 post, 3 void are told apart by what they do.
    kinds = ledger_kinds(db)
    ended = {r["pending"] for r in db.execute("SELECT pending FROM ledger_transfers WHERE pending IS NOT NULL")}
    sums = {}
    for t in db.execute("SELECT * FROM ledger_transfers"):
        if kinds[t["kind"]] in ("transfer", "post"):
            add(sums, t["debit"], "debits_posted", t["amount"])
            add(sums, t["credit"], "credits_posted", t["amount"])
        elif kinds[t["kind"]] == "hold" and t["seq"] not in ended:
            add(sums, t["debit"], "debits_pending", t["amount"])
            add(sums, t["credit"], "credits_pending", t["amount"])
    for account in db.execute("SELECT * FROM ledger_accounts"):
        for column in ("debits_posted", "credits_posted", "debits_pending", "credits_pending"):
            assert account[column] == sums.get((account["id"], column), 0), (account["name"], column)
        if account["name"].startswith("stock/"):
            assert account["credits_posted"] - account["debits_posted"] - account["debits_pending"] >= 0, account["name"]


def ledger_kinds(db):
    """The numbers of the kinds, learned from rows whose ids say what they are."""
    kinds = {}
    for t in db.execute("SELECT kind, id, pending FROM ledger_transfers GROUP BY kind, id LIKE '%/void', pending IS NULL"):
        if t["pending"] is not None:
            kinds[t["kind"]] = "void" if t["id"].endswith("/void") else "post"
    for (kind,) in db.execute("SELECT DISTINCT kind FROM ledger_transfers WHERE id LIKE 'pay_%' OR id LIKE 'stk_%' OR id LIKE 'ref_%'"):
        kinds[kind] = "transfer"
    for (kind,) in db.execute("SELECT DISTINCT kind FROM ledger_transfers"):
        kinds.setdefault(kind, "hold")
    return kinds


def add(sums, account, column, amount):
    sums[account, column] = sums.get((account, column), 0) + amount


def check_money(db):
    for o in db.execute(
        """SELECT o.*, (SELECT coalesce(sum(amount), 0) FROM payments p WHERE p.order_id = o.id) AS took,
             (SELECT coalesce(sum(refunded), 0) FROM payments p WHERE p.order_id = o.id) AS gave,
             (SELECT coalesce(sum(amount), 0) FROM refunds r WHERE r.order_id = o.id) AS sent,
             (SELECT coalesce(sum(amount), 0) FROM order_line_refunds l WHERE l.order_id = o.id) AS by_line,
             (SELECT count(*) FROM journal_timers t WHERE t.key = o.order_id) AS timers
           FROM orders o"""
    ):
        lines = json.loads(o["lines"])
        assert sum(line["total"] for line in lines) + o["shipping"] == o["total"], o["order_id"]
        assert 0 <= o["refunded"] <= o["paid"] <= o["total"], o["order_id"]
        assert o["took"] == o["paid"] and o["gave"] == o["refunded"] == o["sent"], o["order_id"]
        # What was paid of an order that ended before all of it was is no line's.
        assert o["by_line"] + o["shipping_refunded"] == (o["refunded"] if o["paid"] == o["total"] else 0), o["order_id"]
        assert o["timers"] == (o["state"] in (PLACED, FULFILLED)), o["order_id"]
        if o["state"] in (PAID, FULFILLING, FULFILLED, COMPLETED):
            assert o["paid"] == o["total"], o["order_id"]
        if o["state"] in (CANCELLED, EXPIRED):
            assert o["paid"] == o["refunded"], o["order_id"]
        if o["state"] in (PLACED, EXPIRED):
            assert o["paid"] < o["total"], o["order_id"]
        if o["state"] == PLACED:
            assert o["refunded"] == 0, o["order_id"]
        for r in db.execute("SELECT * FROM order_line_refunds WHERE order_id = ?", (o["id"],)):
            line = lines[r["line"] - 1]
            assert r["qty"] <= line["qty"] and r["amount"] <= line["total"], o["order_id"]
            assert r["qty"] < line["qty"] or r["amount"] == line["total"], "what went back whole gave back all"
    paid, refunded = db.execute("SELECT sum(paid), sum(refunded) FROM orders").fetchone()
    sales = db.execute("SELECT credits_posted - debits_posted FROM ledger_accounts WHERE name = 'sales'").fetchone()
    assert (sales[0] if sales else 0) == paid - refunded


def check_stock(db, shop):
    """By SKU: on hand = what came in - sold + returned; held = what unpaid orders wait for."""
    moved, held, sold = {}, {}, {}
    for sku, delta in db.execute("SELECT p.sku, sum(c.delta) FROM stock_changes c JOIN products p ON p.id = c.product GROUP BY p.sku"):
        moved[sku] = delta
    for o in db.execute("SELECT * FROM orders"):
        holds = json.loads(o["holds"]) if o["holds"] else []
        counted = {sku for sku, _, _ in holds}
        for sku, _, qty in holds:
            if o["state"] == PLACED:
                held[sku] = held.get(sku, 0) + qty
            elif o["state"] not in (CANCELLED, EXPIRED) or o["paid"] == o["total"]:
                sold[sku] = sold.get(sku, 0) + qty
        lines = json.loads(o["lines"])
        for r in db.execute("SELECT line, restocked FROM order_line_refunds WHERE order_id = ?", (o["id"],)):
            sku = lines[r["line"] - 1]["sku"]
            if sku in counted:
                sold[sku] = sold.get(sku, 0) - r["restocked"]
    seen = {}
    for name, posted, pending in db.execute(
        "SELECT name, credits_posted - debits_posted, debits_pending FROM ledger_accounts WHERE name LIKE 'stock/%'"
    ):
        sku = name[len("stock/") :].rsplit("/", 1)[0]
        on_hand, waiting = seen.get(sku, (0, 0))
        seen[sku] = (on_hand + posted, waiting + pending)
    for sku, (on_hand, waiting) in seen.items():
        assert on_hand == moved.get(sku, 0) - sold.get(sku, 0), sku
        assert waiting == held.get(sku, 0), sku
        if shop.server.process.poll() is None:
            assert shop.available(sku)["on_hand"] == on_hand, sku


def check_sent(db):
    """A unit is sent once, or refunded before that; the state of an order says which are left; a checkout became one order."""
    for o in db.execute("SELECT * FROM orders"):
        lines, counted = json.loads(o["lines"]), {sku for sku, _, _ in json.loads(o["holds"] or "[]")}
        sent = dict(db.execute("SELECT line, qty FROM order_line_fulfilments WHERE order_id = ?", (o["id"],)))
        back = {r["line"]: (r["qty"], r["sent_qty"]) for r in db.execute("SELECT * FROM order_line_refunds WHERE order_id = ?", (o["id"],))}
        left, of_pieces = 0, [0, 0, 0]
        for line in lines:
            n, (returned, of_sent) = line["line"], back.get(line["line"], (0, 0))
            open_units = line["qty"] - sent.get(n, 0) - (returned - of_sent)
            assert open_units >= 0 and of_sent <= sent.get(n, 0), o["order_id"]
            left += open_units
            if line["sku"] in counted:
                of_pieces = [have + more for have, more in zip(of_pieces, (sent.get(n, 0), returned - of_sent, of_sent))]
        parts = [json.loads(lines) for (lines,) in db.execute("SELECT lines FROM fulfilments WHERE order_id = ?", (o["id"],))]
        assert sum(part["qty"] for all in parts for part in all) == sum(sent.values()), o["order_id"]
        if o["state"] in (FULFILLING, FULFILLED, COMPLETED):
            assert sent and (left > 0) == (o["state"] == FULFILLING), o["order_id"]
        else:
            assert not sent, o["order_id"]
        pieces = db.execute("SELECT sum(sent), sum(dropped), sum(returned) FROM order_pieces WHERE order_id = ?", (o["id"],)).fetchone()
        assert [n or 0 for n in pieces] == of_pieces, o["order_id"]
    assert any('"gift":true' in lines for (lines,) in db.execute("SELECT lines FROM orders")), "no order had a gift"
    for table in "fulfilments", "order_line_refunds", "checkouts":  # or the above says nothing
        assert db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 5, table
    assert db.execute("SELECT count(*) = count(DISTINCT placed_as) FROM checkouts WHERE placed_as IS NOT NULL").fetchone()[0]
    assert not db.execute("SELECT 1 FROM checkout_contacts c JOIN checkouts k ON k.id = c.checkout WHERE k.placed_as IS NOT NULL").fetchone()


def check_customers(db):
    for customer, orders, counted in db.execute(
        """SELECT c.customer, c.orders, (SELECT count(*) FROM orders o WHERE o.customer = c.id AND o.state NOT IN (6, 7)) FROM customers c"""
    ):
        assert orders == counted, customer


def check_promises(db, storm):
    """What was answered is there: every order, in a state that may follow from the one shown."""
    states = {o["order_id"]: o["state"] for o in db.execute("SELECT order_id, state FROM orders")}
    for order, shown in storm.promised.items():
        assert order in states, order
        if shown == "paid":
            assert states[order] in (PAID, FULFILLING, FULFILLED, COMPLETED, CANCELLED), order
        if shown in ("fulfilling", "fulfilled", "completed"):
            assert {"fulfilling": FULFILLING, "fulfilled": FULFILLED, "completed": COMPLETED}[shown] <= states[order] <= COMPLETED, order
        if shown == "cancelled":
            assert states[order] == CANCELLED, order
    keys = {k: s for k, s in db.execute("SELECT key, status FROM journal_idempotency")}
    for key, (_, _, target, _, _, answer) in storm.answers.items():
        assert keys.get(key) == answer.status, (key, target)
