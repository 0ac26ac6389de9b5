"""A shop for one case: its files, the real program on them, and what it answers over HTTP."""

import json

from answers import Answer
from feira_tools.server import Server, ServerError
from feira_tools.wire import Client
from past import Past
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
            said = [line for line in lines if line.startswith("feira:")] or lines or ["the shop does not start"]
            raise Inexpressible(said[-1]) from e
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

def quote(described, folder):
    case = Case(described)
    body, customer, past = case.body(), case.customer(), Past(case)
    if past.orders:
        write(folder, case.shop(), past.files())
        with Shop(folder) as shop:
            past.place(shop)
    write(folder, case.shop(), case.campaigns())
    with Shop(folder) as shop:
        shop.ask("POST", "/v1/products/import", {"products": case.products()}, idempotency="products")
        if customer is not None:
            shop.ask("PUT", "/v1/customers/shopper", customer, idempotency="customer")
        for campaign in case.stopped():
            shop.ask("POST", "/v1/stops", {"name": campaign}, idempotency=f"stop-{campaign}")
        return Answer(case, shop.ask("POST", "/v1/quotes?explain=full", body))
