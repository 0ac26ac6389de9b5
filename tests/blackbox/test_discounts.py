"""What discounts come to is compared with what the merchant expects: an alarm beyond it, an end only where he set a bound."""

import threading

import pytest
from market import feira, ok, problem, unique, write_shop
from test_stops import eventually, told

CAMPAIGN = """local promo = require "feira.promo"
return promo.campaign {{ id = "half", give = promo.percent_off {{ percent = 50 }}, scope = promo.tag "sale", {watch} }}
"""


def shop_that(own_shop, watch, settings=None):
    shop = own_shop(settings=settings, campaigns={"half": CAMPAIGN.format(watch=watch)})
    shop.sale = shop.product(price=1000, stock=10000, tags=["sale"])
    shop.full = shop.product(price=1000, stock=10000)
    return shop


def order(shop, lines):
    quote = shop.quote(lines)
    return shop.pk.request("POST", "/v1/orders", {"quote_token": quote["token"]}, idempotency=unique("o"))


def place(shop, lines, times):
    for _ in range(times):
        ok(order(shop, lines), 201)


def rules(shop):
    return ok(shop.operator.request("GET", "/v1/status"), 200)["rules"]


def metrics(shop, name):
    (line,) = [line for line in shop.pk.request("GET", "/metrics").body.decode().splitlines() if line.startswith(f"feira_{name} ")]
    return int(line.split()[1])


def test_a_share_beyond_the_alarm_is_said_once_and_stops_nothing(own_shop):
    shop = shop_that(own_shop, "watch = { discount_share = 30 }")
    for _ in range(30):
        shop.quote({shop.sale: 1})  # a quote costs nobody anything
    place(shop, {shop.sale: 1}, 9)
    assert not rules(shop)["alarms"] and not told(shop, "discounts.alarm"), "nine orders say nothing"
    place(shop, {shop.sale: 1}, 10)
    (line,) = told(shop, "discounts.alarm")
    assert line["campaign"] == "half" and line["what"] == "discount_share"
    assert line["seen"] == "50.00 GBP off 10 orders of 100.00 GBP within an hour, 50.0 %; the bound is 30.0 %"
    (alarm,) = rules(shop)["alarms"]
    assert alarm["campaign"] == "half" and "95.00 GBP off 19 orders" in alarm["seen"] and alarm["since"]
    assert "alarm since" in feira("status", shop.folder).stdout
    assert metrics(shop, "discount_alarms_total") == 1 and metrics(shop, "discount_stops_total") == 0
    assert shop.quote({shop.sale: 1})["total"] == 500 and not rules(shop)["stopped"]
    # What it takes off is compared with the orders that it is in: others do not hide it.
    place(shop, {shop.full: 10}, 5)
    assert rules(shop)["alarms"]
    # In its own orders it does fall below, and the next time is said again.
    place(shop, {shop.sale: 1, shop.full: 30}, 2)
    assert not rules(shop)["alarms"]
    place(shop, {shop.sale: 100}, 2)
    assert rules(shop)["alarms"] and len(told(shop, "discounts.alarm")) == 2


def test_beyond_the_stop_the_campaign_ends_until_it_is_resumed(own_shop):
    shop = shop_that(own_shop, "watch = { discount_share = { alarm = 30, stop = 40, orders = 3 } }")
    place(shop, {shop.sale: 1}, 2)
    token = shop.quote({shop.sale: 1})["token"]
    place(shop, {shop.sale: 1}, 1)
    eventually(lambda: rules(shop)["stopped"], within=1)
    (stop,) = rules(shop)["stopped"]
    assert (stop["campaign"], stop["by"], stop["quarantined"]) == ("half", "feira", False)
    assert stop["reason"] == "It took 15.00 GBP off 3 orders of 30.00 GBP within an hour, 50.0 %; the bound is 40.0 %."
    assert shop.quote({shop.sale: 1})["total"] == 1000
    late = shop.pk.request("POST", "/v1/orders", {"quote_token": token}, idempotency=unique("o"))
    assert problem(late, 409, "campaign_stopped")["quote"]["total"] == 1000
    (line,) = told(shop, "campaign.stopped")
    assert line["campaign"] == "half" and "15.00 GBP off 3 orders" in line["why"] and "feira resume" in line["text"]
    shop.server.kill()
    shop.server.start()
    assert shop.quote({shop.sale: 1})["total"] == 1000, "it is a stop like any other"
    assert feira("resume", shop.folder, "half").returncode == 0
    place(shop, {shop.sale: 1}, 2)
    assert not rules(shop)["stopped"], "its hour begins again"
    place(shop, {shop.sale: 1}, 1)
    eventually(lambda: rules(shop)["stopped"], within=1)


def test_money_within_an_hour_has_bounds_too_and_buyers_at_once_do_not_pass_them_far(own_shop):
    shop = shop_that(own_shop, 'watch = { per_hour = { alarm = "20.00", stop = "100.00" } }')
    place(shop, {shop.sale: 4}, 1)
    assert not told(shop, "discounts.alarm")
    place(shop, {shop.sale: 1}, 1)
    (line,) = told(shop, "discounts.alarm")
    assert line["what"] == "per_hour" and line["seen"].startswith("25.00 GBP off 2 orders") and line["seen"].endswith("the bound is 20.00")
    given = []

    def buy():
        client = shop.client(shop.pk.key)
        for _ in range(20):
            quote = client.request("POST", "/v1/quotes", {"lines": [{"sku": shop.sale, "qty": 1}]}).json()
            answer = client.request("POST", "/v1/orders", {"quote_token": quote["token"]}, idempotency=unique("o"))
            assert answer.status in (201, 409), answer
            if answer.status == 201:
                given.append(answer.json()["discount"])

    threads = [threading.Thread(target=buy) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert rules(shop)["stopped"] and metrics(shop, "discount_stops_total") == 1
    assert 10000 < 2500 + sum(given) < 30000, "what was in the writer's queue is the most that passes"
    assert given[-1] == 0


def test_the_shop_has_an_alarm_of_its_own(own_shop):
    shop = shop_that(own_shop, "", {"watch": "{ discount_share = { alarm = 20, orders = 2 } }"})
    place(shop, {shop.full: 1}, 4)
    place(shop, {shop.sale: 1}, 1)
    assert not rules(shop)["alarms"]
    place(shop, {shop.sale: 1}, 3)
    (alarm,) = rules(shop)["alarms"]
    assert "campaign" not in alarm and alarm["seen"].startswith("20.00 GBP off 8 orders of 80.00 GBP")
    assert metrics(shop, "discounts_hour_minor") == 2000 and metrics(shop, "discounts_hour_orders") == 8
    assert shop.quote({shop.sale: 1})["total"] == 500


def test_a_sale_that_is_as_expected_or_not_watched_is_left_alone(own_shop):
    shop = shop_that(own_shop, "watch = { discount_share = { alarm = 50, stop = 60 }, per_hour = \"1000.00\" }")
    place(shop, {shop.sale: 1}, 30)
    key = unique("o")
    token = shop.quote({shop.sale: 1})["token"]
    for _ in range(20):  # one order, however often it is sent
        ok(shop.pk.request("POST", "/v1/orders", {"quote_token": token}, idempotency=key), 201)
    final = {"lines": [{"sku": shop.sale, "qty": 1, "unit_price": 1}], "campaigns": "none", "expected_total": 1}
    ok(shop.sk.request("POST", "/v1/orders", final, idempotency=unique("o")), 201)
    assert metrics(shop, "discounts_hour_orders") == 31
    assert not rules(shop)["alarms"] and not rules(shop)["stopped"] and not told(shop, "discounts.alarm")


@pytest.mark.parametrize(
    "watch, says",
    [
        ("watch = {}", "campaigns/half.lua:2: error: campaign \"half\": watch: it watches nothing; write discount_share, per_hour or both"),
        ("watch = { discount_share = { orders = 3 } }", "watch.discount_share: it has no bound; write alarm, stop or both"),
        ("watch = { discount_share = { alarm = 60, stop = 30 } }", "campaigns/half.lua:2: error: watch.discount_share.stop: the stop comes before the alarm"),
        ("watch = { discount_share = 130 }", "watch.discount_share: 130 is more than 100"),
        ("watch = { per_hour = 100 }", "watch.per_hour: a bare number can't be money"),
        ("watch = { per_day = \"1.00\" }", "watch: unknown key per_day; "),
    ],
)
def test_a_mistake_is_found_when_the_file_is_read(tmp_path, watch, says):
    write_shop(tmp_path, campaigns={"half": CAMPAIGN.format(watch=watch)})
    answer = feira("check", tmp_path)
    assert answer.returncode == 3 and says in answer.stdout, answer


def test_the_bounds_of_the_shop_are_read_with_it(tmp_path):
    write_shop(tmp_path, settings={"watch": "{ discount_share = { stop = 20 } }"})
    answer = feira("check", tmp_path)
    assert answer.returncode == 3 and "a shop is not stopped by its discounts" in answer.stdout, answer
