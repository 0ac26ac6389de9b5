"""A shop under test: its folder, its server, and the few verbs that every scenario needs."""

import contextlib
import hashlib
import itertools
import pathlib
import sqlite3
import subprocess
import time

from feira_tools.server import Server, program
from feira_tools.wire import Client

SETTINGS = {
    "name": '"Test market"',
    "currency": '"GBP"',
    "zone": '"Europe/London"',
    "test_payments": "true",
    "shipping": """{
    { id = "standard", title = "Standard", regions = { "GB" }, rates = { { over = "50.00", price = "0.00" }, { price = "4.95" } } },
    { id = "heavy", title = "By weight", rates = { { up_to_g = 1000, price = "3.00" }, { up_to_g = 5000, price = "7.00" } } },
  }""",
}

CAMPAIGNS = {
    # Applies only to what tests tag so, so that other tests are not touched by it.
    "sale": """local promo = require "feira.promo"
return promo.campaign { id = "sale", title = "A tenth off", scope = promo.tag "sale", give = promo.percent_off { percent = 10 } }
""",
    "welcome": """local promo = require "feira.promo"
return promo.campaign {
  id = "welcome", title = "Five off", scope = promo.tag "coded", when = promo.coupon "WELCOME", give = promo.amount_off { amount = "5.00" },
}
""",
    "vip": """local promo = require "feira.promo"
return promo.campaign {
  id = "vip", title = "For friends", scope = promo.tag "vip-goods", when = promo.customer_tag "vip", give = promo.percent_off { percent = 50 },
}
""",
}

# Tables whose rows may come from a request that changed nothing: the answer to it is remembered under its key.
ANSWERS = ("journal_idempotency",)
# Sums of other rows, caught up with in the background.
SUMS = ("ledger_hours", "ledger_summed")

numbers = itertools.count(1)


def unique(prefix):
    return f"{prefix}-{next(numbers)}"


def write_shop(folder, settings=None, campaigns=None, plugins=None):
    merged = {**SETTINGS, **(settings or {})}
    body = "".join(f"  {name} = {value},\n" for name, value in merged.items() if value is not None)
    (folder / "shop.lua").write_text(f"return {{\n{body}}}\n", encoding="utf-8")
    (folder / "campaigns").mkdir(exist_ok=True)
    for name, text in (CAMPAIGNS if campaigns is None else campaigns).items():
        (folder / "campaigns" / f"{name}.lua").write_text(text, encoding="utf-8")
    for name, files in (plugins or {}).items():
        (folder / "plugins" / name).mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / "plugins" / name / f"{file}.lua").write_text(text, encoding="utf-8")
    return folder


def open_shop(folder, settings=None, campaigns=None, plugins=None, **server):
    write_shop(folder, settings, campaigns, plugins)
    s = Shop(folder, **server)
    s.server.start()
    return s


def feira(*arguments, timeout=60, input=None, cwd=None):
    """Runs one command of the program; stdout and stderr as text."""
    return subprocess.run([str(program().resolve()), *map(str, arguments)], capture_output=True, text=True, timeout=timeout, input=input, cwd=cwd)


def rooms_of_specs():
    """The folders in which `feira test` keeps its shops, of whoever runs specs on this machine."""
    return {p for place in ("/dev/shm", "/tmp") for p in pathlib.Path(place).glob("feira-test-*")}


def rooms_left(before, seconds=60):
    """Those that are here since `before` and do not go. Other tests run specs at the same time: their rooms go when they are done."""
    left, end = rooms_of_specs() - before, time.monotonic() + seconds
    while left and time.monotonic() < end:
        time.sleep(0.1)
        left &= rooms_of_specs()
    return left


class Shop:
    def __init__(self, folder, **server):
        self.folder = folder
        self.server = Server(folder, **server)
        self.clients = []

    def hang_up(self):
        for client in self.clients:
            client.close()
        self.clients.clear()

    def close(self):
        self.hang_up()
        self.server.__exit__()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    # --- callers -----------------------------------------------------------------------------------------------------
    def client(self, key=None):
        """A connection of its own; key "" is nobody."""
        made = Client(self.server.port, key)
        self.clients.append(made)
        return made

    @property
    def sk(self):
        return self._as("sk")

    @property
    def pk(self):
        return self._as("pk")

    def _as(self, kind):
        key = self.server.keys()[kind]
        client = next((c for c in self.clients if c.key == key and c.port == self.server.port), None)
        return client or self.client(key)

    @property
    def operator(self):
        client = Client(0, path=self.server.data / "feira.sock")
        self.clients.append(client)
        return client

    def customer(self, name=None, **facts):
        """A customer with a token of his own."""
        name = name or unique("customer")
        ok(self.sk.request("PUT", f"/v1/customers/{name}", facts), 200, 201)
        token = ok(self.sk.request("POST", f"/v1/customers/{name}/tokens", {}), 201)["token"]
        client = self.client(token)
        client.customer = name
        return client

    # --- verbs -------------------------------------------------------------------------------------------------------
    def product(self, sku=None, price=1000, stock=10, **more):
        sku = sku or unique("SKU")
        ok(self.sk.request("PUT", f"/v1/products/{sku}", {"title": f"Thing {sku}", "price": price, **more}), 200, 201)
        if stock:
            self.stock(sku, stock)
        return sku

    def stock(self, sku, delta, location=None):
        body = {"sku": sku, "delta": delta, "reason": "count"}
        if location:
            body["location"] = location
        return ok(self.sk.request("POST", "/v1/stock", body, idempotency=unique("stock")), 200)

    def available(self, sku):
        """{"on_hand", "held", "available"} over all locations, as a server key sees it."""
        product = ok(self.sk.request("GET", f"/v1/products/{sku}"), 200)
        places = product["stock"]
        places = list(places.values()) if isinstance(places, dict) else places
        return {name: sum(place[name] for place in places) for name in ("on_hand", "held", "available")}

    def quote(self, lines, by=None, **more):
        return ok((by or self.pk).request("POST", "/v1/quotes", {"lines": as_lines(lines), **more}), 200)

    def place(self, lines, by=None, key=None, **more):
        """Places an order at the price that a quote of the same cart shows."""
        by = by or self.sk
        body = {"lines": as_lines(lines), **more}
        if "expected_total" not in body:
            asked = {k: v for k, v in body.items() if k in ("lines", "codes", "customer", "channel", "payment_method", "store", "shipping", "campaigns")}
            body["expected_total"] = ok(by.request("POST", "/v1/quotes", asked), 200)["total"]
        return ok(by.request("POST", "/v1/orders", body, idempotency=key or unique("order")), 201)

    def pay(self, order, by=None, **more):
        return ok((by or self.sk).request("POST", f"/v1/orders/{order['id']}/payments", {"provider": "test", **more}, idempotency=unique("pay")), 201)

    def paid_order(self, lines, by=None, **more):
        return self.pay(self.place(lines, by=by, **more), by=by)

    def refund(self, order, **body):
        return self.sk.request("POST", f"/v1/orders/{order['id']}/refunds", body, idempotency=unique("refund"))

    def state(self):
        """A hash over every row of every table, but for remembered answers: what "nothing changed" means."""
        with contextlib.closing(sqlite3.connect(f"file:{self.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
            names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name") if n not in (*ANSWERS, *SUMS, "sqlite_sequence")]
            digest = hashlib.sha256()
            for name in names:
                # The shop's own daily timer is set a moment after it has started.
                kept = " WHERE procedure <> 'retention.run'" if name == "journal_timers" else ""
                for row in sorted(map(repr, db.execute(f'SELECT * FROM "{name}"{kept}'))):
                    digest.update(f"{name}{row}\n".encode())
            return digest.hexdigest()


def as_lines(lines):
    """{"SKU": 2} is short for [{"sku": "SKU", "qty": 2}]."""
    return [{"sku": sku, "qty": qty} for sku, qty in lines.items()] if isinstance(lines, dict) else lines


def ok(answer, *statuses):
    assert answer.status in statuses, answer
    return answer.json()


def problem(answer, status, type=None, field=None):
    """Asserts a problem document (RFC 9457) that says enough; returns it."""
    assert answer.status == status, answer
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json", answer.headers
    document = answer.json()
    assert document["status"] == status
    assert document["type"].startswith("/problems/"), document
    assert document["title"] and len(document["detail"]) > 10, document
    if type is not None:
        assert document["type"] == f"/problems/{type}", document
    if field is not None:
        assert document.get("field") == field, document
    return document
