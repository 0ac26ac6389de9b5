"""scripts/bench orders, payments, timers: durable writes over HTTP beside a raw C loop that writes the same rows.

A small shop works under triggers first (trace.py): so the loop (tests/bench/replay.c) knows every row that an order, a payment or a timer makes, changes
or removes, whatever the schema is by now. It writes them with prepared statements through a connection opened as the shop's writer opens its
own, in batches as large as those that the server really had (commands by commits, from its metrics), and as many of them as the server did.
The two take turns, each on a file of its own that began the same; in the end both must have the same number of rows in every table.

A shop with a history is made once per program and schema, by the same loop, and kept in build/bench-stores: a million orders, the last of
them not yet paid, and the doctor finds nothing wrong with it."""

import atexit
import hashlib
import json
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time

from feira_tools import trace, wire
from feira_tools.server import ROOT, Server, build_dir, program

SHOP = ROOT / "tests" / "bench" / "orders"
STORES = ROOT / "build" / "bench-stores"
CATEGORIES = ("tea", "mugs", "books", "gifts")
STOCK = 1_000_000_000
FILL_BATCH = 1000
IMPORT_AT_ONCE = 20_000
PLACED = 1  # orders.state


# --- carts -----------------------------------------------------------------------------------------------------------------


def price(n):
    return 500 + n * 7919 % 5000


def category(n):
    return CATEGORIES[n % len(CATEGORIES)]


def import_catalogue(work, data, products):
    for first in range(0, products, IMPORT_AT_ONCE):
        with open(work / "catalogue.csv", "w") as f:
            f.write("sku,title,category,price,stock\n")
            for n in range(first, min(first + IMPORT_AT_ONCE, products)):
                f.write(f"P-{n:06d},Article number {n} of the bench,{category(n)},{price(n) / 100:.2f},{STOCK}\n")
        subprocess.run([str(program()), "import", str(SHOP), f.name, "--data", str(data)], check=True, stdout=subprocess.DEVNULL)


def line_total(n, qty):
    subtotal = price(n) * qty
    return subtotal - ((subtotal * 10 + 50) // 100 if category(n) == "tea" else 0)


def order_body(chance, products):
    lines, total = [], 0
    for n in chance.sample(range(products), 3):
        qty = chance.randint(1, 3)
        lines.append({"sku": f"P-{n:06d}", "qty": qty})
        total += line_total(n, qty)
    contact = {"name": "Ada Example", "phone": "+44 20 7946 0000"}
    address = {"line1": "1 Example Street", "city": "London", "postal_code": "N1 1AA", "country": "GB"}
    return {"lines": lines, "expected_total": total, "contact": contact, "address": address}


def write_orders(path, count, products):
    chance = random.Random(products)
    with open(path, "w") as f:
        for _ in range(count):
            f.write(f"POST /v1/orders\t{json.dumps(order_body(chance, products), separators=(',', ':'))}\n")


def write_payments(path, data):
    with sqlite3.connect(data / "shop.db") as db, open(path, "w") as f:
        for (order_id,) in db.execute("SELECT order_id FROM orders WHERE state = ? ORDER BY id", (PLACED,)):
            f.write(f'POST /v1/orders/{order_id}/payments\t{{"provider":"test"}}\n')
    db.close()


# --- programs --------------------------------------------------------------------------------------------------------------


class Load:
    """What the load generator says of one run."""

    def __init__(self, server, key, requests, seconds, **options):
        command = [str(build_dir() / "bench_load"), str(server.port), key, str(requests), "--seconds", str(seconds)]
        for name, value in options.items():
            if value is not True:
                command += [f"--{name}", str(value)]
        if options.get("once"):
            command.append("--once")
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            sys.exit(f"the load failed:\n{run.stdout}{run.stderr}")
        for name, value in json.loads(run.stdout).items():
            setattr(self, name, value)


class Replay:
    """The raw loop, on a store of its own."""

    def __init__(self, store, traced, passes, without=None):
        self.process = subprocess.Popen([str(build_dir() / "bench_replay"), str(store), str(traced), str(passes), *([without] if without else [])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, stage, commands, batch):
        self.process.stdin.write(f"run {stage} {commands} {max(1, batch):.3f}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the raw loop ended; see above")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit("the raw loop failed; see above")


def metric(server, name):
    text = wire.Client(server.port).request("GET", "/metrics").body.decode()
    return int(re.search(rf"^feira_{name} (\d+)", text, re.M).group(1))


def copy_data(data, to):
    """A stopped shop's data folder."""
    shutil.copytree(data, to, ignore=shutil.ignore_patterns("*.sock", "lock", "bench-*"))
    return to


# --- shops -----------------------------------------------------------------------------------------------------------------


def open_base(work, products):
    """The data of a shop that has sold one thing, so that every account exists."""
    data = work / "base"
    import_catalogue(work, data, products)
    with Server(SHOP, data=data) as server:
        client = wire.Client(server.port, server.keys()["sk"])
        placed = client.request("POST", "/v1/orders", order_body(random.Random(0), products), idempotency="first order")
        if placed.status != 201:
            sys.exit(f"the shop of the bench does not sell: {placed}")
        paid = client.request("POST", f"/v1/orders/{placed.json()['id']}/payments", {"provider": "test"}, idempotency="first payment")
        if paid.status != 201:
            sys.exit(f"the shop of the bench takes no payment: {paid}")
    this_hour = int(time.time() * 1000) // HOUR_MS
    deal_before(data, (this_hour, this_hour + 1))
    return data


HOUR_MS = 3600 * 1000


def deal_before(data, hours):
    """Each product was sold at each of its prices in these hours: so a payment changes the rows of deals of which it would otherwise add some, and
    how many depends on those before it."""
    db = sqlite3.connect(data / "shop.db")
    deals = {(product, line_total(int(sku[2:]), qty) // qty) for product, sku in db.execute("SELECT id, sku FROM products") for qty in (1, 2, 3)}
    for hour in hours:
        db.executemany(
            "INSERT OR IGNORE INTO deal_prices (product, hour, channel, price, units, first_at, last_at, last_order) VALUES (?1, ?3, '', ?2, 1, ?3, ?3, '')",
            [(product, unit, hour * HOUR_MS) for product, unit in sorted(deals)],
        )
    db.commit()
    db.close()


def hours_of_unpaid(data):
    with sqlite3.connect(data / "shop.db") as db:
        hours = [hour for (hour,) in db.execute(f"SELECT DISTINCT placed_at / {HOUR_MS} FROM orders WHERE state = ?", (PLACED,))]
    db.close()
    return hours


def make_trace(work, base, products, sample):
    """The path of a store in which `sample` orders were placed, and then paid, under triggers."""
    data = copy_data(base, work / "traced")
    store, requests = data / "shop.db", work / "requests"
    trace.install(store)
    with Server(SHOP, data=data) as server:
        keys = server.keys()
        write_orders(requests, sample, products)
        Load(server, keys["pk"], requests, 600, once=True)
        trace.stage(store, "place", "I journal_idempotency")
        write_payments(requests, data)
        Load(server, keys["sk"], requests, 600, once=True)
        trace.stage(store, "pay", "I journal_idempotency")
    return store


def fingerprint(*figures):
    """Of the program's Lua and schema, and of what writes the rows."""
    sources = sorted((ROOT / "stdlib").rglob("*.*")) + sorted((ROOT / "tests" / "bench").glob("*.[ch]")) + [pathlib.Path(__file__), *SHOP.rglob("*.lua")]
    sources += [ROOT / "runtime" / "ledger" / "schema.c", *sorted((ROOT / "runtime" / "journal").glob("*.c"))]
    sums = hashlib.sha256(repr(figures).encode())
    for path in sources:
        sums.update(path.read_bytes())
    return sums.hexdigest()[:16]


def doctor(data):
    run = subprocess.run([str(program()), "doctor", str(SHOP), "--data", str(data)], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"the doctor finds something wrong with {data}:\n{run.stdout}{run.stderr}")


def sum_hours(data):
    """What the ledger would catch up with while it is served, for some minutes; the doctor looks at it after this."""
    db = sqlite3.connect(data / "shop.db")
    db.execute("DELETE FROM ledger_hours")
    db.execute(
        "INSERT INTO ledger_hours SELECT account, hour, sum(debits), sum(credits) FROM ("
        " SELECT debit AS account, at_ms / 3600000 AS hour, amount AS debits, 0 AS credits FROM ledger_transfers WHERE +kind IN (0, 2)"
        " UNION ALL SELECT credit, at_ms / 3600000, 0, amount FROM ledger_transfers WHERE +kind IN (0, 2)) GROUP BY 1, 2"
    )
    db.execute("UPDATE ledger_summed SET seq = (SELECT max(seq) FROM ledger_transfers)")
    db.commit()
    db.close()


def shop_with(work, products, orders, waiting, sample):
    """(data folder, trace) of a shop with so many orders, of which `waiting` are still to be paid. Kept for the next time."""
    name = f"{products}-products-{orders}-orders-{waiting}-unpaid-{fingerprint(products, orders, waiting, sample)}"
    kept = STORES / name
    work = work / name
    if (kept / "bench-trace.db").exists():
        return kept, kept / "bench-trace.db"
    began = time.monotonic()
    for old in STORES.glob(f"{products}-products-{orders}-orders-{waiting}-unpaid-*"):
        shutil.rmtree(old)
    work.mkdir()
    base = open_base(work, products)
    traced = make_trace(work, base, products, sample)
    making = copy_data(base, work / "making")
    replay = Replay(making / "shop.db", traced, making / "bench-passes")
    for n in range(0, orders, sample):
        replay.run("place", sample, FILL_BATCH)
        if n + sample <= orders - waiting:
            replay.run("pay", sample, FILL_BATCH)
    replay.close()
    deal_before(making, hours_of_unpaid(making))
    sum_hours(making)
    doctor(making)
    STORES.mkdir(parents=True, exist_ok=True)
    shutil.move(making, kept)
    shutil.copy(traced, kept / "bench-trace.db")
    print(f"made a shop with {orders:,} orders and {products:,} products in {time.monotonic() - began:.0f} s: {kept.relative_to(ROOT)}, {(kept / 'shop.db').stat().st_size / 1e9:.1f} GB")
    return kept, kept / "bench-trace.db"


# --- the two beside each other ------------------------------------------------------------------------------------------------


def rows(data):
    """{table: rows}, of a store that nobody has open."""
    db = sqlite3.connect(data / "shop.db")
    counts = {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in trace.tables(db)}
    db.close()
    return counts


def cpu_seconds(server):
    """(of the thread that used most of it, the writer under this load; of all)."""
    tasks = [int((task / "schedstat").read_text().split()[0]) / 1e9 for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir()]
    return max(tasks), sum(tasks)


class Pair:
    """The server and the raw loop on copies of one store."""

    def __init__(self, work, data, traced, stage, without=None):
        self.stage = stage
        self.ours, self.raw = copy_data(data, work / "ours"), copy_data(data, work / "raw")
        if (data / "bench-passes").exists():
            shutil.copy(data / "bench-passes", self.raw / "bench-passes")
        self.before = rows(data)
        self.forget()
        self.done = 0
        self.server = Server(SHOP, data=self.ours).start()
        atexit.register(self.server.kill)  # also one that is stopped in its tracks
        self.replay = Replay(self.raw / "shop.db", traced, self.raw / "bench-passes", without)

    def forget(self):
        self.rates, self.raw_rates, self.batches, self.cpu = [], [], [], []

    def note(self, done, rate, batch, cpu, raw):
        """cpu: as cpu_seconds() before."""
        self.rates.append(rate)
        self.batches.append(batch)
        self.raw_rates.append(raw["rate"])
        now = cpu_seconds(self.server)
        self.cpu.append([1e6 * x / done for x in (now[0] - cpu[0], now[1] - cpu[1], raw["cpu"])])

    def run_raw(self, commands, batch):
        """The server is stopped in its tracks meanwhile: what it puts off while there is load must not slow down the other."""
        self.server.process.send_signal(signal.SIGSTOP)
        raw = self.replay.run(self.stage, commands, batch)
        self.server.process.send_signal(signal.SIGCONT)
        return raw

    def round(self, load):
        """load() gives how many commands were done, and how many a second; then the raw loop does as many, in such batches."""
        commands, commits, cpu = metric(self.server, "writer_commands_total"), metric(self.server, "writer_commits_total"), cpu_seconds(self.server)
        done, rate = load()
        commands, commits = metric(self.server, "writer_commands_total") - commands, metric(self.server, "writer_commits_total") - commits
        batch = commands / max(1, commits)
        raw = self.run_raw(done, batch)
        self.done += done
        self.note(done, rate, batch, cpu, raw)

    def ratio(self, name):
        ours, raw, batch = (statistics.median(x) for x in (self.rates, self.raw_rates, self.batches))
        print(f"{name}: {ours:,.0f} /s (from {min(self.rates):,.0f} to {max(self.rates):,.0f}) in batches of {batch:.1f}; the raw loop {raw:,.0f} /s; ratio {ours / raw:.2f}")
        writer, every, of_raw = (statistics.median(x) for x in zip(*self.cpu))
        print(f"{name}, CPU each: {writer:.1f} us of the writer, {every:.1f} us of all its threads, {of_raw:.1f} us of the raw loop")
        return ours / raw

    def close(self):
        """Ends with a message when the two did not write the same."""
        self.server.terminate()
        self.replay.close()
        ours, raw = rows(self.ours), rows(self.raw)
        each = []
        for table, before in self.before.items():
            mine, peer = (after[table] - before for after in (ours, raw))
            if abs(mine - peer) > max(10, self.done // 1000):
                sys.exit(f"the two do not write the same: {self.done} times {self.stage} are {mine} rows of {table} in the shop, {peer} in the raw loop's store")
            if abs(mine) > self.done // 2:
                each.append(f"{table} {mine / self.done:+.2f}")
        grown = [(folder / "shop.db").stat().st_size for folder in (self.ours, self.raw)]
        print(f"{self.done:,} times {self.stage}; rows each, in both: {', '.join(each)}; files of {grown[0] / 1e6:.0f} and {grown[1] / 1e6:.0f} MB")
        doctor(self.ours)
        shutil.rmtree(self.ours)
        shutil.rmtree(self.raw)


def self_test(args, work):
    """Whether a raw loop that leaves out a row of each order is found out."""
    data, traced = shop_with(work, 100, 0, 0, 100)
    pair = Pair(work, data, traced, "place", without="order_contacts")
    write_orders(work / "orders", 100, 100)

    def load():
        got = Load(pair.server, pair.server.keys()["pk"], work / "orders", 10, once=True)
        return got.answers, got.rate

    pair.round(load)
    try:
        pair.close()
    except SystemExit as e:
        print(f"found out, as it should be: {e}")
        return 0
    sys.exit("a raw loop that writes less than the shop was not found out")


def measure(args, work, data, traced, stage, name, requests, key, once):
    """The ratio in one shop."""
    pair = Pair(work, data, traced, stage)
    secret = pair.server.keys()[key]
    state = {"next": 0}

    def load(seconds, **options):
        got = Load(pair.server, secret, requests, seconds, first=state["next"], once=once, **options)
        state["next"] += got.answers if once else 0
        return got

    def full():
        got = load(args.seconds)
        return got.answers, got.rate

    pair.round(full)  # warm
    pair.forget()
    for _ in range(args.rounds):
        pair.round(full)
    ratio = pair.ratio(name)
    half = load(args.seconds, rate=round(statistics.median(pair.rates) / 2), connections=256)
    print(f"{name}, at half that load: {half.rate:,.0f} /s; p50 {half.p50_ms:.2f} ms, p99 {half.p99_ms:.2f} ms, at most {half.max_ms:.1f} ms")
    pair.done += half.answers
    pair.replay.run(stage, half.answers, 8)
    pair.close()
    return ratio


def sizes(args):
    """(name, products, orders) of the shops."""
    return [
        (f"a shop with {args.orders:,} orders and {args.products:,} products", args.products, args.orders),
        (f"an empty shop of {min(args.products, 1000):,} products", min(args.products, 1000), 0),
    ]


def bench_orders(args, work):
    ratios = []
    requests = work / "orders"
    for name, products, orders in sizes(args):
        data, traced = shop_with(work, products, orders, args.unpaid if orders else 0, args.sample)
        write_orders(requests, 4 * args.sample, products)
        ratios.append(measure(args, work, data, traced, "place", f"orders in {name}", requests, "pk", once=False))
    return min(ratios)


def bench_payments(args, work):
    ratios = []
    requests = work / "payments"
    for name, products, orders in sizes(args):
        data, traced = shop_with(work, products, orders or args.unpaid, args.unpaid, args.sample)
        write_payments(requests, data)
        ratios.append(measure(args, work, data, traced, "pay", f"payments in {name}", requests, "sk", once=True))
    return min(ratios)


# --- timers ----------------------------------------------------------------------------------------------------------------

SOON_MS, LATE_MS = 10_000, 40 * 86_400_000  # due before the trace ends; not due while any bench lasts
MOST_A_SECOND = 80_000  # more than any machine sets; each name is used once


def write_reminders(path, count, within_ms):
    """Names of the form of ids, that nobody had before: the replay gives its own the same form."""
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    first = time.time_ns() // 1_000_000 << 80 | random.getrandbits(40) << 40
    with open(path, "w") as f:
        for n in range(first, first + count):
            name = "".join(digits[n >> shift & 31] for shift in range(125, -1, -5))
            f.write(f'POST /v1/x/reminders/reminders/rem_{name}\t{{"within_ms":{within_ms}}}\n')


def wait_until(seconds, what, true):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            sys.exit(f"{what} did not happen within {seconds} s")
        time.sleep(0.02)


def trace_timers(work, base, sample):
    data = copy_data(base, work / "traced")
    store, requests = data / "shop.db", work / "requests"
    trace.install(store)
    with Server(SHOP, data=data) as server:
        for stage, within_ms in (("set", LATE_MS), ("get-ready", SOON_MS)):
            write_reminders(requests, sample, within_ms)
            Load(server, server.keys()["pk"], requests, 600, once=True)
            trace.stage(store, stage, "I journal_idempotency")
        if metric(server, "timers_fired_total"):
            sys.exit("timers were due before all were set; take a smaller --sample")
        wait_until(60, "firing", lambda: metric(server, "timers_fired_total") == sample)
        trace.stage(store, "fire", "D journal_timers")
    return store


def shop_with_timers(work, pending, due, sample):
    """(data, trace) of a shop in which so many timers wait, and so many are due. Kept for the next time."""
    kept = STORES / f"{pending}-timers-{due}-due-{fingerprint(pending, due, sample)}"
    work = work / kept.name
    if (kept / "bench-trace.db").exists():
        return kept, kept / "bench-trace.db"
    for old in STORES.glob(f"{pending}-timers-{due}-due-*"):
        shutil.rmtree(old)
    work.mkdir()
    base = open_base(work, 100)
    traced = trace_timers(work, base, sample)
    making = copy_data(base, work / "making")
    replay = Replay(making / "shop.db", traced, making / "bench-passes")
    # Each pass that gets ready has set before, so the least that wait are as many as are due.
    for _ in range(0, max(pending, due), sample):
        replay.run("set", sample, FILL_BATCH)
    for _ in range(0, due, sample):
        replay.run("get-ready", sample, FILL_BATCH)
    replay.close()
    STORES.mkdir(parents=True, exist_ok=True)
    shutil.move(making, kept)
    shutil.copy(traced, kept / "bench-trace.db")
    return kept, kept / "bench-trace.db"


def resident_mb(server):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{server.process.pid}/status").read_text()).group(1)) / 1024


def idle(work, data, seconds, name):
    """What a server costs of which nobody wants anything."""
    with Server(SHOP, data=copy_data(data, work / "idle")) as server:
        time.sleep(2)
        before = cpu_seconds(server)[1]
        time.sleep(seconds)
        print(f"idle, {name}: {(cpu_seconds(server)[1] - before) / seconds * 1000:.2f} ms of CPU a second, {resident_mb(server):.0f} MB resident")
    shutil.rmtree(work / "idle")


def fired_and_commits(server):
    return metric(server, "timers_fired_total"), metric(server, "writer_commits_total")


def measure_firing(args, work, data, traced, due, name):
    """All are due when the server starts."""
    pair = Pair(work, data, traced, "fire")
    fired, commits = before = fired_and_commits(pair.server)
    while fired < due:
        began, cpu = time.monotonic(), cpu_seconds(pair.server)
        while time.monotonic() < began + args.seconds and fired < due:
            time.sleep(0.05)
            fired, commits = fired_and_commits(pair.server)
        seconds = time.monotonic() - began
        batch = (fired - before[0]) / max(1, commits - before[1])
        raw = pair.run_raw(fired - pair.done, batch)
        if seconds >= args.seconds / 2 or not pair.rates:
            pair.note(fired - before[0], (fired - before[0]) / seconds, batch, cpu, raw)
        pair.done = fired
        before = fired_and_commits(pair.server)
    ratio = pair.ratio(name)
    pair.close()
    return ratio


def bench_timers(args, work):
    ratios = []
    for pending, what in ((args.pending, f"while {args.pending:,} timers wait"), (0, "in a shop without timers")):
        data, traced = shop_with_timers(work, pending, 0, args.sample)
        requests = work / "reminders"
        idle(work, data, 5, what)
        write_reminders(requests, MOST_A_SECOND * args.seconds * (args.rounds + 3), LATE_MS)
        ratios.append(measure(args, work, data, traced, "set", f"timers set {what}", requests, "pk", once=True))
        data, traced = shop_with_timers(work, pending, args.due, args.sample)
        ratios.append(measure_firing(args, work, data, traced, args.due, f"timers fired {what}"))
    return min(ratios)


BENCHES = {"orders": bench_orders, "payments": bench_payments, "timers": bench_timers}


def bench(args):
    subprocess.run([str(ROOT / "scripts" / "build"), "release", "feira", "bench_load", "bench_replay"], check=True)
    work = STORES / f"work-{time.time_ns()}"  # on the disk that is meant, and on the same as the stores
    work.mkdir(parents=True)
    try:
        if args.self_test:
            return self_test(args, work)
        ratio = BENCHES[args.what](args, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"ratio {ratio:.2f}")
    return 0
