"""A client that listens: server-sent events over a socket of its own, chunk by chunk."""

import json
import socket
import time


class Refused(Exception):
    def __init__(self, status, headers, body):
        super().__init__(f"{status} {body[:300]!r}")
        self.status, self.headers, self.body = status, headers, body


class Listener:
    """Connects, sends the request and reads the head; Refused when the answer is no stream."""

    def __init__(self, port, path, key, version="1.1", timeout=10, receive_buffer=None, path_of_socket=None):
        if path_of_socket:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.connect(str(path_of_socket))
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(timeout)
        self.timeout = timeout
        authorization = f"Authorization: Bearer {key}\r\n" if key else ""
        self.socket.sendall(f"GET {path} HTTP/{version}\r\nHost: shop\r\n{authorization}\r\n".encode())
        self.raw, self.text, self.ended, self.comments = b"", b"", False, 0
        while b"\r\n\r\n" not in self.raw:
            self._receive()
        head, self.raw = self.raw.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        self.chunked = self.headers.get("transfer-encoding") == "chunked"
        if self.headers.get("content-type") != "text/event-stream":
            while len(self.raw) < int(self.headers.get("content-length", 0)):
                self._receive()
            raise Refused(self.status, self.headers, self.raw)
        self._unwrap()

    def _receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the connection has ended")
        self.raw += data

    def _unwrap(self):
        """Whole chunks of what came become text."""
        if not self.chunked:
            self.text, self.raw = self.text + self.raw, b""
            return
        while b"\r\n" in self.raw:
            size, rest = self.raw.split(b"\r\n", 1)
            n = int(size, 16)
            if len(rest) < n + 2:
                return
            assert rest[n : n + 2] == b"\r\n", rest[: n + 2]
            if n == 0:
                self.ended = True
                return
            self.text, self.raw = self.text + rest[:n], rest[n + 2 :]

    def next(self, timeout=None):
        """The next event, { data, event?, retry? }; None when the stream has ended in good order. EOFError when it was cut."""
        end = time.monotonic() + (timeout or self.timeout)
        while True:
            while b"\n\n" in self.text:
                block, self.text = self.text.split(b"\n\n", 1)
                event = {}
                for line in block.decode().split("\n"):
                    name, _, value = line.partition(": ") if not line.startswith(":") else ("comment", "", "")
                    event[name] = value
                if list(event) == ["comment"]:
                    self.comments += 1
                    continue
                event["data"] = json.loads(event["data"])
                return event
            if self.ended:
                return None
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                self._receive()
            except EOFError:
                if not self.chunked:
                    return None
                raise
            self._unwrap()

    def states(self, until, timeout=10):
        """Data of the events until one for which `until` holds; all of them."""
        seen = []
        while not seen or not until(seen[-1]):
            event = self.next(timeout)
            assert event is not None, seen
            seen.append(event["data"])
        return seen

    def close(self):
        self.socket.close()


def silent(listener, seconds=0.4):
    """Nothing comes for so long."""
    try:
        event = listener.next(seconds)
    except (TimeoutError, socket.timeout):
        return True
    raise AssertionError(f"something came: {event}")
