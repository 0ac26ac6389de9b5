"""Evidence: every order keeps, in one small record that names nobody, what its quote saw and what came of it."""

import contextlib
import sqlite3

from market import ok, unique

TEA = """local promo = require "feira.promo"
local list = {}
for i = 1, 12 do
  list[i] = promo.campaign { id = "tea-" .. i, scope = promo.tag "tea", when = promo.subtotal { at_least = i .. "0.00" },
    give = promo.percent_off { percent = 5 }, limits = { per_customer = 100 } }
end
return list
"""


def evidence_of(shop, order):
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
        sql = """SELECT e.evidence, e.pseudonym, p.pseudonym FROM order_evidence e JOIN orders o ON o.id = e.order_id
                 LEFT JOIN customer_pseudonyms p ON p.customer = o.customer WHERE o.order_id = ?"""
        return db.execute(sql, (order["id"],)).fetchone()


def ten_lines(shop):
    return {shop.product(f"TEA-{i}", price=400 + i, category=f"drinks/tea/{'green' if i % 2 else 'black'}", tags=["tea", f"box-{i % 3}"], brand="Leaf") : i + 1 for i in range(10)}


def test_ten_lines_with_their_reasons_take_less_than_a_kilobyte(own_shop):
    shop = own_shop(campaigns={"tea": TEA})
    someone = shop.customer("somebody-with-a-long-name", tags=["vip", "early"])
    order = shop.place(ten_lines(shop), by=someone)
    applied = [c["id"] for c in order["campaigns"] if c["applied"]]
    assert 3 <= len(applied), applied
    record, pseudonym, _ = evidence_of(shop, order)
    assert isinstance(record, bytes)
    print(len(record), "bytes")
    assert len(record) < 1024
    assert b"tea-12" in record and order["generation"].encode() in record


def test_it_names_nobody(own_shop):
    shop = own_shop(campaigns={"tea": TEA})
    someone = shop.customer("maria.silva")
    ok(shop.sk.request("PUT", "/v1/customers/maria.silva", {"name": "Maria Silva", "email": "maria@example.com", "phone": "+351 900 000 000"}), 200)
    sku = shop.product(price=2000, tags=["tea"], stock=20)
    first = shop.place({sku: 1}, by=someone, contact={"email": "maria@example.com"}, address={"line1": "Rua 1", "city": "Lisboa", "country": "PT"}, note="ring twice")
    second, other = shop.place({sku: 1}, by=someone), shop.place({sku: 1}, by=shop.customer("joao"))
    guest = shop.place({sku: 1}, by=shop.pk)
    assert any(c["id"] == "tea-1" for c in first["campaigns"])  # what is left of it for her was asked
    records = {name: evidence_of(shop, order) for name, order in (("first", first), ("second", second), ("other", other), ("guest", guest))}
    for record, _, _ in records.values():
        for text in (b"maria", b"Maria", b"Lisboa", b"ring", b"joao", b"900 000"):
            assert text not in record
    assert b"campaign/tea-1/uses/~" in records["first"][0]
    assert records["first"][1] == records["first"][2] == records["second"][1] > 2**32
    assert records["other"][1] not in (None, records["first"][1])
    assert records["guest"][1] is None


def test_one_who_was_known_before_his_first_order_has_a_pseudonym_with_it(shop):
    sku = shop.product(stock=20)
    name = unique("known")
    ok(shop.sk.request("PUT", f"/v1/customers/{name}", {}), 201)
    with contextlib.closing(sqlite3.connect(f"file:{shop.server.data / 'shop.db'}?mode=ro", uri=True)) as db:
        known = "SELECT count(*) FROM customer_pseudonyms p JOIN customers c ON c.id = p.customer WHERE c.customer = ?"
        assert db.execute(known, (name,)).fetchone() == (0,)
        order = shop.place({sku: 1}, customer=name)
        assert db.execute(known, (name,)).fetchone() == (1,)
    assert evidence_of(shop, order)[1] is not None
