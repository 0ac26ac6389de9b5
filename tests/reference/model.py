"""A slow, obvious model of the quote engine, written from runtime/quote/README.md: whole numbers and fractions, every unit a thing of its own,
every permitted set tried. `broken` holds words that plant a mistake each (run --break): what compares must notice them."""

import datetime
import json
from fractions import Fraction
from itertools import combinations

PPM = 1_000_000
STAGES = {"item": 0, "order": 1, "shipping": 2}
LANES = {"pre": 0, "default": 1, "post": 2}
OWN_STAGE = {"amount_off": "order", "gift": "order", "add_on_price": "order", "grant": "order", "shipping_off": "shipping", "free_shipping": "shipping"}
BREAKS = ("order", "rounding", "ties", "cap", "every", "units", "cheapest", "set", "step", "thresholds", "group", "lane", "stop", "best", "rate", "tax",
          "weekday", "code", "gate", "history", "gift", "add_on", "list", "grant")


def money(text):
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int((part + "00")[:2])


def ppm(percent):
    return int(Fraction(str(percent)) * 10_000)


def span(text):
    return int(text[:-1]) * {"h": 3_600_000, "d": 86_400_000}[text[-1]]


def listed(v):
    return v if isinstance(v, list) else [v]


def rounded(x, mode):
    """A fraction, never negative here, to a whole number."""
    low = x.numerator // x.denominator
    rest = x - low
    if rest == 0 or mode in ("down", "floor"):
        return low
    if mode in ("up", "ceiling"):
        return low + 1
    half = Fraction(1, 2)
    if rest != half:
        return low + (rest > half)
    if mode == "half_even":
        return low + low % 2
    return low + (mode == "half_away")


def split(total, weights, ties_late=False):
    """Largest remainder, ties to the earlier."""
    if total == 0:
        return [0] * len(weights)
    whole = sum(weights)
    shares = [total * w // whole for w in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), -i if ties_late else i))
    for i in order[: total - sum(shares)]:
        shares[i] += 1
    return shares


class Refused(Exception):
    """The cart can't be priced; says which field is wrong."""


class Turn:
    """What one campaign does to the cart: what it takes off each line, and what it wants of shipping."""

    def __init__(self, prices):
        self.prices = prices  # what each line costs when its turn comes
        self.off = [0] * len(prices)
        self.shipping = []
        self.gifts = []  # (what is given, how often)
        self.granted = False

    def left(self, i):
        return self.prices[i] - self.off[i]

    def take(self, i, amount):
        amount = min(amount, self.left(i))
        self.off[i] += amount


class Model:
    def __init__(self, rules, broken=()):
        self.policies = {"stacking": "priority", "lanes": "all", "rounding": "half_away", "percent_base": "remaining", "thresholds": "remaining",
                         "code_case": "ignore"}
        self.policies.update(rules.get("policies") or {})
        self.price_lists = [c for c in rules["rules"] if not c.get("gate") and "price_list" in listed(c["give"])[0]]
        self.campaigns = [c for c in rules["rules"] if not c.get("gate") and c not in self.price_lists]
        self.shelf = rules.get("shelf") or {}
        self.gates = [c for c in rules["rules"] if c.get("gate")]
        self.asks_for_codes = '"coupon"' in json.dumps(rules["rules"])
        self.table = rules.get("shipping") or []
        self.tax = rules.get("tax")
        self.broken = set(broken)
        if "rounding" in self.broken:
            self.policies["rounding"] = "half_down" if self.policies["rounding"] == "half_away" else "half_away"

    # --- sets of lines
    def selects(self, selector, line):
        for key, value in selector.items():
            if key in ("sku", "brand"):
                holds = line.get(key) in listed(value)
            elif key == "tag":
                holds = any(t in listed(value) for t in line.get("tags", []))
            elif key == "category":
                holds = any(c in listed(value) for c in line.get("categories", []))
            elif key == "attribute":
                holds = self.attribute_holds(value, line.get("attributes", {}).get(value["name"]))
            elif key == "all":
                holds = all(self.selects(s, line) for s in value)
            elif key == "any":
                holds = any(self.selects(s, line) for s in value)
            else:
                holds = not any(self.selects(s, line) for s in value)
            if not holds:
                return False
        return True

    def attribute_holds(self, want, seen):
        if seen is None:
            return False
        if "at_least" in want or "at_most" in want:
            return isinstance(seen, int) and not isinstance(seen, bool) and self.within(seen, want)
        return any(type(seen) is type(v) and seen == v for v in want.get("any_of", [want.get("is", True)]))

    def lines_of(self, selector):
        return [i for i, line in enumerate(self.cart["lines"])
                if i not in self.hidden and i not in self.parted and (selector is None or self.selects(selector, line))]

    def open_lines(self, selector):
        """Without those that nothing may touch any more."""
        return [i for i in self.lines_of(selector) if i not in self.closed]

    def measured(self, lines, prices):
        if (self.policies["thresholds"] == "list") != ("thresholds" in self.broken):
            return sum(self.list[i] for i in lines)
        return sum(prices[i] for i in lines)

    # --- conditions
    def now(self):
        return datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=self.cart.get("at", 0))

    def in_window(self, window):
        def at(text):
            return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M")
        return not ("from" in window and self.now() < at(window["from"])) and not ("to" in window and self.now() >= at(window["to"]))

    def code(self, text):
        text = text.strip(" ")
        return text if self.policies["code_case"] == "exact" or "code" in self.broken else text.lower()

    def typed(self, codes):
        typed = {self.code(c) for c in self.cart.get("codes", [])}
        return any(self.code(c) in typed for c in listed(codes))

    @staticmethod
    def within(seen, bounds, read=int):
        return not ("at_least" in bounds and seen < read(bounds["at_least"])) and not ("at_most" in bounds and seen > read(bounds["at_most"]))

    def fact_holds(self, want):
        if not self.cart.get("customer"):
            return False
        seen = self.cart.get("facts", {}).get(want["name"])
        if seen is None:
            return False
        for key, value in want.items():
            if key == "at_least" and seen < value or key == "at_most" and seen > value or key == "below" and seen >= value:
                return False
            if key == "is" and seen != value or key == "any_of" and seen not in value:
                return False
        return seen is not False if len(want) == 1 else True

    def asks_history(self, condition):
        if isinstance(condition, list):
            return any(self.asks_history(c) for c in condition)
        return any(key in ("new_customer", "first_order", "nth_order", "bought") or key in ("all", "any", "none") and self.asks_history(value)
                   for key, value in condition.items())

    def history_holds(self, key, want):
        if not self.cart.get("customer"):
            return False
        number = self.cart.get("orders", 0) + ("history" not in self.broken)
        if key == "new_customer" and "within" in want:
            return self.cart.get("since", 0) >= self.cart.get("at", 0) - span(want["within"])
        if key in ("new_customer", "first_order"):
            return number == 1
        if key == "nth_order":
            return number == want["n"] if "n" in want else number % want["every"] == 0
        chosen = {k: want[k] for k in ("sku", "brand", "category", "tag") if k in want}
        items = [b for b in self.cart.get("bought", []) if self.selects(chosen, b) and self.selects(want.get("of", {}), b)
                 and ("within" not in want or b["paid"] >= self.cart.get("at", 0) - span(want["within"]))]
        needed = want.get("at_least", 1)
        if isinstance(needed, str):
            return sum(b["amount"] for b in items) >= money(needed)
        return sum(b["qty"] for b in items) >= needed

    def time_holds(self, span):
        def minute(text):
            return int(text[:2]) * 60 + int(text[3:])
        now, begin, end = self.now().hour * 60 + self.now().minute, minute(span["from"]), minute(span["to"])
        return begin <= now < end if begin < end else now >= begin or now < end

    def holds(self, condition, scope, prices):
        if isinstance(condition, list):
            return all(self.holds(c, scope, prices) for c in condition)
        return all(self.member_holds(k, v, scope, prices) for k, v in condition.items())

    def member_holds(self, key, value, scope, prices):
        if key == "all":
            return all(self.holds(c, scope, prices) for c in value)
        if key == "any":
            return any(self.holds(c, scope, prices) for c in value)
        if key == "none":
            if not self.cart.get("customer") and self.asks_history(value):
                return False
            return not any(self.holds(c, scope, prices) for c in value)
        if key in ("new_customer", "first_order", "nth_order", "bought"):
            return self.history_holds(key, value)
        if key in ("sku", "brand", "tag", "category"):
            return bool(self.lines_of({key: value}))
        if key in ("subtotal", "qty"):
            lines = self.lines_of(value["of"]) if "of" in value else scope
            if key == "subtotal":
                return self.within(self.measured(lines, prices), value, money)
            return self.within(sum(self.qty[i] for i in lines), value)
        if key == "window":
            return self.in_window(value)
        if key == "coupon":
            return self.typed(value)
        if key == "customer_tag":
            return any(t in listed(value) for t in self.cart.get("customer_tags", []))
        if key == "fact":
            return self.fact_holds(value)
        if key == "weekday":
            names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
            return names[(self.now().weekday() + ("weekday" in self.broken)) % 7] in listed(value)
        if key == "time_of_day":
            return self.time_holds(value)
        return self.cart.get(key) in listed(value)  # channel region payment_method store

    def may_apply(self, c, prices):
        scope = self.lines_of(c.get("scope"))
        return (self.in_window(c.get("window", {})) and bool(scope) and ("codes" not in c or self.typed(c["codes"]))
                and self.holds(c.get("when", []), scope, prices))

    # --- actions
    def units(self, turn, lines, cheapest):
        """Units of these lines as (line, cost), by what a unit of the line costs, a fraction; of equals those of the earlier line."""
        order = sorted((i for i in lines if turn.left(i) > 0),
                       key=lambda i: (Fraction(turn.left(i), self.qty[i]) * (1 if cheapest != ("cheapest" in self.broken) else -1), i))
        return [(i, Fraction(turn.left(i), self.qty[i])) for i in order for _ in range(self.qty[i])]

    def cut(self, turn, i, begin, end):
        """What units begin .. end of a line cost in whole numbers, so that all of them cost what the line costs: the first k of q cost k/q of it, rounded."""
        first, upto = (rounded(Fraction(turn.left(i) * k, self.qty[i]), "half_away") for k in (begin, end))
        return upto - first

    def reduce_units(self, turn, units, rate):
        """So much of each unit; what goes off a line is rounded once."""
        sums = {}
        for i, cost in units:
            sums[i] = sums.get(i, 0) + cost
        for i, cost in sums.items():
            turn.take(i, rounded(Fraction(cost * rate, PPM), self.policies["rounding"]))

    def price_sets(self, turn, sets, price):
        """Sets, each a list of lines, one for each unit. Those that follow one another with as many units of the same lines are priced together: they come to the price
        each, and what goes off is split by what their parts cost."""
        batches = []
        for units in sets:
            shape = []
            for i in units:
                if shape and shape[-1][0] == i:
                    shape[-1] = (i, shape[-1][1] + 1)
                else:
                    shape.append((i, 1))
            if batches and batches[-1][0] == shape:
                batches[-1][1] += 1
            else:
                batches.append([shape, 1])
        used, offs = [0] * len(turn.off), []
        for shape, times in batches:
            costs = []
            for i, n in shape:
                costs.append(self.cut(turn, i, used[i], used[i] + n * times))
                used[i] += n * times
            offs += list(zip([i for i, _ in shape], split(max(0, sum(costs) - times * price), costs)))
        for i, off in offs:
            turn.take(i, off)

    def percent_off(self, turn, lines, spec):
        base = spec.get("base", self.policies["percent_base"])
        wanted = [min(rounded(Fraction((self.list[i] if base == "list" else turn.left(i)) * ppm(spec["percent"]), PPM), self.policies["rounding"]),
                      turn.left(i)) for i in lines]
        if "cap" in spec and sum(wanted) > money(spec["cap"]) and "cap" not in self.broken:
            wanted = split(money(spec["cap"]), wanted)
        for i, off in zip(lines, wanted):
            turn.take(i, off)

    def amount_off(self, turn, lines, spec):
        amount, costs = money(spec["amount"]), [turn.left(i) for i in lines]
        if "every" in spec and "every" not in self.broken:
            amount *= self.measured(lines, [turn.left(i) for i in range(len(turn.off))]) // money(spec["every"])
        if "cap" in spec:
            amount = min(amount, money(spec["cap"]))
        for i, off in zip(lines, split(min(amount, sum(costs)), costs, "ties" in self.broken)):
            turn.take(i, off)

    def buy_get(self, turn, lines, spec):
        units = self.units(turn, lines, True)
        sets = min(len(units) // (spec["buy"] + spec["get"]), spec.get("max_sets", 10**9))
        self.reduce_units(turn, units[: sets * spec["get"]], ppm(spec.get("percent", 100)))

    def cheapest_free(self, turn, lines, spec):
        self.reduce_units(turn, self.units(turn, lines, True)[: spec.get("units", 1)], ppm(spec.get("percent", 100)))

    def fixed_price(self, turn, lines, spec):
        counts = {}
        for i, _ in self.units(turn, lines, False)[: spec.get("max_units", 10**9)]:
            counts[i] = counts.get(i, 0) + 1
        for i, n in counts.items():
            turn.take(i, max(0, self.cut(turn, i, 0, n) - n * money(spec["price"])))

    def nth_unit(self, turn, lines, spec):
        if spec.get("among", "same_sku") == "same_sku":
            groups = {}
            for i in lines:
                groups.setdefault(self.cart["lines"][i]["sku"], []).append(i)
            groups = list(groups.values())
        else:
            groups = [lines]
        n, hit = spec["n"], []
        for group in groups:
            hit += self.units(turn, group, False)[n - 1 - ("units" in self.broken) :: n]
        # Of all SKUs together: the sets whose reduced unit is the dearest.
        hit.sort(key=lambda unit: (-unit[1], unit[0]))
        self.reduce_units(turn, hit[: spec.get("max_sets", 10**9)], ppm(spec["percent"]))

    def n_for(self, turn, lines, spec):
        units, n = self.units(turn, lines, False), spec["n"]
        sets = [[i for i, _ in units[k: k + n]] for k in range(0, len(units) - n + 1, n)]
        self.price_sets(turn, sets[: spec.get("max_sets", 10**9) + ("set" in self.broken)], money(spec["price"]))

    def bundle(self, turn, lines, spec):
        pools = [self.units(turn, [i for i in self.lines_of(item["of"]) if i in lines], False) for item in spec["items"]]
        used, sets = {}, []
        numbered = []
        for pool in pools:
            seen = {}
            row = []
            for i, cost in pool:
                seen[i] = seen.get(i, -1) + 1
                row.append((i, seen[i], cost))
            numbered.append(row)
        while len(sets) < spec.get("max_sets", 10**9):
            units, taken = [], dict(used)
            for part, (item, row) in enumerate(zip(spec["items"], numbered)):
                free = [(part, i, cost) for i, k, cost in row if k >= taken.get(i, 0)][: item.get("qty", 1)]
                if len(free) < item.get("qty", 1):
                    units = None
                    break
                for _, i, _ in free:
                    taken[i] = taken.get(i, 0) + 1
                units += free
            if units is None:
                break
            used = taken
            sets.append(units)
        if "price" in spec:
            # What lies in a bundle from one line is one part of it, whatever it is there for; the dearest first.
            dear = list(dict.fromkeys(i for i, _ in self.units(turn, lines, False)))
            self.price_sets(turn, [sorted((i for _, i, _ in units), key=dear.index) for units in sets], money(spec["price"]))
        else:
            self.reduce_units(turn, [(i, cost) for units in sets for _, i, cost in units], ppm(spec["percent"]))

    def tiered(self, turn, lines, spec):
        by_qty = spec.get("by", "qty") == "qty"
        ats = [s["at"] if by_qty else money(s["at"]) for s in spec["steps"]]
        prices = [turn.left(i) for i in range(len(turn.off))]
        seen = sum(self.qty[i] for i in lines) if by_qty else self.measured(lines, prices)
        reached = [k for k, at in enumerate(ats) if seen >= at + ("step" in self.broken)]
        if not reached:
            return
        if spec.get("mode", "whole") == "whole":
            for action in listed(spec["steps"][reached[-1]]["give"]):
                self.act(turn, lines, action)
            return
        # Each step is rounded by itself.
        cuts = []
        for k in reached:
            end = min(seen + by_qty, ats[k + 1]) if k + 1 < len(ats) else seen + by_qty
            cuts.append((ats[k], end, ppm(listed(spec["steps"][k]["give"])[0]["percent_off"]["percent"])))
        if by_qty:
            units, offs = self.units(turn, lines, False), {}
            for k, (begin, end, rate) in enumerate(cuts):
                for i, cost in units[begin - 1 : end - 1]:
                    offs[i, k] = offs.get((i, k), 0) + Fraction(cost * rate, PPM)
            for (i, _), off in offs.items():
                turn.take(i, rounded(off, self.policies["rounding"]))
        else:
            off = sum(rounded(Fraction((end - begin) * rate, PPM), self.policies["rounding"]) for begin, end, rate in cuts)
            costs = [turn.left(i) for i in lines]
            for i, share in zip(lines, split(min(off, sum(costs)), costs)):
                turn.take(i, share)

    def gift(self, turn, lines, spec):
        sets = 1
        if "every" in spec:
            sets = self.measured(lines, [turn.left(i) for i in range(len(turn.off))]) // money(spec["every"])
        elif "every_qty" in spec:
            sets = sum(self.qty[i] for i in lines) // spec["every_qty"]
        turn.gifts.append((spec, min(sets, spec.get("max_sets", 10**9), 10**6 // spec.get("qty", 1))))

    def grant(self, turn, lines, spec):
        turn.granted = turn.granted or bool(lines) and ("grant" in self.broken or bool(self.cart.get("customer")))

    def add_on_price(self, turn, lines, spec):
        units = spec.get("max_units", 1)
        if "every" in spec:
            units *= self.measured(lines, [turn.left(i) for i in range(len(turn.off))]) // money(spec["every"])
        for i, campaign in self.add_ons.items():
            if campaign == turn.campaign and i not in self.hidden and self.cart["lines"][i]["sku"] in listed(spec["sku"]):
                k = min(units, self.qty[i])
                units -= k
                turn.take(i, max(0, self.unit[i] - money(spec["price"])) * k)

    def give(self, room, campaign, gifts, given):
        """What there is of it, whole sets only, becomes lines; true when anything did."""
        any_given = False
        for spec, sets in gifts:
            qty = spec.get("qty", 1)
            for sku in (spec["sku"], spec.get("substitute")):
                if sku not in self.shelf:
                    continue
                n = min(sets, room[sku] // qty)
                sets -= n
                room[sku] -= n * qty
                if n == 0:
                    continue
                any_given = True
                line = next((g for g in given if g[0] == sku and g[3] == campaign), None)
                if line is None:
                    line = [sku, 0, 0, campaign]
                    given.append(line)
                line[1] += n * qty
                line[2] += n * qty * self.shelf[sku]["price"]
        return any_given

    def room(self):
        """What is bought comes first."""
        bought = {}
        for i, line in enumerate(self.cart["lines"]):
            if i not in self.hidden and "gift" not in self.broken:
                bought[line["sku"]] = bought.get(line["sku"], 0) + line["qty"]
        return {sku: max(0, p["left"] - bought.get(sku, 0)) if "left" in p else 10**12 for sku, p in self.shelf.items()}

    def shipping_off(self, turn, lines, spec):
        turn.shipping.append(spec)

    def free_shipping(self, turn, lines, spec):
        turn.shipping.append({"percent": 100})

    def act(self, turn, lines, action):
        (name, spec), = action.items()
        getattr(self, name)(turn, self.open_lines(spec["on"]) if "on" in spec else lines, spec)

    # --- the order of application
    def stage(self, c):
        def own(action):
            (name, spec), = action.items()
            if name == "tiered":
                return min(own(a) for s in spec["steps"] for a in listed(s["give"]))
            return STAGES[OWN_STAGE.get(name, "item")]
        return STAGES[c["stage"]] if "stage" in c else min(own(a) for a in listed(c["give"]))

    def place(self, c):
        shipping = self.stage(c) == STAGES["shipping"]
        lane = LANES[c.get("lane", "default")] if "lane" not in self.broken else 1
        stage = self.stage(c) if "order" not in self.broken else 0
        return (shipping, lane, stage, -c.get("priority", 0), c["id"].encode())

    def turn_of(self, c, prices, closed):
        """What a campaign does at these prices; None: it may not apply, or may touch nothing."""
        if not self.may_apply(c, prices):
            return None
        turn = Turn(prices)
        turn.campaign = c["id"]
        # Where nobody touches lines, all are measured.
        self.closed = closed if self.stage(c) != STAGES["shipping"] else set()
        scope = self.open_lines(c.get("scope"))
        if not scope and self.stage(c) != STAGES["shipping"]:
            return None
        for action in listed(c["give"]):
            self.act(turn, scope, action)
        return turn

    def rate(self, lines_cost):
        """What the chosen option costs; None: none was chosen."""
        wanted = self.cart.get("option")
        if not wanted or len(self.hidden) == len(self.cart["lines"]):
            return None
        weight = sum(line["qty"] * line.get("g", 0) for i, line in enumerate(self.cart["lines"]) if i not in self.hidden)
        for option in self.table:
            if option["id"] != wanted or "regions" in option and self.cart.get("region") not in option["regions"]:
                continue
            for rate in option["rates"]:
                over = money(rate["over"]) if "over" in rate else 0
                if weight <= rate.get("up_to_g", weight) and (lines_cost >= over if "rate" not in self.broken else lines_cost > over):
                    return money(rate["price"])
        raise Refused("/shipping/option")

    def run(self, campaigns, one_by_one=False):
        """All of these, in order: what each line and shipping cost, and what each campaign took off."""
        prices, took, kept, does = list(self.list), {}, [], set()
        room, given, granted = self.room(), [], set()
        closed, over = set(), False
        order = sorted(campaigns, key=self.place)
        lines_first = [c for c in order if self.stage(c) != STAGES["shipping"]]
        lanes = [[c] for c in lines_first]
        if self.policies["lanes"] == "best_per_line" and not one_by_one:
            lanes = [[c for c in lines_first if c.get("lane", "default") == lane] for lane in LANES]
        for lane in lanes:
            found, turns = list(prices), []
            for c in lane:
                turn = None if over else self.turn_of(c, found, closed)
                if turn is not None:
                    turns.append((c, turn))
            for i in range(len(prices)):
                best = max((t.off[i] for _, t in turns), default=0)
                winner = next((c["id"] for c, t in turns if t.off[i] == best), None)
                for c, t in turns:
                    if t.off[i] and c["id"] == winner and i not in closed:
                        took.setdefault(c["id"], [0] * (len(prices) + 1))[i] += t.off[i]
                        prices[i] -= t.off[i]
            for c, t in turns:
                if t.shipping:
                    kept.append((c, t.shipping))
                wishes = t.shipping and self.cart.get("option")
                gave = self.give(room, c["id"], t.gifts, given) or t.granted
                granted |= {c["id"]} if t.granted else set()
                if any(t.off) or wishes or gave:
                    does.add(c["id"])
                if (c["id"] in took or (wishes or gave) and c.get("stop") == "order") and "stop" in c and "stop" not in self.broken:
                    closed |= {i for i, off in enumerate(took.get(c["id"], [])[:-1]) if off} if c["stop"] == "lines" else set(range(len(prices)))
                    over = over or c["stop"] == "order"
        cost = first_cost = self.rate(sum(p for i, p in enumerate(prices) if i not in self.parted))
        later = [c for c in order if self.stage(c) == STAGES["shipping"]]
        for c, wants in [(c, w) for c, w in kept] + [(c, None) for c in later]:
            if wants is None:
                turn = None if over else self.turn_of(c, prices, closed)
                wants = turn.shipping if turn else []
            for spec in wants:
                if cost is None:
                    continue
                does.add(c["id"])
                off = money(spec["amount"]) if "amount" in spec else rounded(Fraction(cost * ppm(spec["percent"]), PPM), self.policies["rounding"])
                off = min(off, cost, money(spec["cap"]) if "cap" in spec else cost)
                if off:
                    took.setdefault(c["id"], [0] * (len(prices) + 1))[-1] += off
                    cost -= off
            if c["id"] in took and c.get("stop") == "order" and "stop" not in self.broken:
                over = True
        return {"given": given, "granted": granted, "prices": prices, "took": took, "rate": first_cost, "shipping": cost, "does": does, "cost": sum(prices) + (cost or 0)}

    # --- choosing
    def excludes(self, a, b):
        if a.get("alone") or b.get("alone"):
            return True
        if "group" in a and a.get("group") == b.get("group") and "group" not in self.broken:
            return True
        def says(x, y):
            return y["id"] in x.get("not_with", []) or "group" in y and "group:" + y["group"] in x.get("not_with", [])
        return says(a, b) or says(b, a)

    def choose(self):
        if self.policies["stacking"] == "best":
            return self.cheapest_set()
        if not any(self.excludes(a, b) for a, b in combinations(self.campaigns, 2)):
            return self.run(self.campaigns)
        ranked = sorted((c for c in self.campaigns if self.may_ever_apply(c)), key=lambda c: (-c.get("priority", 0), c["id"].encode()))
        idle = []
        while True:
            chosen = []
            for c in ranked:
                if c not in idle and all(not self.excludes(c, d) for d in chosen):
                    chosen.append(c)
            does = self.run(chosen, one_by_one=True)["does"]
            nothing = [c for c in sorted(chosen, key=self.place) if c["id"] not in does]
            if len(chosen) + len(idle) == len(ranked) or not nothing:
                return self.run(chosen)
            idle.append(nothing[0])

    def may_ever_apply(self, c):
        """Whatever it costs: only what does not depend on prices is asked."""
        return (self.in_window(c.get("window", {})) and bool(self.lines_of(c.get("scope"))) and ("codes" not in c or self.typed(c["codes"]))
                and all(self.could_hold(w, c) for w in listed(c.get("when", []))))

    def could_hold(self, condition, c):
        """As far as is known before anything is taken off: thresholds will see less, never more."""
        def could(key, value):
            if key == "all":
                return all(self.could_hold(w, c) for w in value)
            if key == "any":
                return any(self.could_hold(w, c) for w in value)
            if "subtotal" in json.dumps({key: value}) and self.policies["thresholds"] == "remaining":
                return key == "none" or self.member_holds(key, {k: v for k, v in value.items() if k != "at_most"}, self.lines_of(c.get("scope")), self.list)
            return self.member_holds(key, value, self.lines_of(c.get("scope")), self.list)
        return all(could(k, v) for k, v in condition.items())

    def permitted_sets(self):
        candidates = [c for c in self.campaigns if self.may_ever_apply(c)]
        sets = [[]]
        for c in candidates:
            sets += [s + [c] for s in sets if all(not self.excludes(c, d) for d in s)]
        return sets

    def cheapest_set(self):
        best = None
        for s in self.permitted_sets():
            q = self.run(s)
            giving = {g[3] for g in q["given"]} - set(q["took"])
            key = (q["cost"] if "best" not in self.broken else len(q["took"]), len(q["took"]), -len(giving), sorted(i.encode() for i in giving | set(q["took"])))
            if best is None or key < best[0]:
                best = (key, q)
        return best[1]

    # --- tax
    def taxes(self, q):
        """Per line, and of shipping."""
        if not self.tax:
            return [0] * len(q["prices"]), 0
        region = self.cart.get("region") or self.tax.get("region")
        included, mode = self.tax["prices"] == "include", self.policies["rounding"]

        def of(amount, rate):
            if "tax" in self.broken:
                rate += 10_000
            return rounded(Fraction(amount * rate, PPM + rate if included else PPM), mode)

        def rate_of(line):
            for r in self.tax["rates"]:
                if "regions" in r and region not in r["regions"]:
                    continue
                if bool(r.get("shipping")) == (line is None) and (line is None or "scope" not in r or self.selects(r["scope"], line)):
                    return ppm(r["percent"])
            return 0
        taxes = []
        for i, line in enumerate(self.cart["lines"]):
            cost, rate = q["prices"][i], rate_of(line)
            if self.tax.get("round", "line") == "unit":
                qty = self.qty[i]
                taxes.append(sum(of(cost * (k + 1) // qty - cost * k // qty, rate) for k in range(qty)))
            else:
                taxes.append(of(cost, rate))
        return taxes, of(q["shipping"], rate_of(None)) if q["shipping"] else 0

    # --- gates
    def pass_gates(self):
        """All are asked about the cart as it came in. Refusing goes before hiding."""
        closed = []
        for g in sorted(self.gates, key=lambda g: (-g.get("priority", 0), g["id"].encode())):
            lines = self.lines_of(g.get("scope"))
            if self.in_window(g.get("window", {})) and lines and not self.holds(g["when"], lines, self.list):
                closed.append((g, lines))
        for g, lines in closed:
            if g.get("effect", "refuse") == "refuse" and "gate" not in self.broken:
                raise Refused(f"/lines/{lines[0]}")
        for _, lines in closed:
            self.hidden |= set(lines)
        self.list = [0 if i in self.hidden else cost for i, cost in enumerate(self.list)]

    # --- before anything is taken off
    def find_add_ons(self):
        """Which lines were taken from which campaign."""
        self.add_ons = {}
        for i, line in enumerate(self.cart["lines"]):
            if "from" not in line:
                continue
            if not any(c["id"] == line["from"] and line["sku"] in listed(a["add_on_price"]["sku"])
                       for c in self.campaigns for a in listed(c["give"]) if "add_on_price" in a):
                raise Refused(f"/lines/{i}/from")
            self.add_ons[i] = line["from"]

    def use_price_lists(self):
        self.cheaper = {}
        for c in sorted(self.price_lists, key=lambda c: (-c.get("priority", 0), c["id"].encode())):
            prices = {sku: money(price) + ("list" in self.broken) for sku, price in listed(c["give"])[0]["price_list"]["prices"].items()}
            scope = c.get("scope", {"sku": list(prices)})
            if not self.may_apply({**c, "scope": scope}, self.list):
                continue
            off = 0
            for i in self.lines_of(scope):
                price = min(self.unit[i], prices.get(self.cart["lines"][i]["sku"], self.unit[i]))
                off += (self.unit[i] - price) * self.qty[i]
                self.unit[i] = price
            if off:
                self.cheaper[c["id"]] = off
        self.list = [0 if i in self.hidden else self.unit[i] * self.qty[i] for i in range(len(self.unit))]

    # --- the answer
    def price(self, cart):
        self.cart = cart
        self.qty = [line["qty"] for line in cart["lines"]]
        self.unit = [line["price"] for line in cart["lines"]]
        self.list = [line["qty"] * line["price"] for line in cart["lines"]]
        self.hidden, self.parted = set(), set()
        try:
            self.find_add_ons()
            self.pass_gates()
            if "add_on" not in self.broken:
                self.parted = set(self.add_ons)
            self.use_price_lists()
            q = self.choose()
        except Refused as e:
            return {"error": str(e)}
        return self.answer(q)

    def unused_codes(self, took):
        """Codes that no campaign took."""
        used = {self.code(code) for c in self.campaigns if c["id"] in took for code in c.get("codes", [])}
        return sorted(code for code in map(self.code, self.cart.get("codes", [])) if code not in used)

    def answer(self, q):
        taxes, shipping_tax = self.taxes(q)
        tax = sum(taxes) + shipping_tax
        added = tax if self.tax and self.tax["prices"] != "include" else 0
        applied = {c: sum(off) for c, off in q["took"].items()} | self.cheaper
        for _, _, worth, campaign in q["given"]:
            applied[campaign] = applied.get(campaign, 0) + worth
        applied.update({c: applied.get(c, 0) for c in q["granted"]})
        return {"gifts": q["given"], "lines": [[self.list[i], p, taxes[i], {c: off[i] for c, off in sorted(q["took"].items()) if off[i]}] for i, p in enumerate(q["prices"])],
                "shipping": q["rate"], "shipping_off": {c: off[-1] for c, off in sorted(q["took"].items()) if off[-1]}, "tax": tax,
                "total": q["cost"] + added, "applied": dict(sorted(applied.items())), "unused_codes": self.unused_codes(applied)}
