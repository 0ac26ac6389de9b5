"""Compares two stores of a shop in every row of every table, ids, wall times and random seeds aside.

Ids are given by the server, so they differ from run to run: a row is known by what it means (an order by its reference, a
payment by its order and number). A wall time is any time of this century's third decade or later; the times that came
with the data are older, so they are compared. The order of rows is no part of the state."""

import collections
import contextlib
import hashlib
import re
import sqlite3

# How rows that hold the small integers of other tables are read. A table that is not named here is compared in all its columns.
VIEWS = {
    "meta": "SELECT name FROM meta",  # the values are random secrets
    "api_keys": "SELECT kind, label, scopes, revoked_at IS NULL FROM api_keys",
    "products": "SELECT sku, title, price, compare_at, cost, category, tags, brand, weight_g, status, track_stock, variant_of, options, image, description, version FROM products",
    "product_prices": "SELECT p.sku, h.from_ms, h.price, h.compare_at, h.offered FROM product_prices h JOIN products p ON p.id = h.product",
    # Which of the deals of an instant was written last is no part of the state.
    "deal_prices": "SELECT p.sku, d.hour, d.channel, d.price, d.units, d.first_at, d.last_at FROM deal_prices d JOIN products p ON p.id = d.product",
    "stock": "SELECT p.sku, s.location, a.name FROM stock s JOIN products p ON p.id = s.product JOIN ledger_accounts a ON a.id = s.account",
    "stock_changes": "SELECT p.sku, c.location, c.delta, c.reason FROM stock_changes c JOIN products p ON p.id = c.product",
    "customers": "SELECT customer, tags, version, orders FROM customers",
    "customer_contacts": "SELECT c.customer, k.name, k.email, k.phone FROM customer_contacts k JOIN customers c ON c.id = k.customer",
    "orders": """SELECT order_id, state, (SELECT customer FROM customers c WHERE c.id = o.customer), total, paid, refunded, shipping, shipping_refunded, version,
                 placed_at, expires_at, reference, close_reason, generation, holds, priced, lines FROM orders o""",
    "order_contacts": "SELECT o.order_id, k.contact, k.address, k.note FROM order_contacts k JOIN orders o ON o.id = k.order_id",
    # The record has a random seed in it, and a MAC with the shop's secret: feira replay is what compares it.
    "order_evidence": "SELECT o.order_id, e.pseudonym IS NULL, typeof(e.evidence) FROM order_evidence e JOIN orders o ON o.id = e.order_id",
    "customer_pseudonyms": "SELECT c.customer FROM customer_pseudonyms p JOIN customers c ON c.id = p.customer",
    "purchases": """SELECT c.customer, o.order_id, b.paid_at, b.items FROM purchases b JOIN customers c ON c.id = b.customer
                    JOIN orders o ON o.id = b.order_id""",
    "payments": "SELECT o.order_id, p.n, p.payment_id, p.provider, p.amount, p.refunded, p.state FROM payments p JOIN orders o ON o.id = p.order_id",
    "refunds": "SELECT o.order_id, r.n, r.refund_id, r.amount, r.shipping, r.lines, r.reason FROM refunds r JOIN orders o ON o.id = r.order_id",
    "order_line_refunds": """SELECT o.order_id, l.line, l.qty, l.amount, l.restocked, l.spread_qty, l.spread_amount, l.sent_qty
                             FROM order_line_refunds l JOIN orders o ON o.id = l.order_id""",
    "order_blocks": "SELECT o.order_id, b.plugin, b.name, b.reason, b.until_ms IS NULL, b.ended_by FROM order_blocks b JOIN orders o ON o.id = b.order_id",
    "order_pieces": "SELECT o.order_id, p.n, p.sent, p.dropped, p.returned FROM order_pieces p JOIN orders o ON o.id = p.order_id",
    "order_line_fulfilments": "SELECT o.order_id, l.line, l.qty FROM order_line_fulfilments l JOIN orders o ON o.id = l.order_id",
    "fulfilments": "SELECT o.order_id, f.n, f.lines, f.carrier, f.tracking FROM fulfilments f JOIN orders o ON o.id = f.order_id",
    "checkouts": "SELECT checkout_id, customer, cart, version, placed_as IS NULL FROM checkouts",
    "checkout_contacts": "SELECT k.checkout_id, c.contact, c.address, c.note FROM checkout_contacts c JOIN checkouts k ON k.id = c.checkout",
    "ledger_accounts": "SELECT name, unit, flags, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_accounts",
    "ledger_transfers": """SELECT t.id, t.kind, (SELECT name FROM ledger_accounts WHERE id = t.debit), (SELECT name FROM ledger_accounts WHERE id = t.credit), t.amount,
                           (SELECT id FROM ledger_transfers WHERE seq = t.pending), t.expires_ms, t.reference FROM ledger_transfers t""",
    # Sums of the transfers, made when the writer has nothing better to do: how far they have come is no part of the state.
    "ledger_hours": "SELECT 0 WHERE 0",
    "ledger_summed": "SELECT 0 WHERE 0",
    # The hash covers the path, and the path of a payment or a refund holds the order's id. The operator's own requests (the first
    # start makes two keys) go under random keys.
    "journal_idempotency": """SELECT key, scope, status, CAST(body AS TEXT), CASE WHEN key LIKE 'payment-%' OR key LIKE 'refund-%' THEN NULL ELSE request_hash END
                              FROM journal_idempotency WHERE scope NOT LIKE 'operator%'""",
    # The hashes cover times of the wall: feira doctor is what proves the chain.
    "audit": "SELECT seq, entry FROM audit",
    # The shop's own daily timer is set a moment after it has started.
    "journal_timers": "SELECT procedure, key, due_ms FROM journal_timers WHERE procedure <> 'retention.run'",
}

ID = re.compile(r"\b(?:[a-z]{2,5})_[0-9A-Za-z]{16,}")
WALL_TIME = re.compile(r"\b(?:20[2-9]\d|2[1-9]\d\d)-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
WALL_MS = 1_577_836_800_000  # 2020-01-01


class Store:
    def __init__(self, path):
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self.tables = [n for (n,) in self.db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")]
        self.meaning = {}
        self._name("SELECT order_id, 'order ' || coalesce(reference, '?') FROM orders")
        self._name("SELECT p.payment_id, 'payment ' || p.n || ' of ' || coalesce(o.reference, '?') FROM payments p JOIN orders o ON o.id = p.order_id")
        self._name("SELECT r.refund_id, 'refund ' || r.n || ' of ' || coalesce(o.reference, '?') FROM refunds r JOIN orders o ON o.id = r.order_id")
        self._name("SELECT key_id, 'key ' || kind || ' ' || label FROM api_keys")

    def _name(self, sql):
        self.meaning.update(self.db.execute(sql))

    def close(self):
        self.db.close()

    def value(self, v):
        if isinstance(v, bytes):
            return v.hex()
        if isinstance(v, int):
            return "<now>" if v >= WALL_MS else v
        if isinstance(v, str):
            v = ID.sub(lambda m: f"<{self.meaning.get(m.group(), m.group().split('_')[0])}>" if not m.group().startswith("g_") else m.group(), v)
            return WALL_TIME.sub("<now>", v)
        return v

    def rows(self, table):
        for row in self.db.execute(VIEWS.get(table, f'SELECT * FROM "{table}"')):
            yield repr(tuple(self.value(v) for v in row))


def compare(first, second, examples=3):
    """([a sentence per difference], number of rows of the first)."""
    with contextlib.closing(Store(first)) as a, contextlib.closing(Store(second)) as b:
        if a.tables != b.tables:
            return [f"one store has the tables {a.tables}, the other {b.tables}"], 0
        differences, total = [], 0
        for table in a.tables:
            # Hashes and not rows: a year's answers are hundreds of megabytes.
            count = collections.Counter()
            for row in a.rows(table):
                count[hashlib.blake2b(row.encode(), digest_size=16).digest()] += 1
                total += 1
            for row in b.rows(table):
                count[hashlib.blake2b(row.encode(), digest_size=16).digest()] -= 1
            odd = {h: n for h, n in count.items() if n}
            if odd:
                differences.append(f"table {table}: {sum(n for n in odd.values() if n > 0)} rows only in the first, {-sum(n for n in odd.values() if n < 0)} only in the second")
                for name, store, sign in (("first", a, 1), ("second", b, -1)):
                    found = (row for row in store.rows(table) if odd.get(hashlib.blake2b(row.encode(), digest_size=16).digest(), 0) * sign > 0)
                    differences += [f"  only in the {name}: {row[:600]}" for row, _ in zip(found, range(examples))]
        return differences, total


def spoil(path):
    """Changes one number in one row: what a comparison must notice."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE ledger_accounts SET credits_posted = credits_posted + 1 WHERE id = (SELECT max(id) FROM ledger_accounts)")
