"""A small keep-alive HTTP/1.1 client. It exists beside http.client because a replay sends hundreds of thousands of
requests and must tell "no answer came" (send again with the same key) from every answer that did come."""

import json
import select
import socket


class NoAnswer(Exception):
    """The connection broke or was refused before a whole answer had arrived: it is not known whether it was done."""


class Answer:
    __slots__ = ("status", "headers", "body")

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # names in lower case
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:400]!r}>"


class Client:
    """One connection, opened when needed and again after it broke. Not for several threads at once."""

    def __init__(self, port, key=None, path=None, timeout=60):
        self.port = port
        self.key = key
        self.path = path  # of a unix socket, instead of the port
        self.timeout = timeout
        self.socket = None
        self.rest = b""

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None
        self.rest = b""

    def request(self, method, target, body=None, idempotency=None, key=None, headers=()):
        """body: None, bytes, or anything that JSON can hold. Raises NoAnswer when no whole answer arrives."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
        key = self.key if key is None else key
        if key:
            lines.append(f"Authorization: Bearer {key}")
        if idempotency is not None:
            lines.append(f"Idempotency-Key: {idempotency}")
        names = {name.lower() for name, _ in headers}
        if body is not None:
            if "content-type" not in names:
                lines.append("Content-Type: application/json")
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in headers]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        try:
            if self.socket and self._hung_up():
                self.close()
            if not self.socket:
                self._connect()
            self.socket.sendall(head + (body or b""))
            return self._read(method)
        except (OSError, NoAnswer) as e:
            self.close()
            raise NoAnswer(str(e)) from e

    def _hung_up(self):
        """Whether the other side closed while nothing was being asked: then nothing is in doubt, and a new connection will do."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        if not poll.poll(0):
            return False
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def _connect(self):
        if self.path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(self.timeout)
            self.socket.connect(str(self.path))
        else:
            self.socket = socket.create_connection(("127.0.0.1", self.port), self.timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def _more(self):
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise NoAnswer("the server closed the connection")
        return piece

    def _read(self, method):
        data = self.rest
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        status_line, *fields = data[:end].decode("latin-1").split("\r\n")
        status = int(status_line.split(" ", 2)[1])
        headers = {}
        for field in fields:
            name, _, value = field.partition(":")
            headers[name.lower()] = value.strip()
        rest = data[end + 4 :]
        if status < 200:  # an interim answer; the real one follows
            self.rest = rest
            return self._read(method)
        if method == "HEAD" or status in (204, 304):
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body, rest = self._read_chunks(rest)
        else:
            need = int(headers.get("content-length", "0"))
            if len(rest) < need:
                pieces = [rest]
                have = len(rest)
                while have < need:
                    pieces.append(self._more())
                    have += len(pieces[-1])
                rest = b"".join(pieces)
            body, rest = rest[:need], rest[need:]
        self.rest = rest
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body)

    def _read_chunks(self, rest):
        body = b""
        while True:
            while (end := rest.find(b"\r\n")) < 0:
                rest += self._more()
            size = int(rest[:end].split(b";")[0], 16)
            rest = rest[end + 2 :]
            while len(rest) < size + 2:
                rest += self._more()
            if size == 0:
                return body, rest[2:]
            body += rest[:size]
            rest = rest[size + 2 :]
