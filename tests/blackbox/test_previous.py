"""Within a major version migrations only add, so the program before still opens the store, reads it and writes it: an upgrade can be taken back.

`tests/migrations/` holds what an earlier program knew: the schema it made and the statements it ran. They are held against the store of today. With
FEIRA_PREVIOUS=PROGRAM a real one is let at it as well."""

import contextlib
import os
import pathlib
import re
import sqlite3
import subprocess

import pytest
from feira_tools import server
from market import Shop, ok, open_shop, unique

FROZEN = pathlib.Path(__file__).resolve().parent.parent / "migrations"
VERSIONS = sorted(int(f.stem.split("-")[1]) for f in FROZEN.glob("schema-*.sql"))


@pytest.fixture(scope="module")
def today(tmp_path_factory):
    """A store that this program made and used."""
    folder = tmp_path_factory.mktemp("today")
    with open_shop(folder) as shop:
        sku = shop.product(stock=50)
        shop.place({sku: 1})
        shop.paid_order({sku: 1})
    with contextlib.closing(sqlite3.connect(folder / "data" / "shop.db")) as db:
        yield db


def frozen(version):
    db = sqlite3.connect(":memory:")
    db.executescript((FROZEN / f"schema-{version}.sql").read_text(encoding="utf-8"))
    return db


def tables(db):
    return [n for (n,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]


def columns(db, table):
    """name -> (type, not null, has a default, part of the key)"""
    return {name: (type_, notnull, default is not None, key) for _, name, type_, notnull, default, key in db.execute(f"PRAGMA table_info({table})")}


def unique_indexes(db, table):
    names = [name for _, name, is_unique, *_ in db.execute(f"PRAGMA index_list({table})") if is_unique]
    return {tuple(column for _, _, column in db.execute(f"PRAGMA index_info({name})")) for name in names}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_an_earlier_program_knew_is_there_as_it_was(today, version):
    before = frozen(version)
    for table in tables(before):
        old, new = columns(before, table), columns(today, table)
        assert new, f"the table {table} is gone"
        for name, kind in old.items():
            assert new.get(name) == kind, f"{table}.{name} was {kind}, and is {new.get(name)}"
        for name in set(new) - set(old):
            _, notnull, has_default, _ = new[name]
            assert has_default or not notnull, f"{table}.{name} must be given: an earlier program can't insert any more"
        for index in unique_indexes(today, table) - unique_indexes(before, table):
            assert set(index) - set(old), f"{table} has a new uniqueness of columns that an earlier program writes: {index}"
    assert not [n for (n,) in today.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")], "a trigger would surprise an earlier program"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_statement_of_an_earlier_program_can_still_be_run(today, version):
    statements = (FROZEN / f"statements-{version}.sql").read_text(encoding="utf-8").split("\n;;\n")
    assert len(statements) > 100
    failed = {}
    for text in filter(str.strip, statements):
        count = max((int(n) for n in re.findall(r"\?(\d+)", text)), default=0)
        try:
            today.execute("EXPLAIN " + text, [None] * count).fetchall()
        except sqlite3.Error as e:
            failed[text] = str(e)
    assert not failed


def test_the_check_sees_what_would_break_an_earlier_program(today):
    copy = sqlite3.connect(":memory:")
    today.backup(copy)
    version = VERSIONS[0]
    for harm in ("ALTER TABLE orders RENAME COLUMN paid TO paid_minor", "CREATE UNIQUE INDEX u ON orders (customer)", "DROP TABLE journal_timers"):
        broken = sqlite3.connect(":memory:")
        copy.backup(broken)
        broken.execute(harm)
        with pytest.raises((AssertionError, sqlite3.Error)):
            test_what_an_earlier_program_knew_is_there_as_it_was(broken, version)
    copy.execute("ALTER TABLE orders ADD COLUMN harmless TEXT")
    test_what_an_earlier_program_knew_is_there_as_it_was(copy, version)


def test_a_real_earlier_program_serves_the_store_and_gives_it_back(tmp_path, monkeypatch):
    previous = os.environ.get("FEIRA_PREVIOUS")
    if not previous:
        pytest.skip("FEIRA_PREVIOUS names no earlier program")
    with open_shop(tmp_path) as shop:
        sku = shop.product(stock=50)
        placed = [shop.place({sku: 1})["id"], shop.paid_order({sku: 1})["id"]]
    now = server.program()
    monkeypatch.setattr(server, "program", lambda: pathlib.Path(previous).resolve())
    with Shop(tmp_path) as shop:
        shop.server.start()
        for order in placed:
            ok(shop.sk.request("GET", f"/v1/orders/{order}"), 200)
        body = {"lines": [{"sku": sku, "qty": 1}], "expected_total": 1000}
        placed.append(ok(shop.sk.request("POST", "/v1/orders", body, idempotency=unique("old")), 201)["id"])
        ok(shop.sk.request("POST", f"/v1/orders/{placed[0]}/payments", {"provider": "test"}, idempotency=unique("pay")), 200, 201)
    monkeypatch.setattr(server, "program", lambda: now)
    with Shop(tmp_path) as shop:
        shop.server.start()
        for order in placed:
            ok(shop.sk.request("GET", f"/v1/orders/{order}"), 200)
        placed.append(shop.paid_order({sku: 1})["id"])
    checked = subprocess.run([now, "doctor", tmp_path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
