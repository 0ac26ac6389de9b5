"""What a case of a corpus is in the words of Feira: the files of a shop, and the body of a quote. Nothing is calculated here, and nothing is
left out: what has no word raises Inexpressible."""

import re

PRICE_KEYS = {"gte": "at_least", "lte": "at_most"}
BEYOND = {"gt": "at_most", "lt": "at_least"}
CURRENCIES = {0: "JPY", 3: "KWD"}  # for carts that do not count in hundredths
SHIPPING_TAG = "a way to send it"
NAMED = {"customer_group": "customer_tag", "channel": "channel"}  # conditions on a name -> the word
NAMED_OPS = {"in": False, "eq": False, "not_in": True, "ne": True}  # whether it is none of them


CASE = ("id", "name", "source", "source_commit", "kind", "also_kinds", "units_in_source", "context", "cart", "promotions", "coupons", "policy", "expect", "notes")
CART = ("currency", "minor_exponent", "lines", "shipping_methods", "shipping_minor", "prices_include_tax", "shipping_tax_rate_percent")
LINE = ("sku", "category", "unit_price_minor", "qty", "attrs")


class Inexpressible(Exception):
    pass


class Word:
    """promo.NAME with its fields."""

    def __init__(self, name, fields=None):
        self.name, self.fields = name, fields


def lua(value, depth=1):
    if isinstance(value, Word):
        return f"promo.{value.name} {lua(value.fields if value.fields is not None else {}, depth)}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return '"' + re.sub(r'[\\"\n]', lambda m: {"\\": "\\\\", '"': '\\"', "\n": "\\n"}[m[0]], value) + '"'
    pad = "  " * depth
    if isinstance(value, dict):
        members = [f'{key if key.isidentifier() else "[" + lua(key) + "]"} = {lua(v, depth + 1)}' for key, v in value.items() if v is not None]
    else:
        members = [lua(v, depth + 1) for v in value]
    inside = ", ".join(members)
    if len(inside) + 2 * depth > 110:
        inside = "\n" + "".join(f"{pad}{m},\n" for m in members) + pad[2:]
        return "{" + inside + "}"
    return "{ " + inside + " }" if members else "{}"


def bounds(name, op, value, fields):
    """What is compared with a bound; what is more than it is what is not at most that."""
    if op in PRICE_KEYS:
        return Word(name, {PRICE_KEYS[op]: value, **fields})
    if op == "eq":
        return Word(name, {"at_least": value, "at_most": value, **fields})
    if op in BEYOND:
        return Word("none", [Word(name, {BEYOND[op]: value, **fields})])
    raise Inexpressible(f"{name} {op}")


def only(record, known, what):
    if not isinstance(record, dict):
        raise Inexpressible(f"{what} is no object")
    for key, value in record.items():
        if key not in known and value is not None:
            raise Inexpressible(f'{what} has "{key}"')


class Case:
    def __init__(self, case):
        self.case = case
        self.cart = case["cart"]
        self.context = case.get("context", {})
        self.exponent = self.cart.get("minor_exponent", 2)
        self.lines = list(self.cart["lines"])
        actions = [a for p in case["promotions"] for a in p["actions"]]
        # A cart of Feira is sent in one way. What charges several, or is part of what a discount is spread over, is a line.
        self.shipping_lines = list(self.cart.get("shipping_methods", ()))
        if any(a.get("target") == "order_and_shipping" for a in actions) and "shipping_minor" in self.cart:
            self.shipping_lines.append({"id": "shipping", "price_minor": self.cart["shipping_minor"], "tax": self.cart.get("shipping_tax_rate_percent")})
        self.names = {}  # id of a campaign -> id of the promotion
        self.gifts = [a for a in actions if a["type"] == "gift"]

    # --- values ----------------------------------------------------------------------------------------------------------
    def money(self, minor):
        digits = str(minor).rjust(self.exponent + 1, "0")
        return f"{digits[:-self.exponent]}.{digits[-self.exponent:]}" if self.exponent else digits

    def maybe(self, minor):
        return None if minor is None else self.money(minor)

    def sku_of(self, index):
        return f"L{index}"

    def skus(self, name):
        return [self.sku_of(i) for i, line in enumerate(self.lines) if line["sku"] == name] or ["not-in-this-cart"]

    # --- sets of lines ---------------------------------------------------------------------------------------------------
    def test(self, t):
        kind, op, values = t["type"], t["op"], t["values"]
        only(t, ("type", "op", "values"), "a test of lines")
        values = values if isinstance(values, list) else [values]
        if kind == "unit_price":
            return bounds("unit_price", op, self.money(values[0]), {})
        if op in ("ne", "not_in"):
            return Word("none", [self.test({**t, "op": "in"})])
        if op not in ("eq", "in", "contains"):
            raise Inexpressible(f"{kind} {op}")
        if kind == "sku":
            return Word("sku", [s for v in values for s in self.skus(v)])
        return Word("category", values) if kind == "category" else Word("tag", [f"{kind}:{v}" for v in values])

    def selector(self, match, promotion=None, shipping=False):
        match = match or {}
        only(match, ("all", "any", "none"), "a match")
        parts = [self.test(t) for t in match.get("all", ())]
        parts += [Word(kind, [self.test(t) for t in match[kind]]) for kind in ("any", "none") if match.get(kind)]
        if promotion and promotion.get("excludes_on_sale"):
            parts.append(Word("none", [Word("reduced")]))
        if self.shipping_lines and shipping is not None:
            parts.append(Word("tag", [SHIPPING_TAG]) if shipping else Word("none", [Word("tag", [SHIPPING_TAG])]))
        return None if not parts else parts[0] if len(parts) == 1 else Word("all", parts)

    # --- conditions ------------------------------------------------------------------------------------------------------
    def condition(self, c):
        kind, op = c["type"], c.get("op")
        if kind in NAMED and op in NAMED_OPS:
            only(c, ("type", "op", "values"), "a condition")
            word = Word(NAMED[kind], c["values"])
            return Word("none", [word]) if NAMED_OPS[op] else word
        if kind in ("cart_total", "category_total"):
            only(c, ("type", "op", "amount_minor", "category", "with_tax", "in_price_basis", "after_previous_discounts"), "a condition")
            of = Word("category", [c["category"]]) if kind == "category_total" else self.selector(None)
            return bounds("subtotal", op, self.money(c["amount_minor"]), {"of": of, "tax": "with" if c.get("with_tax") else None})
        if kind == "cart_quantity":
            only(c, ("type", "op", "qty"), "a condition")
            return bounds("qty", op, c["qty"], {"of": self.selector(None)})
        if kind == "any_line_qty":
            only(c, ("type", "op", "qty"), "a condition")
            if op not in PRICE_KEYS:
                raise Inexpressible(f"any_line_qty {op}")
            return bounds("qty", op, c["qty"], {"of": self.selector(None), "per": "line"})
        if kind == "contains":
            only(c, ("type", "match", "min_qty"), "a condition")
            return Word("qty", {"at_least": c.get("min_qty", 1), "of": self.selector(c["match"])})
        if kind == "nth_order" and not op:
            only(c, ("type", "n", "every"), "a condition")
            return Word("nth_order", {"n": c.get("n"), "every": c.get("every")})
        if kind == "first_order" and not op:
            only(c, ("type",), "a condition")
            return Word("first_order")
        raise Inexpressible(f'the condition {kind}{" " + op if op else ""}')

    # --- actions ---------------------------------------------------------------------------------------------------------
    def units(self, a):
        picks = {None: None, "cheapest_first": "cheapest", "most_expensive_first": "dearest"}
        return {"max_units": a.get("max_units_total") or None, "max_units_per_line": a.get("max_units_per_line") or None, "pick": picks[a.get("select")],
                "whole_per_line": a.get("qty_step") or None, "whole": a.get("group_size")}

    def nothing(self, on):
        return Word("amount_off", {"amount": self.money(0), "further": self.money(0), "per": "unit", "on": on})

    def percent(self, a, percent, on, target):
        if not percent:
            return self.nothing(on)
        if target == "order":
            return Word("percent_off", {"percent": percent, "round": "order", "base": "remaining", "on": on, "cap": self.maybe(a.get("max_total_minor"))})
        rounds = {None: None, "per_unit": "unit", "per_line": "line", "carry_delta": "carry"}
        bases = {None: None, "original_unit_price": "list", "list_price": "list", "remaining": "remaining"}
        return Word("percent_off", {"percent": percent, "on": on, "base": bases[a.get("base")], "round": rounds[a.get("round")],
                                    "cap": self.maybe(a.get("max_total_minor")), **self.units(a)})

    def fixed(self, a, amount, on, target):
        per = a.get("per")
        if not amount:
            return self.nothing(on)
        if target == "unit_price":
            per = "unit"
        elif target == "lines" and not per and a.get("allocation") != "across":
            per = "each"
        return Word("amount_off", {"amount": self.money(amount), "per": per, "on": on, **(self.units(a) if target != "order" else {})})

    KNOWN = ("type", "target", "match", "percent", "amount_minor", "per", "allocation", "base", "round", "select", "max_units_total",
             "max_units_per_line", "max_total_minor", "qty_step")

    TARGETS = ("lines", "order", "shipping", "order_and_shipping", "unit_price")

    def action(self, p, a):
        kind, target = a["type"], a.get("target", "lines")
        if target not in self.TARGETS:
            raise Inexpressible(f"the target {target}")
        on = self.selector(a.get("match"), p, None if target == "order_and_shipping" else target == "shipping")
        if target == "shipping" and not self.shipping_lines:
            only(a, ("type", "target", "percent", "amount_minor"), "an action on shipping")
            return Word("shipping_off", {"percent": a["percent"]} if kind == "percent" else {"amount": self.money(a["amount_minor"])})
        if target == "order_and_shipping":
            target = "order"
        if target == "shipping":
            target = "lines"
        if kind == "percent":
            only(a, self.KNOWN, "an action")
            return self.percent(a, a["percent"], on, target)
        if kind == "fixed":
            only(a, self.KNOWN, "an action")
            return self.fixed(a, a["amount_minor"], on, target)
        made = getattr(self, "action_" + kind, None)
        if not made:
            raise Inexpressible(f"the action {kind}")
        return made(p, a, on, target)

    def action_fixed_price(self, p, a, on, target):
        only(a, ("type", "target", "match", "price_minor"), "fixed_price")
        return Word("fixed_price", {"price": self.money(a["price_minor"]), "on": on, "per": "set" if target == "order" else None})

    def action_first_then_additional_fixed(self, p, a, on, target):
        only(a, ("type", "target", "match", "first_unit_minor", "additional_unit_minor", "max_units_per_line"), "an action")
        return Word("amount_off", {"amount": self.money(a["first_unit_minor"]), "further": self.money(a["additional_unit_minor"]), "per": "unit",
                                   "max_units_per_line": a.get("max_units_per_line") or None, "on": on})

    def action_quantity_group(self, p, a, on, target):
        only(a, ("type", "target", "match", "group_size", "percent", "amount_minor_per_unit"), "an action")
        if "percent" in a:
            return self.percent(a, a["percent"], on, "lines")
        return self.fixed({**a, "per": "unit"}, a["amount_minor_per_unit"], on, "lines")

    def tiers(self, a, on, give, base):
        by = {"order_item_total": "amount", "eligible_qty": "qty"}.get(a["tier_by"])
        if not by:
            raise Inexpressible(f'tiers by {a["tier_by"]}')
        of = self.selector(None) if by == "amount" else on
        return Word("tiered", {"by": by, "on": of, "below": give(base) if base else None,
                               "steps": [{"at": self.money(at) if by == "amount" else at, "give": give(value)} for at, value in sorted(a["tiers"])]})

    def action_tiered_percent(self, p, a, on, target):
        only(a, ("type", "target", "match", "tier_by", "base_percent", "tiers"), "an action")
        return self.tiers(a, on, lambda v: self.percent({}, v, on, target), a.get("base_percent"))

    def action_tiered_fixed(self, p, a, on, target):
        only(a, ("type", "target", "match", "tier_by", "base_amount_minor", "tiers"), "an action")
        return self.tiers(a, on, lambda v: self.fixed({}, v, on, target), a.get("base_amount_minor"))

    def action_buy_x_get_y(self, p, a, on, target):
        only(a, ("type", "target", "buy", "get", "same_line", "get_percent_off", "get_amount_off_minor_per_unit", "repeat", "max_get_units", "partial_get",
                 "select", "buy_units_excluded_from_get", "units_not_shared_between_promotions", "get_base"), "buy_x_get_y")
        if a.get("buy_units_excluded_from_get") is False:
            raise Inexpressible("units that are bought are given, too")
        only(a["buy"], ("match", "qty"), "what is bought")
        only(a["get"], ("match", "qty"), "what is given")
        return Word("buy_get", {
            "buy": a["buy"]["qty"], "get": a["get"]["qty"], "of": self.selector(a["buy"].get("match"), p), "on": self.selector(a["get"].get("match"), p),
            "percent": a.get("get_percent_off"), "amount": self.maybe(a.get("get_amount_off_minor_per_unit")),
            "max_sets": None if a.get("repeat") else 1, "max_units": a.get("max_get_units"), "partial": a.get("partial_get") or None,
            "pick": "dearest" if a.get("select") == "most_expensive_first" else None, "per": "line" if a.get("same_line") else None,
            "base": "list" if a.get("get_base") == "list_price" else None})

    def action_gift(self, p, a, on, target):
        only(a, ("type", "sku", "unit_price_minor", "percent_off", "qty_per_trigger"), "a gift")
        if a["percent_off"] != 100:
            raise Inexpressible("a gift that costs something")
        triggers = [c for c in p["conditions"] if c["type"] == "contains"]
        per = {"every_qty": triggers[0].get("min_qty", 1), "on": self.selector(triggers[0]["match"])} if len(triggers) == 1 else {}
        return Word("gift", {"sku": "gift-" + a["sku"], "qty": a["qty_per_trigger"], **per})

    # --- campaigns -------------------------------------------------------------------------------------------------------
    def limits(self, p):
        only(p.get("campaign") or {}, ("id", "budget_type", "limit", "used"), "the campaign of a promotion")
        limits = {"uses": p.get("usage_limit"), "per_customer": p.get("per_customer_limit")}
        budget = p.get("campaign")
        if budget and budget["budget_type"] not in ("usage", "spend"):
            raise Inexpressible(f'a budget of {budget["budget_type"]}')
        if budget and budget["budget_type"] == "usage":
            limits["uses"] = budget["limit"]
        elif budget:
            limits.update(budget=self.money(budget["limit"]), partial_budget="skip")
        limits = {k: v for k, v in limits.items() if v is not None}
        if not limits:
            return None
        if p.get("reusable_after_cancel") is False:
            limits["after_cancel"] = "keep"
        return limits

    PROMOTION = ("id", "code", "automatic", "conditions", "actions", "priority", "stackable", "exclusive", "starts_at", "ends_at", "lane", "layer", "combine",
                 "excludes_on_sale", "usage_limit", "per_customer_limit", "reusable_after_cancel", "campaign", "stop_further_rules_per_line")

    def campaign(self, p, number, rank):
        only(p, self.PROMOTION, "a promotion")
        fields = {"id": f"p{number}", "title": " ".join(p["id"].split()), "priority": rank}
        if not p.get("automatic", True):
            if not p.get("code"):
                raise Inexpressible(f'{p["id"]} needs a code, and has none')
            fields["codes"] = [p["code"]]
        window = {"from": p.get("starts_at"), "to": p.get("ends_at")}
        if p.get("starts_at") or p.get("ends_at"):
            fields["window"] = {k: v[:16].replace("T", " ") for k, v in window.items() if v}
        when = [self.condition(c) for c in p["conditions"]]
        fields["lane"] = p.get("lane")
        fields["stage"] = self.stage(p)
        if p.get("exclusive") or p.get("stackable") is False:
            fields["stop" if p.get("layer") == "catalog" else "alone"] = "lines" if p.get("layer") == "catalog" else True
        if p.get("stop_further_rules_per_line"):
            fields["stop"] = "lines"
        if p.get("combine") == "best_only":
            fields["group"] = "best-of-" + p.get("layer", "cart")
        elif p.get("combine"):
            raise Inexpressible(f'combine = {p["combine"]}')
        policies = {}
        if any(c.get("after_previous_discounts") for c in p["conditions"]):
            policies["thresholds"] = "remaining"
        if any(a.get("units_not_shared_between_promotions") for a in p["actions"]):
            policies["units"] = "once"
        fields["policies"] = policies or None
        fields["limits"] = self.limits(p)
        return self.by_channel(p, fields, when)

    def stage(self, p):
        if p.get("layer") not in (None, "catalog", "catalog_line"):
            raise Inexpressible(f'the layer {p["layer"]}')
        if p.get("layer") == "catalog":
            return "price"
        targets = {a.get("target", "lines") for a in p["actions"]}
        return "order" if targets & {"order", "order_and_shipping"} and not targets & {"lines"} else None

    def by_channel(self, p, fields, when):
        """One campaign; or one for each channel, where amounts differ by channel."""
        channels = sorted({c for a in p["actions"] for c in a.get("amount_minor_by_channel", ())})
        made = []
        for channel in channels or [None]:
            own = [{**{k: v for k, v in a.items() if k != "amount_minor_by_channel"}, "amount_minor": a["amount_minor_by_channel"][channel]}
                   if channel and "amount_minor_by_channel" in a else a for a in p["actions"]]
            c = {**fields, "when": when + ([Word("channel", [channel])] if channel else []), "give": [self.action(p, a) for a in own]}
            c["id"] += "-" + re.sub(r"[^A-Za-z0-9_.:-]", "-", channel) if channel else ""
            c["when"] = c["when"] or None
            self.names[c["id"]] = p["id"]
            made.append(c)
        return made

    def campaigns(self):
        ranked = sorted(enumerate(self.case["promotions"]), key=lambda x: (not x[1].get("exclusive", False), -x[1].get("priority", 0), x[0]))
        count = len(ranked)
        made = [c for place, (number, p) in enumerate(ranked) for c in self.campaign(p, number, count - place)]
        body = "".join(f"  promo.campaign {lua(c, 2)},\n" for c in made)
        return f'local promo = require "feira.promo"\n\nreturn {{\n{body}}}\n'

    # --- the shop --------------------------------------------------------------------------------------------------------
    def shop(self):
        floors = [{"scope": {"sku": [self.sku_of(i)]}, "price": self.money(line["attrs"]["min_price_minor"])}
                  for i, line in enumerate(self.lines) if "min_price_minor" in line.get("attrs", {})]
        made = {"name": "Conformance", "currency": CURRENCIES.get(self.exponent, self.cart["currency"]), "zone": "UTC", "test_payments": True,
                "policies": {"like": self.case["policy"], "floors": floors or None} if floors else self.case["policy"]}
        if "shipping_minor" in self.cart and not self.shipping_lines:
            made["shipping"] = [{"id": "post", "title": "Post", "rates": [{"price": self.money(self.cart["shipping_minor"])}]}]
        rates = []
        for percent in dict.fromkeys(self.taxes()):
            rates.append({"title": f"{percent} %", "percent": percent, "scope": {"tag": [f"tax:{percent}"]}})
        if "shipping_tax_rate_percent" in self.cart:
            rates.append({"title": "shipping", "percent": self.cart["shipping_tax_rate_percent"], "shipping": True})
        if rates:
            made["tax"] = {"prices": "include" if self.cart.get("prices_include_tax") else "exclude", "rates": rates}
        return f"return {lua(made)}\n"

    def taxes(self):
        for line in self.lines:
            if "tax_rate_percent" in line.get("attrs", {}):
                yield line["attrs"]["tax_rate_percent"]
        for line in self.shipping_lines:
            if line.get("tax") is not None:
                yield line["tax"]

    ATTRS = ("product", "categories", "on_sale", "original_unit_price_minor", "min_price_minor", "tax_rate_percent")

    def products(self):
        made = []
        for i, line in enumerate(self.lines):
            attrs = line.get("attrs", {})
            tags = [f"product:{attrs['product']}"] if "product" in attrs else []
            tags += [f"categories:{c}" for c in attrs.get("categories", ())]
            tags += [f"tax:{attrs['tax_rate_percent']}"] if "tax_rate_percent" in attrs else []
            tags += [f"{k}:{v}" for k, v in attrs.items() if k not in self.ATTRS]
            product = {"sku": self.sku_of(i), "title": line["sku"], "price": line["unit_price_minor"], "stock": 1000000, "tags": tags}
            if line.get("category"):
                product["category"] = line["category"]
            if "original_unit_price_minor" in attrs:
                product["compare_at"] = attrs["original_unit_price_minor"]
            made.append(product)
        for line in self.shipping_lines:
            tags = [SHIPPING_TAG] + [f"{k}:{v}" for k, v in line.get("attrs", {}).items()]
            tags += [f"tax:{line['tax']}"] if line.get("tax") is not None else []
            made.append({"sku": line["id"], "title": line["id"], "price": line["price_minor"], "stock": 1000000, "tags": tags})
        made += [{"sku": "gift-" + g["sku"], "title": g["sku"], "price": g["unit_price_minor"], "stock": 1000000} for g in self.gifts]
        return list({p["sku"]: p for p in made}.values())

    # --- the cart --------------------------------------------------------------------------------------------------------
    def body(self):
        only(self.case, CASE, "the case")
        only(self.cart, CART, "the cart")
        for line in self.lines:
            only(line, LINE, "a line of the cart")
        for line in self.cart.get("shipping_methods", ()):
            only(line, ("id", "price_minor", "attrs"), "a way to send")
        only(self.context, ("customer", "now", "channel", "usage", "automatic_promotions_disabled"), "the context")
        lines = [{"sku": self.sku_of(i), "qty": line["qty"]} for i, line in enumerate(self.lines)]
        lines += [{"sku": line["id"], "qty": 1} for line in self.shipping_lines]
        body = {"lines": lines, "codes": self.case.get("coupons", [])}
        if "shipping_minor" in self.cart and not self.shipping_lines:
            body["shipping"] = {"option": "post"}
        if "customer" in self.context:
            body["customer"] = "shopper"
        if "channel" in self.context:
            body["channel"] = self.context["channel"]
        if "now" in self.context:
            body["at"] = self.context["now"]
        return body

    def customer(self):
        about = self.context.get("customer")
        if about is None:
            return None
        only(about, ("groups", "email", "completed_orders", "cancelled_orders"), "the customer")
        return {"tags": about.get("groups", [])}

    def stopped(self):
        """What does not apply by itself while only codes count."""
        if not self.context.get("automatic_promotions_disabled"):
            return []
        automatic = {p["id"] for p in self.case["promotions"] if p.get("automatic", True)}
        return [c for c, p in self.names.items() if p in automatic]
