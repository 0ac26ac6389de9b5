"""A small payment gateway for tests: it takes money that nobody has, gives it back, tells the shop of it, and does all of that badly when told
to. Its books can be compared with the shop's. The plugin test-payments speaks with it.

In a test: with Gateway(key) as gateway: ... gateway.pay(number); gateway.tell(shop_port, number). By hand, beside `feira serve`:
python3 scripts/feira_tools/gateway.py --key TEXT [--port 8421] [--shop 8080]; POST /control/pay {"number": "..."} pays.

What can go wrong, as `how` of pay(), tell() and event(), or as settings of the gateway:
  wrong_amount, wrong_currency, wrong_merchant, wrong_app, unknown_number, bad_signature, no_signature, old, early, other_body   (an event)
  twice: another transaction under one number                                                                                     (pay)
  lose["create"|"query"|"close"|"refund"] = n   the next n are done, and their answers never arrive
  deny[...] = n                                 the next n are refused; a refund that is refused is "failed"
  break_[...] = n                               the next n are not done: status 500
  processing = n                                a refund is "processing" until it was asked n times; -1: for ever
"""

import argparse
import collections
import hashlib
import hmac
import http.client
import http.server
import itertools
import json
import socket
import struct
import threading
import time

HOWS = ("wrong_amount", "wrong_currency", "wrong_merchant", "wrong_app", "unknown_number", "bad_signature", "no_signature", "old", "early", "other_body")


def sign(key, body, at):
    mac = hmac.new(key.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


class Gateway:
    def __init__(self, key, port=0, merchant="m-test", app="app-test"):
        self.key, self.merchant, self.app = key, merchant, app
        self.lock = threading.RLock()
        self.payments, self.refunds, self.transactions = {}, {}, {}
        self.lose, self.deny, self.break_ = (collections.Counter() for _ in range(3))
        self.processing = 0
        self.asked = collections.Counter()
        self.shop = None  # its port, to be told of payments made through /control/
        self.before_answer = None  # called with (what, payment or refund) when it is done and before it is answered
        self.numbers = itertools.count(1)
        self.server = _Server(("127.0.0.1", port), _Handler)
        self.server.gateway = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # --- the books ------------------------------------------------------------------------------------------------------
    def books(self):
        """{"taken", "given", "kept"} by currency: of all transactions of this gateway, whoever knows of them."""
        with self.lock:
            out = {}
            for t in self.transactions.values():
                of = out.setdefault(t["currency"], {"taken": 0, "given": 0})
                of["taken"] += t["amount"]
            for r in self.refunds.values():
                if r["state"] == "succeeded":
                    out[r["currency"]]["given"] += r["amount"]
            for of in out.values():
                of["kept"] = of["taken"] - of["given"]
            return out

    # --- what buyers do ---------------------------------------------------------------------------------------------------
    def pay(self, number, amount=None, currency=None, twice=False, late=False):
        """The buyer pays; gives the transaction. late: although it is closed. twice: although it is paid."""
        with self.lock:
            p = self.payments[number]
            if p["state"] == "paid" and not twice or p["state"] == "closed" and not late:
                raise ValueError(f"{number} is {p['state']}")
            t = {"id": f"txn_{next(self.numbers):06}", "number": number, "amount": amount or p["amount"], "currency": currency or p["currency"]}
            self.transactions[t["id"]] = t
            if p["state"] != "paid":
                p.update(state="paid", transaction=t["id"], paid_amount=t["amount"], paid_currency=t["currency"])
            return t["id"]

    # --- what it tells ----------------------------------------------------------------------------------------------------
    def event(self, number, transaction=None, how=None, id=None):
        """Body and headers of an event about a payment, good or bad."""
        with self.lock:
            p = self.payments.get(number) or {"transaction": "txn_none", "amount": 1, "currency": "GBP"}
            t = self.transactions.get(transaction or p.get("transaction")) or {"id": "txn_none", "amount": p["amount"], "currency": p["currency"]}
            event = {"id": id or f"evt_{next(self.numbers):06}", "type": "payment", "number": number, "state": "paid", "transaction": t["id"],
                     "amount": t["amount"], "currency": t["currency"], "merchant": self.merchant, "app": self.app}
        return self.signed(event, how)

    def refund_event(self, number, state=None, how=None, id=None):
        with self.lock:
            r = self.refunds.get(number) or {"state": "succeeded", "reference": "rf_none"}
            event = {"id": id or f"evt_{next(self.numbers):06}", "type": "refund", "number": number, "state": state or r["state"],
                     "reference": r.get("reference"), "merchant": self.merchant, "app": self.app}
        return self.signed(event, how)

    def signed(self, event, how=None):
        wrong = {"wrong_amount": {"amount": event.get("amount", 0) + 1}, "wrong_currency": {"currency": "USD"}, "wrong_merchant": {"merchant": "m-other"},
                 "wrong_app": {"app": "app-other"}, "unknown_number": {"number": "pay_00000000000000000000000000"}}
        event = {**event, **wrong.get(how, {})}
        body = json.dumps(event).encode()
        at = int(time.time()) + {"old": -301, "early": 302}.get(how, 0)
        signature = sign("another key" if how == "bad_signature" else self.key, body, at)
        if how == "other_body":
            body = body.replace(b'"paid"', b'"paid" ')
        return body, {} if how == "no_signature" else {"X-Gateway-Signature": signature}

    def send(self, port, message, provider="test-payments"):
        """Calls the shop back; gives the status and what it said."""
        body, headers = message
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("POST", f"/v1/payments/{provider}/notify", body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def tell(self, port, number, **more):
        return self.send(port, self.event(number, **more))

    # --- what the shop asks -------------------------------------------------------------------------------------------------
    def created(self, body):
        number = body["number"]
        wanted = {k: body[k] for k in ("amount", "currency", "merchant", "app")}
        old = self.payments.get(number)
        if old and any(old[k] != v for k, v in wanted.items()):
            return 409, {"why": "the number is used for something else"}
        if not old:
            old = self.payments[number] = {"number": number, "state": "pending", "reference": f"gw_{next(self.numbers):06}", **wanted}
        return 200, {**old, "pay_url": f"https://gateway.test-payments.example/{number}"}

    def queried(self, number):
        p = self.payments.get(number)
        if not p:
            return 404, {"why": "there is no such payment"}
        return 200, {**p, "amount": p.get("paid_amount", p["amount"]), "currency": p.get("paid_currency", p["currency"])}

    def closed(self, number):
        p = self.payments.get(number)
        if not p:
            return 404, {"why": "there is no such payment"}
        if p["state"] == "paid":
            return 409, {"why": "it is paid"}
        p["state"] = "closed"
        return 200, p

    def refunded(self, body):
        number = body["number"]
        old = self.refunds.get(number)
        if old and old["state"] != "failed":
            return 200, old
        t = self.transactions.get(body["transaction"])
        given = sum(r["amount"] for r in self.refunds.values() if r["transaction"] == body["transaction"] and r["state"] != "failed")
        if not t or t["currency"] != body["currency"] or given + body["amount"] > t["amount"]:
            return 422, {"why": "there is not that much to give back"}
        r = self.refunds[number] = {"number": number, "transaction": t["id"], "amount": body["amount"], "currency": t["currency"],
                                    "reference": f"rf_{next(self.numbers):06}", "state": "processing" if self.processing else "succeeded", "asked": 0}
        return 200, r

    def refund_queried(self, number):
        r = self.refunds.get(number)
        if not r:
            return 404, {"why": "there is no such refund"}
        r["asked"] += 1
        if r["state"] == "processing" and 0 <= self.processing <= r["asked"]:
            r["state"] = "succeeded"
        return 200, r

    def finish_refund(self, number, state="succeeded"):
        with self.lock:
            self.refunds[number]["state"] = state

    def answer(self, method, path, body):
        """What is done, what is answered; None: the answer is lost."""
        parts = path.strip("/").split("/")
        what = {("POST", "payments", 1): "create", ("GET", "payments", 2): "query", ("POST", "payments", 3): "close", ("POST", "refunds", 1): "refund",
                ("GET", "refunds", 2): "refund_query"}.get((method, parts[0], len(parts)))
        with self.lock:
            self.asked[what] += 1
            if self.break_[what]:
                self.break_[what] -= 1
                return 500, {"why": "broken"}
            if self.deny[what]:
                self.deny[what] -= 1
                return 422, {"why": "refused by the gateway"}
            if what == "create":
                answer = self.created(body)
            elif what == "query":
                answer = self.queried(parts[1])
            elif what == "close":
                answer = self.closed(parts[1])
            elif what == "refund":
                answer = self.refunded(body)
            elif what == "refund_query":
                answer = self.refund_queried(parts[1])
            else:
                return 404, {"why": "there is nothing here"}
            lost = self.lose[what] > 0
            self.lose[what] -= lost
            answer = answer[0], dict(answer[1])
        if self.before_answer:
            self.before_answer(what, answer[1])
        return None if lost else answer


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 200
    daemon_threads = True


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        gateway = self.server.gateway
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw else {}
        if self.path.startswith("/control/"):
            answer = self.control(gateway, self.path.removeprefix("/control/"), body)
        elif self.headers.get("Authorization") != f"Bearer {gateway.key}":
            answer = 401, {"why": "the key is wrong"}
        else:
            answer = gateway.answer(self.command, self.path, body)
        if answer is None:  # reset, so that the shop knows at once that nothing comes
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        text = json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    @staticmethod
    def control(gateway, verb, body):
        if verb == "pay":
            transaction = gateway.pay(body["number"], **{k: body[k] for k in ("amount", "currency", "twice", "late") if k in body})
            told = gateway.tell(gateway.shop, body["number"], transaction=transaction, how=body.get("how")) if gateway.shop else None
            return 200, {"transaction": transaction, "told": told and [told[0], told[1].decode()]}
        if verb == "books":
            return 200, gateway.books()
        return 404, {"why": "pay and books are there"}

    do_GET = do_POST = handle_any

    def log_message(self, *arguments):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--key", required=True, help="the value of the plugin's secret setting `key`")
    parser.add_argument("--port", type=int, default=8421)
    parser.add_argument("--shop", type=int, help="the port of the shop, which is told of each payment")
    options = parser.parse_args()
    with Gateway(options.key, options.port) as gateway:
        gateway.shop = options.shop
        print(f"listening on http://127.0.0.1:{gateway.port}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
