"""The law as plugins, in a served shop and on one's desk: `feira check --compliance`, and what is asked while the shop runs. What each rule finds:
tests/compliance."""

import json
import shutil
import time

import pytest
from market import feira, ok, problem, unique, write_shop

ON = {"currency": '"CNY"', "zone": '"Asia/Shanghai"', "compare_at": '{ days = 7, by = "deals" }',
      "privacy": '{ controller = "A shop", contact = "privacy@shop.example", law = "cn" }', "plugins": '{ ["compliance-cn"] = { license_url = "https://example.com/licence" } }'}  # fmt: skip


def sale(was):
    return f"""local promo = require "feira.promo"
return promo.campaign {{ id = "sale", scope = promo.sku "TEA", give = promo.percent_off {{ percent = 10 }},
  declares = {{ claims = {{ {{ was = "{was}" }} }} }} }}
"""


def rules(answer):
    return [(f["rule"], f["level"]) for f in json.loads(answer.stdout)["findings"]]


@pytest.fixture
def sold(own_shop):
    """A shop in which TEA was sold for 79.00."""
    shop = own_shop(settings=ON, campaigns={})
    shop.product("TEA", price=7900)
    shop.paid_order({"TEA": 1})
    return shop


def at_rest(shop):
    """Its state when what follows an order has been done."""
    before = None
    while before != (before := shop.state()):
        time.sleep(0.5)
    return before


def test_a_draft_on_the_desk_is_held_against_the_data_of_a_shop_that_is_served(sold, tmp_path):
    draft = tmp_path / "draft.lua"
    draft.write_text(sale("99.00"))
    before = at_rest(sold)
    answer = feira("check", "--compliance", draft, "--in", sold.folder)
    assert answer.returncode == 3, answer
    for said in ("campaigns/draft.lua:2: campaign sale", "block P6", "article  明码标价", "seen     TEA: was 99.00", "do       Compare with at most 79.00.",
                 "1 finding that blocks"):  # fmt: skip
        assert said in answer.stdout, answer.stdout
    assert rules(feira("check", "--compliance", draft, "--in", sold.folder, "--json")) == [("P6", "block")]
    draft.write_text(sale("79.00"))
    answer = feira("check", "--compliance", draft, "--in", sold.folder)
    assert answer.returncode == 0 and "0 findings that block" in answer.stdout, answer
    assert sold.state() == before
    # The same in the shop's folder, and the publish agrees.
    (sold.folder / "campaigns" / "sale.lua").write_text(sale("99.00"))
    assert feira("check", "--compliance", sold.folder / "campaigns" / "sale.lua").returncode == 3
    document = problem(sold.operator.request("POST", "/v1/generations", {}), 422, "rules_refused")
    found = document["findings"][0]
    assert (found["rule"], found["value"], found["satisfy"]) == ("P6", "TEA: was 99.00", "Compare with at most 79.00.")
    assert found["article"].startswith("明码标价")
    (sold.folder / "campaigns" / "sale.lua").write_text(sale("79.00"))
    ok(sold.operator.request("POST", "/v1/generations", {}), 200)


def test_where_there_is_no_data_it_says_so_and_looks_at_the_rest(tmp_path):
    write_shop(tmp_path, settings=ON, campaigns={"sale": sale("99.00")})
    answer = feira("check", "--compliance", tmp_path, "--json")
    document = json.loads(answer.stdout)
    assert answer.returncode == 0 and not document["has_history"] and "There is no data at" in document["history"]
    assert rules(answer) == [("P6", "warn")]
    assert document["checks"] > 30


def test_another_data_folder_and_a_shop_that_is_not_served(sold, tmp_path):
    sold.close()
    (sold.folder / "campaigns" / "sale.lua").write_text(sale("99.00"))
    assert ("P6", "block") in rules(feira("check", "--compliance", sold.folder, "--json"))
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(sold.folder / "data", elsewhere)
    shutil.rmtree(sold.folder / "data")
    assert ("P6", "block") in rules(feira("check", "--compliance", sold.folder, "--data", elsewhere, "--json"))
    assert ("P6", "warn") in rules(feira("check", "--compliance", sold.folder, "--json"))


def test_what_can_not_be_looked_at_is_said(tmp_path):
    shop = tmp_path / "shop"
    shop.mkdir()
    write_shop(shop, settings={"plugins": None}, campaigns={})
    answer = feira("check", "--compliance", shop)
    assert answer.returncode == 0 and "No plugin of the shop checks anything" in answer.stdout
    draft = tmp_path / "draft.lua"
    draft.write_text("return promo.campaign {}")
    assert "--in SHOP" in feira("check", "--compliance", draft).stderr
    answer = feira("check", "--compliance", draft, "--in", shop)
    assert answer.returncode == 3 and "campaigns/draft.lua:1: error" in answer.stdout
    assert feira("check", "--compliance", tmp_path / "nothing").returncode == 1
    assert feira("check", "--compliance", draft, "--in", tmp_path / "nothing").returncode == 1
    assert feira("check", shop, "--in", shop).returncode != 0
    (shop / "data").mkdir()
    (shop / "data" / "shop.db").write_bytes(b"no store")
    answer = feira("check", "--compliance", shop)
    assert answer.returncode == 0 and "could not be read" in answer.stdout


def test_an_order_whose_deposit_is_too_large_is_refused(sold):
    def body(first):
        dues = [{"label": "deposit", "amount": first, "within": "1h"}, {"label": "balance", "amount": 7900 - first, "within": "48h"}]
        return {"lines": [{"sku": "TEA", "qty": 1}], "expected_total": 7900, "dues": dues}

    document = problem(sold.sk.request("POST", "/v1/orders", body(1581), idempotency=unique("order")), 409, "refused_by_check")
    assert "15.81 of 79.00" in document["detail"] and "15.80" in document["detail"]
    ok(sold.sk.request("POST", "/v1/orders", body(1580), idempotency=unique("order")), 201)


# A rule that holds only when something is paid: what is submitted is checked before.
LEVELS = {
    "levels": {
        "plugin": """return { name = "levels", version = "1.0.0", api = 1, title = "Levels",
          settings = { most = { type = "integer", about = "How far." } },
          checks = { paid = { run = "rules.paid", at = "runtime", of = { "reward" } } } }
        """,
        "rules": """local law = require "feira.law"
        return { paid = function(subject, settings)
          local far = law.distances(subject.payees).inviter
          if subject.trigger ~= "invitee_first_order" or not subject.order or not subject.customer then error "it asks otherwise" end
          if far > settings.most then return { { level = "block", text = "Nobody earns so far up." } } end
        end }
        """,
    }
}
INVITE = """local promo = require "feira.promo"
return {
  promo.campaign { id = "friend20", coupon = { valid_for = "30d", per_customer = 5 }, give = promo.amount_off { amount = "5.00" } },
  promo.use "invite" { id = "invite1", reward = "friend20", friends = 1, most = 5, qualifies = "order.paid" },
}
"""


def test_a_reward_that_a_rule_forbids_is_not_paid_and_the_order_goes_on(own_shop):
    def settings(levels):
        return {**ON, "plugins": f'{{ coupons = {{}}, invite = {{}}, ["compliance-cn"] = {{}}, levels = {{ most = {levels} }} }}'}

    shop = own_shop(settings=settings(1), campaigns={"invite": INVITE}, plugins=LEVELS)
    sku = shop.product(price=7900, stock=50)
    ann = shop.customer()
    link = ok(ann.request("POST", "/v1/x/invite/links", {"campaign": "invite1"}), 201)["link"]

    def coupons(who):
        return len(ok(who.request("GET", "/v1/x/coupons/me"), 200)["items"])

    def bring():
        friend = shop.customer()
        ok(friend.request("POST", "/v1/x/invite/joins", {"link": link}), 200)
        assert shop.pay(shop.place({sku: 1}, customer=friend.customer))["state"] == "paid"
        assert coupons(friend) == 1

    bring()
    assert coupons(ann) == 1
    write_shop(shop.folder, settings=settings(0), campaigns={"invite": INVITE}, plugins=LEVELS)
    ok(shop.operator.request("POST", "/v1/generations", {}), 200)
    bring()
    assert coupons(ann) == 1
