"""The HTTP server over real sockets: time-outs, slow and vanishing clients, order, drain, running out of descriptors."""
import glob
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GET = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"


def program():
    named = os.environ.get("FEIRA_PROBE")
    built = [named] if named else glob.glob(os.path.join(TOP, os.environ.get("FEIRA_BUILD", "build"), "**", "http_probe_server"), recursive=True)
    if not built:
        pytest.fail("http_probe_server was not found under build/. Build it, or name it in FEIRA_PROBE.")
    return max(built, key=os.path.getmtime)


def is_sanitized():
    return b"__asan_init" in open(program(), "rb").read() or b"__tsan_init" in open(program(), "rb").read()


class Server:
    def __init__(self, *options, prefix=()):
        self.process = subprocess.Popen([*prefix, program(), *options], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def connect(self, timeout=10):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def cpu_ticks(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(15)


@pytest.fixture
def serve():
    servers = []

    def start(*options, **kwargs):
        servers.append(Server(*options, **kwargs))
        return servers[-1]

    yield start
    for s in servers:
        assert s.stop() == 0, "the server did not end cleanly"


def read_all(s):
    data = b""
    while True:
        try:
            part = s.recv(1 << 16)
        except ConnectionResetError:
            return data
        if not part:
            return data
        data += part


def read_answer(s, head=False):
    data = b""
    while b"\r\n\r\n" not in data:
        part = s.recv(1 << 16)
        if not part:
            raise EOFError(data)
        data += part
    top, _, body = data.partition(b"\r\n\r\n")
    if top.startswith(b"HTTP/1.1 100"):
        return 100, top, body
    n = int(re.search(rb"(?i)content-length: (\d+)", top).group(1)) if b"ontent-" in top and not head else 0
    while len(body) < n:
        body += s.recv(1 << 16)
    return int(top[9:12]), top, body


def ask(server, raw):
    with server.connect() as s:
        s.sendall(raw)
        return read_answer(s)


# --- time-outs -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sent, flag, status", [
    (b"GET / HT", "--head_timeout_ms=200", 408),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", "--body_timeout_ms=200", 408),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n", "--body_timeout_ms=200", 408),
    (b"", "--idle_timeout_ms=200", None),
    (GET % b"/", "--idle_timeout_ms=200", 200),
])
def test_every_phase_times_out(serve, sent, flag, status):
    server = serve(flag)
    began = time.monotonic()
    with server.connect() as s:
        s.sendall(sent)
        data = read_all(s)
    assert 0.15 < time.monotonic() - began < 3
    assert (int(data[9:12]) if data else None) == status


def test_dripping_headers_does_not_extend_the_time(serve):
    server = serve("--head_timeout_ms=400")
    began = time.monotonic()
    with server.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\n")
        while time.monotonic() - began < 5:
            ready, _, _ = select.select([s], [], [], 0.05)
            if ready:
                break
            s.sendall(b"X: y\r\n")
        assert s.recv(12) == b"HTTP/1.1 408"
    assert time.monotonic() - began < 2


def test_others_are_served_while_hundreds_are_slow(serve):
    server = serve("--head_timeout_ms=3000")
    slow = [server.connect() for _ in range(300)]
    for s in slow:
        s.sendall(b"GET / HTTP/1.1\r\nX-Sl")
    for i in range(50):
        began = time.monotonic()
        assert ask(server, GET % b"/fast")[0] == 200
        assert time.monotonic() - began < 1
    for s in slow:
        s.close()


# --- clients that do not read ----------------------------------------------------------------------------------------

def test_a_client_that_never_reads_costs_a_bounded_amount_of_memory(serve):
    server = serve("--big=1000000", "--write_timeout_ms=60000")
    before = server.rss_kib()
    with server.connect() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.setblocking(False)
        sent = 0
        deadline = time.monotonic() + 3
        block = (GET % b"/big") * 1000
        while time.monotonic() < deadline:
            try:
                sent += s.send(block)
            except BlockingIOError:
                time.sleep(0.02)
        assert sent > 0
        grown = server.rss_kib() - before
        assert ask(server, GET % b"/")[0] == 200
    # One answer beyond the 1 MiB of the queue, what the kernel holds not counted.
    assert grown < (64 << 10 if is_sanitized() else 8 << 10), f"{grown} KiB for a client that does not read"


def test_a_client_that_does_not_read_is_hung_up_on(serve):
    server = serve("--big=20000000", "--write_timeout_ms=300")
    with server.connect() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(GET % b"/big")
        time.sleep(1.5)
        data = read_all(s)
    assert len(data) < 20000000


def test_a_slow_client_that_reads_gets_everything(serve):
    server = serve("--big=8000000", "--write_timeout_ms=300")
    with server.connect() as s:
        s.sendall(GET % b"/big")
        total = b""
        while len(total) < 7_000_000:
            part = s.recv(400_000)
            assert part, "hung up on a client that reads"
            total += part
            time.sleep(0.03)
        while len(total) < 8_000_000:
            total += s.recv(1 << 20)


# --- order and connections -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [(), ("--delay=1",)])
def test_a_thousand_pipelined_requests_keep_their_order(serve, options):
    server = serve(*options)
    with server.connect(30) as s:
        s.sendall(b"".join(GET % (b"/%d" % i) for i in range(999)) + b"GET /999 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        data = read_all(s)
    assert re.findall(rb'"path":"/(\d+)"', data) == [b"%d" % i for i in range(1000)]


def test_half_closed_clients_are_answered(serve):
    server = serve("--delay=100")
    with server.connect() as s:
        s.sendall(GET % b"/1" + GET % b"/2")
        s.shutdown(socket.SHUT_WR)
        data = read_all(s)
    assert data.count(b"HTTP/1.1 200") == 2


def test_resets_in_the_middle_of_an_answer_leave_nothing_behind(serve):
    server = serve("--big=5000000", "--delay=5")
    for i in range(200):
        s = server.connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.sendall(GET % b"/big")
        if i % 2:
            s.recv(100)
        s.close()
    assert ask(server, GET % b"/")[0] == 200
    deadline = time.monotonic() + 5
    while len(os.listdir(f"/proc/{server.process.pid}/fd")) > 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(os.listdir(f"/proc/{server.process.pid}/fd")) <= 20


def test_expectations(serve):
    server = serve()
    with server.connect() as s:
        s.sendall(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert read_answer(s)[0] == 100
        s.sendall(b"hello")
        status, _, body = read_answer(s)
        assert status == 200 and json.loads(body)["body_len"] == 5
    assert ask(server, b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n")[0] == 413
    assert ask(server, b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: tea\r\n\r\n")[0] == 417


def test_chunked_and_counted_bodies_are_the_same_body(serve):
    server = serve()
    text = bytes(range(256)) * 300
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (text[i:i + 777] for i in range(0, len(text), 777))) + b"0\r\n\r\n"
    counted = ask(server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    chunked = ask(server, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces)
    assert counted[0] == 200 and counted[2] == chunked[2]


def test_head_has_the_length_of_get(serve):
    server = serve("--big=12345")
    with server.connect() as s:
        s.sendall(b"HEAD /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        data = read_all(s)
    assert b"Content-Length: 12345\r\n" in data and data.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("raw, status", [
    (GET % (b"/" + b"a" * 9000), 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 17000 + b"\r\n\r\n", 431),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
])
def test_limits_are_told_as_problem_documents(serve, raw, status):
    got, head, body = ask(serve(), raw)
    assert got == status
    assert b"Content-Type: application/problem+json\r\n" in head + b"\r\n"
    problem = json.loads(body)
    assert problem["status"] == status and problem["type"].startswith("/problems/") and problem["detail"]


def test_a_large_refused_body_does_not_cost_the_client_its_answer(serve):
    """The answer must arrive although the client is still sending: no reset on unread bytes."""
    server = serve()
    for _ in range(20):
        with server.connect() as s:
            try:
                s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 500_000)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert s.recv(12) == b"HTTP/1.1 413"


# --- limits of the process -------------------------------------------------------------------------------------------

def test_connections_beyond_the_limit_are_told_so(serve):
    server = serve("--connections=10")
    held = [server.connect() for _ in range(10)]
    for s in held:
        s.sendall(GET % b"/")
        assert read_answer(s)[0] == 200
    with server.connect() as extra:
        status, head, _ = read_answer(extra)
        assert status == 503 and b"Retry-After: " in head
    held.pop().close()
    time.sleep(0.1)
    deadline = time.monotonic() + 5
    while ask(server, GET % b"/")[0] != 200:
        assert time.monotonic() < deadline
    for s in held:
        s.close()


def test_running_out_of_descriptors_sheds_and_does_not_spin(serve):
    server = serve(prefix=("prlimit", "--nofile=40:40"))
    held = []
    for _ in range(60):
        try:
            held.append(server.connect(2))
        except OSError:
            pass
    time.sleep(0.2)
    before = server.cpu_ticks()
    time.sleep(1)
    assert server.cpu_ticks() - before < 20, "the server spins"
    held[0].sendall(GET % b"/")
    assert read_answer(held[0])[0] == 200
    for s in held:
        s.close()
    time.sleep(0.3)
    assert ask(server, GET % b"/")[0] == 200


def test_ten_thousand_idle_connections_cost_little(serve):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = min(10000, hard - 200 if hard != resource.RLIM_INFINITY else 10000)
    if want < 1000:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, want + 200) if hard != resource.RLIM_INFINITY else want + 200, hard))
    try:
        server = serve("--connections=20000")
        with server.connect() as s:
            s.sendall(GET % b"/")
            read_answer(s)
        before = server.rss_kib()
        held = []
        for _ in range(want):
            s = socket.socket()
            s.connect(("127.0.0.1", server.port))
            held.append(s)
        for s in held:
            s.sendall(GET % b"/")
        for s in held:
            assert s.recv(12) == b"HTTP/1.1 200"
        each = (server.rss_kib() - before) * 1024 / want
        began = server.cpu_ticks()
        time.sleep(1)
        idle = server.cpu_ticks() - began
        print(f"{want} idle connections: {each:.0f} bytes each, {idle} ms x10 of CPU in a second")
        if not is_sanitized():
            assert each < 2048
        assert idle < 20
        for s in held:
            s.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- drain -----------------------------------------------------------------------------------------------------------

def test_sigterm_answers_what_has_begun(serve):
    server = serve("--delay=400")
    idle = server.connect()
    busy = [server.connect() for _ in range(20)]
    for i, s in enumerate(busy):
        s.sendall(GET % (b"/%d" % i))
    half = server.connect()
    half.sendall(b"GET /half HTTP/1.1\r\nHo")
    time.sleep(0.1)
    server.process.send_signal(signal.SIGTERM)
    assert idle.recv(1) == b""
    time.sleep(0.05)
    with pytest.raises(OSError):
        server.connect(1)
    half.sendall(b"st: a\r\n\r\n")
    for i, s in enumerate(busy):
        status, head, body = read_answer(s)
        assert status == 200 and json.loads(body)["path"] == f"/{i}"
        assert b"Connection: close" in head
    assert read_answer(half)[0] == 200
    for s in (idle, half, *busy):
        s.close()
    assert server.process.wait(5) == 0


def test_drain_ends_after_its_grace(serve):
    server = serve("--grace=300")
    s = server.connect()
    s.sendall(b"GET /never")
    time.sleep(0.1)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(5) == 0
    assert time.monotonic() - began < 3
    s.close()


# --- who is calling --------------------------------------------------------------------------------------------------

def test_cors(serve):
    server = serve("--origin=https://shop.example")
    _, head, _ = ask(server, b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://shop.example\r\n\r\n")
    assert b"Access-Control-Allow-Origin: https://shop.example" in head and b"Vary: Origin" in head
    _, head, _ = ask(server, b"GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://other.example\r\n\r\n")
    assert b"Access-Control-Allow-Origin" not in head and b"Vary: Origin" in head
    with server.connect() as s:
        s.sendall(b"OPTIONS /x HTTP/1.1\r\nHost: a\r\nOrigin: https://shop.example\r\nAccess-Control-Request-Method: PUT\r\nConnection: close\r\n\r\n")
        data = read_all(s)
    assert data.startswith(b"HTTP/1.1 204 ") and b"Access-Control-Allow-Methods: " in data and b"Content-Length" not in data


def test_forwarded_addresses_are_believed_from_proxies_only(serve):
    forwarded = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n\r\n"
    assert json.loads(ask(serve(), forwarded)[2])["client"] == "127.0.0.1"
    assert json.loads(ask(serve("--proxy=127.0.0.0/8"), forwarded)[2])["client"] == "1.2.3.4"
    assert json.loads(ask(serve("--proxy=127.0.0.0/8", "--proxy=1.2.3.4"), forwarded)[2])["client"] == "6.6.6.6"


def test_the_unix_socket_belongs_to_its_owner_alone(serve, tmp_path):
    path = str(tmp_path / "feira.sock")
    serve(f"--unix={path}")
    assert os.stat(path).st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(GET % b"/x")
        assert json.loads(read_answer(s)[2])["client"] == "unix"
