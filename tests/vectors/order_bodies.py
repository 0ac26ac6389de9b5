"""Bodies that must not become an order.

Each line of the file is {"body": TEXT}. TEXT goes to POST /v1/orders twice: as it is, and as the only element of "lines"
in an order that is right otherwise. Both must be refused with a problem document, and leave stock and orders as they
were. A right line, wrapped the same way, must be accepted before and after, or a refusal would prove nothing.
"""
import http.client
import json
import sys
import tempfile
import uuid
from pathlib import Path

from feira_tools.server import Server, ServerError

PRICE = 1000
REFUSALS = (400, 404, 409, 413, 422)
RIGHT_LINE = '{"sku":"A1","qty":1}'
SHOP = 'return { name = "Vectors", currency = "USD", zone = "UTC", test_payments = true }\n'


class Broken(Exception):
    """The server could not be used at all."""


class Answer:
    def __init__(self, status, content_type, data):
        self.status, self.content_type, self.data = status, content_type, data
        try:
            self.document = json.loads(data)
        except ValueError:
            self.document = None


class Shop:
    """A shop of its own in a temporary folder, served on a free port until the block ends."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="feira-vectors-")
        shop = Path(self.folder.name) / "shop"
        (shop / "campaigns").mkdir(parents=True)
        (shop / "shop.lua").write_text(SHOP)
        self.server = Server(shop, Path(self.folder.name) / "data", start_seconds=60)
        try:
            self.server.start()
            self.port, self.key = self.server.port, self.server.keys()["sk"]
        except (OSError, KeyError, ServerError) as problem:
            self.__exit__()
            raise Broken(f"no shop could be served: {problem}") from None
        return self

    def __exit__(self, *_):
        self.server.kill()
        self.folder.cleanup()

    def ask(self, method, path, body=None):
        """Each request on a connection of its own, so that one answer can't disturb the next."""
        headers = {"Authorization": f"Bearer {self.key}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
            headers["Idempotency-Key"] = str(uuid.uuid4())
            # A lone surrogate in TEXT becomes the bytes it would be: invalid UTF-8, as the case means it.
            body = body.encode("utf-8", "surrogatepass")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            try:
                connection.request(method, path, body=body, headers=headers)
            except (BrokenPipeError, ConnectionResetError):
                pass  # a body that is too large may be answered before it was sent
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheader("Content-Type", ""), answer.read())
        finally:
            connection.close()

    def must(self, method, path, body=None):
        answer = self.ask(method, path, None if body is None else json.dumps(body))
        if answer.status not in (200, 201) or answer.document is None:
            raise Broken(f"{method} {path} was answered with {answer.status}: {answer.data[:300]!r}")
        return answer.document

    def world(self):
        """What a refused order may not change: the product with its stock, and the list of orders."""
        orders, cursor = [], ""
        while True:
            page = self.must("GET", "/v1/orders?limit=100" + (f"&cursor={cursor}" if cursor else ""))
            orders += [order["id"] for order in page["items"]]
            cursor = page.get("next_cursor")
            if not cursor:
                return {"product": self.must("GET", "/v1/products/A1"), "orders": sorted(orders)}


def order_around(line, total=PRICE):
    return f'{{"lines":[{line}],"expected_total":{total}}}'


def refusal_wrong(answer):
    """Why this answer is not a refusal as it should be, or None."""
    if answer.status not in REFUSALS:
        return f"answered with {answer.status} instead of a refusal"
    if answer.content_type.partition(";")[0].strip() != "application/problem+json":
        return f"refused with {answer.status}, but as {answer.content_type or 'nothing'} instead of a problem document"
    problem = answer.document
    if not isinstance(problem, dict) or problem.get("status") != answer.status:
        return f"refused with {answer.status}, but the problem document does not say so"
    for member in ("type", "title", "detail"):
        if not isinstance(problem.get(member), str) or not problem[member]:
            return f"refused with {answer.status}, but the problem document has no {member}"
    return None


def post_refused(shop, body, wrap):
    """Posts one form of a body; why it was not refused as it should be, or None."""
    answer = shop.ask("POST", "/v1/orders", order_around(body) if wrap else body)
    quote = answer.document.get("quote") if answer.status == 409 and isinstance(answer.document, dict) else None
    if wrap and isinstance(quote, dict) and isinstance(quote.get("total"), int):
        # Refused, but perhaps only for its total: with the total that the server names, it must be refused still.
        answer = shop.ask("POST", "/v1/orders", order_around(body, quote["total"]))
    return refusal_wrong(answer)


def check_control(shop):
    """A right line must be accepted, cost what it costs, and show in stock and orders; why it did not, or None."""
    before = shop.world()
    dear = shop.ask("POST", "/v1/orders", order_around(RIGHT_LINE, PRICE + 1))
    if dear.status != 409 or shop.world() != before:
        return f"a right line with a wrong total was answered with {dear.status}, expected 409 and nothing changed"
    answer = shop.ask("POST", "/v1/orders", order_around(RIGHT_LINE))
    if answer.status != 201 or not isinstance(answer.document, dict) or answer.document.get("total") != PRICE:
        return f"a right line was answered with {answer.status}: {answer.data[:300]!r}"
    after = shop.world()
    if after["product"] == before["product"]:
        return "an accepted order did not change the product's stock"
    if after["orders"] != sorted(before["orders"] + [answer.document.get("id")]):
        return "an accepted order is not the one more in the list of orders"
    return None


def check_body(shop, body, before):
    """All that is wrong with how this body was treated, as a list of sentences."""
    wrong = []
    for wrap, form in ((False, "as it is"), (True, "as a line")):
        try:
            why = post_refused(shop, body, wrap)
        except (OSError, http.client.HTTPException) as problem:
            why = f"the connection ended without an answer ({type(problem).__name__})"
        if why:
            wrong.append(f"{form}: {why}")
        after = shop.world()
        if after != before:
            wrong.append(f"{form}: stock or orders changed")
            before = after
    return wrong, before


def body_of(line):
    try:
        case = json.loads(line)
    except ValueError:
        return None
    return case["body"] if isinstance(case, dict) and isinstance(case.get("body"), str) else None


def shown(body):
    text = json.dumps(body)
    return text if len(text) <= 100 else f"{text[:80]}... ({len(body)} characters)"


def run_lines(shop, path, lines):
    passed = failed = 0
    shop.must("PUT", "/v1/products/A1", {"title": "Thing", "price": PRICE})
    shop.must("POST", "/v1/stock", {"sku": "A1", "delta": 100000, "reason": "count"})

    def control(when):
        why = check_control(shop)
        if why:
            print(f"{path}: control {when}: {why}")
        return 1 if why else 0

    failed += control("before")
    before = shop.world()
    for number, line in lines:
        body = body_of(line)
        wrong, before = check_body(shop, body, before) if body is not None else (['a case is {"body": TEXT}'], before)
        if wrong:
            failed += 1
            print(f"{path}:{number}: {'; '.join(wrong)}: {shown(body)}", flush=True)
        else:
            passed += 1
    return passed, failed + control("after")


def run(path):
    try:
        with open(path, encoding="utf-8") as file:
            lines = [(number, line) for number, line in enumerate(file, 1) if line.strip()]
    except (OSError, UnicodeDecodeError) as problem:
        sys.stderr.write(f"vectors: can't read {path}: {problem}\n")
        return 2
    if not lines:
        sys.stderr.write(f"vectors: {path} holds no case\n")
        return 2
    try:
        with Shop() as shop:
            passed, failed = run_lines(shop, path, lines)
    except (Broken, OSError, http.client.HTTPException) as problem:
        sys.stderr.write(f"vectors: {problem}\n")
        print(f"0 passed, {len(lines)} failed")
        return 2
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
