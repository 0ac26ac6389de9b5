"""A disk that is full, a database that is gone: reads go on, nothing acknowledged is lost, and the message says what to do."""

import contextlib
import subprocess
import time

import market
import pytest
from feira_tools.server import ServerError
from market import ok, problem, unique
from test_descriptors import cpu_seconds


@contextlib.contextmanager
def small_disk(folder, size):
    """A disk of its own; only root can have one."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("a disk can't be mounted here: " + made.stderr.decode().strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def try_orders(shop, sku, most):
    """Places orders until one is refused; (those placed, the refusal or None)."""
    placed = []
    for _ in range(most):
        body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000, "note": "x" * 1500}
        answer = shop.sk.request("POST", "/v1/orders", body, idempotency=unique("full"))
        if answer.status != 201:
            return placed, answer
        placed.append(answer.json()["id"])
    return placed, None


def test_on_a_full_disk_reads_go_on_and_orders_are_refused_until_there_is_room(tmp_path):
    with small_disk(tmp_path / "disk", "2m") as disk, market.open_shop(tmp_path, data=disk / "data") as shop:
        sku = shop.product(stock=10000)
        placed, refusal = try_orders(shop, sku, 5000)
        assert placed
        assert "free some space" in problem(refusal, 507, "disk_full")["detail"]
        for path in ("/healthz", "/v1/products", f"/v1/orders/{placed[-1]}", "/metrics"):
            ok_or_text = shop.sk.request("GET", path)
            assert ok_or_text.status == 200, ok_or_text
        shop.quote({sku: 1})
        assert any("disk" in p for p in ok(shop.operator.request("GET", "/v1/status"), 200)["problems"])

        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        more, refusal = try_orders(shop, sku, 20)
        assert len(more) == 20 and refusal is None, refusal

        (disk / "filler").write_bytes(b"x" * (16 << 10))
        with contextlib.suppress(OSError), open(disk / "filler", "ab", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        placed += more
        more, refusal = try_orders(shop, sku, 5000)
        problem(refusal, 507, "disk_full")
        shop.server.kill()
        shop.server.start()  # also with no room at all
        (disk / "filler").unlink()
        placed += more + try_orders(shop, sku, 20)[0]
        for order in placed:
            ok(shop.sk.request("GET", f"/v1/orders/{order}"), 200)
        assert shop.available(sku)["held"] == len(placed)


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_lost_database_is_not_replaced_by_an_empty_shop(own_shop, how):
    shop = own_shop()
    shop.product()
    keys = (shop.server.data / "keys.txt").read_text()
    assert shop.server.terminate() == 0
    database = shop.server.data / "shop.db"
    database.unlink() if how == "gone" else database.write_bytes(b"")
    with pytest.raises(ServerError, match="restore a backup, or remove keys.txt to begin an empty shop"):
        shop.server.start()
    assert (shop.server.data / "keys.txt").read_text() == keys, "the old keys are not overwritten"
    assert market.feira("status", shop.folder).returncode != 0
    (shop.server.data / "keys.txt").unlink()
    shop.server.start()
    assert (shop.server.data / "keys.txt").read_text() != keys


def fill(path):
    """Takes what room there is."""
    with contextlib.suppress(OSError), open(path, "ab", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)


def test_what_is_due_while_the_disk_is_full_is_done_when_there_is_room(tmp_path):
    with small_disk(tmp_path / "disk", "8m") as disk, market.open_shop(tmp_path, settings={"pay_within": '"2s"'}, data=disk / "data") as shop:
        sku = shop.product(stock=10000)
        order = shop.place({sku: 1})["id"]
        pid = shop.server.process.pid
        fill(disk / "filler")
        _, refusal = try_orders(shop, sku, 5000)
        problem(refusal, 507, "disk_full")
        spent, began = cpu_seconds(pid), time.monotonic()
        time.sleep(4)
        assert cpu_seconds(pid) - spent < 0.5 * (time.monotonic() - began), "it spins"
        assert ok(shop.sk.request("GET", f"/v1/orders/{order}"), 200)["state"] in ("placed", "expired")  # expired: it found room in the log
        (disk / "filler").unlink()
        deadline = time.monotonic() + 30
        while ok(shop.sk.request("GET", f"/v1/orders/{order}"), 200)["state"] != "expired":
            assert time.monotonic() < deadline, shop.server.stderr()[-2000:]
            time.sleep(0.1)
        placed, refusal = try_orders(shop, sku, 5)
        assert len(placed) == 5, refusal
