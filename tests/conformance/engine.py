"""A shop for one case: its files, the real program on them, and what it answers over HTTP."""

import json

from answers import Answer
from feira_tools.server import Server, ServerError
from feira_tools.wire import Client
from vocabulary import Case, Inexpressible

def write(folder, shop, campaigns):
    (folder / "campaigns").mkdir(parents=True, exist_ok=True)
    (folder / "shop.lua").write_text(shop, encoding="utf-8")
    (folder / "campaigns" / "case.lua").write_text(campaigns, encoding="utf-8")

class Shop:
    def __init__(self, folder):
        self.server = Server(folder, workers=1)

    def __enter__(self):
        try:
            self.server.start()
        except ServerError as e:
            lines = [line for line in str(e).splitlines() if line.strip()]
            raise Inexpressible(lines[-1] if lines else "the shop does not start") from e
        self.client = Client(0, path=self.server.data / "feira.sock")
        return self

    def __exit__(self, *exc):
        if self.server.process:
            self.client.close()
            self.server.kill()

    def ask(self, method, path, body=None, **more):
        answer = self.client.request(method, path, body, **more)
        if answer.status >= 300:
            raise Inexpressible(f"{method} {path}: {answer.status} {json.loads(answer.body).get('detail')}")
        return answer.json()

def use_up(shop, case, body):
    """Places the orders that a case says were placed, and cancels those that were cancelled."""
    (used, freed), (ordered, withdrawn) = case.uses(), case.ordered()
    if used and ordered:
        raise Inexpressible("orders of a customer, and uses of a promotion that may be the same or others")
    placed = used + ordered
    order = {k: v for k, v in body.items() if k != "at"}
    ids = []
    for i in range(placed):  # what one costs may depend on those before it
        order["expected_total"] = shop.ask("POST", "/v1/quotes", body)["total"]
        ids.append(shop.ask("POST", "/v1/orders", order, idempotency=f"order-{i}")["id"])
    for i, name in enumerate(ids[:freed] + ids[placed - withdrawn:]):
        shop.ask("POST", f"/v1/orders/{name}/cancel", {}, idempotency=f"cancel-{i}")

def quote(described, folder):
    case = Case(described)
    write(folder, case.shop(), case.campaigns())
    body, customer = case.body(), case.customer()
    with Shop(folder) as shop:
        shop.ask("POST", "/v1/products/import", {"products": case.products()}, idempotency="products")
        if customer is not None:
            shop.ask("PUT", "/v1/customers/shopper", customer, idempotency="customer")
        for campaign in case.stopped():
            shop.ask("POST", "/v1/stops", {"name": campaign}, idempotency=f"stop-{campaign}")
        use_up(shop, case, body)
        return Answer(case, shop.ask("POST", "/v1/quotes?explain=full", body))
