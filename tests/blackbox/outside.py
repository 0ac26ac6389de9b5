"""A small HTTP server that stands for the world outside, and misbehaves when asked to: /status/503, /slow?ms=500, /huge, /redirect?to=...,
/reset, /echo. What it was sent is remembered."""

import http.server
import json
import socket
import ssl
import struct
import threading
import time
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with self.server.lock:
            self.server.seen.append({"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body.decode()})
        parts = url.path.strip("/").split("/")
        if parts[0] == "status":
            self.answer(int(parts[1]), b'{"status":%s}' % parts[1].encode())
        elif parts[0] == "slow":
            time.sleep(int(query.get("ms", 500)) / 1000)
            self.answer(200, b"slow")
        elif parts[0] == "huge":
            self.answer(200, b"x" * int(query.get("bytes", 2000000)))
        elif parts[0] == "redirect":
            self.answer(302, Location=query["to"])
        elif parts[0] == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
        elif parts[0] == "fails":  # the first n times
            with self.server.lock:
                self.server.failed[url.path] = self.server.failed.get(url.path, 0) + 1
                bad = self.server.failed[url.path] <= int(parts[1])
            self.answer(503 if bad else 200, b"later" if bad else b"now")
        else:
            told = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body.decode()}
            self.answer(200, json.dumps(told).encode(), X_Twice="a", Content_Type="application/json")

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = handle_any

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 200


class Outside:
    def __init__(self, certificate=None):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.lock = threading.Lock()
        self.server.seen = []
        self.server.failed = {}
        self.server.handle_error = lambda *a: None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def seen(self):
        with self.server.lock:
            return list(self.server.seen)

    def seen_at(self, path):
        return [s for s in self.seen if s["path"].split("?")[0] == path]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
