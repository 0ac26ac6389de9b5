"""Random shops and carts: small worlds, so that campaigns meet one another, thresholds are near, and ties happen."""

import json

SKUS = {
    "A": {"brand": "north", "categories": ["tea/green", "tea"], "tags": ["new"], "attributes": {"color": "red", "size": 3, "organic": True}}, "B": {"brand": "north", "categories": ["tea/black", "tea"], "tags": ["sale"], "attributes": {"color": "blue", "size": 7, "organic": False}},
    "C": {"brand": "south", "categories": ["mugs"], "tags": ["sale", "gift"], "attributes": {"color": "red"}}, "D": {"brand": "south", "categories": ["books"], "tags": []},
    "E": {"categories": ["mugs"], "tags": ["new", "gift"]}, "F": {"brand": "east", "categories": [], "tags": []},
}
PRICES = [1, 2, 3, 5, 7, 33, 50, 99, 100, 333, 500, 999, 1000, 1250, 1999, 3333, 4999, 5900, 10000, 0]
GIVEN = ["A", "C", "G", "H", "X"]  # X is sold by nobody
CODES = ["TEA", "Ten", "x-9"]
PERCENTS = [1, 5, 10, 12.5, "33.3333", 50, 100, "0.01", 15, 20]
AMOUNTS = ["0.01", "0.05", "0.99", "1.00", "3.33", "5.00", "10.00", "20.00", "50.00", "100.00"]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def selector(r, deep=0):
    kind = r.choice(["sku", "brand", "tag", "category"] * 3 + ["attribute"] * 2 + (["all", "any", "none", "both"] if deep < 2 else []))
    if kind in ("all", "any", "none"):
        return {kind: [selector(r, deep + 1) for _ in range(r.randint(1, 2))]}
    if kind == "attribute":
        return {kind: r.choice([{"name": "color", "is": "red"}, {"name": "color", "any_of": ["red", "blue"]}, {"name": "organic"}, {"name": "organic", "is": False},
                                {"name": "size", "at_least": 5}, {"name": "size", "at_most": 3}, {"name": "size", "is": 7}, {"name": "weight", "at_least": 0}])}
    if kind == "both":
        return {"tag": name(r, "tag"), "category": name(r, "category")}
    return {kind: name(r, kind)}


def name(r, kind):
    names = {"sku": list(SKUS), "brand": ["north", "south", "east"], "tag": ["new", "sale", "gift"],
             "category": ["tea", "tea/green", "tea/black", "mugs", "books"]}[kind]
    return r.sample(names, r.randint(1, 2)) if r.random() < 0.4 else r.choice(names)


def window(r):
    begin, end = r.choice(["2026-11-20 00:00", "2026-11-22 12:00"]), r.choice(["2026-11-21 00:00", "2026-11-23 00:00"])
    if r.random() < 0.3:
        return {"from": begin}
    return {"to": end} if r.random() < 0.4 or begin > end else {"from": begin, "to": end}


def bounds(r, values):
    low, high = sorted(r.sample(values, 2), key=float)
    return r.choice([{"at_least": low}, {"at_least": low}, {"at_most": high}, {"at_least": low, "at_most": high}])


def condition(r, deep=0):
    kind = r.choice(["subtotal"] * 4 + ["qty"] * 3 + ["coupon", "customer_tag", "fact", "channel", "region", "payment_method", "store", "weekday", "time_of_day",
                     "window", "history", "history", "selector"] + (["all", "any", "none", "two"] if deep < 2 else []))
    if kind in ("all", "any", "none"):
        return {kind: [condition(r, deep + 1) for _ in range(r.randint(1, 2))]}
    if kind == "two":
        return {**condition(r, 2), **condition(r, 2)}
    if kind in ("subtotal", "qty"):
        value = bounds(r, AMOUNTS if kind == "subtotal" else [1, 2, 3, 5, 8])
        if r.random() < 0.4:
            value["of"] = selector(r)
        return {kind: value}
    if kind == "selector":
        kind = r.choice(["sku", "brand", "tag", "category"])
        return {kind: name(r, kind)}
    if kind == "history":
        return history(r)
    if kind == "fact":
        return {"fact": r.choice([{"name": "club.level", **bounds(r, [1, 2, 3, 4])}, {"name": "club.level", "is": 2}, {"name": "club.level", "below": 3},
                                  {"name": "club.adult"}, {"name": "club.town", "any_of": ["Lima", "Oslo"]}, {"name": "club.town"}])}
    return {kind: {"coupon": r.choice(CODES), "customer_tag": r.choice(["vip", ["vip", "staff"]]), "channel": "web", "region": r.choice(["GB", ["GB", "FR"]]),
                   "payment_method": "card", "store": "s1", "weekday": r.sample(DAYS, 3), "window": window(r),
                   "time_of_day": r.choice([{"from": "20:00", "to": "22:00"}, {"from": "22:00", "to": "06:00"}])}[kind]}


def history(r):
    kind = r.choice(["new_customer", "first_order", "nth_order", "bought", "bought"])
    if kind == "new_customer":
        return {kind: r.choice([{}, {"within": "2d"}, {"within": "36h"}])}
    if kind == "nth_order":
        return {kind: r.choice([{"n": r.randint(1, 4)}, {"every": r.randint(2, 3)}])}
    value = {}
    if kind == "bought":
        value = r.choice([{}, {"of": selector(r)}, {k: name(r, k) for k in r.sample(["sku", "brand", "tag", "category"], r.randint(1, 2))}])
        value.update(r.choice([{}, {"at_least": r.randint(1, 4)}, {"at_least": r.choice(AMOUNTS)}]))
        value.update(r.choice([{}, {"within": r.choice(["1d", "60h", "90d"])}]))
    return {kind: value}


def action(r, deep=0):
    kind = r.choice(["percent_off"] * 4 + ["amount_off"] * 3 + ["fixed_price", "buy_get", "buy_get", "nth_unit", "nth_unit", "cheapest_free", "n_for", "n_for", "bundle",
                     "free_shipping", "shipping_off", "gift", "gift", "grant"] + (["tiered"] * 2 + ["add_on_price"] * 2 if not deep else []))

    def maybe(key, value, chance=0.3):
        return {key: value} if r.random() < chance else {}
    on = maybe("on", selector(r), 0.2)
    if kind == "percent_off":
        spec = {"percent": r.choice(PERCENTS), **maybe("cap", r.choice(AMOUNTS)), **maybe("base", r.choice(["remaining", "list"])), **on}
    elif kind == "amount_off":
        spec = {"amount": r.choice(AMOUNTS), **maybe("every", r.choice(AMOUNTS[3:])), **on}
        if "every" in spec:
            spec.update(maybe("cap", r.choice(AMOUNTS)))
    elif kind == "fixed_price":
        spec = {"price": r.choice(AMOUNTS), **maybe("max_units", r.randint(1, 3)), **on}
    elif kind == "buy_get":
        spec = {"buy": r.randint(1, 3), "get": r.randint(1, 2), **maybe("percent", r.choice(PERCENTS)), **maybe("max_sets", r.randint(1, 2)), **on}
    elif kind == "nth_unit":
        spec = {"n": r.randint(2, 4), "percent": r.choice(PERCENTS), **maybe("among", r.choice(["same_sku", "scope"]), 0.7), **maybe("max_sets", r.randint(1, 2)), **on}
    elif kind == "cheapest_free":
        spec = {**maybe("units", r.randint(1, 3)), **maybe("percent", r.choice(PERCENTS)), **on}
    elif kind == "n_for":
        spec = {"n": r.randint(2, 4), "price": r.choice(AMOUNTS), **maybe("max_sets", r.randint(1, 2)), **on}
    elif kind == "bundle":
        items = [{"of": selector(r), **maybe("qty", r.randint(1, 3))} for _ in range(r.randint(2, 3))]
        spec = {"items": items, **r.choice([{"price": r.choice(AMOUNTS)}, {"percent": r.choice(PERCENTS)}]), **maybe("max_sets", r.randint(1, 2))}
    elif kind == "tiered":
        by, mode = r.choice(["qty", "amount"]), r.choice(["whole", "each"])
        ats = sorted(r.sample(range(1, 9), r.randint(1, 3))) if by == "qty" else sorted(r.sample(AMOUNTS[2:], r.randint(1, 3)), key=float)
        gives = [{"percent_off": {"percent": r.choice(PERCENTS)}} if mode == "each" else
                 [action(r, 1) for _ in range(2)] if r.random() < 0.2 else action(r, 1) for _ in ats]
        spec = {"by": by, "mode": mode, "steps": [{"at": at, "give": give} for at, give in zip(ats, gives)], **on}
    elif kind == "grant":
        spec = {"to": "points", "what": {"points": 5}, **on}
    elif kind == "gift":
        spec = {"sku": r.choice(GIVEN), **maybe("qty", r.randint(1, 3)), **r.choice([{}, {"every": r.choice(AMOUNTS[3:])}, {"every_qty": r.randint(1, 4)}]), **on}
        if "every" in spec or "every_qty" in spec:
            spec.update(maybe("max_sets", r.randint(1, 3), 0.6))
        spec.update(maybe("substitute", r.choice([x for x in GIVEN if x != spec["sku"]])))
    elif kind == "add_on_price":
        spec = {"sku": name(r, "sku"), "price": r.choice(AMOUNTS), **maybe("max_units", r.randint(1, 3), 0.6)}
        if r.random() < 0.4:
            spec.update({"every": r.choice(AMOUNTS[3:]), **on})
    elif kind == "shipping_off":
        spec = r.choice([{"percent": r.choice(PERCENTS), **maybe("cap", r.choice(AMOUNTS))}, {"amount": r.choice(AMOUNTS)}])
    else:
        spec = {}
    return {kind: spec}


def campaign(r, i, relations):
    c = {"id": f"c{i}", "give": [action(r) for _ in range(2)] if r.random() < 0.15 else action(r)}
    def maybe(key, chance, value):
        if r.random() < chance:
            c[key] = value()
    maybe("priority", 0.4, lambda: r.randint(-2, 2))
    maybe("window", 0.1, lambda: window(r))
    maybe("scope", 0.6, lambda: selector(r))
    maybe("codes", 0.15, lambda: [r.choice(CODES)])
    maybe("when", 0.5, lambda: condition(r) if r.random() < 0.8 else [condition(r), condition(r)])
    maybe("stage", 0.08, lambda: r.choice(["item", "order"]))
    if relations:
        maybe("alone", 0.05, lambda: True)
        maybe("group", 0.2, lambda: r.choice("gh"))
        maybe("not_with", 0.1, lambda: [r.choice(["group:g", "c0", "c1", "c2"])])
        maybe("lane", 0.15, lambda: r.choice(["pre", "default", "post"]))
        maybe("stop", 0.08, lambda: r.choice(["lines", "order"]))
    if c.get("not_with") == [c["id"]] or c.get("not_with") == ["group:" + c.get("group", "")]:
        del c["not_with"]
    return c


def gate(r, i):
    g = {"gate": True, "id": f"g{i}", "when": condition(r), "reason": "Not for everybody.", "effect": r.choice(["hide", "hide", "refuse"])}
    for key, make in (("scope", selector), ("window", window)):
        if r.random() < 0.4:
            g[key] = make(r)
    return g


def shipping(r):
    options = []
    for name_, regions in [("post", None), ("van", ["GB", "FR"])][: r.randint(1, 2)]:
        rates = [{"price": r.choice(AMOUNTS), **({"over": r.choice(AMOUNTS)} if r.random() < 0.5 else {}), **({"up_to_g": r.choice([100, 1000])} if r.random() < 0.5 else {})}
                 for _ in range(r.randint(0, 2))]
        options.append({"id": name_, "rates": rates + [{"price": r.choice(AMOUNTS)}], **({"regions": regions} if regions else {})})
    return options


def tax(r):
    rates = [{"title": "t1", "percent": r.choice([0, 5, "7.25"]), "scope": {"category": "books"}}, {"title": "t2", "percent": r.choice([20, 19, "8.875"])},
             {"title": "t3", "percent": 20, "shipping": True}]
    if r.random() < 0.3:
        rates[1]["regions"] = ["GB"]
    return {"prices": r.choice(["include", "exclude"]), "round": r.choice(["line", "unit"]), **({"region": "GB"} if r.random() < 0.5 else {}), "rates": rates}


def policies(r):
    p = {}
    if r.random() < 0.4:
        p["stacking"] = "best"
    elif r.random() < 0.15:
        p["lanes"] = "best_per_line"
    for key, values in (("rounding", ["half_away", "half_even", "half_down", "down", "up", "floor", "ceiling"]), ("percent_base", ["remaining", "list"]),
                        ("thresholds", ["remaining", "list"]), ("code_case", ["ignore", "exact"])):
        if r.random() < 0.3:
            p[key] = r.choice(values)
    return p


def lines(r, count):
    made = []
    for _ in range(count):
        sku = r.choice(list(SKUS))
        made.append({"sku": sku, "qty": r.choice([1, 1, 1, 2, 2, 3, 4, 7]), "price": r.choice(PRICES), **json.loads(json.dumps(SKUS[sku])), "g": r.choice([0, 50, 300])})
    return made


def cart(r):
    c = {"lines": lines(r, r.choice([1, 1, 2, 2, 3, 3, 4, 5]))}
    c["at"] = 1795392000000 - r.randint(0, 4 * 24 * 60) * 60000
    typed = [r.choice([x, x.lower(), " " + x, x.upper()]) for x in CODES if r.random() < 0.5]
    if typed:
        c["codes"] = r.sample(typed, len(typed))
    if r.random() < 0.6:
        c["customer"] = "17850"
        facts = {"club.level": r.randint(0, 4), "club.adult": r.random() < 0.5, "club.town": r.choice(["Lima", "Rome"])}
        c["facts"] = {k: v for k, v in facts.items() if r.random() < 0.7}
        c["orders"], c["since"] = r.choice([0, 0, 1, 2, 3, 5]), c["at"] - r.randint(0, 4 * 24 * 60) * 60000
        skus = [r.choice(list(SKUS)) for _ in range(r.choice([0, 0, 1, 2, 4]))]
        c["bought"] = [{"sku": s, "qty": r.randint(1, 3), "amount": r.choice(PRICES), "paid": c["at"] - r.randint(0, 4 * 24 * 60) * 60000,
                        **json.loads(json.dumps(SKUS[s]))} for s in skus]
        c["customer_tags"] = [t for t in ("vip", "staff") if r.random() < 0.4]
    for key, values in (("channel", ["web", "app"]), ("region", ["GB", "FR", "US"]), ("payment_method", ["card", "cash"]), ("store", ["s1", "s2"])):
        if r.random() < 0.5:
            c[key] = r.choice(values)
    if r.random() < 0.6:
        c["option"] = r.choice(["post", "post", "van"])
    return c


def shelf(r):
    """What campaigns can give."""
    return {sku: {"price": r.choice(PRICES), **({"left": r.choice([0, 1, 2, 3, 5, 9])} if r.random() < 0.7 else {})} for sku in GIVEN[:4]}


def price_list(r, i):
    skus = r.sample(list(SKUS), r.randint(1, 4))
    p = {"id": f"p{i}", "give": {"price_list": {"prices": {sku: r.choice(AMOUNTS) for sku in skus}}}}
    for key, make in (("scope", lambda: selector(r)), ("when", lambda: r.choice([{"channel": "web"}, {"customer_tag": "vip"}, {"region": "GB"}])),
                      ("window", lambda: window(r)), ("priority", lambda: r.randint(-2, 2))):
        if r.random() < 0.3:
            p[key] = make()
    return p


def add_to(r, s):
    """Lines that are taken from campaigns; now and then from one that does not offer them."""
    for c in s["rules"]:
        for a in c.get("give") if isinstance(c.get("give"), list) else [c.get("give", {})]:
            skus = a.get("add_on_price", {}).get("sku", [])
            for cart_ in s["carts"]:
                if not skus or r.random() < 0.4:
                    continue
                line = lines(r, 1)[0]
                line["from"] = c["id"]
                if r.random() < 0.97:
                    sku = r.choice(skus if isinstance(skus, list) else [skus])
                    line.update(sku=sku, **json.loads(json.dumps(SKUS[sku])))
                cart_["lines"].insert(r.randint(0, len(cart_["lines"])), line)


def shop(r, carts):
    relations = r.random() < 0.6
    s = {"rules": [campaign(r, i, relations) for i in range(r.choice([1, 1, 2, 2, 3, 4, 5, 6, 8]))], "policies": policies(r)}
    if r.random() < 0.6:
        s["shipping"] = shipping(r)
    if r.random() < 0.3:
        s["tax"] = tax(r)
    if r.random() < 0.12:
        s["rules"] += [gate(r, i) for i in range(r.randint(1, 2))]
    if r.random() < 0.15:
        s["rules"] += [price_list(r, i) for i in range(r.randint(1, 2))]
    s["shelf"] = shelf(r)
    s["carts"] = [cart(r) for _ in range(carts)]
    add_to(r, s)
    return s


def large(r):
    """Twelve that may all apply, and the cheapest set is asked for."""
    s = {"rules": [campaign(r, i, True) for i in range(12)], "policies": {"stacking": "best"}, "shipping": shipping(r), "carts": [cart(r)]}
    for c in s["rules"]:
        for key in ("window", "codes", "alone"):
            c.pop(key, None)
        if r.random() < 0.7:
            c.pop("when", None)
            c.pop("scope", None)
            c["group"] = r.choice("ghi")
    for c in s["rules"]:
        c.pop("not_with", None)
    s["shelf"] = shelf(r)
    add_to(r, s)
    return s
