"""plugins/wechat-pay against a stand-in of WeChat Pay, API v3, that verifies what the shop signs and signs what it says itself, with another
implementation than ours. Its own key is that of the public vectors."""

import base64
import contextlib
import datetime
import http.server
import itertools
import json
import os
import pathlib
import re
import sqlite3
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from market import ok, problem, unique
from test_signed_routes import send

ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTOR = json.loads((ROOT / "tests" / "payments" / "callbacks.json").read_text())["wechatpay_v3"][0]
API_KEY, SERIAL = VECTOR["apiV3Key"], VECTOR["serial"]
MERCHANT, APP, MERCHANT_SERIAL = "1900000001", "wxd678efh567hg6787", "5A1B2C3D4E5F60718293A4B5C6D7E8F901234567"


def lua(text):
    return json.dumps(text, ensure_ascii=False)


class WechatPay:
    """What of WeChat Pay a shop sees."""

    def __init__(self, merchant_key):
        self.merchant_key = merchant_key
        self.key = serialization.load_pem_private_key(VECTOR["signing_private_key_for_tests"].encode(), None)
        self.payments, self.refunds, self.numbers, self.asked = {}, {}, itertools.count(1), []
        self.refund_status, self.fail, self.unsigned = "SUCCESS", [], False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                status, value = outer.answer(self.command, self.path, body, self.headers)
                text = "" if value is None else json.dumps(value)
                self.send_response(status)
                for name, header in outer.signed(text).items():
                    self.send_header(name, header)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = handle_any

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # --- signatures -------------------------------------------------------------------------------------------------------
    def signed(self, body, at=None, serial=SERIAL, key=None):
        at, nonce = str(int(time.time() if at is None else at)), os.urandom(16).hex()
        signature = (key or self.key).sign(f"{at}\n{nonce}\n{body}\n".encode(), padding.PKCS1v15(), hashes.SHA256())
        if self.unsigned:
            return {}
        return {"Wechatpay-Timestamp": at, "Wechatpay-Nonce": nonce, "Wechatpay-Serial": serial, "Wechatpay-Signature": base64.b64encode(signature).decode(),
                "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048"}

    def verify(self, method, path, body, headers):
        kind, _, rest = headers["Authorization"].partition(" ")
        assert kind == "WECHATPAY2-SHA256-RSA2048"
        of = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        assert of["mchid"] == MERCHANT and of["serial_no"] == MERCHANT_SERIAL and abs(int(of["timestamp"]) - time.time()) < 60
        message = f"{method}\n{path}\n{of['timestamp']}\n{of['nonce_str']}\n{body}\n".encode()
        self.merchant_key.public_key().verify(base64.b64decode(of["signature"]), message, padding.PKCS1v15(), hashes.SHA256())

    # --- what it does -------------------------------------------------------------------------------------------------------
    def answer(self, method, path, body, headers):
        try:
            self.verify(method, path, body, headers)
        except Exception:  # whatever is wrong with it
            return 401, {"code": "SIGN_ERROR", "message": "the signature is wrong"}
        self.asked.append((method, path))
        if self.fail and re.search(self.fail[0], path):
            self.fail.pop(0)
            return 500, {"code": "SYSTEM_ERROR", "message": "try again"}
        body = json.loads(body) if body else {}
        if m := re.fullmatch(r"/v3/pay/transactions/(jsapi|native)", path):
            return self.begin(m[1], body)
        if m := re.fullmatch(r"/v3/pay/transactions/out-trade-no/([\w-]+)\?mchid=(\d+)", path):
            p = self.payments.get(m[1])
            return (200, self.transaction(m[1])) if p else (404, {"code": "ORDER_NOT_EXIST", "message": "there is no such order"})
        if m := re.fullmatch(r"/v3/pay/transactions/out-trade-no/([\w-]+)/close", path):
            p = self.payments[m[1]]
            if p["trade_state"] == "SUCCESS":
                return 400, {"code": "ORDERPAID", "message": "it is paid"}
            p["trade_state"] = "CLOSED"
            return 204, None
        if path == "/v3/refund/domestic/refunds":
            return self.refund(body)
        if m := re.fullmatch(r"/v3/refund/domestic/refunds/([\w-]+)", path):
            r = self.refunds.get(m[1])
            return (200, r) if r else (404, {"code": "RESOURCE_NOT_EXISTS", "message": "there is no such refund"})
        return 404, {"code": "NO_PATH", "message": path}

    def begin(self, kind, body):
        assert 6 <= len(body["out_trade_no"]) <= 32 and re.fullmatch(r"[\w|*-]+", body["out_trade_no"])
        assert body["mchid"] == MERCHANT and body["appid"] == APP and body["notify_url"].startswith("https://") and "?" not in body["notify_url"]
        assert body["amount"]["currency"] == "CNY" and isinstance(body["amount"]["total"], int)
        assert datetime.datetime.fromisoformat(body["time_expire"]).utcoffset() == datetime.timedelta(hours=8)
        old = self.payments.get(body["out_trade_no"])
        if old and old["body"] != body:
            return 400, {"code": "INVALID_REQUEST", "message": "201 the number is used for something else"}
        self.payments.setdefault(body["out_trade_no"], {"trade_state": "NOTPAY", "body": body})
        if kind == "native":
            return 200, {"code_url": "weixin://wxpay/bizpayurl?pr=" + body["out_trade_no"]}
        assert body["payer"]["openid"]
        return 200, {"prepay_id": "wx" + body["out_trade_no"]}

    def transaction(self, number):
        p = self.payments[number]
        t = {"mchid": MERCHANT, "appid": APP, "out_trade_no": number, "trade_state": p["trade_state"], "trade_type": "JSAPI"}
        if "transaction_id" in p:
            # A coupon of theirs paid a part: the shop gets all of it.
            t.update(transaction_id=p["transaction_id"], amount={"total": p["body"]["amount"]["total"], "payer_total": p["body"]["amount"]["total"] - 1, "currency": "CNY"})
        return t

    def refund(self, body):
        assert re.fullmatch(r"[\w|*-]{1,64}", body["out_refund_no"])
        old = self.refunds.get(body["out_refund_no"])
        if old:
            return 200, old
        p = next(p for p in self.payments.values() if p.get("transaction_id") == body["transaction_id"])
        assert body["amount"]["total"] == p["body"]["amount"]["total"] and body["amount"]["currency"] == "CNY"
        given = sum(r["amount"]["refund"] for r in self.refunds.values() if r["transaction_id"] == body["transaction_id"])
        if given + body["amount"]["refund"] > body["amount"]["total"]:
            return 400, {"code": "INVALID_REQUEST", "message": "more than was paid"}
        r = self.refunds[body["out_refund_no"]] = {"refund_id": f"5{next(self.numbers):08}", "out_refund_no": body["out_refund_no"], "status": self.refund_status,
                                                   "transaction_id": body["transaction_id"], "amount": {"refund": body["amount"]["refund"], "currency": "CNY"}}
        return 200, r

    # --- what payers do, and what it tells ----------------------------------------------------------------------------------
    def pay(self, number):
        self.payments[number].update(trade_state="SUCCESS", transaction_id=f"42000{next(self.numbers):08}")

    def envelope(self, kind, plaintext, id=None):
        nonce = os.urandom(6).hex()
        sealed = AESGCM(API_KEY.encode()).encrypt(nonce.encode(), json.dumps(plaintext).encode(), b"transaction")
        return json.dumps({"id": id or unique("EV"), "create_time": "2026-11-22T10:44:01+08:00", "event_type": kind, "resource_type": "encrypt-resource", "summary": "支付成功",
                           "resource": {"original_type": "transaction", "algorithm": "AEAD_AES_256_GCM", "ciphertext": base64.b64encode(sealed).decode(),
                                        "associated_data": "transaction", "nonce": nonce}}, ensure_ascii=False)

    def paid(self, number, **changes):
        return self.envelope("TRANSACTION.SUCCESS", {**self.transaction(number), **changes})


class Till:
    def __init__(self, shop, wechat):
        self.shop, self.wechat = shop, wechat
        self.sku = shop.product(price=3000, stock=100)

    def begin(self, order, **details):
        body = {"provider": "wechat-pay", "details": details}
        return self.shop.sk.request("POST", f"/v1/orders/{order['id']}/payments", body, idempotency=unique("pay"))

    def payment(self, order, **details):
        return ok(self.begin(order, **(details or {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"})), 201)["payment"]

    def tell(self, body, **how):
        headers = how.pop("headers", None)
        headers = self.wechat.signed(body, **how) if headers is None else headers
        status, _, answer = send(self.shop, "/v1/payments/wechat-pay/notify", body.encode(), Content_Type="application/json", **{k.replace("-", "_"): v for k, v in headers.items()})
        return status, json.loads(answer)

    def look(self, order):
        return ok(self.shop.sk.request("GET", f"/v1/orders/{order['id']}"), 200)

    def until(self, order, what):
        end = time.monotonic() + 15
        while not what(found := self.look(order)):
            assert time.monotonic() < end, found
            time.sleep(0.05)
        return found

    def held(self):
        """What WeChat Pay holds for the shop, by the shop's own books."""
        with contextlib.closing(sqlite3.connect(f"file:{self.shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
            row = db.execute("SELECT debits_posted - credits_posted FROM ledger_accounts WHERE name = 'payments/wechat-pay'").fetchone()
        return row[0] if row else 0

    def check_books(self):
        taken = sum(p["body"]["amount"]["total"] for p in self.wechat.payments.values() if "transaction_id" in p)
        given = sum(r["amount"]["refund"] for r in self.wechat.refunds.values() if r["status"] == "SUCCESS")
        assert self.held() == taken - given
        findings = ok(self.shop.operator.request("GET", "/v1/doctor"), 200)
        assert findings["healthy"], findings


@pytest.fixture(scope="module")
def merchant_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def till(own_shop, monkeypatch, merchant_key):
    wechat = WechatPay(merchant_key)
    pem = merchant_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    monkeypatch.setenv("FEIRA_SECRET_WECHAT_KEY", pem)
    monkeypatch.setenv("FEIRA_SECRET_WECHAT_API_KEY", API_KEY)
    host = "api.mch.weixin.qq.com"
    files = {f.stem: f.read_text().replace(f'"{host}"', f'"{host}:{wechat.port}"').replace(f"https://{host}", f"http://{host}:{wechat.port}")
             for f in (ROOT / "plugins" / "wechat-pay").glob("*.lua")}
    settings = f"""{{ ["wechat-pay"] = {{ merchant = "{MERCHANT}", app = "{APP}", serial = "{MERCHANT_SERIAL}", key = "WECHAT_KEY", api_key = "WECHAT_API_KEY",
      platform_keys = {{ {{ id = "PUB_KEY_ID_0000000001", pem = {lua(VECTOR["platform_public_key"])} }}, {{ id = "{SERIAL}", pem = {lua(VECTOR["platform_public_key"])} }} }},
      notify_url = "https://shop.example/v1/payments/wechat-pay/notify" }} }}"""
    shop = own_shop(settings={"currency": '"CNY"', "zone": '"Asia/Shanghai"', "shipping": None, "plugins": settings}, campaigns={}, plugins={"wechat-pay": files},
                    options=["--call-local", "--resolve", f"{host}:{wechat.port}:127.0.0.1"])
    yield Till(shop, wechat)
    wechat.close()


def test_a_mini_program_pays(till, merchant_key):
    order = till.shop.place({till.sku: 1})
    payment = till.payment(order)
    client = payment["client"]
    assert client["appId"] == APP and client["signType"] == "RSA" and client["package"] == "prepay_id=wx" + payment["id"]
    message = f"{client['appId']}\n{client['timeStamp']}\n{client['nonceStr']}\n{client['package']}\n".encode()
    merchant_key.public_key().verify(base64.b64decode(client["paySign"]), message, padding.PKCS1v15(), hashes.SHA256())
    till.wechat.pay(payment["id"])
    assert till.tell(till.wechat.paid(payment["id"])) == (200, {"code": "SUCCESS", "message": "OK"})
    assert till.look(order)["state"] == "paid"
    till.check_books()


def test_a_code_to_scan(till):
    order = till.shop.place({till.sku: 1})
    payment = till.payment(order, kind="native")
    assert payment["client"] == {"code_url": "weixin://wxpay/bizpayurl?pr=" + payment["id"]}
    problem(till.begin(order, kind="gold"), 409, "payment_refused")
    problem(till.begin(order, kind="jsapi"), 409, "payment_refused")


def damaged(body):
    return body.replace("支付成功", "支付成动")


BAD = {
    "a byte of the body is another": lambda w, n: (damaged(w.paid(n)), lambda b: w.signed(w.paid(n)), 401),
    "without a signature": lambda w, n: (w.paid(n), lambda b: {}, 401),
    "signed by somebody else": lambda w, n: (w.paid(n), lambda b: w.signed(b, key=rsa.generate_private_key(public_exponent=65537, key_size=2048)), 401),
    "an unknown serial": lambda w, n: (w.paid(n), lambda b: w.signed(b, serial="7777777777"), 401),
    "too old": lambda w, n: (w.paid(n), lambda b: w.signed(b, at=time.time() - 301), 401),
    "from the future": lambda w, n: (w.paid(n), lambda b: w.signed(b, at=time.time() + 302), 401),
    "a probe": lambda w, n: (w.paid(n), lambda b: {**w.signed(b), "Wechatpay-Signature": "WECHATPAY/SIGNTEST/" + w.signed(b)["Wechatpay-Signature"][:300]}, 401),
    "a header less": lambda w, n: (w.paid(n), lambda b: {k: v for k, v in w.signed(b).items() if k != "Wechatpay-Nonce"}, 401),
    "sealed with another key": lambda w, n: (resealed(w.paid(n)), w.signed, 401),
    "another amount": lambda w, n: (w.paid(n, amount={"total": 1, "payer_total": 1, "currency": "CNY"}), w.signed, 422),
    "another currency": lambda w, n: (w.paid(n, amount={"total": 3000, "payer_total": 3000, "currency": "HKD"}), w.signed, 422),
    "another merchant": lambda w, n: (w.paid(n, mchid="1900009999"), w.signed, 422),
    "another app": lambda w, n: (w.paid(n, appid="wx0000000000000000"), w.signed, 422),
    "an unknown order": lambda w, n: (w.paid(n, out_trade_no="pay_00000000000000000000000000"), w.signed, 404),
}


def resealed(body):
    envelope = json.loads(body)
    sealed = bytearray(base64.b64decode(envelope["resource"]["ciphertext"]))
    sealed[-1] ^= 1
    envelope["resource"]["ciphertext"] = base64.b64encode(bytes(sealed)).decode()
    return json.dumps(envelope)


@pytest.mark.parametrize("what", BAD)
def test_a_bad_notification_takes_nothing(till, what):
    order = till.shop.place({till.sku: 1})
    payment = till.payment(order)
    till.wechat.pay(payment["id"])
    body, sign, wanted = BAD[what](till.wechat, payment["id"])
    status, answer = till.tell(body, headers=sign(body))
    assert status == wanted and answer["code"] == "FAIL" and answer["message"]
    if wanted == 422:  # WeChat Pay is asked, and knows better
        till.until(order, lambda o: o["state"] == "paid")
    else:
        assert till.look(order)["state"] == "placed"
        assert till.tell(till.wechat.paid(payment["id"]))[0] == 200
    assert till.look(order)["paid"] == 3000
    till.check_books()


def test_an_answer_that_is_not_signed_is_not_believed(till):
    order = till.shop.place({till.sku: 1})
    till.wechat.unsigned = True
    problem(till.begin(order, openid="o1"), 503, "provider_failed")
    till.wechat.unsigned = False
    assert till.look(order)["payments"][0]["state"] == "created"
    assert till.payment(order)["state"] == "pending"


def test_refunds_by_parts(till):
    order = till.shop.place({till.sku: 3})
    payment = till.payment(order)
    till.wechat.pay(payment["id"])
    till.tell(till.wechat.paid(payment["id"]))
    ok(till.shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    till.until(order, lambda o: o["refunds"][0]["state"] == "succeeded")
    till.wechat.refund_status = "PROCESSING"
    ok(till.shop.refund(order, lines=[{"line": 1, "qty": 1}]), 201)
    number = till.until(order, lambda o: o["refunds"][1]["state"] == "processing")["refunds"][1]["parts"][0]["number"]
    till.wechat.refunds[number]["status"] = "SUCCESS"
    told = till.wechat.envelope("REFUND.SUCCESS", {"mchid": MERCHANT, "out_trade_no": payment["id"], "out_refund_no": number, "refund_status": "SUCCESS",
                                                   "transaction_id": "1", "refund_id": "2", "amount": {"refund": 3000, "total": 9000, "payer_refund": 3000}})
    assert till.tell(told)[0] == 200 and till.tell(told)[0] == 200
    assert till.look(order)["refunds"][1]["state"] == "succeeded"
    till.check_books()


def test_a_refund_that_is_abnormal_waits_for_a_person(till):
    order = till.shop.place({till.sku: 1})
    payment = till.payment(order)
    till.wechat.pay(payment["id"])
    till.tell(till.wechat.paid(payment["id"]))
    till.wechat.refund_status = "ABNORMAL"
    ok(till.shop.refund(order), 201)
    till.until(order, lambda o: o["refunds"][0]["state"] == "manual")
    assert "ABNORMAL" in ok(till.shop.sk.request("GET", "/v1/refunds"), 200)["items"][0]["why"]
    till.check_books()


def test_a_cancelled_payment_is_closed_there(till):
    order = till.shop.place({till.sku: 1})
    payment = till.payment(order)
    ok(till.shop.sk.request("POST", f"/v1/orders/{order['id']}/cancel", {}, idempotency=unique("c")), 200)
    till.until(order, lambda o: o["payments"][0]["state"] == "closed")
    assert till.wechat.payments[payment["id"]]["trade_state"] == "CLOSED"
    assert till.wechat.asked[-2][1].startswith("/v3/pay/transactions/out-trade-no/") and till.wechat.asked[-1][1].endswith("/close")
    till.check_books()
