"""What a shop does to its rows, written down by triggers while it is served; tests/bench/trace.h reads it again."""

import sqlite3

COLUMNS = 40  # TRACE_COLUMNS
# What the shop catches up with by itself, now and then, is no part of an order or a payment.
BY_ITSELF = ("ledger_hours", "ledger_summed")


def tables(db):
    """{name: [column, ...]} of all tables of the shop."""
    names = db.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'bench_%'")
    return {name: [row[1] for row in db.execute(f"PRAGMA table_info('{name}')")] for (name,) in names.fetchall() if name not in BY_ITSELF}


def install(path):
    """From now on each change of a row leaves a row in bench_trace, in the same transaction. Sums of accounts do not: how often they are
    written depends on the batches, and the replay does it as the ledger does."""
    db = sqlite3.connect(path)
    db.execute(f"CREATE TABLE bench_trace (seq INTEGER PRIMARY KEY, tbl TEXT, op TEXT, changed INTEGER, {', '.join(f'c{i}' for i in range(COLUMNS))})")
    db.execute("CREATE TABLE bench_stages (name TEXT, mark TEXT, last INTEGER)")
    for name, columns in tables(db).items():
        into = f"INSERT INTO bench_trace (tbl, op, changed, {', '.join(f'c{i}' for i in range(len(columns)))}) VALUES ('{name}'"
        new, old = (", ".join(f'{row}."{column}"' for column in columns) for row in ("NEW", "OLD"))
        changed = " | ".join(f'((NEW."{column}" IS NOT OLD."{column}") << {i})' for i, column in enumerate(columns))
        db.execute(f"CREATE TRIGGER bench_i_{name} AFTER INSERT ON \"{name}\" BEGIN {into}, 'I', 0, {new}); END")
        db.execute(f"CREATE TRIGGER bench_d_{name} AFTER DELETE ON \"{name}\" BEGIN {into}, 'D', 0, {old}); END")
        if name != "ledger_accounts":
            db.execute(f"CREATE TRIGGER bench_u_{name} AFTER UPDATE ON \"{name}\" BEGIN {into}, 'U', {changed}, {new}); END")
    db.commit()
    db.close()


def stage(path, name, mark):
    """What was done since the last stage has this name. mark: the change that each command makes once, and last: "I journal_idempotency"."""
    db = sqlite3.connect(path, timeout=30)
    db.execute("INSERT INTO bench_stages SELECT ?, ?, coalesce(max(seq), 0) FROM bench_trace", (name, mark))
    db.commit()
    db.close()
