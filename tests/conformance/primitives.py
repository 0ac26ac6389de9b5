"""Single calculations, as quotes: what is split comes off lines that cost what it is split over. Prices of units are made of given totals
where a corpus states those; nothing that is compared is calculated."""

import subprocess

import engine
from feira_tools.server import program
from vocabulary import Inexpressible, Word, lua

PROFILES = {"Sylius/Sylius": "sylius", "vendure-ecommerce/vendure": "vendure", "magento/magento2": "magento", "solidusio/solidus": "solidus",
            "saleor/saleor": "saleor", "medusajs/medusa": "medusa_new", "PrestaShop/PrestaShop": "prestashop"}


def digits(minor):
    text = str(minor).lstrip("-").rjust(3, "0")
    return f"{text[:-2]}.{text[-2:]}"


def quote(primitive, folder, products, qtys, give, floors=None):
    """The lines of the answer."""
    profile = PROFILES.get(primitive["source"].partition(":")[0])
    if not profile:
        raise Inexpressible(f'there is no profile of {primitive["source"].partition(":")[0]}')
    policies = {"like": profile, "floors": [{"scope": {"sku": [f"L{i}"]}, "price": digits(p)} for i, p in enumerate(floors or []) if p] or None}
    campaign = lua({"id": "split", "give": give})
    engine.write(folder, f'return {lua({"name": "Primitive", "currency": "EUR", "zone": "UTC", "policies": policies})}\n',
                 f'local promo = require "feira.promo"\n\nreturn promo.campaign {campaign}\n')
    made = [{"sku": f"L{i}", "title": f"L{i}", "price": p, "stock": 1000000} for i, p in enumerate(products)]
    with engine.Shop(folder) as shop:
        shop.ask("POST", "/v1/products/import", {"products": made}, idempotency="products")
        lines = [{"sku": f"L{i}", "qty": q} for i, q in enumerate(qtys)]
        return shop.ask("POST", "/v1/quotes?explain=full", {"lines": lines})["lines"]


def off(amount):
    """An amount off; of nothing too."""
    return Word("amount_off", {"amount": digits(amount), **({} if amount else {"further": digits(amount), "per": "unit"})})


def signed(discounts, amount):
    """A discount is what comes off: where the amount is negative, so are its parts."""
    return [int(f"-{d}") if str(amount).startswith("-") else d for d in discounts]


def allocate(folder, amount, weights):
    """feira.money.allocate, as a spec of a shop sees it."""
    engine.write(folder, 'return { name = "Primitive", currency = "EUR", zone = "UTC" }\n', "return {}\n")
    (folder / "test").mkdir(exist_ok=True)
    (folder / "test" / "split.lua").write_text(
        'local money, t = require "feira.money", require "feira.test"\n\n'
        f't:it("splits", function() error("<" .. table.concat(money.allocate({amount}, {lua(weights)}, "evenly"), " ") .. ">", 0) end)\n', encoding="utf-8")
    said = subprocess.run([str(program()), "test", "--tap", str(folder)], capture_output=True, text=True).stdout
    if "<" not in said:
        raise Inexpressible(" ".join(said.split())[:300])
    return [int(part) for part in said.partition("<")[2].partition(">")[0].split()]


def prorate(p, folder):
    amount, weights = p["input"]["amount"], p["input"]["weights"]
    if PROFILES.get(p["source"].partition(":")[0]) == "vendure":
        return allocate(folder, amount, weights)
    lines = quote(p, folder, weights, [1 for _ in weights], off(amount))
    return signed([line.get("discount", 0) for line in lines], amount)


def split_equal(p, folder):
    amount = p["input"]["amount"]
    price = int(str(amount).lstrip("-"))  # dear enough for all of it
    line, = quote(p, folder, [price], [p["input"]["parts"]], off(amount))
    units = line.get("units") or [{"qty": p["input"]["parts"], "discount": line["total"]}]  # what costs nothing is not told by units
    return signed([u["discount"] for u in units for _ in range(u["qty"])], amount)


def prorate_with_floor(p, folder):
    given = p["input"]
    prices = []
    for total, qty in zip(given["line_totals"], given["qty"]):
        price, rest = divmod(total, qty)
        if rest:
            raise Inexpressible("a line's total that is not its quantity times a price")
        prices.append(price)
    lines = quote(p, folder, prices, given["qty"], off(given["amount"]), given["min_unit_price"])
    return signed([line.get("discount", 0) for line in lines], given["amount"])


def floor_to_step(p, folder):
    step = p["input"]["step"] or None
    whole, _, part = str(p["input"]["qty"]).partition(".")  # a cart has whole units
    if part.strip("0") and not step:
        raise Inexpressible("a part of a unit")
    line, = quote(p, folder, [1000], [int(whole)], Word("percent_off", {"percent": 10, "whole_per_line": step}))
    return ([u["qty"] for u in line.get("units", ()) if u["discount"]] or [0])[0]


def carry_round(p, folder):
    """Values with digits more than money has are shares of whole prices."""
    shares = {0: 100, 1: 10, 2: 1, 3: 0.1, 4: 0.01}
    values, scale = [str(v) for v in p["input"]["values_major"]], p["input"]["scale"]
    most = max([len(v.partition(".")[2]) for v in values] + [scale])
    percent = shares.get(most - scale)
    if not percent or scale != 2 or any(v.startswith("-") for v in values):
        raise Inexpressible(f"values with {most} digits, rounded to {scale}")
    prices = [int(whole + part.ljust(most, "0")) for whole, _, part in (v.partition(".") for v in values)]
    lines = quote(p, folder, prices, [1 for _ in prices], Word("percent_off", {"percent": percent, "round": "carry"}))
    return [digits(line.get("discount", 0)) for line in lines]


OPERATIONS = {f.__name__: f for f in (prorate, split_equal, prorate_with_floor, floor_to_step, carry_round)}


def run(primitive, folder):
    made = OPERATIONS.get(primitive["op"])
    if not made:
        raise Inexpressible(f'the operation {primitive["op"]}')
    return made(primitive, folder)
