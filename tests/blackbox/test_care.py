"""Care of the data: doctor finds what is planted, a backup made under load is whole, and comes back."""

import json
import sqlite3
import threading

import pytest
from market import feira, ok, open_shop, problem, unique, write_shop


def findings(folder, **more):
    out = feira("doctor", folder, "--json", **more)
    assert out.stdout, out.stderr
    return out.returncode, {f["check"]: f for f in json.loads(out.stdout)["findings"]}


def lived_in(tmp_path):
    """A shop with orders in several states, not being served."""
    with open_shop(tmp_path) as shop:
        sku = shop.product(stock=50)
        shop.place({sku: 1})
        sent = shop.paid_order({sku: 1})
        ok(shop.sk.request("POST", f"/v1/orders/{sent['id']}/fulfilments", {}, idempotency=unique("f")), 201)
        ok(shop.pk.request("POST", "/v1/checkouts", {"lines": [{"sku": sku, "qty": 1}], "contact": {"name": "Zoë"}}), 201)
        paid = shop.paid_order({sku: 2})
        ok(shop.refund(paid, lines=[{"line": 1, "qty": 1}]), 201)
        order = shop.paid_order({sku: 1})
        ok(shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("c")), 200)
    return tmp_path


def test_a_shop_that_was_lived_in_is_well(tmp_path):
    code, found = findings(lived_in(tmp_path))
    assert code == 0
    assert {f["level"] for f in found.values()} <= {"ok", "warning"}, found
    assert {"file", "books", "holds", "payments", "refunds", "timers", "schema", "space", "durability"} <= set(found)
    text = feira("doctor", tmp_path).stdout
    assert text.startswith("ok ") and "Every page of the database is whole" in text


@pytest.mark.parametrize(
    "check, damage",
    [
        ("books", "UPDATE ledger_accounts SET credits_posted = credits_posted + 1 WHERE name LIKE 'stock/%'"),
        ("books", "INSERT INTO ledger_hours VALUES (1, 1, 5, 0)"),
        ("holds", "DELETE FROM orders WHERE state = 1"),
        ("holds", "UPDATE orders SET state = 6 WHERE state = 1"),
        ("placed orders", "UPDATE orders SET state = 1 WHERE state = 6"),
        ("payments", "UPDATE payments SET amount = amount - 1 WHERE refunded < amount"),
        ("payments", "DELETE FROM payments"),
        ("money of closed orders", "UPDATE orders SET state = 7 WHERE state = 2"),
        ("refunds", "DELETE FROM refunds"),
        ("refunds by line", "UPDATE order_line_refunds SET amount = amount - 1 WHERE order_id IN (SELECT id FROM orders WHERE state = 2)"),
        ("sent", "DELETE FROM fulfilments"),
        ("sent", "UPDATE orders SET state = 3 WHERE state = 2"),
        ("blocks", "INSERT INTO order_blocks (order_id, plugin, name, since_ms) SELECT id, 'p', 'b', 1 FROM orders WHERE state = 6"),
        ("checkouts", "UPDATE checkouts SET placed_as = 1"),
        ("checkouts", "DELETE FROM checkouts"),
        ("evidence", "DELETE FROM order_evidence"),
    ],
)
def test_what_is_wrong_is_found_and_says_what_to_do(tmp_path, check, damage):
    lived_in(tmp_path)
    with sqlite3.connect(tmp_path / "data" / "shop.db") as db:
        assert db.execute(damage).rowcount > 0
    db.close()
    code, found = findings(tmp_path)
    assert code == 1 and found[check]["level"] == "error", found
    assert found[check]["text"] and found[check]["advice"]


def test_holds_past_their_time_are_only_a_warning(tmp_path):
    lived_in(tmp_path)
    with sqlite3.connect(tmp_path / "data" / "shop.db") as db:
        assert db.execute("INSERT INTO ledger_expiries SELECT 1000, seq FROM ledger_transfers WHERE kind = 1 LIMIT 1").rowcount == 1
    db.close()
    code, found = findings(tmp_path)
    assert code == 0 and found["holds with a time"]["level"] == "warning" and found["holds with a time"]["advice"]


def test_timers_of_a_shop_that_stood_still_are_only_a_warning(tmp_path):
    lived_in(tmp_path)
    with sqlite3.connect(tmp_path / "data" / "shop.db") as db:
        db.execute("UPDATE journal_timers SET due_ms = 1000")
    db.close()
    code, found = findings(tmp_path)
    assert code == 0 and found["timers"]["level"] == "warning" and "Nobody serves" in found["timers"]["advice"]


def test_a_damaged_file_is_said_plainly(tmp_path):
    lived_in(tmp_path)
    path = tmp_path / "data" / "shop.db"
    data = bytearray(path.read_bytes())
    for at in range(3 * 4096, len(data), 4096):
        data[at : at + 64] = b"\xff" * 64
    path.write_bytes(data)
    out = feira("doctor", tmp_path)
    assert out.returncode == 1 and "damaged" in out.stdout + out.stderr


def test_a_backup_made_under_load_is_whole_and_comes_back(tmp_path):
    copy = tmp_path / "copy.db"
    placed, stop = [], threading.Event()
    (tmp_path / "shop").mkdir()
    with open_shop(tmp_path / "shop") as shop:
        sku = shop.product(stock=100000)
        clients = [shop.client(shop.sk.key) for _ in range(4)]

        def buy(client):
            while not stop.is_set():
                body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}
                placed.append(ok(client.request("POST", "/v1/orders", body, idempotency=unique("load")), 201)["id"])

        threads = [threading.Thread(target=buy, args=(c,)) for c in clients]
        for t in threads:
            t.start()
        while len(placed) < 50:
            pass
        before = list(placed)
        out = feira("backup", shop.folder, copy.name, cwd=tmp_path)
        stop.set()
        for t in threads:
            t.join()
        assert out.returncode == 0, out.stderr
        assert oct(copy.stat().st_mode & 0o777) == "0o600"
        again = feira("backup", shop.folder, copy)
        assert again.returncode == 1 and "name another" in again.stderr
        refused = feira("restore", shop.folder, copy)
        assert refused.returncode == 4, refused.stderr
    with sqlite3.connect(copy) as db:
        there = {i for (i,) in db.execute("SELECT order_id FROM orders")}
    db.close()
    assert set(before) <= there <= set(placed)
    restored = feira("restore", tmp_path / "shop", copy)
    assert restored.returncode == 0 and "replaced-" in restored.stdout, restored.stderr
    code, found = findings(tmp_path / "shop")
    assert code == 0, found
    (aside,) = (tmp_path / "shop" / "data").glob("replaced-*")
    with sqlite3.connect(aside / "shop.db") as db:
        assert {i for (i,) in db.execute("SELECT order_id FROM orders")} == set(placed)
    db.close()


def test_only_whole_backups_come_back_and_nothing_is_lost(tmp_path):
    lived_in(tmp_path)
    bad = tmp_path / "bad.db"
    before = (tmp_path / "data" / "shop.db").read_bytes()
    for content in (b"", b"hello", before[:5000]):
        bad.write_bytes(content)
        assert feira("restore", tmp_path, bad).returncode == 1
    missing = feira("restore", tmp_path, tmp_path / "nowhere.db")
    assert missing.returncode == 1 and "nowhere.db" in missing.stderr
    assert (tmp_path / "data" / "shop.db").read_bytes() == before
    assert not list((tmp_path / "data").glob("replaced-*")) and not list((tmp_path / "data").glob("*.part"))


def test_a_backup_is_asked_for_on_the_machine_only(shop, tmp_path):
    problem(shop.operator.request("POST", "/v1/backup", {"path": "relative.db"}), 422, field="/path")
    answer = shop.sk.request("POST", "/v1/backup", {"path": str(tmp_path / "x.db")})
    assert answer.status == 403 and not (tmp_path / "x.db").exists()
    ok(shop.operator.request("GET", "/v1/doctor"), 200)


def test_a_backup_brings_an_empty_folder_to_life(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    lived_in(old)
    assert feira("backup", old, tmp_path / "b.db").returncode == 0
    write_shop(new)
    out = feira("restore", new, tmp_path / "b.db")
    assert out.returncode == 0 and "replaced" not in out.stdout, out.stderr
    assert findings(new)[0] == 0
