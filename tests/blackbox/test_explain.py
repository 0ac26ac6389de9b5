"""Why a campaign did what it did: places, sentences, what it took off which line."""

import json
import pathlib
import re

import pytest
from market import feira, ok, problem

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCALES = sorted((ROOT / "stdlib/locale").glob("*.json"))


def codes_of_the_kernel():
    """Every string that the kernel gives as a reason, read from its source."""
    found = set()
    for file in (ROOT / "runtime/quote").glob("*.c"):
        if file.stem.endswith("_test") or file.stem in ("bench", "words"):
            continue
        text = file.read_text()
        for call in re.findall(r"\bwhy_(?:set|wanted|fact)\((e, [^;]*?)\);", text):
            found.update(re.findall(r'"(\w+)"', call))
        for call in re.findall(r"\bone_of\((e, [^;]*?)\);", text):
            found.update(re.findall(r'"(\w+)"', call))
        for value in re.findall(r"(?:slot|slots\[i\]|out)(?:\.|->)reason = ([^;]*);", text):
            found.update(re.findall(r'"(\w+)"', value))
    return found


def test_every_reason_of_the_kernel_has_a_sentence_in_every_language():
    codes = codes_of_the_kernel()
    assert {"stopped", "lost", "subtotal_below", "fact_missing", "region_differs", "no_shipping"} <= codes
    listed = re.search(r"quote_reason_codes\[\] = \{(.*?)NULL", (ROOT / "runtime/quote/explain.c").read_text(), re.S).group(1)
    assert set(re.findall(r'"(\w+)"', listed)) == codes
    assert {x.stem for x in LOCALES} == {"en", "zh-CN"}
    readings = [json.loads(x.read_text()) for x in LOCALES]
    for reading in readings:
        assert {x for x in reading["reasons"] if "/" not in x} == codes
    assert readings[0].keys() == readings[1].keys()
    for table in ("reasons", "offers", "codes"):
        assert readings[0][table].keys() == readings[1][table].keys()
        for code in readings[0][table]:
            names = [set(re.findall(r"\{(\w+)\}", str(x[table][code]))) for x in readings]
            assert names[0] == names[1], f"{code}: the languages name other values"


CAMPAIGNS = {
    "many": """return require("feira.promo").campaign {
  id = "many", title = "Many", scope = require("feira.promo").tag "tea",
  when = { require("feira.promo").qty { at_least = 1 }, require("feira.promo").subtotal { at_least = "1500.00" } },
  give = require("feira.promo").percent_off { percent = 10 },
}""",
    "tenth": """local promo = require "feira.promo"
return promo.campaign { id = "tenth", scope = promo.tag "tea", give = promo.percent_off { percent = 10 } }""",
    "fn": """local promo = require "feira.promo"
return promo.campaign { id = "fn", when = function(cart) return cart.qty > 99 end, scope = promo.tag "tea", give = promo.percent_off { percent = 1 } }""",
}


def explained(shop, cart, query, **headers):
    return ok(shop.pk.request("POST", f"/v1/quotes?{query}", cart, headers=list(headers.items())), 200)


@pytest.fixture
def teashop(own_shop):
    shop = own_shop(campaigns=CAMPAIGNS)
    shop.sku = shop.product(price=123450, tags=["tea"])
    shop.other = shop.product(price=1000)
    return shop


def test_sentences_by_lang_and_header(teashop):
    cart = {"lines": [{"sku": teashop.sku, "qty": 1}]}
    plain = {c["id"]: c for c in explained(teashop, cart, "explain=full")["campaigns"]}
    assert plain["many"]["reason"] == {"code": "subtotal_below", "needed": 150000, "seen": 123450}
    assert plain["many"]["at"] == "when[2].subtotal"
    assert plain["tenth"]["lines"] == [{"line": 0, "amount": 12345}]
    assert plain["fn"]["reason"]["code"] == "condition_false" and plain["fn"]["at"] == "when.fn"
    assert plain["fn"]["functions"]["calls"] == 1 and plain["fn"]["functions"]["ns"] > 0
    assert "functions" not in plain["many"]
    english = "It takes £1,500.00; what counts comes to £1,234.50."
    chinese = json.loads((ROOT / "stdlib/locale/zh-CN.json").read_text())["reasons"]["subtotal_below"]
    chinese = chinese.replace("{needed}", "£1,500.00").replace("{seen}", "£1,234.50")

    def text(query, **headers):
        return {c["id"]: c for c in explained(teashop, cart, query, **headers)["campaigns"]}["many"]["reason"].get("text")

    assert text("explain=full&lang=en") == text("explain=many&lang=en-GB") == english
    assert text("explain=full&lang=zh-CN") == text("explain=full&lang=zh") == chinese
    assert text("explain=full", **{"Accept-Language": "fr, zh-TW;q=0.8, en;q=0.9"}) == english
    assert text("explain=full", **{"Accept-Language": "zh-Hans-CN,zh;q=0.9,en;q=0.8"}) == chinese
    assert text("explain=full", **{"Accept-Language": "fr,de;q=0.5"}) is None
    assert text("explain=full", **{"Accept-Language": ";;,q=,en;q=2x,,"}) is None
    assert text("explain=full&lang=en", **{"Accept-Language": "zh"}) == english
    problem(teashop.pk.request("POST", "/v1/quotes?lang=fr", cart), 422, field="lang")


def test_one_campaign(teashop):
    cart = {"lines": [{"sku": teashop.other, "qty": 1}]}
    assert explained(teashop, cart, "explain=applied")["campaigns"] == []
    quote = explained(teashop, cart, "explain=tenth")
    assert [(c["id"], c["reason"]["code"]) for c in quote["campaigns"]] == [("tenth", "no_lines")] and quote["total"] == 1000
    problem(teashop.pk.request("POST", "/v1/quotes?explain=nosuch", cart), 422, field="explain")


def test_the_table(teashop, tmp_path):
    cart = tmp_path / "cart.json"
    cart.write_text(json.dumps({"lines": [{"sku": teashop.other, "qty": 1}, {"sku": teashop.sku, "qty": 1}], "codes": ["NOSUCH"]}))
    table = feira("explain", teashop.folder, cart, "--lang", "en").stdout
    assert "Applied\n  tenth" in table and f"line 2  {teashop.sku}  -123.45" in table
    assert "It takes £1,500.00; what counts comes to £1,234.50." in table and "subtotal_below at when[2].subtotal" in table
    assert "functions: 1 call," in table and re.search(r"\nCodes\n  NOSUCH +unknown  There is no such code\.\n", table)
    one = feira("explain", teashop.folder, cart, "--campaign", "many", "--lang", "zh-CN")
    assert one.returncode == 0 and "  many " in one.stdout and "  fn " not in one.stdout and "£1,500.00" in one.stdout
    for wrong in (["--campaign", "nosuch"], ["--campaign", "a&b"], ["--lang", "fr"]):
        assert feira("explain", teashop.folder, cart, *wrong).returncode not in (0, 2)


def test_offers(teashop):
    cart = {"lines": [{"sku": teashop.sku, "qty": 1}]}
    quote = explained(teashop, cart, "offers=1&lang=en")
    assert quote["offers"] == [
        {
            "campaign": "many", "title": "Many", "code": "subtotal_more", "more": 26550, "needed": 150000, "seen": 123450,
            "gives": {"action": "percent_off", "rate_ppm": 100000}, "text": "£265.50 more, and it applies.",
        }
    ]  # fmt: skip
    assert [c["id"] for c in quote["campaigns"]] == ["tenth"], "what is only offered had no turn"
    bought = explained(teashop, {"lines": [*cart["lines"], {"sku": teashop.product(price=26550, tags=["tea"]), "qty": 1}]}, "offers=1")
    assert "many" in [c["id"] for c in bought["campaigns"] if c["applied"]] and bought["offers"] == []
    assert "offers" not in explained(teashop, cart, "offers=0") and "offers" not in explained(teashop, cart, "explain=full")
    problem(teashop.pk.request("POST", "/v1/quotes?offers=yes", cart), 422, field="offers")
