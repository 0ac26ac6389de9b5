"""Groups that are paid through a gateway of the outside: what goes back goes back once, although the shop is killed while it asks for that, and
although money comes when nobody waits for it any more."""

import time

import pytest
from feira_tools.gateway import Gateway
from market import ok, unique
from test_group_buy import HALF, PRICE, campaign, fault, group_of, order, settings, wait_for
from test_payments import KEY, plugin_at


class Market:
    def __init__(self, shop, gateway):
        self.shop, self.gateway = shop, gateway
        shop.product("MASK", price=PRICE, stock=100)

    def begin(self, client, placed):
        answer = client.request("POST", f"/v1/orders/{placed['id']}/payments", {"provider": "test-payments"}, idempotency=unique("pay"))
        return ok(answer, 201)["payment"]["id"]

    def paid(self, number, **more):
        self.gateway.pay(number, **more)
        assert self.gateway.tell(self.shop.server.port, number)[0] == 200

    def member(self, **inputs):
        client = self.shop.customer()
        placed = ok(order(client, **inputs), 201)
        self.paid(self.begin(client, placed))
        return client, placed

    def leader(self):
        client, placed = self.member(open="mask")
        return client, placed, group_of(client, placed)["mine"]["link"]

    def look(self, placed):
        return ok(self.shop.sk.request("GET", f"/v1/orders/{placed['id']}"), 200)

    def went_back(self, placed):
        seen = self.look(placed)
        return seen["refunds"] and all(r["state"] == "succeeded" for r in seen["refunds"])

    def kept(self):
        return self.gateway.books().get("CNY", {}).get("kept", 0)


@pytest.fixture
def market(own_shop, monkeypatch):
    monkeypatch.setenv("FEIRA_SECRET_GATEWAY_KEY", KEY)
    opened = []

    def make(**fields):
        gateway = Gateway(KEY)
        opened.append(gateway)
        shop = own_shop(
            settings=settings(plugins='{ ["group-buy"] = {}, ["test-payments"] = { key = "GATEWAY_KEY" } }'),
            campaigns=campaign(**fields),
            plugins=plugin_at(gateway.port),
            options=["--call-local", "--resolve", f"gateway.test-payments.example:{gateway.port}:127.0.0.1"],
        )
        return Market(shop, gateway)

    yield make
    for gateway in opened:
        gateway.close()


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_shop_that_is_killed_while_it_gives_back_gives_everybody_his_money_once(market, at):
    m = market(size="6", open_for='"5s"')
    leader, first, link = m.leader()
    orders = [first] + [m.member(join=link)[1] for _ in range(3)]
    assert m.kept() == 4 * HALF
    asked = []

    def kill(what, _):
        if what == "refund":
            asked.append(what)
            if len(asked) == at:
                m.shop.server.kill()

    m.gateway.before_answer = kill
    wait_for(lambda: len(asked) >= at, 20)
    m.gateway.before_answer = None
    m.shop.hang_up()
    m.shop.server.start()
    wait_for(lambda: all(m.went_back(o) for o in orders), 40)
    for o in orders:
        seen = m.look(o)
        assert (seen["state"], seen["refunded"], len(seen["refunds"])) == ("cancelled", HALF, 1)
    assert m.kept() == 0 and len(m.gateway.refunds) == 4
    assert group_of(m.shop.client(leader.key), first)["state"] == "failed"
    assert fault(m.shop) is None


def test_money_that_lands_after_the_group_has_failed_goes_back(market):
    m = market(open_for='"5s"')
    leader, first, link = m.leader()
    late = m.shop.customer()
    unpaid = ok(order(late, join=link), 201)
    number = m.begin(late, unpaid)
    wait_for(lambda: group_of(leader, first)["state"] == "failed")
    assert m.look(unpaid)["state"] == "cancelled"
    m.paid(number, late=True)
    wait_for(lambda: m.kept() == 0, 30)
    seen = m.look(unpaid)
    assert (seen["state"], seen["paid"]) == ("cancelled", 0)
    wait_for(lambda: m.went_back(first), 30)
    assert fault(m.shop) is None


def test_money_that_lands_when_the_group_is_full_goes_back_or_leads_another(market):
    for policy, state in (("refund", "cancelled"), ("new_group", "paid")):
        m = market(size="2", seat_for='"1s"', on_late_payment=f'"{policy}"')
        leader, first, link = m.leader()
        slow = m.shop.customer()
        lapsed = ok(order(slow, join=link), 201)
        number = m.begin(slow, lapsed)
        time.sleep(1.2)
        wait_for(lambda slow=slow, lapsed=lapsed: group_of(slow, lapsed)["held"] == 0)
        holder = m.shop.customer()
        held = ok(order(holder, join=link), 201)
        m.paid(number)
        assert m.look(lapsed)["state"] == state
        if policy == "new_group":
            own = group_of(slow, lapsed)
            assert (own["state"], own["paid"], own["mine"]["leads"]) == ("open", 1, True)
            m.member(join=own["mine"]["link"])
            assert group_of(slow, lapsed)["state"] == "succeeded"
        else:
            wait_for(lambda m=m, lapsed=lapsed: m.went_back(lapsed), 30)
        m.paid(m.begin(holder, held))
        assert group_of(leader, first)["state"] == "succeeded"
        assert m.look(held)["state"] == "paid" and m.shop.available("MASK")["held"] == 0
        assert fault(m.shop) is None


def test_while_the_gateway_fails_the_group_has_failed_all_the_same(market):
    """Who is asked again, and when, is tested with payments."""
    m = market(open_for='"5s"')
    m.gateway.break_["refund"] = 100
    leader, first, link = m.leader()
    _, second = m.member(join=link)
    wait_for(lambda: m.gateway.break_["refund"] <= 98, 30)
    assert group_of(leader, first)["state"] == "failed" and m.kept() == 2 * HALF
    for o in (first, second):
        seen = m.look(o)
        assert (seen["state"], seen["refunded"], len(seen["refunds"])) == ("cancelled", HALF, 1)
        assert seen["refunds"][0]["state"] != "succeeded"
