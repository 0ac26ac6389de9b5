"""Runs the real program on a shop folder: start, kill, restart, read the keys it made."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build_dir():
    """The build whose program is used: FEIRA_BUILD, or the release build."""
    return pathlib.Path(os.environ.get("FEIRA_BUILD", ROOT / "build" / "release")).resolve()


def program():
    path = build_dir() / "feira"
    if not path.exists():
        raise SystemExit(f"{path} is not there; build it with scripts/build release, or name a build folder in FEIRA_BUILD")
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class ServerError(Exception):
    """The server did not come up; the text holds what it said."""


class Server:
    """One `feira serve`. With a fixed port it can be killed and started again at the same address."""

    def __init__(self, shop, data=None, port=0, workers=None, options=(), wrap=(), start_seconds=30):
        self.shop = pathlib.Path(shop)
        self.data = pathlib.Path(data) if data else self.shop / "data"
        self.port = port
        self.workers = workers
        self.options = list(options)
        self.wrap = list(wrap)
        self.start_seconds = start_seconds
        self.process = None
        self.lines = []
        self.log = tempfile.TemporaryFile()

    def start(self):
        command = [*self.wrap, str(program()), "serve", str(self.shop), "--listen", f"127.0.0.1:{self.port}", "--data", str(self.data)]
        if self.workers:
            command += ["--workers", str(self.workers)]
        self.process = subprocess.Popen(command + self.options, stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL)
        self.lines = []
        ready = threading.Event()
        threading.Thread(target=self._read_stdout, args=(self.process, ready), daemon=True).start()
        # The event is also set when stdout ends, that is when the server gave up.
        ready.wait(self.start_seconds)
        address = next((m for m in (re.match(r"listening on http://127\.0\.0\.1:(\d+)", line) for line in list(self.lines)) if m), None)
        if not address:
            self.kill()
            raise ServerError(f"{' '.join(command)} did not start:\n{chr(10).join(self.lines)}\n{self.stderr()}")
        self.port = int(address.group(1))
        return self

    def _read_stdout(self, process, ready):
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.lines.append(line)
            if line.startswith("listening on "):
                ready.set()
        ready.set()

    def stderr(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def keys(self):
        """{"pk": "pk_…", "sk": "sk_…"}; the file is written before the server says that it listens."""
        pairs = (line.split() for line in (self.data / "keys.txt").read_text().splitlines())
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0] in ("pk", "sk")}

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def terminate(self, seconds=30):
        """Asks the server to drain; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds=30):
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"the server did not end within {seconds} s:\n{self.stderr()}")
            time.sleep(0.01)
        return self.process.returncode

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        """A server that ends badly (a leak or a race that a sanitizer saw, a drain that hangs) fails what used it."""
        if self.process and self.process.poll() is None:
            try:
                code = self.terminate()
                if code != 0:
                    raise ServerError(f"the server ended with exit code {code}:\n{self.stderr()[-6000:]}")
            except ServerError:
                if not exc or exc[0] is None:
                    raise
