"""The life of the process: start, a second start, a broken rulebook, draining, dying, coming back."""

import json
import signal
import socket
import threading
import time

import pytest
from feira_tools.server import Server, ServerError
from market import feira, ok, problem, unique, write_shop


def test_sigterm_answers_what_has_begun_and_exits_with_0(own_shop):
    shop = own_shop()
    sku = shop.product(stock=10**6)
    answers, stop = [], threading.Event()

    def buy(client):
        while not stop.is_set():
            try:
                answers.append(client.request("POST", "/v1/orders", {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}, idempotency=unique("drain")))
            except Exception:  # noqa: BLE001: the server is gone, as it should be in the end
                return

    threads = [threading.Thread(target=buy, args=(shop.client(shop.pk.key),)) for _ in range(8)]
    for t in threads:
        t.start()
    time.sleep(0.5)
    code = shop.server.terminate()
    stop.set()
    for t in threads:
        t.join()
    assert code == 0, shop.server.stderr()
    done = sum(a.status == 201 for a in answers)
    assert done > 0 and {a.status for a in answers} <= {201, 503}
    shop.server.start()
    # What was answered is there. One request of each thread may have been done although its answer did not arrive.
    assert done <= shop.available(sku)["held"] <= done + len(threads)


def test_a_half_sent_request_does_not_hold_up_the_end_for_ever(own_shop):
    shop = own_shop()
    with socket.create_connection(("127.0.0.1", shop.server.port)) as s:
        s.sendall(b"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        time.sleep(0.2)
        assert shop.server.terminate(25) == 0


def test_two_servers_on_one_shop_are_refused(own_shop):
    shop = own_shop()
    before = time.monotonic()
    done = feira("serve", shop.folder, "--listen", "127.0.0.1:0", "--data", shop.server.data)
    assert done.returncode != 0 and time.monotonic() - before < 10
    assert "listening on" not in done.stdout and len(done.stderr.strip()) > 20, done
    ok(shop.client("").request("GET", "/healthz"), 200)


def test_a_lock_of_a_dead_server_does_not_count(own_shop):
    shop = own_shop()
    shop.server.kill()
    assert (shop.server.data / "lock").exists()
    shop.server.start()
    ok(shop.client("").request("GET", "/healthz"), 200)


def test_a_port_in_use_is_said_in_one_sentence(own_shop, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        folder = tmp_path / "second"
        folder.mkdir()
        write_shop(folder)
        done = feira("serve", folder, "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        assert done.returncode != 0 and str(taken.getsockname()[1]) in done.stderr and "Traceback" not in done.stderr


BROKEN = {
    "syntax": ("return promo.campaign {", "campaigns/broken.lua", 1),
    "runtime": ('local promo = require "feira.promo"\n\nlocal x = nil + 1\nreturn x', "campaigns/broken.lua", 3),
    "nothing": ("return 5", "campaigns/broken.lua", None),
    "unknown key": ('local promo = require "feira.promo"\nreturn promo.campaign {\n id = "x", giv = promo.percent_off { percent = 1 },\n}', "campaigns/broken.lua", 2),
    "bare number": ('local promo = require "feira.promo"\nreturn promo.campaign { id = "x", give = promo.amount_off { amount = 5 } }', "campaigns/broken.lua", 2),
    "float": ('local promo = require "feira.promo"\nreturn promo.campaign { id = "x", give = promo.amount_off { amount = 5.5 } }', "campaigns/broken.lua", 2),
    "negative percent": ('local promo = require "feira.promo"\nreturn promo.campaign { id = "x", give = promo.percent_off { percent = -1 } }', "campaigns/broken.lua", 2),
    "over 100 percent": ('local promo = require "feira.promo"\nreturn promo.campaign { id = "x", give = promo.percent_off { percent = 101 } }', "campaigns/broken.lua", 2),
    "no id": ('local promo = require "feira.promo"\nreturn promo.campaign { give = promo.percent_off { percent = 1 } }', "campaigns/broken.lua", 2),
    "same id": ('local promo = require "feira.promo"\nreturn promo.campaign { id = "sale", give = promo.percent_off { percent = 1 } }', "campaigns/", None),
    "endless": ("while true do end", "campaigns/broken.lua", None),
    "memory": ('local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end', "campaigns/broken.lua", None),
    "os": ('os.execute("true")', "campaigns/broken.lua", 1),
    "io": ('local f = io.open("/etc/passwd")', "campaigns/broken.lua", 1),
    "load": ('load("return 1")()', "campaigns/broken.lua", 1),
    "bytecode": ("\x1bLua", "campaigns/broken.lua", None),
    "bad window": ('local promo = require "feira.promo"\nreturn promo.campaign { id = "x", window = { from = "2026-02-30 00:00" }, give = promo.percent_off { percent = 1 } }', "campaigns/broken.lua", 2),
}  # fmt: skip


@pytest.mark.parametrize("text, file, line", BROKEN.values(), ids=BROKEN)
def test_a_broken_campaign_is_refused_with_file_and_line(tmp_path, text, file, line):
    write_shop(tmp_path)
    (tmp_path / "campaigns" / "broken.lua").write_text(text)
    done = feira("serve", tmp_path, "--listen", "127.0.0.1:0")
    assert done.returncode != 0 and "listening on" not in done.stdout
    assert (f"{file}:{line}" if line else file) in done.stderr, done.stderr


@pytest.mark.parametrize(
    "settings, word",
    [
        ({"currency": '"POUNDS"'}, "currency"), ({"currency": None}, "currency"), ({"zone": '"Europe/Atlantis"'}, "zone"), ({"name": None}, "name"), ({"colour": '"red"'}, "colour"),
        ({"pay_within": '"soon"'}, "pay_within"), ({"shipping": "{ { id = 5 } }"}, "shipping"), ({"trusted_proxies": '{ "not an address" }'}, "trusted_proxies"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_by_name(tmp_path, settings, word):
    write_shop(tmp_path, settings)
    done = feira("serve", tmp_path, "--listen", "127.0.0.1:0")
    assert done.returncode != 0 and "shop.lua" in done.stderr and word in done.stderr, done.stderr


def test_a_folder_that_is_no_shop_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing"):
        done = feira("serve", folder, "--listen", "127.0.0.1:0")
        assert done.returncode != 0 and len(done.stderr.strip().splitlines()) <= 2 and str(folder) in done.stderr


def test_first_keys_are_made_once(own_shop):
    shop = own_shop()
    keys = shop.server.keys()
    assert keys["pk"].startswith("pk_") and keys["sk"].startswith("sk_")
    shop.server.terminate()
    shop.server.start()
    assert shop.server.keys() == keys
    ok(shop.client(keys["sk"]).request("GET", "/v1/orders"), 200)


def test_health_readiness_and_metrics(shop):
    nobody = shop.client("")
    ok(nobody.request("GET", "/healthz"), 200)
    assert nobody.request("GET", "/readyz").status == 200
    metrics = nobody.request("GET", "/metrics")
    assert metrics.status == 200 and metrics.headers["content-type"].startswith("text/plain")
    for line in metrics.body.decode().splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            float(value)
            assert name.startswith("feira_"), line


def test_the_log_can_be_json_lines(own_shop):
    shop = own_shop(options=["--log", "json"])
    shop.product()
    shop.server.terminate()
    lines = [line for line in shop.server.stderr().splitlines() if line]
    assert lines
    for line in lines:
        assert isinstance(json.loads(line), dict)


def test_interrupt_is_a_drain_too(own_shop):
    shop = own_shop()
    shop.server.process.send_signal(signal.SIGINT)
    assert shop.server.wait(15) == 0


def test_a_damaged_database_is_refused(own_shop):
    shop = own_shop()
    shop.product()
    shop.server.terminate()
    database = shop.server.data / "shop.db"
    database.write_bytes(b"this is no database at all" * 1000)
    with pytest.raises(ServerError) as refused:
        shop.server.start()
    assert "shop.db" in str(refused.value)


def test_cors_is_for_the_named_origins(own_shop):
    shop = own_shop(settings={"cors_origins": '{ "https://shop.example" }'})
    preflight = [("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization,content-type,idempotency-key")]
    answer = shop.client("").request("OPTIONS", "/v1/quotes", headers=[("Origin", "https://shop.example"), *preflight])
    assert answer.status in (200, 204) and answer.headers["access-control-allow-origin"] == "https://shop.example"
    answer = shop.client("").request("OPTIONS", "/v1/quotes", headers=[("Origin", "https://thief.example"), *preflight])
    assert "access-control-allow-origin" not in answer.headers
    answer = shop.client("").request("GET", "/healthz", headers=[("Origin", "https://shop.example")])
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


def test_problem_documents_keep_their_form_on_every_status(shop):
    problem(shop.client("").request("GET", "/nothing"), 404)
    problem(shop.client("").request("GET", "/v1/products"), 401)
