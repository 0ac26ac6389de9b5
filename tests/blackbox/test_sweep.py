"""Answers under idempotency keys are kept for seven days and then forgotten."""
import contextlib
import sqlite3
import time

from market import ok, unique

DAY_MS = 24 * 3600 * 1000


@contextlib.contextmanager
def database(shop, **options):
    """Closed at the end: the log of one that is open still belongs to nobody when the shop starts."""
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data}/shop.db?mode=rw", uri=True, **options)) as db, db:
        yield db


def remembered(shop, key):
    with database(shop) as db:
        return db.execute("SELECT count(*) FROM journal_idempotency WHERE key = ?", (key,)).fetchone()[0] == 1


def make_older(shop, key, days, ms):
    """The number of an answer begins with the time it was made at."""
    with database(shop) as db:
        db.execute("UPDATE journal_idempotency SET seq = seq - ? WHERE key = ?", (days * DAY_MS * ms, key))


def test_an_old_answer_is_forgotten_and_a_young_one_is_not(own_shop):
    shop = own_shop()
    sku = shop.product(unique("S"))
    body = {"sku": sku, "delta": 1, "reason": "test"}
    old, young = unique("old"), unique("young")
    for key in (old, young):
        ok(shop.sk.request("POST", "/v1/stock", body, idempotency=key), 200)
    stock = ok(shop.sk.request("GET", f"/v1/products/{sku}"), 200)["stock"]
    shop.hang_up()
    assert shop.server.terminate() == 0
    with database(shop) as db:
        (seq,) = db.execute("SELECT seq FROM journal_idempotency WHERE key = ?", (old,)).fetchone()
    ms = round(seq / (time.time() * 1000))
    assert abs(seq / ms - time.time() * 1000) < 600_000
    make_older(shop, old, 8, ms)
    make_older(shop, young, 6, ms)
    shop.server.start()
    deadline = time.monotonic() + 20
    while remembered(shop, old) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not remembered(shop, old) and remembered(shop, young)
    ok(shop.sk.request("POST", "/v1/stock", body, idempotency=young), 200)
    assert ok(shop.sk.request("GET", f"/v1/products/{sku}"), 200)["stock"] == stock
