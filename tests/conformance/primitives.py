"""Single calculations, as quotes: what is split comes off lines that cost what it is split over. Prices of units are made of given totals
where a corpus states those; nothing that is compared is calculated."""

import subprocess

import engine
from feira_tools.server import program
from vocabulary import Inexpressible, Word, lua

PROFILES = {"Sylius/Sylius": "sylius", "vendure-ecommerce/vendure": "vendure", "magento/magento2": "magento"}


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
    lines = quote(p, folder, weights, [1 for _ in weights], Word("amount_off", {"amount": digits(amount)}))
    return signed([line.get("discount", 0) for line in lines], amount)


def split_equal(p, folder):
    amount = p["input"]["amount"]
    price = int(str(amount).lstrip("-"))  # dear enough for all of it
    line, = quote(p, folder, [price], [p["input"]["parts"]], Word("amount_off", {"amount": digits(amount)}))
    return signed([u["discount"] for u in line["units"] for _ in range(u["qty"])], amount)


def prorate_with_floor(p, folder):
    given = p["input"]
    prices = []
    for total, qty in zip(given["line_totals"], given["qty"]):
        price, rest = divmod(total, qty)
        if rest:
            raise Inexpressible("a line's total that is not its quantity times a price")
        prices.append(price)
    lines = quote(p, folder, prices, given["qty"], Word("amount_off", {"amount": digits(given["amount"])}), given["min_unit_price"])
    return signed([line.get("discount", 0) for line in lines], given["amount"])


def floor_to_step(p, folder):
    step = p["input"]["step"] or None
    line, = quote(p, folder, [1000], [int(p["input"]["qty"])], Word("percent_off", {"percent": 10, "whole_per_line": step}))
    return ([u["qty"] for u in line.get("units", ()) if u["discount"]] or [0])[0]


def carry_round(p, folder):
    """A value with a digit more than money has is a tenth of a whole price."""
    shares = {1: 10, 2: 1}
    values, scale = p["input"]["values_major"], p["input"]["scale"]
    more = {len(v.partition(".")[2]) for v in values}
    percent = shares.get(next(iter(more)) - scale) if len(more) == 1 and scale == 2 else None
    if not percent:
        raise Inexpressible(f"values with {sorted(more)} digits, rounded to {scale}")
    prices = [int(v.replace(".", "")) for v in values]
    lines = quote(p, folder, prices, [1 for _ in prices], Word("percent_off", {"percent": percent, "round": "carry"}))
    return [digits(line.get("discount", 0)) for line in lines]


OPERATIONS = {f.__name__: f for f in (prorate, split_equal, prorate_with_floor, floor_to_step, carry_round)}


def run(primitive, folder):
    made = OPERATIONS.get(primitive["op"])
    if not made:
        raise Inexpressible(f'the operation {primitive["op"]}')
    return made(primitive, folder)
