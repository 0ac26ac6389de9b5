"""What a case says was used and ordered before: campaigns with the ids of its promotions, each for a product of its own, and the orders of these
products. They are placed before the shop gets the campaigns of the case; what counts uses and money belongs to the id."""

from vocabulary import Inexpressible, Word, lua, only

SHOPPER = "shopper"


class Past:
    def __init__(self, case):
        self.case = case
        self.products, self.campaigns, self.orders = [], [], []  # of orders: (sku, who, whether it is cancelled)
        usage = case.context.get("usage", {})
        ids = {p["id"]: number for number, p in enumerate(case.case["promotions"])}
        codes = {p["code"]: p["id"] for p in case.case["promotions"] if p.get("code")}
        used = {name if name in ids else codes.get(name): what for name, what in usage.items()}
        if None in used:
            raise Inexpressible("the usage of what is no promotion of the case, and no code of one")
        for name, number in ids.items():
            self.uses(case.case["promotions"][number], f"p{number}", used.get(name, {}))
        self.customer(case.context.get("customer") or {})

    def sells(self, sku, price):
        self.products.append({"sku": sku, "title": sku, "price": price, "stock": 1000000})

    def uses(self, promotion, campaign, used):
        only(used, ("total", "total_cancelled", "customer"), "the usage")
        budget = promotion.get("campaign") or {}
        spent = budget.get("used", 0) if budget.get("budget_type") == "spend" else 0
        own = used.get("customer", 0)
        total = max(used.get("total", 0), own, budget.get("used", 0) if budget.get("budget_type") == "usage" else 0)
        if not spent and not total:
            return
        if any("amount_minor_by_channel" in a for a in promotion["actions"]):
            raise Inexpressible("what was used of a promotion that differs by channel")
        sku = f"past-{campaign}"
        self.sells(sku, spent or 100)
        self.campaigns.append({"id": campaign, "limits": self.case.limits(promotion), "scope": Word("sku", [sku]), "give": Word("percent_off", {"percent": 100})})
        someone = f"{campaign}-customer-{{}}" if promotion.get("per_customer_limit") else None  # a guest has no limit per customer
        for i in range(total or 1):
            who = SHOPPER if i < own else someone and someone.format(i)
            self.orders.append((sku, who, i < used.get("total_cancelled", 0)))

    def customer(self, about):
        """Orders that used nothing, besides those that did."""
        ordered, cancelled = about.get("completed_orders", 0), about.get("cancelled_orders", 0)
        counted = len([who for _, who, _ in self.orders if who == SHOPPER])
        if ordered > counted:
            self.sells("past-order", 100)
        self.orders += [("past-order", SHOPPER, i < cancelled) for i, _ in enumerate(range(counted, ordered))]

    def files(self):
        return "local promo = require \"feira.promo\"\n\nreturn {\n" + "".join(f"  promo.campaign {lua(c, 2)},\n" for c in self.campaigns) + "}\n"

    def place(self, shop):
        shop.ask("POST", "/v1/products/import", {"products": self.products}, idempotency="past-products")
        for who in {who for _, who, _ in self.orders if who}:
            shop.ask("PUT", f"/v1/customers/{who}", {}, idempotency=f"past-{who}")
        for i, (sku, who, cancelled) in enumerate(self.orders):
            order = {"lines": [{"sku": sku, "qty": 1}], **({"customer": who} if who else {})}
            order["expected_total"] = shop.ask("POST", "/v1/quotes", order)["total"] if i == 0 or sku == "past-order" else 0
            name = shop.ask("POST", "/v1/orders", order, idempotency=f"order-{i}")["id"]
            if cancelled:
                shop.ask("POST", f"/v1/orders/{name}/cancel", {}, idempotency=f"cancel-{i}")
