"""The plugin stored-value, which ships with the program: a race for the last of it over HTTP."""

import pathlib
import shutil
import threading

import pytest
from market import ok, open_shop, unique

PLUGIN = pathlib.Path(__file__).resolve().parents[2] / "plugins" / "stored-value"
AT = "/v1/x/stored-value"


@pytest.fixture
def shop(tmp_path):
    shutil.copytree(PLUGIN, tmp_path / "plugins" / "stored-value", ignore=shutil.ignore_patterns("test"))
    with open_shop(tmp_path, settings={"plugins": '{ ["stored-value"] = {} }'}) as s:
        yield s


def test_what_is_there_is_spent_once_whoever_spends(shop):
    ann = shop.customer()
    ok(shop.sk.request("POST", f"{AT}/top-ups", {"customer": ann.customer, "id": "p1", "principal": 700, "gift": 300}), 201)
    statuses, lock = [], threading.Lock()

    def spend():
        client = shop.client(shop.server.keys()["sk"])
        for _ in range(5):
            status = client.request("POST", f"{AT}/spends", {"customer": ann.customer, "id": unique("buy"), "amount": 100}).status
            with lock:
                statuses.append(status)

    threads = [threading.Thread(target=spend) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert statuses.count(201) == 10 and statuses.count(409) == 20
    assert ok(ann.request("GET", f"{AT}/balance"), 200) == {"principal": 0, "gift": 0, "total": 0}
    items = ok(ann.request("GET", f"{AT}/statement/principal"), 200)["items"]
    assert [i["amount"] for i in items] == [700] + [-70] * 10 and items[-1]["balance"] == 0
    units = {u["unit"]: u for u in ok(shop.operator.request("GET", "/v1/ledger/units"), 200)["items"]}
    assert units["GBP"]["balanced"]

