"""feira backtest: orders that were, priced under rules that are not live. tests/backtest shows that it is right; this, what it takes and says."""

import contextlib
import json
import re
import sqlite3

import pytest

from market import feira, ok, open_shop, problem, unique

LIVE = """local promo = require "feira.promo"
return promo.campaign { id = "five", title = "A twentieth off", scope = promo.tag "sale", give = promo.percent_off { percent = 5 } }
"""
TEN = LIVE.replace("percent = 5", "percent = 10").replace("five", "ten")
TWO = """local promo = require "feira.promo"
return promo.campaign { id = "two", scope = promo.tag "sale", give = promo.amount_off { amount = "2.00" }, limits = { uses = 3, per_customer = 1 } }
"""


@pytest.fixture(scope="module")
def sold(tmp_path_factory):
    """Ten orders of 20.00 each with 1.00 off: six of two customers, four of guests; one of them cancelled."""
    with open_shop(tmp_path_factory.mktemp("sold"), campaigns={"five": LIVE}) as shop:
        sku = shop.product(price=1000, stock=1000, tags=["sale"], cost=600)
        customers = [unique("buyer") for _ in range(2)]
        for name in customers:
            ok(shop.sk.request("PUT", f"/v1/customers/{name}", {"tags": ["vip"]}), 201)
        shop.orders = [shop.place({sku: 2}, **({"customer": customers[i % 2]} if i < 6 else {})) for i in range(10)]
        ok(shop.sk.request("POST", f"/v1/orders/{shop.orders[9]['id']}/cancel", {}, idempotency=unique("c")), 200)
        yield shop


def write(tmp_path, name, text):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def backtest(shop, *arguments):
    done = feira("backtest", shop.folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_new_campaign_beside_those_that_are_live(sold, tmp_path):
    before = sold.state()
    result = backtest(sold, write(tmp_path, "ten.lua", TEN), "--orders")
    total = result["total"]
    assert (total["orders"], total["touched"], result["ended"], result["damaged"]) == (9, 9, 1, 0)
    # 5 % of 20.00, then 10 % of what is left.
    assert total["revenue"] == {"was": 9 * 1900, "now": 9 * 1710} and total["discount"] == {"was": 900, "now": 9 * 290}
    assert total["margin"] == {"was": 9 * 700, "now": 9 * 510} and total["with_cost"] == 9
    assert {c["id"]: c["amount"] for c in result["by_campaign"]} == {"five": {"was": 900, "now": 900}, "ten": {"was": 0, "now": 9 * 190}}
    assert sum(day["orders"] for day in result["by_day"]) == 9 and 1 <= len(result["by_day"]) <= 2
    kinds = {k["kind"]: k["orders"] for k in result["by_customer"]}
    assert kinds == {"customers": 6, "guests": 3, "tag vip": 6}
    assert [order for order, _, _ in result["orders"]] == [o["id"] for o in sold.orders[:9]] and {(was, now) for _, was, now in result["orders"]} == {(1900, 1710)}
    most = result["most_changed"]
    assert len(most) == 9 and most[0]["quote"]["total"] == 1710 and {c["id"] for c in most[0]["quote"]["campaigns"]} == {"five", "ten"}
    assert "demand_is_held_fixed" in {d["code"] for d in result["cannot_know"]}
    assert sold.state() == before, "nothing is written"
    assert sold.quote({sold.orders[0]["lines"][0]["sku"]: 2})["total"] == 1900, "nothing is live"


def test_another_file_in_the_place_of_a_live_one_one_that_is_gone_and_a_whole_shop(sold, tmp_path):
    result = backtest(sold, write(tmp_path, "five.lua", TEN))
    assert result["total"]["revenue"]["now"] == 9 * 1800
    assert backtest(sold, "--without", "campaigns/five.lua")["total"]["revenue"]["now"] == 9 * 2000
    other = tmp_path / "other"
    (other / "campaigns").mkdir(parents=True)
    write(other, "shop.lua", (sold.folder / "shop.lua").read_text(encoding="utf-8"))
    assert backtest(sold, other)["total"]["revenue"]["now"] == 9 * 2000
    # What is live, tried on what was made under it, changes nothing.
    same = backtest(sold, sold.folder)
    assert same["total"]["touched"] == 0 and same["total"]["revenue"] == {"was": 9 * 1900, "now": 9 * 1900}


@pytest.mark.parametrize("threads", [1, 4])
def test_limits_run_out_in_the_order_of_the_orders(sold, tmp_path, threads):
    result = backtest(sold, write(tmp_path, "two.lua", TWO), "--orders", "--threads", threads)
    # One of each customer: the third use is nobody's, because a guest can't meet a limit of each customer.
    assert [was - now for _, was, now in result["orders"]] == [200, 200] + [0] * 7
    limit = next(x for x in result["limits"] if x["campaign"] == "two")
    assert (limit["max"], limit["used"], limit["spent"]) == (3, 2, 0)
    result = backtest(sold, write(tmp_path, "two.lua", TWO.replace(", per_customer = 1", "")), "--orders", "--threads", threads)
    assert [was != now for _, was, now in result["orders"]] == [True] * 3 + [False] * 6
    limit = next(x for x in result["limits"] if x["campaign"] == "two")
    assert (limit["max"], limit["used"], limit["spent"]) == (3, 3, 1) and limit["spent_at"]
    assert sum(day["used"] for day in limit["by_day"]) == 3


def test_a_share_of_the_customers_is_drawn_and_said_to_be(sold, tmp_path):
    shared = TEN.replace("return promo.campaign {", "return promo.campaign { share = SHARE,")
    half = backtest(sold, write(tmp_path, "ten.lua", shared.replace("SHARE", "{ percent = 50, up_to = 100 }")), "--orders")
    assert "shares_are_drawn" in {d["code"] for d in half["cannot_know"]}
    changed = [was != now for _, was, now in half["orders"]]
    assert changed[0] == changed[2] == changed[4] and changed[1] == changed[3] == changed[5], "a customer is in it or not"
    assert not any(changed[6:]), "guests are not"
    again = backtest(sold, write(tmp_path, "ten.lua", shared.replace("SHARE", "{ percent = 50, up_to = 100 }")), "--orders")
    assert again["orders"] == half["orders"]
    all_of_them = backtest(sold, write(tmp_path, "ten.lua", shared.replace("SHARE", "{ percent = 100 }")), "--orders")
    assert [was != now for _, was, now in all_of_them["orders"]] == [True] * 6 + [False] * 3


def test_orders_that_could_not_have_been_placed_are_told(sold, tmp_path):
    gate = """local promo = require "feira.promo"
return promo.gate { id = "members", title = "Members only", scope = promo.tag "sale", when = promo.customer_tag "vip", reason = "Members only." }
"""
    result = backtest(sold, write(tmp_path, "gate.lua", gate))
    assert result["not_placed"]["gate"] == 3 and result["not_placed"]["revenue_was"] == 3 * 1900
    assert result["total"]["orders"] == 6 and result["total"]["touched"] == 0


def test_what_nobody_noted_is_said(sold, tmp_path):
    path = write(tmp_path, "old.lua", TWO.replace("limits = { uses = 3, per_customer = 1 }", "when = promo.first_order()").replace('"two"', '"first"'))
    done = feira("backtest", sold.folder, path)
    if done.returncode == 3:
        pytest.skip(done.stderr)
    assert "Nobody noted" in done.stdout and "6 orders of known customers" in done.stdout, done.stdout


def test_the_report_is_one_page_for_people(sold, tmp_path):
    done = feira("backtest", sold.folder, write(tmp_path, "two.lua", TWO.replace(", per_customer = 1", "")), "--html")
    assert done.returncode == 0, done.stderr
    page = done.stdout
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    assert page.count("<svg") == page.count("</svg>") >= 3  # revenue, discounts, a limit
    assert not re.search(r"<script|src=|href=|@import|url\(", page), "it loads nothing"
    for text in ("What if: two.lua", "What this can't know", "The orders that change most", "used up at"):
        assert text in page, text
    text = feira("backtest", sold.folder, write(tmp_path, "two.lua", TWO)).stdout
    for words in ("9 orders, of which", "revenue", "the most changed orders", "What this can't know", "nothing is live"):
        assert words in text, text


def test_a_name_in_the_report_is_text(sold, tmp_path):
    evil = TEN.replace("A twentieth off", "<script>alert(1)</script> & more")
    page = feira("backtest", sold.folder, write(tmp_path, "ten.lua", evil), "--html").stdout
    assert "<script" not in page and "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page


def test_a_candidate_that_is_broken_is_refused_with_its_place(sold, tmp_path):
    for name, text, words in (("bad.lua", TEN.replace("percent = 10", "percent = -1"), "bad.lua"), ("twice.lua", LIVE, "five"), ("syntax.lua", "return (", "syntax.lua")):
        done = feira("backtest", sold.folder, write(tmp_path, name, text))
        assert done.returncode and words in done.stderr, (name, done)
    assert feira("backtest", sold.folder).returncode == 2
    assert feira("backtest", sold.folder, tmp_path / "none.lua").returncode in (1, 3)
    ok(sold.operator.request("POST", "/v1/backtest", {"without": ["campaigns/five.lua"]}), 202)
    problem(sold.pk.request("POST", "/v1/backtest", {"without": ["campaigns/five.lua"]}), 403)


def test_from_elsewhere_files_are_sent_and_no_paths(sold):
    made = ok(sold.operator.request("POST", "/v1/keys", {"kind": "sk", "label": "admin", "scopes": ["admin"]}), 201)
    sk = sold.client(made["key"])
    problem(sk.request("POST", "/v1/backtest", {"candidates": ["/etc/passwd"]}), 403)
    while ok(sold.operator.request("GET", "/v1/backtest"), 200)["state"] == "running":
        pass
    ok(sk.request("POST", "/v1/backtest", {"files": [{"path": "campaigns/ten.lua", "text": TEN}]}), 202)
    state = {"state": "running"}
    while state["state"] == "running":
        state = ok(sk.request("GET", "/v1/backtest"), 200)
    assert state["state"] == "done" and state["result"]["total"]["revenue"]["now"] == 9 * 1710
    assert ok(sk.request("GET", "/v1/replay"), 200)["state"] == "none"


def test_a_damaged_record_is_left_out_and_said(own_shop, tmp_path):
    shop = own_shop(campaigns={"five": LIVE})
    sku = shop.product(tags=["sale"])
    orders = [shop.place({sku: 1}) for _ in range(3)]
    shop.server.terminate()
    with contextlib.closing(sqlite3.connect(shop.server.data / "shop.db")) as db, db:
        db.execute("UPDATE order_evidence SET evidence = zeroblob(40) WHERE order_id = (SELECT id FROM orders WHERE order_id = ?)", (orders[1]["id"],))
    result = backtest(shop, write(tmp_path, "ten.lua", TEN))
    assert (result["total"]["orders"], result["damaged"]) == (2, 1)
