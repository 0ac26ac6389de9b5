"""Everything at once, and the books afterwards; also when the server is asked to stop, or killed, in the middle of it.
FEIRA_STORM_CLIENTS, FEIRA_STORM_SECONDS and FEIRA_STORM_SEED make it longer and other."""

import os
import time

import pytest
import storm

CLIENTS = int(os.environ.get("FEIRA_STORM_CLIENTS", "24"))
SECONDS = float(os.environ.get("FEIRA_STORM_SECONDS", "5"))
SEED = int(os.environ.get("FEIRA_STORM_SEED", "7"))


def settle(shop):
    """Unpaid orders have expired: nothing is held any more."""
    deadline = time.monotonic() + 20
    while shop.sk.request("GET", "/v1/orders?state=placed&limit=1").json()["items"]:
        assert time.monotonic() < deadline, "unpaid orders did not expire"
        time.sleep(0.1)


def start(own_shop):
    shop = own_shop(settings=storm.SETTINGS, campaigns=storm.CAMPAIGNS, workers=4)
    return shop, storm.Storm(shop, SEED, CLIENTS)


def test_the_books_balance_after_a_storm(own_shop):
    shop, gale = start(own_shop)
    gale.blow(SECONDS)
    assert gale.done() > CLIENTS and len(gale.promised) > 5, "there was hardly a storm"
    storm.check_books(shop, gale)
    settle(shop)
    storm.check_books(shop, gale)
    assert shop.server.terminate() == 0
    storm.check_books(shop, gale)


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_the_books_balance_when_the_server_ends_in_the_middle(own_shop, how):
    shop, gale = start(own_shop)

    def end_and_begin_again(deadline):
        while time.monotonic() < deadline - SECONDS / 4:
            time.sleep(SECONDS / 4)
            if how == "kill":
                shop.server.kill()
            else:
                assert shop.server.terminate() == 0, shop.server.stderr()[-3000:]
            shop.server.start()

    gale.blow(SECONDS, end_and_begin_again)
    storm.check_books(shop, gale)
    settle(shop)
    storm.check_books(shop, gale)
