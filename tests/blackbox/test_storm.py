"""Everything at once, and the books afterwards; also when the server is asked to stop, or killed, in the middle of it.
FEIRA_STORM_CLIENTS, FEIRA_STORM_SECONDS and FEIRA_STORM_SEED make it longer and other."""

import contextlib
import os
import sqlite3
import time

import pytest
import storm

CLIENTS = int(os.environ.get("FEIRA_STORM_CLIENTS", "24"))
SECONDS = float(os.environ.get("FEIRA_STORM_SECONDS", "5"))
SEED = int(os.environ.get("FEIRA_STORM_SEED", "7"))


def settle(shop):
    """Unpaid orders have expired: nothing is held any more."""
    deadline = time.monotonic() + 20
    while shop.sk.request("GET", "/v1/orders?state=placed&limit=1").json()["items"]:
        assert time.monotonic() < deadline, "unpaid orders did not expire"
        time.sleep(0.1)


def start(own_shop):
    shop = own_shop(settings=storm.SETTINGS, campaigns=storm.CAMPAIGNS, workers=4)
    return shop, storm.Storm(shop, SEED, CLIENTS)


def test_the_books_balance_after_a_storm(own_shop):
    shop, gale = start(own_shop)
    gale.blow(SECONDS)
    assert gale.done() > CLIENTS and len(gale.promised) > 5, "there was hardly a storm"
    storm.check_books(shop, gale)
    settle(shop)
    storm.check_books(shop, gale)
    assert shop.server.terminate() == 0
    storm.check_books(shop, gale)


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_the_books_balance_when_the_server_ends_in_the_middle(own_shop, how):
    shop, gale = start(own_shop)

    def end_and_begin_again(deadline):
        while time.monotonic() < deadline - SECONDS / 4:
            time.sleep(SECONDS / 4)
            if how == "kill":
                shop.server.kill()
            else:
                assert shop.server.terminate() == 0, shop.server.stderr()[-3000:]
            shop.server.start()

    gale.blow(SECONDS, end_and_begin_again)
    storm.check_books(shop, gale)
    settle(shop)
    storm.check_books(shop, gale)


# Each is a fault that a storm is there to find: a statement that makes the books wrong by one.
WRONG = [
    "UPDATE ledger_accounts SET credits_posted = credits_posted + 1 WHERE name = 'stock-sold'",
    "UPDATE ledger_accounts SET debits_pending = debits_pending + 1 WHERE name LIKE 'stock/%'",
    "UPDATE ledger_transfers SET amount = amount + 1 WHERE seq = (SELECT min(seq) FROM ledger_transfers)",
    "UPDATE orders SET paid = paid - 1 WHERE id = (SELECT min(id) FROM orders WHERE paid > refunded)",
    "UPDATE orders SET state = 1 WHERE id = (SELECT min(id) FROM orders WHERE state = 2)",
    "UPDATE refunds SET amount = amount + 1 WHERE order_id = (SELECT min(order_id) FROM refunds)",
    "UPDATE order_line_refunds SET amount = amount - 1 WHERE amount > 1",
    "UPDATE payments SET amount = amount + 1 WHERE order_id = (SELECT min(order_id) FROM payments)",
    "UPDATE stock_changes SET delta = delta + 1 WHERE id = 1",
    "UPDATE customers SET orders = orders + 1 WHERE id = 1",
    "DELETE FROM journal_idempotency WHERE key LIKE 'storm-%'",
    "DELETE FROM orders WHERE id = (SELECT max(id) FROM orders)",
    "INSERT INTO journal_timers (procedure, key, due_ms) SELECT 'orders.expire', order_id, 0 FROM orders WHERE state = 2 LIMIT 1",
]


def test_books_that_are_wrong_by_one_are_found(own_shop):
    """The control: without it a storm that looks at nothing would pass."""
    shop, gale = start(own_shop)
    gale.blow(2)
    settle(shop)
    assert shop.server.terminate() == 0
    storm.check_books(shop, gale)
    missed = []
    for statement in WRONG:
        good = (shop.server.data / "shop.db").read_bytes()
        with contextlib.closing(sqlite3.connect(shop.server.data / "shop.db")) as db, db:
            db.execute("PRAGMA ignore_check_constraints = 1")
            assert db.execute(statement).rowcount > 0, statement
        try:
            storm.check_books(shop, gale)
            missed.append(statement)
        except AssertionError:
            pass
        for rest in ("shop.db-wal", "shop.db-shm"):
            (shop.server.data / rest).unlink(missing_ok=True)
        (shop.server.data / "shop.db").write_bytes(good)
    assert not missed
    storm.check_books(shop, gale)
