"""Operators for tests: made, signed in, with second factors."""

import base64
import hashlib
import hmac
import time

from market import ok, unique

PASSWORD = "a long enough password"


def totp(secret, step):
    """The code of six digits; secret is base32 without padding."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, step.to_bytes(8, "big"), hashlib.sha1).digest()
    at = mac[19] & 15
    return f"{(int.from_bytes(mac[at : at + 4], 'big') & 0x7FFFFFFF) % 1000000:06d}"


def step_now():
    return int(time.time()) // 30


def operator(shop, *roles, name=None, password=PASSWORD, own=False):
    """A new operator who has signed in: a client with his session, and his name."""
    name = name or unique("op")
    given = "given by somebody" if own and set(roles) & {"business", "legal", "owner"} else password
    ok(shop.operator.request("POST", "/v1/admin/operators", {"name": name, "roles": list(roles), "password": given}), 201)
    if given != password:  # who approves has a password that nobody gave him
        ok(signed_in(shop, name, given).request("POST", f"/v1/admin/operators/{name}/password", {"current": given, "password": password}), 200)
    return signed_in(shop, name, password)


def sign_in(shop, name, password=PASSWORD, by=None, **more):
    return (by or shop.operator).request("POST", "/v1/admin/sessions", {"name": name, "password": password, **more})


def signed_in(shop, name, password=PASSWORD, **more):
    client = shop.client(ok(sign_in(shop, name, password, **more), 201)["token"])
    client.name = name
    return client


def audit(shop, by=None, limit=200):
    """The newest entries, oldest first."""
    items = ok((by or shop.operator).request("GET", f"/v1/admin/audit?limit={limit}"), 200)["items"]
    return [item["entry"] for item in reversed(items)]


def entries(shop, action, subject=None):
    return [e for e in audit(shop) if e["action"] == action and (subject is None or e["subject"] == subject)]
