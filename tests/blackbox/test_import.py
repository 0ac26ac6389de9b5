"""feira import: two forms of CSV, while the shop is being served and while it is not."""

import pytest
from market import feira, ok, write_shop
from feira_tools.server import Server
from market import Shop

PLAIN = '''sku,title,category,tags,price,stock
TEA-1,"Green, first flush",tea/green,"spring,green",19.99,10
TEA-2,"Say ""tea""",tea,,0.05,0
MUG-1,Becher größer 茶,mugs,gift,1234.5,3
'''

SHOPIFY = """Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Option3 Name,Option3 Value,Variant SKU,Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Fulfillment Service,Variant Price,Variant Compare At Price,Variant Requires Shipping,Variant Taxable,Variant Barcode,Image Src,Image Position,Image Alt Text,Gift Card
linen-shirt,Linen Shirt,<p>Cool</p>,Harbour,Shirts,"summer, linen",true,Size,Small,,,,,SHIRT-S,200,shopify,4,deny,manual,50,65.50,true,true,,https://pictures.example/shirt.jpg,1,,false
linen-shirt,,,,,,,,Large,,,,,SHIRT-L,220,shopify,1,deny,manual,55,,true,true,,https://pictures.example/shirt-back.jpg,2,,
linen-shirt,,,,,,,,,,,,,,,,,,,,,,,,https://pictures.example/shirt-side.jpg,3,,
brass-lamp,Brass Lamp,"Two
lines",Harbour,Lamps,brass,true,Title,Default Title,,,,,,900,shopify,7,deny,manual,59.99,75,true,true,,https://pictures.example/lamp.jpg,1,,false
"""  # fmt: skip


@pytest.fixture(params=["served", "not served"])
def served(request):
    return request.param == "served"


@pytest.fixture
def market_shop(tmp_path, served):
    """A shop, and a function that makes sure that it is served, for looking at what was imported."""
    shop = Shop(write_shop(tmp_path))
    if served:
        shop.server.start()

    def look():
        if not served:
            shop.server.start()
        return shop

    shop.look = look
    yield shop
    shop.close()


def test_the_plain_form(market_shop, tmp_path):
    file = tmp_path / "plain.csv"
    file.write_text(PLAIN, encoding="utf-8")
    done = feira("import", market_shop.folder, file)
    assert done.returncode == 0 and "3" in done.stdout, done
    shop = market_shop.look()
    tea = ok(shop.sk.request("GET", "/v1/products/TEA-1"), 200)
    assert (tea["title"], tea["category"], tea["tags"], tea["price"]) == ("Green, first flush", "tea/green", ["spring", "green"], 1999)
    assert shop.available("TEA-1")["available"] == 10
    assert ok(shop.sk.request("GET", "/v1/products/TEA-2"), 200)["title"] == 'Say "tea"'
    mug = ok(shop.sk.request("GET", "/v1/products/MUG-1"), 200)
    assert mug["price"] == 123450 and mug["title"] == "Becher größer 茶"


def test_the_shopify_form(market_shop, tmp_path):
    file = tmp_path / "shopify.csv"
    file.write_text(SHOPIFY, encoding="utf-8")
    done = feira("import", market_shop.folder, file)
    assert done.returncode == 0, done
    shop = market_shop.look()
    small = ok(shop.sk.request("GET", "/v1/products/SHIRT-S"), 200)
    assert small["price"] == 5000 and small["compare_at"] == 6550 and small["weight_g"] == 200 and small["options"] == {"Size": "Small"}
    assert small["variant_of"] == "linen-shirt" and small["tags"] == ["summer", "linen"] and small["brand"] == "Harbour"
    assert shop.available("SHIRT-S")["available"] == 4 and shop.available("SHIRT-L")["available"] == 1
    parent = ok(shop.sk.request("GET", "/v1/products/linen-shirt"), 200)
    assert {v["sku"] if isinstance(v, dict) else v for v in parent["variants"]} == {"SHIRT-S", "SHIRT-L"}
    lamp = ok(shop.sk.request("GET", "/v1/products/brass-lamp"), 200)
    assert lamp["price"] == 5999 and shop.available("brass-lamp")["available"] == 7
    assert shop.quote({"SHIRT-L": 1, "brass-lamp": 1})["total"] == 5500 + 5999


BAD = """sku,title,category,tags,price,stock
GOOD-1,Fine,a,,1.00,1
,No sku,a,,1.00,1
BAD-3,"Two
lines",a,,free,1
BAD-5,Tenths,a,,0.001,1
BAD-6,Negative,a,,-1.00,1
BAD-7,Half a piece,a,,1.00,1.5
GOOD-1,Twice,a,,2.00,1
"""


def test_bad_rows_are_listed_with_line_and_reason_and_nothing_is_imported(market_shop, tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text(BAD, encoding="utf-8")
    done = feira("import", market_shop.folder, file)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    for line in (3, 4, 6, 7, 8, 9):
        assert any(f"{line}" in part.split() or f":{line}:" in part or f"line {line}" in part for part in said.splitlines()), (line, said)
    shop = market_shop.look()
    assert ok(shop.sk.request("GET", "/v1/products"), 200)["items"] == []


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3\n", "sku,title,price\n", 'sku,title,price\nA,"open,1\n', "sku,title,price\nA,\xff,1\n", "sku,title,price\nA,B\n"])
def test_a_file_that_is_no_catalogue_is_refused(market_shop, tmp_path, text):
    file = tmp_path / "other.csv"
    file.write_bytes(text.encode("latin-1"))
    done = feira("import", market_shop.folder, file)
    if text == "sku,title,price\n":
        return  # a header alone may be an import of nothing
    assert done.returncode != 0 and done.stderr.strip(), done
    assert ok(market_shop.look().sk.request("GET", "/v1/products"), 200)["items"] == []


def test_a_missing_file_is_said(market_shop, tmp_path):
    done = feira("import", market_shop.folder, tmp_path / "nothing.csv")
    assert done.returncode != 0 and "nothing.csv" in done.stderr


def test_the_example_catalogues_load(tmp_path):
    from feira_tools.server import ROOT

    for name, count in (("tea-shop", 14), ("giftware", None), ("member-club", 14), ("group-shop", 5)):
        data = tmp_path / name
        catalogue = ROOT / "examples" / name / "catalogue.csv"
        done = feira("import", ROOT / "examples" / name, catalogue, "--data", data)
        assert done.returncode == 0, done
        with Server(ROOT / "examples" / name, data) as server:
            shop = Shop.__new__(Shop)
            shop.server, shop.clients = server, []
            items, cursor = 0, None
            while True:
                page = ok(shop.sk.request("GET", "/v1/products?limit=100" + (f"&cursor={cursor}" if cursor else "")), 200)
                items += len(page["items"])
                cursor = page["next_cursor"]
                if not cursor:
                    break
            assert items == (count or len(catalogue.read_text(encoding="utf-8").splitlines()) - 1)
