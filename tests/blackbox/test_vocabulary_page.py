"""stdlib/VOCABULARY.md, the words of campaigns with examples: each example is run as it stands there, in the specs of a plugin that is made
for it, and every word has one. What the page means by its columns stands in its head."""

import pathlib
import re
import subprocess

from feira_tools.server import program

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "stdlib" / "VOCABULARY.md"
TWIN = ROOT / "stdlib" / "meta" / "feira.promo.lua"
PLUGIN = 'return { name = "tried", version = "1.0.0", api = 1, title = "Examples", about = "Runs the examples of a page." }\n'
HELP = """
local function line_of(sku, qty, from) return { sku = sku, qty = qty, from = from } end
local function customers()
  t:customer { id = "ann", tags = { "friend" } }
  t:customer { id = "bob" }
end
local function given(quote)
  local out = {}
  for _, line in ipairs(quote.lines) do
    if line.gift then out[#out + 1] = ("%d %s"):format(line.qty, line.sku) end
  end
  return table.concat(out, ", ")
end
local function granted(quote)
  local out = {}
  for _, grant in ipairs(quote.grants or {}) do out[#out + 1] = grant.to end
  return table.concat(out, ", ")
end
"""


def cells(row):
    return [c.strip() for c in row.strip().strip("|").split("|")]


def catalogue(page):
    """SKU -> what makes the product in a spec, of the page's table"""
    rows = [cells(r) for r in re.findall(r"^\| [A-Z]{3} \| \d.*$", page, re.M)]
    assert rows, "the page has no catalogue"
    out = {}
    for sku, price, compare_at, category, brand, tags, attributes in rows:
        more = "".join(f', {k} = "{v}"' for k, v in (("compare_at", compare_at), ("brand", brand)) if v)
        more += f', tags = {{ "{tags}" }}' if tags else ""
        more += f", attributes = {{ {attributes} }}" if attributes else ""
        out[sku] = (f't:product {{ sku = "{sku}", price = "{price}", category = "{category}"{more} }}')
    return out


def examples(page):
    """[(heading, the file's text, [(cart, what it comes to)])]"""
    out, word = [], None
    for part in re.split(r"^(?=###? )", page, flags=re.M):
        word = part.splitlines()[0].lstrip("# ") if part.startswith("#") else None
        for code, table in re.findall(r"```lua\n(.*?)```\n\n((?:\|[^\n]*\n?)+)", part, re.S):
            rows = [cells(r)[:2] for r in table.splitlines()[2:]]
            assert rows, (word, code)
            out.append((word, code, rows))
    return out


def lines_of(text):
    found = [re.fullmatch(r"(\d+) ([A-Z]{3})(?: from ([\w-]+))?", p.strip()) for p in text.split(",")]
    assert all(found), f"no lines of a cart: {text}"
    return ", ".join(f'line_of("{m[2]}", {m[1]}, {repr(m[3]) if m[3] else "nil"})' for m in found)


STEPS = {  # what was before: a clause of the cart -> Lua
    r"(\w+) ordered (.+)": lambda m: f't:pay(t:order {{ customer = "{m[1]}", lines = {{ {lines_of(m[2])} }} }})',
    r"(\w+) cancelled (.+)": lambda m: f't:cancel(t:order {{ customer = "{m[1]}", lines = {{ {lines_of(m[2])} }} }})',
    r"(\w+) claimed (\S+)": lambda m: f't:as("{m[1]}"):post("/v1/x/coupons/campaigns/{m[2]}/claim")',
    r"word (\S+) of (\S+)": lambda m: f't:post("/v1/x/coupons/words", {{ code = "{m[1]}", campaign = "{m[2]}", uses = 10 }})',
    r"on (\d{4}-\d\d-\d\d \d\d:\d\d)": lambda m: f't:at "{m[1]}"',
}
FIELDS = {  # what the cart says
    "customer": 'customer = "{}"', "code": 'codes = {{ "{}" }}', "channel": 'channel = "{}"', "store": 'store = "{}"',
    "payment_method": 'payment_method = "{}"', "region": 'shipping = {{ region = "{}" }}', "shipping": 'shipping = {{ option = "{}" }}',
}


def clauses(text):
    """(the cart, in Lua; what happens before it)"""
    first, *rest = text.split("; ")
    cart, steps = [f"lines = {{ {lines_of(first)} }}"], []
    for clause in rest:
        key, _, value = clause.partition(" ")
        step = next((make(m) for form, make in STEPS.items() if (m := re.fullmatch(form, clause))), None)
        assert step or key in FIELDS, f"no such clause of a cart: {clause}"
        if step:
            steps.append(step)
        else:
            cart.append(FIELDS[key].format(value))
    return "{ " + ", ".join(cart) + " }", steps


def expectation(text):
    """What has to hold, in Lua."""
    if text == "refused":
        return 't:refused("gate_closed", function() t:quote(cart) end)'
    m = re.fullmatch(r"\*\*(\d+)\.(\d\d)\*\*(?: with (.+?))?(?: then (\w+))?(?: to pay until (\d\d:\d\d))?", text)
    assert m, f"no result: {text}"
    out = ["local quote = t:quote(cart)", f"t:expect(quote.total, {int(m[1] + m[2])})", f't:expect(given(quote), "{m[3] or ""}")',
           f't:expect(granted(quote), "{m[4] or ""}")']
    if m[5]:
        out.append(f't:expect(t:order(cart).expires_at:sub(12, 16), "{m[5]}")')
    return "\n    ".join(out)


def shop_of(code):
    plugins = ""
    if re.search(r'coupon = \{|"coupons"', code):
        plugins += "coupons = {}, "
    if "points_multiplier" in code:
        plugins += "points = {}, "
    if "member-tiers" in code:
        plugins += '["member-tiers"] = { levels = { { id = "bronze", title = "Bronze" }, { id = "silver", title = "Silver", points = 50 } } }, '
    return f"""t:shop {{
  currency = "GBP", zone = "UTC", test_payments = true, plugins = {{ {plugins} }},
  shipping = {{ {{ id = "standard", title = "Standard", rates = {{ {{ price = "5.00" }} }} }} }},
  campaigns = {{ tried = [==[local promo = require "feira.promo"
{code}]==] }},
}}
"""


def spec_of(page, folder_is_a_shop=False):
    """(the spec, the names of its tests)"""
    out, names = ['local t = require "feira.test"', HELP], []
    products = catalogue(page)
    for number, (word, code, rows) in enumerate(examples(page)):
        if "promo.data" in code and not folder_is_a_shop:
            continue  # there are no other files in a shop that is made up
        out.append("" if folder_is_a_shop else shop_of(code))
        for cart, result in rows:
            lua, steps = clauses(cart)
            here = [make for sku, make in products.items() if sku in cart or sku in code]
            here += ["customers()"] if re.search(r"\b(ann|bob)\b", cart) else []
            names.append(f"{number} {word}: {cart}")
            body = "\n    ".join([*here, f"local cart = {lua}", *steps, expectation(result)])
            out.append(f't:it([[{names[-1]}]], function()\n    {body}\nend)')
    return "\n".join(out), names


def specs(folder, spec, names):
    """name of each test -> whether it passed; and all that was printed"""
    (folder / "test").mkdir(parents=True)
    (folder / "test" / "words.lua").write_text(spec)
    done = subprocess.run([str(program().resolve()), "test", str(folder), "--tap"], capture_output=True, text=True, timeout=300)
    said = done.stdout + done.stderr
    verdicts = re.findall(r"^(not ok|ok) \d+ - (.*)$", done.stdout, re.M)
    assert len(verdicts) == len(names), said[:6000]
    for (_, shown), name in zip(verdicts, names):
        assert name in shown
    return {name: verdict == "ok" for (verdict, _), name in zip(verdicts, names)}, said


def run(folder, page):
    folder = folder / "tried"
    folder.mkdir(parents=True)
    (folder / "plugin.lua").write_text(PLUGIN)
    return specs(folder, *spec_of(page))


def test_a_table_beside_the_files(tmp_path):
    page = PAGE.read_text()
    head, part = page[: page.index("## Sets")], page[page.index("### data") :].split("\n#")[0] + "\n"
    [(_, code, _)] = examples(part)
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "shop.lua").write_text('return { name = "Tried", currency = "GBP", zone = "UTC" }\n')
    (tmp_path / "campaigns" / "tried.lua").write_text(f'local promo = require "feira.promo"\n{code}')
    (tmp_path / "campaigns" / "prices.csv").write_text(re.search(r"```csv\n(.*?)```", part, re.S)[1])
    results, said = specs(tmp_path, *spec_of(head + part, folder_is_a_shop=True))
    assert results and all(results.values()), said


def test_every_example_comes_to_what_stands_beside_it(tmp_path):
    results, said = run(tmp_path, PAGE.read_text())
    assert all(results.values()), said


def test_a_statement_that_is_wrong_is_found(tmp_path):
    page = PAGE.read_text()
    some = page[: page.index("## Putting together")]  # each amount a penny higher
    for heading in ("### gift", "### points_multiplier", "### pay_within", "### purchase_limit"):
        some += page[page.index(heading) :].split("\n#")[0] + "\n\n"
    wrong = re.sub(r"\*\*(\d+)\.(\d\d)\*\*", lambda m: "**{}.{:02}**".format(*divmod(int(m[1] + m[2]) + 1, 100)), some)
    wrong = wrong.replace("| refused |", "| **20.00** |")
    results, said = run(tmp_path / "amounts", wrong)
    assert len(results) > 20 and not any(results.values()), said
    other = some.replace("with 1 CUP", "with 2 CUP").replace("with 2 CUP", "with 1 MUG").replace("then points", "").replace("09:05", "09:06")
    results, said = run(tmp_path / "others", other[: other.index("## Sets")] + other[other.index("### gift") :])
    assert {name.split(": ")[1] for name, passed in results.items() if not passed} == {"1 POT", "3 POT", "1 TEA; customer ann", "1 TEA"}, said


def vocabulary():
    """The words, of the program's own table and of what editors show; and the keys of campaigns, limits, coupons and gates."""
    source, twin = (ROOT / "stdlib" / "feira" / "promo.lua").read_text(), TWIN.read_text()
    table = re.search(r"^words = \{\n(.*?)^\}", source, re.M | re.S)[1]
    words = set(re.findall(r"^  (\w+) = \{", table, re.M)) | set(re.findall(r"^promo\.(\w+) = ", source, re.M))
    assert len(words) > 40
    words |= set(re.findall(r"^function promo\.(\w+)\(", twin, re.M))
    keys = set()
    for name in ("CampaignSpec", "Limits", "Coupon", "GateSpec", "PurchaseLimitSpec"):
        fields = re.search(rf"^---@class feira\.promo\.{name}\n((?:---@field .*\n)+)", twin, re.M)
        keys |= set(re.findall(r"^---@field (\w+)", fields[1], re.M))
    assert len(keys) > 30
    return words, keys


def without_example(page):
    words, keys = vocabulary()
    code = "\n".join(code for _, code, _ in examples(page))
    return {f"promo.{w}" for w in words if not re.search(rf"promo\.{w}\b", code)} | {k for k in keys if not re.search(rf"\b{k} = ", code)}


def test_every_word_has_an_example():
    page = PAGE.read_text()
    assert without_example(page) == set()
    assert without_example(page.replace("promo.zhe", "promo.percent_off").replace("after_cancel", "after_refund")) == {"promo.zhe", "after_cancel"}
