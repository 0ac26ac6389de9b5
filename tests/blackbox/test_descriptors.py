"""No file descriptor is left: who comes is told 503 or let go, nothing spins, what the shop does by itself goes on, and afterwards all is as before."""

import contextlib
import os
import re
import resource
import socket
import subprocess
import time

import pytest
from market import feira, ok, open_shop, unique

TICKS = os.sysconf("SC_CLK_TCK")


def descriptors_of(pid):
    return sorted(int(n) for n in os.listdir(f"/proc/{pid}/fd"))


def limit(pid, number):
    subprocess.run(["prlimit", "--pid", str(pid), f"--nofile={number}:"], check=True)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def knock(port):
    """What somebody hears who comes now and asks for the products: bytes; b"" when he was let go without a word."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        with contextlib.suppress(OSError):
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        heard = b""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while chunk := s.recv(65536):
                heard += chunk
        return heard


def metric(shop, name):
    return int(re.search(rf"^feira_{name} (\d+)$", shop.sk.request("GET", "/metrics").body.decode(), re.M).group(1))


def place(client, sku):
    return ok(client.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}, idempotency=unique("fd")), 201)["id"]


def wait_until(what, seconds=20):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def shop(tmp_path):
    with open_shop(tmp_path, settings={"pay_within": '"2s"'}, workers=1) as shop:
        yield shop


def test_without_descriptors_newcomers_are_let_go_and_the_shop_goes_on(shop):
    pid = shop.server.process.pid
    sku = shop.product(stock=1000)
    client = shop.sk
    before = place(client, sku)
    operator = shop.operator
    ok(operator.request("GET", "/v1/status"), 200)
    limit(pid, descriptors_of(pid)[-1] + 12)
    idle = []
    try:
        deadline = time.monotonic() + 10
        while (heard := knock(shop.server.port)).startswith(b"HTTP/1.1 200"):  # until nothing is free below the limit
            assert time.monotonic() < deadline
            idle.append(socket.create_connection(("127.0.0.1", shop.server.port)))
            time.sleep(0.02)
        assert idle and (heard.startswith(b"HTTP/1.1 503") or heard == b""), heard
        began, spent = time.monotonic(), cpu_seconds(pid)
        said = [knock(shop.server.port) for _ in range(50)]
        assert sum(h.startswith(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n") for h in said) >= 45, said
        time.sleep(1.5)
        assert cpu_seconds(pid) - spent < 0.4 * (time.monotonic() - began), "it spins"
        # Who is there is served, and what is due is done.
        place(client, sku)
        wait_until(lambda: ok(client.request("GET", f"/v1/orders/{before}"), 200)["state"] == "expired")
        assert metric(shop, "http_shed_total") >= 45
        # What needs a file of its own says so.
        refused = operator.request("POST", "/v1/backup", {"path": str(shop.folder / "b.db")})
        assert refused.status == 503 and b"descriptor" in refused.body, refused
    finally:
        for s in idle:
            s.close()
    wait_until(lambda: knock(shop.server.port).startswith(b"HTTP/1.1 200"))
    limit(pid, 1024)
    assert feira("backup", shop.folder, shop.folder / "b.db").returncode == 0
    place(shop.client(client.key), sku)


def test_when_not_even_the_reserve_is_left_it_waits_without_spinning(shop):
    pid = shop.server.process.pid
    sku = shop.product(stock=1000)
    client = shop.sk
    limit(pid, 5)
    waiting = [socket.create_connection(("127.0.0.1", shop.server.port)) for _ in range(20)]
    spent = cpu_seconds(pid)
    time.sleep(2)
    assert cpu_seconds(pid) - spent < 0.4, "it spins"
    place(client, sku)
    limit(pid, 1024)
    wait_until(lambda: knock(shop.server.port).startswith(b"HTTP/1.1 200"))
    for s in waiting:
        s.close()
    place(shop.client(client.key), sku)


def test_connections_leave_the_shop_what_it_needs_for_itself(tmp_path):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 1024:
        pytest.skip("too few descriptors for the test itself")
    with open_shop(tmp_path, workers=2, wrap=["prlimit", "--nofile=256:256"]) as shop:
        sku = shop.product(stock=1000)
        client = shop.sk
        place(client, sku)
        crowd = [socket.create_connection(("127.0.0.1", shop.server.port)) for _ in range(400)]
        try:
            wait_until(lambda: len(descriptors_of(shop.server.process.pid)) > 100)
            heard = [knock(shop.server.port) for _ in range(20)]
            assert all(h.startswith(b"HTTP/1.1 503") or h.startswith(b"HTTP/1.1 200") or h == b"" for h in heard), heard
            assert any(h.startswith(b"HTTP/1.1 503") for h in heard), heard
            place(client, sku)
            assert len(descriptors_of(shop.server.process.pid)) < 256 - 40
            # All of these open files of their own.
            assert feira("publish", shop.folder).returncode == 0
            assert feira("backup", shop.folder, tmp_path / "b.db").returncode == 0
            assert feira("doctor", shop.folder).returncode == 0
        finally:
            for s in crowd:
                s.close()
        wait_until(lambda: knock(shop.server.port).startswith(b"HTTP/1.1 200"))
