"""A second copy on another disk: it is said once and kept up, tells how far behind it is, never holds the shop up, and brings back any moment."""

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from datetime import datetime, timezone

import pytest
from feira_tools.wire import NoAnswer
from market import feira, ok, open_shop, problem, unique
from test_care import findings
from test_faults import small_disk


def look(shop):
    return ok(shop.operator.request("GET", "/v1/follow"), 200)


def wait_for(shop, what, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        seen = look(shop)
        if what(seen):
            return seen
        assert time.monotonic() < deadline, seen
        time.sleep(0.02)


def caught_up(seen):
    return seen["following"] and seen["restorable"] and seen["lag_ms"] == 0 and "problem" not in seen


def follow(shop, folder, *options):
    out = feira("backup", shop.folder, "--follow", folder, *options)
    assert out.returncode == 0, out.stderr
    return out.stdout


def orders_in(folder):
    with contextlib.closing(sqlite3.connect(folder / "data" / "shop.db")) as db:
        return [i for (i,) in db.execute("SELECT order_id FROM orders ORDER BY id")]


def restore(shop, copy, *options):
    if (shop.folder / "data").exists():
        shutil.rmtree(shop.folder / "data")
    return feira("restore", shop.folder, "--from", copy, *options)


def metric(shop, name):
    found = re.search(rf"^feira_follow_{name} (\S+)$", shop.sk.request("GET", "/metrics").body.decode(), re.M)
    return float(found.group(1)) if found else None


def hand_over(shop):
    """The same process becomes the program as it is now on disk."""
    pid = shop.server.process.pid
    before = ok(shop.operator.request("GET", "/v1/status"), 200)["uptime_s"]
    time.sleep(max(0, 2 - before))
    os.kill(pid, signal.SIGUSR2)
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError, NoAnswer):
            if ok(shop.operator.request("GET", "/v1/status"), 200)["uptime_s"] < 1:
                break
        assert time.monotonic() < deadline, shop.server.stderr()[-2000:]
        time.sleep(0.05)
    shop.hang_up()


def now():
    time.sleep(0.01)
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_what_was_lost_with_the_disk_comes_back_as_of_any_moment(tmp_path):
    (tmp_path / "shop").mkdir()
    copy = tmp_path / "copy"
    with open_shop(tmp_path / "shop") as shop:
        sku = shop.product(stock=1000)
        placed = [shop.place({sku: 1})["id"] for _ in range(3)]
        assert "A snapshot is being written" in follow(shop, copy)
        wait_for(shop, caught_up)
        assert oct(copy.stat().st_mode & 0o777) == "0o700" and all(oct(f.stat().st_mode & 0o777) == "0o600" for f in copy.rglob("*.*") if f.is_file())
        moments = []
        for _ in range(5):
            moments.append((now(), len(placed)))
            placed.append(shop.place({sku: 1})["id"])
        wait_for(shop, caught_up)
        assert metric(shop, "up") == 1 and metric(shop, "lag_seconds") == 0 and metric(shop, "lag_bytes") == 0 and metric(shop, "commits_total") >= 5
        assert "nothing is missing" in feira("status", shop.folder).stdout
        shop.server.kill()
    out = restore(shop, copy)
    assert out.returncode == 0 and "a snapshot of" in out.stdout, out.stderr
    assert orders_in(shop.folder) == placed
    assert findings(shop.folder)[0] == 0
    for at, count in moments:
        assert restore(shop, copy, "--at", at).returncode == 0
        assert orders_in(shop.folder) == placed[:count]
    early = restore(shop, copy, "--at", "2020-01-01T00:00:00Z")
    assert early.returncode == 1 and "goes back to" in early.stderr
    assert feira("restore", shop.folder, "--from", copy, "--at", "yesterday").returncode == 2


def test_a_restored_shop_goes_on_and_follows_into_the_same_folder(tmp_path):
    (tmp_path / "shop").mkdir()
    copy = tmp_path / "copy"
    shop = open_shop(tmp_path / "shop")
    sku = shop.product(stock=1000)
    follow(shop, copy)
    wait_for(shop, caught_up)
    placed = [shop.place({sku: 1})["id"]]
    wait_for(shop, caught_up)
    shop.server.kill()
    shop.hang_up()
    assert restore(shop, copy).returncode == 0
    with shop:
        shop.server.start()
        assert not look(shop)["following"], "what was said went with the disk"
        key = ok(shop.operator.request("POST", "/v1/keys", {"kind": "sk", "label": "new"}), 201)["key"]
        client = shop.client(key)
        follow(shop, copy)
        wait_for(shop, caught_up)
        body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}
        placed.append(ok(client.request("POST", "/v1/orders", body, idempotency=unique("again")), 201)["id"])
        wait_for(shop, caught_up)
        shop.server.kill()
        assert restore(shop, copy).returncode == 0
        assert orders_in(shop.folder) == placed


@pytest.mark.parametrize("how", ["kill", "stop", "handover"])
def test_after_a_restart_it_goes_on_without_a_new_snapshot(tmp_path, how):
    (tmp_path / "shop").mkdir()
    copy = tmp_path / "copy"
    with open_shop(tmp_path / "shop") as shop:
        sku = shop.product(stock=1000)
        follow(shop, copy)
        wait_for(shop, caught_up)
        placed = [shop.place({sku: 1})["id"]]
        for _ in range(3):
            if how == "handover":
                hand_over(shop)
                placed.append(shop.place({sku: 1})["id"])
                seen = wait_for(shop, caught_up)
                assert seen["snapshots"] == 0 and seen["chains"] == 0, seen
                continue
            if how == "kill":
                shop.server.kill()
            else:
                assert shop.server.terminate() == 0
            shop.hang_up()
            assert feira("keys", shop.folder, "--new", "sk").returncode == 0  # a commit that nobody follows
            shop.server.start()
            placed.append(shop.place({sku: 1})["id"])
            seen = wait_for(shop, caught_up)
            assert seen["snapshots"] == 0 and seen["chains"] == 0, seen
        shop.server.kill()
    assert restore(shop, copy).returncode == 0
    assert orders_in(shop.folder) == placed


def test_a_folder_that_is_gone_makes_lag_that_everybody_can_see_and_nothing_else(tmp_path):
    (tmp_path / "shop").mkdir()
    copy = tmp_path / "copy"
    with open_shop(tmp_path / "shop") as shop:
        sku = shop.product(stock=1000)
        follow(shop, copy)
        wait_for(shop, caught_up)
        copy.rename(tmp_path / "away")
        for _ in range(20):
            shop.place({sku: 1})
        seen = wait_for(shop, lambda s: "problem" in s and s["lag_ms"] > 1500)
        assert "Mount it, make room or repair it" in seen["problem"] and seen["lag_bytes"] > 0
        assert metric(shop, "up") == 0 and metric(shop, "lag_seconds") > 1 and metric(shop, "lag_bytes") > 0
        status = feira("status", shop.folder).stdout
        assert re.search(r"! The second copy in \S+ is \d+ s behind", status), status
        found = findings(shop.folder)[1]["second copy"]
        assert found["level"] == "warning" and "behind" in found["text"] and found["advice"]
        (tmp_path / "away").rename(copy)
        wait_for(shop, caught_up)
        shop.server.kill()
        placed = orders_in(shop.folder)
    assert restore(shop, copy).returncode == 0
    assert orders_in(shop.folder) == placed and len(placed) == 20


def test_a_folder_that_is_full_makes_lag_and_is_caught_up_when_there_is_room(tmp_path):
    (tmp_path / "shop").mkdir()
    with small_disk(tmp_path / "disk", "4m") as disk, open_shop(tmp_path / "shop") as shop:
        copy = disk / "copy"
        sku = shop.product(stock=10000)
        follow(shop, copy)
        wait_for(shop, caught_up)
        for _ in range(400):
            shop.sk.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000, "note": "x" * 1900}, idempotency=unique("o"))
            if "problem" in look(shop):
                break
        seen = wait_for(shop, lambda s: "problem" in s)
        assert "No space left" in seen["problem"] and seen["lag_bytes"] > 0
        shop.place({sku: 1})
        shop.quote({sku: 1})
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        wait_for(shop, caught_up)
        shop.server.kill()
        placed = orders_in(shop.folder)
        assert restore(shop, copy).returncode == 0
        assert orders_in(shop.folder) == placed


def test_a_folder_without_room_for_a_snapshot_says_so_and_is_not_littered(tmp_path):
    (tmp_path / "shop").mkdir()
    with small_disk(tmp_path / "disk", "200k") as disk, open_shop(tmp_path / "shop") as shop:
        copy = disk / "copy"
        shop.product()
        follow(shop, copy)
        seen = wait_for(shop, lambda s: "problem" in s)
        assert not seen["restorable"] and "snapshot" in seen["problem"], seen
        time.sleep(1.5)
        assert sum(1 for f in copy.rglob("*") if f.name != "feira-follow") <= 3, list(copy.rglob("*"))
        assert findings(shop.folder)[1]["second copy"]["level"] == "warning"
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        wait_for(shop, caught_up)


def test_damage_is_refused_with_what_is_missing_and_taken_on_request(tmp_path):
    (tmp_path / "shop").mkdir()
    copy = tmp_path / "copy"
    with open_shop(tmp_path / "shop") as shop:
        sku = shop.product(stock=1000)
        follow(shop, copy)
        wait_for(shop, caught_up)
        placed = []
        for _ in range(4):
            placed.append(shop.place({sku: 1})["id"])
            wait_for(shop, caught_up)
        shop.server.kill()
    (segment,) = copy.glob("*/log-*.seg")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    refused = restore(shop, copy)
    assert refused.returncode == 1 and "is damaged at byte" in refused.stderr and "--accept-damage" in refused.stderr
    assert not (shop.folder / "data" / "shop.db").exists()
    taken = restore(shop, copy, "--accept-damage")
    assert taken.returncode == 0 and "can't be brought back" in taken.stdout, taken.stderr
    there = orders_in(shop.folder)
    assert there == placed[: len(there)] and len(there) < 4
    assert findings(shop.folder)[0] == 0


def test_what_is_there_is_never_removed(tmp_path):
    (tmp_path / "shop").mkdir()
    copy = tmp_path / "copy"
    with open_shop(tmp_path / "shop") as shop:
        shop.product()
        follow(shop, copy)
        wait_for(shop, caught_up)
        before = {f: f.read_bytes() for f in copy.rglob("*") if f.is_file()}
        served = feira("restore", shop.folder, "--from", copy)
        assert served.returncode == 4
        shop.server.kill()
    assert feira("restore", shop.folder, "--from", copy).returncode == 0
    (aside,) = (shop.folder / "data").glob("replaced-*")
    assert {"shop.db", "shop.db-wal"} <= {f.name for f in aside.iterdir()}
    assert {f: f.read_bytes() for f in copy.rglob("*") if f.is_file()} == before


def test_it_is_said_on_the_machine_and_once_for_all(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "other").mkdir()
    copy = tmp_path / "copy"
    with open_shop(tmp_path / "shop") as shop:
        assert not look(shop)["following"]
        assert shop.sk.request("PUT", "/v1/follow", {"dir": str(copy)}).status == 403
        assert shop.sk.request("DELETE", "/v1/follow").status == 403
        problem(shop.operator.request("PUT", "/v1/follow", {"dir": "copy"}), 422, field="/dir")
        problem(shop.operator.request("PUT", "/v1/follow", {"dir": str(copy), "keep": "long"}), 422, field="/keep")
        assert not copy.exists()
        follow(shop, copy, "--keep", "2d", "--snapshot-every", "6h")
        seen = wait_for(shop, caught_up)
        assert (seen["keep_ms"], seen["snapshot_ms"]) == (2 * 86400000, 6 * 3600000)
        assert findings(shop.folder)[1]["second copy"]["level"] == "warning", "it is on the same disk"
        with open_shop(tmp_path / "other") as other:
            out = feira("backup", other.folder, "--follow", copy)
            assert out.returncode == 1 and "another shop" in out.stderr
        assert feira("backup", shop.folder, "--unfollow").returncode == 0
        assert not look(shop)["following"] and list(copy.glob("*/snapshot-*.db"))
        assert shop.server.terminate() == 0
        shop.hang_up()
        out = feira("backup", shop.folder, "--follow", copy)
        assert out.returncode == 0 and "Nobody serves the shop" in out.stdout
        shop.server.start()
        wait_for(shop, caught_up)
    assert feira("backup", shop.folder).returncode == 2
    assert feira("backup", shop.folder, tmp_path / "x.db", "--follow", copy).returncode == 2
    assert feira("backup", shop.folder, tmp_path / "x.db", "--keep", "1d").returncode == 2
    assert feira("restore", shop.folder).returncode == 2
    assert feira("restore", shop.folder, tmp_path / "x.db", "--at", "2026-01-01T00:00:00Z").returncode == 2


def test_a_folder_that_is_not_mounted_is_not_written_into(tmp_path):
    (tmp_path / "shop").mkdir()
    copy = tmp_path / "copy"
    with open_shop(tmp_path / "shop") as shop:
        shop.product()
        follow(shop, copy)
        wait_for(shop, caught_up)
        assert shop.server.terminate() == 0
        shop.hang_up()
        copy.rename(tmp_path / "away")
        copy.mkdir()
        shop.server.start()
        seen = wait_for(shop, lambda s: "problem" in s)
        assert "is its disk mounted?" in seen["problem"]
        assert list(copy.iterdir()) == []
