"""A retail year that is priced by rules which change on the way: what scripts/replay-retail --rules puts into a shop, and what is then held against it.

Each invoice is quoted and ordered for the prices of the catalogue, with its customer and its time, under whatever rules are live; a publish that comes in between is answered as a client
would, with the fresh quote. Then feira replay computes every order again; then a byte of one record is changed in a copy, and it must be found."""

import contextlib
import importlib.machinery
import importlib.util
import json
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import threading
import time

from feira_tools.server import ROOT, program

SHOP = ROOT / "tests" / "past" / "shop"
TURN = re.compile(r"^local turn = \d+$", re.M)
TRIES = 30

# Ranges of the catalogue that campaigns name, by what their descriptions have in common.
RANGES = {
    "charlotte-bag": ["CHARLOTTE BAG"], "heart": ["HEART"], "jumbo-bag": ["JUMBO BAG", "JUMBO SHOPPER", "JUMBO STORAGE BAG"], "metal-sign": ["METAL SIGN"],
    "mug": [" MUG"], "retrospot": ["RETROSPOT"], "rose": [" ROSE"], "wrap": [" WRAP"],
}  # fmt: skip


def category_of():
    """The categories of examples/giftware."""
    loader = importlib.machinery.SourceFileLoader("make_catalogue", str(ROOT / "examples" / "giftware" / "make-catalogue"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("make_catalogue", loader))
    loader.exec_module(module)
    return module.category


def catalogue(replay):
    category = category_of()
    for sku, p in replay.products.items():
        title = " ".join(p["title"].upper().split())
        tags = [tag for tag, phrases in RANGES.items() if any(phrase in f" {title}" for phrase in phrases)]
        # Prices are those of the catalogue here, so that more may be sold than was: nothing sells out.
        yield {"sku": sku, "title": p["title"], "price": p["price"], "cost": p["price"] * 6 // 10, "stock": 2 * p["sold"], "category": category(sku, title), **({"tags": tags} if tags else {})}


def cart(invoice):
    abroad = int(invoice.number) % 9 == 0
    body = {"lines": [{"sku": line.sku, "qty": line.qty} for line in invoice.lines], "shipping": {"option": "export" if abroad else "standard", "region": "abroad" if abroad else "GB"}}
    if invoice.customer:
        body["customer"] = invoice.customer
    return body


def place(run, client, invoice):
    """Quoted, ordered, paid; a price that moved in between is taken as the fresh quote says it."""
    body = cart(invoice)
    total = run.send(client, "POST", "/v1/quotes", {**body, "at": invoice.at}, f"quote-{invoice.number}", 200)["total"]
    for n in range(TRIES):
        order = {**body, "reference": invoice.number, "placed_at": invoice.at, "expected_total": total}
        answer = client.request("POST", "/v1/orders", order, idempotency=f"order-{invoice.number}-{n}")
        if answer.status == 201:
            break
        if answer.status == 409:
            total = answer.json()["quote"]["total"]
        elif answer.status == 503:
            time.sleep(0.02)
        else:
            raise ValueError(f"invoice {invoice.number}: {answer.status} {answer.body[:300]}")
    else:
        raise ValueError(f"invoice {invoice.number}: its price moved {TRIES} times")
    order = answer.json()
    if order["total"]:
        run.send(client, "POST", f"/v1/orders/{order['id']}/payments", {"provider": "test"}, f"payment-{invoice.number}", 201)
    with run.lock:
        run.orders[invoice.number] = (order["id"], order["total"])
        run.discounts += order["discount"]
        run.generations.add(order["generation"])


def change(shop, turn):
    """Other rules go live, as a person would have it."""
    path = pathlib.Path(shop) / "campaigns" / "year.lua"
    text, n = TURN.subn(f"local turn = {turn}", path.read_text(encoding="utf-8"))
    if n != 1:
        raise ValueError(f"{path} has no line 'local turn = N'")
    path.write_text(text, encoding="utf-8")


class Changer(threading.Thread):
    """Publishes `times` times, spread over the orders."""

    def __init__(self, run, shop, times, total):
        super().__init__(daemon=True)
        self.run_, self.shop, self.times, self.total = run, shop, times, total

    def run(self):
        for turn in range(1, self.times + 1):
            while len(self.run_.orders) < self.total * turn // (self.times + 1):
                if self.run_.stop.is_set():
                    return
                time.sleep(0.005)
            change(self.shop, turn)
            done = feira("publish", self.shop, "--data", self.run_.server.data)
            if done.returncode:
                self.run_.failures.append(f"publish {turn}: {done.stderr}")


def feira(*arguments):
    return subprocess.run([str(program()), *map(str, arguments)], capture_output=True, text=True, check=False)


def replay(shop, data, *more):
    """(exit code, the result)"""
    done = feira("replay", shop, "--data", data, "--json", *more)
    if not done.stdout:
        raise ValueError(f"feira replay: {done.stderr}")
    return done.returncode, json.loads(done.stdout)


def sizes(data):
    """Of records: by lines of the order, and all."""
    with contextlib.closing(sqlite3.connect(f"file:{data}/shop.db?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT json_array_length(o.lines), length(e.evidence) FROM orders o JOIN order_evidence e ON e.order_id = o.id").fetchall()
    ten = [n for lines, n in rows if lines == 10]
    return {"all": sum(n for _, n in rows), "average": sum(n for _, n in rows) // max(1, len(rows)), "ten_lines": max(ten, default=0), "longest": max((n for _, n in rows), default=0)}


def spoil(data, seed):
    """Changes one byte of one record; the order whose it is."""
    rng = random.Random(seed)
    with contextlib.closing(sqlite3.connect(pathlib.Path(data) / "shop.db")) as db, db:
        rows = db.execute("SELECT e.order_id, o.order_id, e.evidence FROM order_evidence e JOIN orders o ON o.id = e.order_id").fetchall()
        key, order, record = rng.choice(rows)
        at = rng.randrange(len(record))
        db.execute("UPDATE order_evidence SET evidence = ? WHERE order_id = ?", (record[:at] + bytes([record[at] ^ 1 << rng.randrange(8)]) + record[at + 1 :], key))
    return order, at


def check(run, shop, changes, say):
    """Everything that --rules promises; the server is up."""
    print(f"discounts        {run.discounts / 100:,.2f} GBP under {len(run.generations)} editions of the rules")
    if len(run.generations) < min(changes + 1, max(1, len(run.orders) // 50)):
        say(f"the rules were to change {changes} times, the orders know {len(run.generations)} editions")
    code, result = replay(shop, run.server.data)
    print(f"replay           {result['orders']:,} orders computed again beside the server, {result['differ']} differences, {result['per_second']:,} orders per second on {result['threads']} threads")
    if code or result["differ"] or result["orders"] != len(run.orders):
        say(f"feira replay ends with {code}, {result['orders']} orders and {result['differ']} differences: {result['first'][:3]}")
    kept = sizes(run.server.data)
    print(f"evidence         {kept['average']} bytes an order; at most {kept['ten_lines']} with ten lines, {kept['longest']} in all")


def check_spoiled(shop, data, copy, seed, say):
    """The server is down."""
    shutil.copytree(data, copy, ignore=shutil.ignore_patterns("feira.sock", "lock"))
    code, alone = replay(shop, copy)
    print(f"replay           {alone['orders']:,} orders with nobody serving, {alone['differ']} differences, {alone['per_second']:,} orders per second on {alone['threads']} threads")
    if code or alone["differ"]:
        say(f"without a server feira replay ends with {code}: {alone['first'][:3]}")
    order, at = spoil(copy, seed)
    code, result = replay(shop, copy)
    found = [d["order"] for d in result["first"]]
    print(f"negative control byte {at} of the record of {order} was changed: {result['differ']} difference found")
    if code != 1 or found != [order]:
        say(f"the record of {order} was changed at byte {at}; feira replay ends with {code} and names {found}")
