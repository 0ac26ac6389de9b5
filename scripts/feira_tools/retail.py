"""Reads the UCI Online Retail data (or a part of it in the same form) and works out what a shop would have to be told:
the sale invoices as orders, and the cancellations that undo an earlier sale as refunds.

A sale row has a quantity and a price above zero and an invoice number of digits only; a sale invoice has at least one.
A cancellation row (invoice "C…") is matched when its customer bought that SKU at that price before, and that much of it
is still left: latest purchase first. One that is matched in part only is not matched."""

import collections
import csv
import dataclasses
import datetime
import decimal
import json
import lzma
import pathlib
import zoneinfo

LONDON = zoneinfo.ZoneInfo("Europe/London")
D = decimal.Decimal


@dataclasses.dataclass
class Line:
    sku: str
    qty: int
    pence: int
    left: int  # how many have not been returned yet


@dataclasses.dataclass
class Invoice:
    number: str
    month: str
    at: str  # RFC 3339 UTC
    customer: str
    lines: list
    value: D  # pounds, as the file has it
    rows: int
    refused: str = ""  # why it cannot be an order

    @property
    def pence(self):
        return sum(line.qty * line.pence for line in self.lines)


@dataclasses.dataclass
class Refund:
    number: str  # of the cancellation
    order: str  # the invoice it takes back from
    lines: dict  # line number from 1: quantity
    pence: int


@dataclasses.dataclass
class Replay:
    rows: int
    invoices: list
    refunds: list
    rows_left_out: collections.Counter  # reason: rows
    cancellations_left_out: collections.Counter
    products: dict  # sku: {title, price, sold}


def open_rows(path):
    path = pathlib.Path(path)
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", newline="", encoding="utf-8") as f:
        yield from csv.DictReader(f)


def expected_beside(path):
    """The known answers that stand beside a file: x.csv.xz → x.expected.json. None when there are none."""
    path = pathlib.Path(path)
    beside = path.with_name(path.name.split(".")[0] + ".expected.json")
    return json.loads(beside.read_text()) if beside.exists() else None


def utc(local):
    at = datetime.datetime.fromisoformat(local).replace(tzinfo=LONDON)
    return at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def pence_of(price):
    """Whole pence, or None for a price in tenths of a penny, which no amount of this currency can hold."""
    scaled = price.scaleb(2)
    return int(scaled) if scaled == scaled.to_integral_value() else None


def read(path):
    invoices = {}
    cancellations = {}  # (customer, invoice) → rows, in order of time like everything here
    left_out = collections.Counter()
    prices = collections.defaultdict(collections.Counter)
    titles = {}
    sold = collections.Counter()
    rows = 0
    stream = []
    for row in open_rows(path):
        rows += 1
        number, sku, qty, price = row["invoice"], row["sku"], int(row["qty"]), D(row["unit_price"])
        if number.startswith("C"):
            key = number
            if key not in cancellations:
                cancellations[key] = []
                stream.append(("cancel", key))
            cancellations[key].append((row["customer"], sku, -qty, price))
            continue
        if not number.isdigit():
            left_out["an adjustment, not a sale"] += 1
            continue
        if qty <= 0:
            left_out["a stock correction (quantity below zero)"] += 1
            continue
        if price <= 0:
            left_out["no price"] += 1
            continue
        invoice = invoices.get(number)
        if not invoice:
            invoice = invoices[number] = Invoice(number, row["ts"][:7], utc(row["ts"]), row["customer"], [], D(0), 0)
            stream.append(("sale", number))
        invoice.rows += 1
        invoice.value += qty * price
        pence = pence_of(price)
        if pence is None:
            invoice.refused = f"{sku} costs {price}: a price in tenths of a penny"
            continue
        invoice.lines.append(Line(sku, qty, pence, qty))
        prices[sku][pence] += 1
        sold[sku] += qty
        if row["description"]:
            titles.setdefault(sku, row["description"])
    refunds, cancellations_left_out = match(invoices, cancellations, stream)
    products = {
        sku: {"title": titles.get(sku, sku), "price": max(counts.items(), key=lambda c: (c[1], c[0]))[0], "sold": sold[sku]}
        for sku, counts in sorted(prices.items())
    }
    return Replay(rows, list(invoices.values()), refunds, left_out, cancellations_left_out, products)


def match(invoices, cancellations, stream):
    bought = collections.defaultdict(list)  # (customer, sku, pence) → (invoice, line index), oldest first
    refunds = []
    left_out = collections.Counter()
    for kind, number in stream:
        if kind == "sale":
            invoice = invoices[number]
            if invoice.customer and not invoice.refused:
                for i, line in enumerate(invoice.lines):
                    bought[invoice.customer, line.sku, line.pence].append((invoice, i))
            continue
        parts = {}
        for customer, sku, qty, price in cancellations[number]:
            if not customer:
                left_out["no customer"] += 1
                continue
            purchases = bought.get((customer, sku, pence_of(price)), [])
            if sum(invoice.lines[i].left for invoice, i in purchases) < qty:
                left_out["no earlier sale of that much at that price"] += 1
                continue
            for invoice, i in reversed(purchases):
                line = invoice.lines[i]
                take = min(qty, line.left)
                if take == 0:
                    continue
                line.left -= take
                qty -= take
                refund = parts.setdefault(invoice.number, Refund(number, invoice.number, {}, 0))
                refund.lines[i + 1] = refund.lines.get(i + 1, 0) + take
                refund.pence += take * line.pence
                if qty == 0:
                    break
        refunds.extend(parts.values())
    return refunds, left_out


def order_body(invoice):
    body = {
        "reference": invoice.number,
        "placed_at": invoice.at,
        "campaigns": "none",
        "expected_total": invoice.pence,
        "lines": [{"sku": line.sku, "qty": line.qty, "unit_price": line.pence} for line in invoice.lines],
    }
    if invoice.customer:
        body["customer"] = invoice.customer
    return body


def refund_body(refund):
    return {"reason": refund.number, "lines": [{"line": n, "qty": qty} for n, qty in sorted(refund.lines.items())]}


def by_month(invoices):
    """{month: (number of sale invoices, their value)}, from the file alone."""
    months = {}
    for invoice in invoices:
        n, value = months.get(invoice.month, (0, D(0)))
        months[invoice.month] = (n + 1, value + invoice.value)
    return months
