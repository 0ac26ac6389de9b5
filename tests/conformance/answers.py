"""What an answer of POST /v1/quotes says about each thing that a case expects. Nothing is calculated: every value stands in the answer."""

NOT_SAID = "the answer does not say it"


class Answer:
    def __init__(self, case, quote):
        self.case, self.quote = case, quote
        count = len(case.lines)
        self.lines = quote["lines"][:count]
        self.shipping_lines = quote["lines"][count:count + len(case.shipping_lines)]
        self.gift_lines = quote["lines"][count + len(case.shipping_lines):]
        self.tax = quote.get("tax")

    def discounts(self, lines):
        return [line.get("discount", 0) for line in lines]

    def of_tax(self, part, name, untaxed):
        return untaxed if not self.tax else self.tax.get(part, {}).get(name, NOT_SAID) if part else self.tax.get(name, NOT_SAID)

    def names(self, campaigns):
        return list(dict.fromkeys(self.case.names[c] for c in campaigns))

    # --- one for each key of expect --------------------------------------------------------------------------------------
    def applied(self, want):
        return self.names(c["id"] for c in self.quote["campaigns"] if c["applied"])

    def line_discounts_minor(self, want):
        return self.discounts(self.lines)

    cart_discount_line_minor = line_discounts_minor

    def line_discounts_multiset_minor(self, want):
        return sorted(self.discounts(self.lines))

    def first_line_discount_minor(self, want):
        return self.discounts(self.lines)[0]

    def second_line_discount_minor(self, want):
        return self.discounts(self.lines)[1]

    def last_line_discount_minor(self, want):
        return self.discounts(self.lines)[-1]

    def line_subtotals_minor(self, want):
        return [line["subtotal"] for line in self.lines]

    def line_totals_minor(self, want):
        return [line["total"] for line in self.lines]

    def line_totals_with_tax_minor(self, want):
        return [line.get("payable", line["total"]) for line in self.lines]

    def unit_prices_minor(self, want):
        return [line["unit_price"] for line in self.lines]

    def unit_prices_after_minor(self, want):
        return [line["units"][0]["total"] if len(line.get("units", ())) == 1 else NOT_SAID for line in self.lines]

    def unit_discounts_minor(self, want):
        return [[u["discount"] for u in line.get("units", ()) for _ in range(u["qty"])] for line in self.lines]

    def order_discount_minor(self, want):
        return self.quote["discount"]

    def order_discount_with_tax_minor(self, want):
        return self.of_tax("discount", "gross", self.quote["discount"])

    def total_minor(self, want):
        # Vendure's total is without tax, as it is where a case states both; otherwise it is what is paid.
        untaxed = self.case.case["policy"] == "vendure" or "total_with_tax_minor" in self.case.case["expect"]
        return self.of_tax("", "net", self.quote["total"]) if untaxed else self.quote["total"]

    def total_with_tax_minor(self, want):
        return self.quote["total"]

    def subtotal_minor(self, want):
        return self.of_tax("lines", "net", self.quote["lines_total"])

    def subtotal_with_tax_minor(self, want):
        return self.of_tax("lines", "gross", self.quote["lines_total"])

    def subtotal_before_discount_minor(self, want):
        return self.quote["subtotal"]

    def tax_minor(self, want):
        return self.tax["amount"] if self.tax else NOT_SAID

    def shipping_minor(self, want):
        return self.quote["shipping"]["total"]

    def shipping_with_tax_minor(self, want):
        return self.quote["shipping"].get("payable", self.quote["shipping"]["total"])

    def shipping_discount_minor(self, want):
        return self.discounts(self.shipping_lines)[0] if self.shipping_lines else self.quote["shipping"].get("discount", 0)

    def shipping_totals_minor(self, want):
        return [line["total"] for line in self.shipping_lines]

    def shipping_discounts_minor(self, want):
        return self.discounts(self.shipping_lines)

    def gift_units(self, want):
        return self.gift_lines[0]["qty"] if self.gift_lines else 0

    def adjustment_count(self, want):
        return len([d for line in self.quote["lines"] for d in line["discounts"]])

    def adjustments(self, want):
        names = [line["sku"] for line in self.case.lines] + [line["id"] for line in self.case.shipping_lines]
        got = [{"promotion": self.case.names[d["campaign"]], "target": name, "amount_minor": d["amount"]}
               for name, line in zip(names, self.quote["lines"]) for d in line["discounts"]]
        key = lambda a: (a["promotion"], a["target"], a["amount_minor"])  # noqa: E731  (the order of a list of adjustments says nothing)
        return want if sorted(got, key=key) == sorted(want, key=key) else got

    def applied_per_line(self, want):
        return {line["sku"]: self.names(d["campaign"] for d in made["discounts"]) for line, made in zip(self.case.lines, self.lines)}

    REASONS = {
        "coupon_expired": ("over",),
        "coupon_not_started": ("not_yet",),
        "usage_limit_reached": ("limit_used_up",),
        "coupon_limit_reached": ("limit_used_up",),
        "customer_limit_reached": ("customer_limit_reached",),
        "campaign_budget_exceeded": ("limit_used_up",),
    }

    def rejected(self, want):
        return [w if self.is_rejected(w) else self.why(w) for w in want]

    def outcomes_of(self, w):
        ids = {p["id"] for p in self.case.case["promotions"] if w.get("id") == p["id"] or ("code" in w and w["code"] == p.get("code"))}
        return [c for c in self.quote["campaigns"] if self.case.names[c["id"]] in ids]

    def why(self, w):
        return {**w, "reason": [c.get("reason", "applied") for c in self.outcomes_of(w)] or "nothing is said of it"}

    def is_rejected(self, w):
        outcomes = self.outcomes_of(w)
        if "code" in w and w["code"] not in self.quote.get("unused_codes", ()):
            return False
        if any(c["applied"] for c in outcomes):
            return False
        if w["reason"] in ("coupon_invalid", "not_eligible"):
            return bool(outcomes) == (w["reason"] == "not_eligible") or any(c["reason"]["code"] in self.REASONS["campaign_budget_exceeded"] for c in outcomes)
        return any(c["reason"]["code"] in self.REASONS.get(w["reason"], ()) for c in outcomes)


def compare(answer, expect):
    """[(key, expected, got)] of what differs."""
    out = []
    for key, want in expect.items():
        said = getattr(answer, key, None)
        got = said(want) if said else f"there is no word for {key}"
        if got != want:
            out.append((key, want, got))
    return out


def mutate(expect):
    """The same with one more in the first number; None where there is none."""
    if isinstance(expect, bool):
        return None
    if isinstance(expect, int):
        return expect + 1
    items = expect.items() if isinstance(expect, dict) else enumerate(expect) if isinstance(expect, list) else ()
    for key, value in items:
        other = mutate(value)
        if other is not None:
            copy = dict(expect) if isinstance(expect, dict) else list(expect)
            copy[key] = other
            return copy
    return None
