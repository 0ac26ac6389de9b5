"""scripts/bench campaigns: what a quote costs when very many campaigns are live, of which about the same twenty can apply to its cart.

Each size is a shop of its own with one worker, all of them served at once; wrk asks them in turn, and in each round the order is turned around. The
first twenty campaigns are the same everywhere (with a size below twenty, the first of them); the others are filed under what this cart does not
have: categories, SKUs, tags, makers, codes, segments, regions, amounts that it does not come to, and windows that are over or have not come
of categories that it does have. The totals of all shops with the twenty are compared first: they are equal, or the bench fails.

In process the same carts under the same campaigns are priced by quote_campaigns_bench, without HTTP and without an answer. `ratio` is over HTTP:
the rate with the most campaigns over that with a hundred, in the same round; the median of the rounds.

Then carts of several lengths under the middle size, and publishing: how long it takes until one changed campaign is live among all the others, and
what those who ask for quotes meanwhile notice."""

import csv
import json
import pathlib
import re
import statistics
import subprocess
import sys
import threading
import time

from feira_tools import wire
from feira_tools.server import ROOT, Server, build_dir, program

CART_LINES, FILE_CAMPAIGNS = 20, 1000
LENGTHS = (1, 20, 100, 500)
QUOTES_PER_S = 300  # while rules are published
KINDS = ("tea/green", "mugs", "books", "gifts")
SHIPPING = [{"id": "standard", "title": "Standard", "rates": [{"price": "4.95"}]}]

# --- what is sold ---------------------------------------------------------------------------------------------------------------


def product(i):
    return {
        "sku": f"B-{i + 1:03}", "category": KINDS[i % 4], "tags": ["in-season"] + (["spring"] if i % 3 == 0 else []),
        "brand": "house" if i % 2 else "", "price": 990 + 137 * (i % 40),
    }  # fmt: skip


def cart(count):
    """As the bench in process reads it; over HTTP only sku and qty are sent."""
    lines = [{**product(i), "qty": 1 + i % 4} for i in range(count)]
    return {"lines": lines, "codes": ["BENCH"], "shipping": SHIPPING}


def body(count):
    lines = [{"sku": line["sku"], "qty": line["qty"]} for line in cart(count)["lines"]]
    return json.dumps({"lines": lines, "codes": ["BENCH"], "shipping": {"option": "standard"}}, separators=(",", ":"))


def write_catalogue(path):
    with open(path, "w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(["sku", "title", "category", "tags", "price"])
        for i in range(max(LENGTHS)):
            p = product(i)
            writer.writerow([p["sku"], f"Article number {i + 1} of the bench", p["category"], ",".join(p["tags"]), f"{p['price'] // 100}.{p['price'] % 100:02}"])
        for i in range(2000):
            writer.writerow([f"O-{i:04}", f"Another article, number {i}", f"other-{i % 400}", f"range-{i % 300}", "12.50"])


# --- campaigns, in the form of the kernel -------------------------------------------------------------------------------------------


def off(percent, **more):
    return {"percent_off": {"percent": percent, **more}}


def steps(*pairs):
    return [{"at": at, "give": off(percent)} for at, percent in pairs]


TWENTY = [
    {"id": "mugs-3-for-2", "priority": 90, "scope": {"category": ["mugs"]}, "give": {"buy_get": {"buy": 2, "get": 1}}},
    {"id": "tea-20", "priority": 80, "scope": {"category": ["tea"]}, "give": off(20, cap="15.00")},
    {"id": "spring", "priority": 70, "scope": {"tag": ["spring"]}, "give": off(10)},
    {"id": "collector", "priority": 60, "scope": {"sku": ["B-001", "B-007"]}, "give": off(12.5)},
    {"id": "books", "priority": 55, "scope": {"category": ["books"]}, "give": {"tiered": {"by": "qty", "steps": steps((1, 4), (5, 8))}}},
    {"id": "bulk", "priority": 40, "when": {"qty": {"at_least": 40}}, "give": off(3)},
    {"id": "every-100", "priority": 30, "give": {"amount_off": {"amount": "5.00", "every": "100.00", "cap": "25.00"}}},
    {"id": "code", "priority": 20, "when": {"coupon": ["BENCH"]}, "give": {"amount_off": {"amount": "8.00"}}},
    {"id": "large", "priority": 10, "when": {"subtotal": {"at_least": "300.00"}}, "give": off(1)},
    {"id": "free-delivery", "when": {"subtotal": {"at_least": "50.00"}}, "give": {"free_shipping": {}}},
    {"id": "gifts-second", "priority": 50, "scope": {"category": ["gifts"]}, "give": {"nth_unit": {"n": 2, "percent": 30}}},
    {"id": "green", "priority": 49, "scope": {"category": ["tea/green"]}, "give": off(5)},
    {"id": "house", "priority": 48, "scope": {"none": [{"category": ["books"]}]}, "give": off(4)},
    {"id": "season", "priority": 47, "scope": {"tag": ["in-season"]}, "give": {"amount_off": {"amount": "0.10", "per": "unit"}}},
    {"id": "pair", "priority": 46, "when": {"sku": ["B-001"]}, "give": {"bundle": {"items": [{"of": {"sku": ["B-001"]}}, {"of": {"sku": ["B-002"]}}], "percent": 10}}},
    {"id": "books-free", "priority": 45, "scope": {"category": ["books"]}, "when": {"qty": {"at_least": 6}}, "give": {"cheapest_free": {}}},
    {"id": "gift-for-9", "priority": 44, "scope": {"category": ["gifts"]}, "give": {"fixed_price": {"price": "9.90", "max_units": 1}}},
    {"id": "dear", "priority": 43, "scope": {"unit_price": {"at_least": "30.00"}}, "give": off(2)},
    {"id": "mug-set", "priority": 42, "scope": {"category": ["mugs"]}, "give": {"n_for": {"n": 4, "price": "49.00", "max_sets": 2}}},
    {"id": "any-day", "priority": 5, "when": {"weekday": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]}, "give": off(1, cap="1.00")},
]  # fmt: skip


def other(i):
    """One that can't apply, whatever the day."""
    day, month = 1 + i % 28, 1 + i // 28 % 12
    one = [
        lambda: {"scope": {"category": [f"other-{i % 400}"]}, "give": off(5)},
        lambda: {"scope": {"sku": [f"O-{i % 2000:04}"]}, "give": {"amount_off": {"amount": "1.00"}}},
        lambda: {"scope": {"tag": [f"range-{i % 300}"]}, "give": {"buy_get": {"buy": 2, "get": 1}}},
        lambda: {"when": [{"coupon": [f"CODE{i}"]}, {"subtotal": {"at_least": "20.00"}}], "give": {"amount_off": {"amount": "5.00"}}},
        lambda: {"when": {"customer_tag": [f"segment-{i % 200}"]}, "give": off(3)},
        lambda: {"scope": {"category": ["tea"]}, "window": {"from": f"2019-{month:02}-{day:02}", "to": f"2020-{month:02}-{day:02}"}, "give": off(7)},
        lambda: {"scope": {"category": ["mugs"]}, "when": {"subtotal": {"at_least": f"{90000 + i % 1000}.00"}}, "give": off(6)},
        lambda: {"when": [{"region": [f"R{i % 250}"]}, {"subtotal": {"at_least": "30.00"}}], "give": {"shipping_off": {"amount": "2.00"}}},
        lambda: {"scope": {"brand": [f"maker-{i % 300}"]}, "give": {"n_for": {"n": 3, "price": "20.00"}}},
        lambda: {"scope": {"category": ["books"]}, "window": {"from": f"2090-{month:02}-{day:02}"}, "give": off(9)},
    ]  # fmt: skip
    return {"id": f"other-{i}", **one[i % len(one)]()}


def campaigns(size):
    return TWENTY[:size] + [other(i) for i in range(max(0, size - len(TWENTY)))]


# --- the same in Lua ------------------------------------------------------------------------------------------------------------------

WORDS = {"sku", "brand", "tag", "category", "unit_price", "all", "any", "none", "subtotal", "qty", "coupon", "customer_tag", "region", "weekday"}
WORDS |= {"percent_off", "amount_off", "buy_get", "fixed_price", "nth_unit", "cheapest_free", "n_for", "bundle", "tiered", "shipping_off", "free_shipping"}


def lua(v):
    if isinstance(v, dict) and len(v) == 1 and next(iter(v)) in WORDS:
        word, inside = next(iter(v.items()))
        return f"promo.{word} {lua(inside)}"
    if isinstance(v, dict):
        return "{ " + ", ".join(f"{name} = {lua(x)}" for name, x in v.items()) + " }"
    if isinstance(v, list):
        return "{ " + ", ".join(lua(x) for x in v) + " }"
    return f'"{v}"' if isinstance(v, str) else str(v)


def write_file(path, specs):
    path.write_text('local promo = require "feira.promo"\nreturn {\n' + "".join(f"  promo.campaign {lua(s)},\n" for s in specs) + "}\n", encoding="utf-8")


def write_shop(folder, size):
    (folder / "campaigns").mkdir(parents=True)
    (folder / "shop.lua").write_text(f'return {{ name = "Bench", currency = "GBP", zone = "Europe/London", shipping = {lua(SHIPPING)} }}\n', encoding="utf-8")
    specs = campaigns(size)
    for i in range(0, len(specs), FILE_CAMPAIGNS):
        write_file(folder / "campaigns" / f"part-{i // FILE_CAMPAIGNS:03}.lua", specs[i : i + FILE_CAMPAIGNS])


# --- in process ---------------------------------------------------------------------------------------------------------------------------


def in_process(carts, sizes, work, on_one):
    """[{"lines", "campaigns", "looked_at", "applied", "ns", ...}] for each cart under each size."""
    paths = []
    for n in carts:
        paths.append(work / f"cart-{n}.json")
        paths[-1].write_text(json.dumps(cart(n)))
    paths.append("--")
    for size in sizes:
        paths.append(work / f"campaigns-{size}.json")
        if not paths[-1].exists():
            paths[-1].write_text(json.dumps(campaigns(size)))
    done = subprocess.run([*on_one, str(build_dir() / "runtime" / "quote" / "quote_campaigns_bench"), *map(str, paths)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


# --- over HTTP ------------------------------------------------------------------------------------------------------------------------------


class Shop:
    def __init__(self, work, size, wrap):
        self.folder, self.size = work / f"shop-{size}", size
        write_shop(self.folder, size)
        write_catalogue(work / "catalogue.csv")
        subprocess.run([str(program()), "import", str(self.folder), str(work / "catalogue.csv")], check=True, stdout=subprocess.DEVNULL)
        self.serve(wrap)

    def serve(self, wrap=()):
        began = time.monotonic()
        self.server = Server(self.folder, workers=1, wrap=wrap, start_seconds=300).start()
        self.start_s = time.monotonic() - began
        self.worker = None
        self.key = self.server.keys()["pk"]
        for _ in range(3):
            self.quote()

    def quote(self):
        client = wire.Client(self.server.port, self.key)
        answer = client.request("POST", "/v1/quotes", body(CART_LINES).encode())
        client.close()
        if answer.status != 200:
            sys.exit(f"{self.size} campaigns: {answer}")
        told = answer.json()
        return told["total"], sorted((c["id"], c["amount"]) for c in told["campaigns"] if c["applied"])

    def memory_kib(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def threads(self):
        """{thread: (nanoseconds it had a processor, nanoseconds it waited for one)}"""
        tasks = pathlib.Path(f"/proc/{self.server.process.pid}/task").glob("*/schedstat")
        return {path.parent.name: tuple(map(int, path.read_text(encoding="ascii").split()[:2])) for path in tasks}

    def cpu_ns(self):
        return sum(cpu for cpu, _ in self.threads().values())

    def target(self, lines=CART_LINES):
        return {"port": self.server.port, "path": "/v1/quotes", "body": body(lines), "key": self.key}


def in_turns(args, asked, work, wrk):
    """asked: {name: (shop, lines)}. Two dicts by name, of a list each: the rate of each round, and the processor's time that a quote took."""
    rates, cpu_us = {name: [] for name in asked}, {name: [] for name in asked}
    for shop, lines in asked.values():
        wrk(seconds=1, work=work, **shop.target(lines))
    for n in range(args.rounds):
        for name in list(asked) if n % 2 == 0 else list(asked)[::-1]:
            shop, lines = asked[name]
            before = shop.cpu_ns()
            rate = wrk(seconds=args.seconds, work=work, **shop.target(lines))[0]
            rates[name].append(rate)
            cpu_us[name].append((shop.cpu_ns() - before) / 1000 / (rate * args.seconds))
    return rates, cpu_us


def bench_sizes(args, shops, work, wrk, on_one):
    few = [s for s in shops if s.size >= len(TWENTY)]
    answers = {s.size: s.quote() for s in shops}
    if any(answers[s.size] != answers[few[0].size] for s in few):
        sys.exit(f"the answers differ: {answers}")
    print(f"a cart of {CART_LINES} lines; {len(answers[few[0].size][1])} campaigns apply, total {answers[few[0].size][0]}, in all shops with the twenty")
    inside = {r["campaigns"]: r for r in in_process([CART_LINES], [s.size for s in shops], work, on_one)}
    rates, cpu_us = in_turns(args, {s.size: (s, CART_LINES) for s in shops}, work, wrk)
    smallest = shops[0]
    print(f"{args.rounds} rounds of {args.seconds} s, medians; CPU: the processor's time for one quote")
    print("build: of the rules with their index; memory: what one campaign more costs, of these, and of the server that has its sources and its tree, too")
    print(f"{'campaigns':>10} {'looked at':>10} {'in process, CPU':>16} {'over HTTP':>12} {'CPU':>10} {'build':>11} {'memory':>8} {'server':>9} {'start':>8}")
    for s in shops:
        r, more = inside[s.size], s.size - smallest.size
        rules = f"{(r['bytes'] - inside[smallest.size]['bytes']) / more:,.0f} B" if more else ""
        server = f"{(s.memory_kib() - smallest.memory_kib()) * 1024 / more:,.0f} B" if more else ""
        http, cpu = statistics.median(rates[s.size]), statistics.median(cpu_us[s.size])
        print(f"{s.size:>10,} {r['looked_at']:>10} {r['ns'] / 1000:>13,.1f} µs {http:>9,.0f} /s {cpu:>7,.1f} µs {r['build_ms']:>8,.1f} ms {rules:>8} {server:>9} {s.start_s:>6.1f} s")
    hundred = rates[few[0].size]
    return statistics.median(most / least for most, least in zip(rates[shops[-1].size], hundred))


def bench_lengths(args, shop, work, wrk, on_one):
    inside = {r["lines"]: r for r in in_process(LENGTHS, [shop.size], work, on_one)}
    rates, cpu_us = in_turns(args, {n: (shop, n) for n in LENGTHS}, work, wrk)
    print(f"carts of several lengths, {shop.size:,} campaigns; a line: what each line costs beyond those of the row above")
    print(f"{'lines':>6} {'in process, CPU':>15} {'a line':>10} {'over HTTP':>12} {'CPU':>12} {'a line':>10}")
    before = None
    for n in LENGTHS:
        ns, http = inside[n]["ns"], 1000 * statistics.median(cpu_us[n])
        more = [f"{(now - then) / (n - before[0]):,.0f} ns" if before else "" for now, then in zip((ns, http), before[1:] if before else (0, 0))]
        print(f"{n:>6} {ns / 1000:>12,.1f} µs {more[0]:>10} {statistics.median(rates[n]):>9,.0f} /s {http / 1000:>9,.1f} µs {more[1]:>10}")
        before = (n, ns, http)


# --- publishing -----------------------------------------------------------------------------------------------------------------------------


def ask_for(shop, seconds, work):
    """Quotes at a steady rate, each due at its moment; what bench_load saw, and how the worker's thread spent the time, per quote."""
    requests = work / "requests"
    requests.write_text(f"POST /v1/quotes\t{body(CART_LINES)}\n")
    command = [str(build_dir() / "bench_load"), str(shop.server.port), shop.key, str(requests), "--connections", "16", "--seconds", str(seconds), "--rate", str(QUOTES_PER_S)]
    before = shop.threads()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"quotes failed while rules were published:\n{done.stderr}")
    seen = json.loads(done.stdout.splitlines()[-1])
    spent = {t: tuple((now - then) / 1000 / seen["answers"] for now, then in zip(times, before[t])) for t, times in shop.threads().items() if t in before}
    shop.worker = shop.worker or max(spent, key=lambda t: spent[t][0])  # asked first when nothing else goes on
    seen["cpu_us"], seen["wait_us"] = spent[shop.worker]
    return seen


def said(name, rounds):
    worst = {key: max(r[key] for r in rounds) for key in ("p50_ms", "p99_ms", "max_ms", "cpu_us", "wait_us")}
    print(
        f"{name} p50 {worst['p50_ms']:.2f} ms, p99 {worst['p99_ms']:.2f} ms, slowest {worst['max_ms']:.1f} ms; "
        f"a quote had a processor for {worst['cpu_us']:.0f} µs, and waited {worst['wait_us']:.0f} µs for one"
    )


def bench_publish(args, shop, work):
    client = wire.Client(0, path=shop.server.data / "feira.sock", timeout=300)
    calm = ask_for(shop, args.seconds, work)
    took, times = [], args.publishes or 3

    def publish():
        for _ in range(times):
            first = campaigns(shop.size)[:FILE_CAMPAIGNS]
            first[0] = {**first[0], "title": f"Mugs, at {time.time_ns()}"}
            write_file(shop.folder / "campaigns" / "part-000.lua", first)
            began = time.monotonic()
            answer = client.request("POST", "/v1/generations", {}, idempotency=f"publish-{time.time_ns()}")
            took.append(time.monotonic() - began)
            if answer.status != 200 or answer.json()["result"] != "live":
                sys.exit(f"publishing: {answer}")

    thread = threading.Thread(target=publish)
    busy = []
    thread.start()
    while thread.is_alive() or not busy:
        busy.append(ask_for(shop, args.seconds, work))
    if len(took) != times:
        sys.exit("publishing ended before its time")
    print(f"publishing one changed campaign of {shop.size:,}: live after {statistics.median(took):.2f} s (from {min(took):.2f} to {max(took):.2f}), {times} times")
    print(f"{QUOTES_PER_S} quotes a second meanwhile, none of which failed; the worst of {len(busy)} rounds:")
    said("  with publishing:   ", busy)
    said("  without:           ", [calm])


def bench(args, work, wrk, on_one):
    subprocess.run([str(ROOT / "scripts" / "build"), "release", "quote_campaigns_bench", "bench_load"], check=True, stdout=subprocess.DEVNULL)
    sizes = sorted(int(s) for s in args.live.split(","))
    if sizes[-1] < 100:
        sys.exit("--live needs a size of 100 or more: the ratio is of the largest over the first that has the twenty")
    shops = []
    try:
        for size in sizes:
            shops.append(Shop(work, size, on_one))
        ratio = bench_sizes(args, shops, work, wrk, on_one)
        bench_lengths(args, shops[len(shops) // 2], work, wrk, on_one)
        most = shops[-1]
        most.server.terminate()
        most.serve()  # on all cores: what is built beside the worker has one, as it would in a shop
        bench_publish(args, most, work)
    finally:
        for s in shops:
            s.server.kill()
    return ratio
