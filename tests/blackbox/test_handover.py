"""A new program takes over under load: connections wait, none is refused, nothing acknowledged is lost. And sockets from systemd."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

from feira_tools.server import program
from feira_tools.wire import Client
from market import ok, open_shop, unique, write_shop


def once(port, request):
    """One request on a connection of its own; the status, or the error."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
            s.sendall(request)
            data = b""
            while part := s.recv(65536):
                data += part
            return int(data[9:12]) if data else "no answer"
    except OSError as e:
        return type(e).__name__


def order(key, sku):
    body = json.dumps({"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}).encode()
    head = f"POST /v1/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\nIdempotency-Key: {unique('h')}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def wait_for_log(shop, text, count=1, seconds=60):
    deadline = time.monotonic() + seconds
    while shop.server.stderr().count(text) < count:
        assert time.monotonic() < deadline, shop.server.stderr()[-2000:]
        time.sleep(0.05)


def test_a_new_program_takes_over_under_load_and_refuses_nobody(tmp_path):
    with open_shop(tmp_path) as shop:
        sku = shop.product(stock=1000000)
        key, port, pid = shop.pk.key, shop.server.port, shop.server.process.pid
        answers, stop = [], threading.Event()

        def buy():
            while not stop.is_set():
                answers.append(once(port, order(key, sku)))

        threads = [threading.Thread(target=buy) for _ in range(8)]
        for t in threads:
            t.start()
        for takeover in range(1, 4):
            time.sleep(0.5)
            os.kill(pid, signal.SIGUSR2)
            wait_for_log(shop, "then handing over", takeover)
            deadline = time.monotonic() + 60
            while once(port, b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") != 200:
                assert time.monotonic() < deadline
        time.sleep(0.5)
        stop.set()
        for t in threads:
            t.join()
        shop.hang_up()
        assert set(answers) == {201}, {a: answers.count(a) for a in set(answers)}
        assert shop.available(sku)["held"] == len(answers)
        assert shop.server.process.pid == pid and shop.server.process.poll() is None


def test_a_program_that_cannot_read_the_shop_does_not_take_over(tmp_path):
    with open_shop(tmp_path) as shop:
        (tmp_path / "campaigns" / "broken.lua").write_text("return {")
        os.kill(shop.server.process.pid, signal.SIGUSR2)
        wait_for_log(shop, "handover.refused")
        assert "campaigns/broken.lua:" in shop.server.stderr()
        assert shop.quote({shop.product(): 1})["total"] == 1000


def test_sockets_from_systemd_are_served(tmp_path):
    write_shop(tmp_path)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    waiting = Client(port)  # connected before anybody serves
    script = f'exec 3<&{listening.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" serve "$1" --listen 127.0.0.1:1 --workers 2'
    process = subprocess.Popen(
        ["bash", "-c", script, str(program().resolve()), str(tmp_path)], pass_fds=[listening.fileno()], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout.readline().decode().strip() == f"listening on http://127.0.0.1:{port}"
        assert ok(waiting.request("GET", "/readyz"), 200)["status"] == "ready"
    finally:
        process.terminate()
        assert process.wait(30) == 0
        listening.close()


def test_what_is_no_listening_socket_is_refused(tmp_path):
    write_shop(tmp_path)
    script = 'exec 3</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" serve "$1"'
    out = subprocess.run(["bash", "-c", script, str(program().resolve()), str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert out.returncode == 1 and "LISTEN_FDS" in out.stderr


def test_the_program_on_disk_is_the_one_that_takes_over(tmp_path):
    """The binary is replaced under its name, as an upgrade does."""
    shop_folder, binary = tmp_path / "shop", tmp_path / "feira"
    shop_folder.mkdir()
    write_shop(shop_folder)
    shutil.copy(program(), binary)
    process = subprocess.Popen([str(binary), "serve", str(shop_folder), "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        port = int(process.stdout.readline().decode().strip().rsplit(":", 1)[1])
        shutil.copy(program(), tmp_path / "new")
        os.rename(tmp_path / "new", binary)
        assert os.readlink(f"/proc/{process.pid}/exe").endswith("(deleted)")
        os.kill(process.pid, signal.SIGUSR2)
        deadline = time.monotonic() + 60
        while os.readlink(f"/proc/{process.pid}/exe") != str(binary):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert once(port, b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == 200
    finally:
        process.terminate()
        assert process.wait(30) == 0
